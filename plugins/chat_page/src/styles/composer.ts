// The composer: its box, the field, the buttons.

import { css } from "lit";

export const composer = css`
	:host {
		position: relative;
	}

	ock-composer {
		display: block;
		flex: none;
		min-inline-size: 0;
	}

	.ock-composer {
		inline-size: 100%;
		max-inline-size: 768px;
		margin-inline: auto;
		padding: calc(var(--ock-space) * 2) calc(var(--ock-space) * 3) calc(var(--ock-space) * 3);
	}

	.ock-box {
		position: relative;
		display: flex;
		flex-direction: column;
		border: 1px solid var(--ock-border);
		border-radius: calc(var(--ock-radius) * 1.5);
		background: var(--ock-surface);
		box-shadow: 0 1px 4px rgb(0 0 0 / 6%);
	}

	.ock-box:has(textarea:focus) {
		border-color: var(--ock-link);
		box-shadow: 0 0 0 1px var(--ock-link);
	}

	.ock-box[data-disabled] {
		background: var(--ock-surface-raised);
	}

	/* The text and the layer that marks its tags lie on each other, and have to break lines alike */
	ock-field {
		display: block;
		max-block-size: min(40vh, 320px);
		overflow-y: auto;
	}

	.ock-field {
		display: grid;
	}

	.ock-field > textarea,
	.ock-mirror {
		grid-area: 1 / 1;
		inline-size: 100%;
		min-inline-size: 0;
		margin: 0;
		padding: calc(var(--ock-space) * 3) calc(var(--ock-space) * 4) var(--ock-space);
		border: 0;
		font: inherit;
		letter-spacing: inherit;
		tab-size: 4;
		white-space: pre-wrap;
		overflow-wrap: anywhere;
		unicode-bidi: plaintext;
		text-align: start;
	}

	.ock-field > textarea {
		block-size: 100%;
		background: none;
		color: inherit;
		outline: none;
		overflow: hidden;
		resize: none;
	}

	.ock-field > textarea::placeholder {
		color: var(--ock-text-quiet);
		opacity: 1;
	}

	.ock-field > textarea:disabled {
		cursor: not-allowed;
		opacity: 1;
	}

	.ock-mirror {
		color: transparent;
		pointer-events: none;
		user-select: none;
	}

	.ock-mention {
		border-radius: 4px;
		background: color-mix(in srgb, var(--ock-accent) 18%, transparent);
		box-shadow: 0 0 0 1px color-mix(in srgb, var(--ock-accent) 35%, transparent);
		box-decoration-break: clone;
		-webkit-box-decoration-break: clone;
	}

	.ock-mention[data-interactive] {
		cursor: pointer;
		pointer-events: auto;
	}

	.ock-composer-bar,
	.ock-dictation {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: var(--ock-space);
		padding: var(--ock-space) calc(var(--ock-space) * 2) calc(var(--ock-space) * 2);
	}

	.ock-side {
		display: flex;
		align-items: center;
		gap: var(--ock-space);
		min-inline-size: 0;
		margin-inline-start: auto;
	}

	.ock-tool {
		display: inline-flex;
		align-items: center;
		justify-content: center;
		gap: var(--ock-space);
		flex: none;
		min-inline-size: 36px;
		min-block-size: 36px;
		max-inline-size: 100%;
		padding: 0 calc(var(--ock-space) * 2);
		border: 1px solid transparent;
		border-radius: 999px;
		background: none;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		cursor: pointer;
	}

	.ock-tool:hover {
		background: var(--ock-surface-raised);
		color: var(--ock-text);
	}

	.ock-tool[aria-pressed="true"],
	.ock-chosen {
		border-color: color-mix(in srgb, var(--ock-accent) 40%, transparent);
		background: color-mix(in srgb, var(--ock-accent) 12%, transparent);
		color: var(--ock-text);
	}

	.ock-tool-text {
		overflow: hidden;
		max-inline-size: 192px;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-main,
	.ock-main:hover {
		padding: 0;
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-main[aria-disabled="true"] {
		background: var(--ock-border);
		color: var(--ock-text-quiet);
		cursor: default;
	}

	.ock-tool > svg {
		inline-size: 20px;
		block-size: 20px;
	}

	.ock-glyph {
		flex: none;
		inline-size: 20px;
		block-size: 20px;
		fill: none;
		stroke: currentColor;
		stroke-width: 1.8;
		stroke-linecap: round;
		stroke-linejoin: round;
	}

	.ock-glyph .ock-solid {
		fill: currentColor;
		stroke: none;
	}

	.ock-tool-text + .ock-glyph {
		inline-size: 16px;
		block-size: 16px;
	}

	.ock-hint {
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	@media (max-height: 420px) {
		.ock-composer {
			padding: var(--ock-space);
		}

		.ock-composer-bar {
			padding-block: 0 var(--ock-space);
		}

		ock-field {
			max-block-size: 96px;
		}
	}

	@supports not selector(:has(a)) {
		.ock-box:focus-within {
			border-color: var(--ock-link);
		}
	}

	@media (pointer: coarse) {
		/* Phones zoom into fields with smaller letters */
		.ock-field > textarea,
		.ock-mirror {
			font-size: max(16px, 1em);
		}

		.ock-tool,
		.ock-option,
		.ock-plain {
			min-inline-size: 44px;
			min-block-size: 44px;
		}

		.ock-upload .ock-tool,
		.ock-quote .ock-tool {
			min-inline-size: 44px;
			min-block-size: 44px;
		}
	}

	@media (forced-colors: active) {
		.ock-option[data-active] {
			outline: 2px solid Highlight;
		}

		.ock-mention {
			text-decoration: underline;
			text-decoration-color: CanvasText;
		}
	}
`;
