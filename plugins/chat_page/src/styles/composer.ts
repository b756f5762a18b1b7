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
		max-inline-size: 48rem;
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
		border-color: var(--ock-accent);
		box-shadow: 0 0 0 1px var(--ock-accent);
	}

	.ock-box[data-disabled] {
		background: var(--ock-surface-raised);
	}

	/* The text and the layer that marks its tags lie on each other, and have to break lines alike */
	ock-field {
		display: block;
		max-block-size: min(40vh, 20rem);
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

	.ock-tag {
		border-radius: 4px;
		background: color-mix(in srgb, var(--ock-accent) 18%, transparent);
		box-shadow: 0 0 0 1px color-mix(in srgb, var(--ock-accent) 35%, transparent);
		box-decoration-break: clone;
		-webkit-box-decoration-break: clone;
	}

	.ock-tag[data-interactive] {
		cursor: pointer;
		pointer-events: auto;
	}

	.ock-bar,
	.ock-dictation {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: var(--ock-space);
		padding: var(--ock-space) calc(var(--ock-space) * 2) calc(var(--ock-space) * 2);
	}

	.ock-gap {
		flex: 1;
	}

	.ock-tool {
		display: inline-flex;
		align-items: center;
		justify-content: center;
		gap: var(--ock-space);
		flex: none;
		min-inline-size: 2.25rem;
		min-block-size: 2.25rem;
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
		max-inline-size: 12rem;
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

	.ock-glyph {
		flex: none;
		inline-size: 1.25rem;
		block-size: 1.25rem;
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
		inline-size: 1rem;
		block-size: 1rem;
	}

	ock-menu-button {
		min-inline-size: 0;
	}

	.ock-menu {
		position: absolute;
		z-index: 20;
		inset-block-end: calc(100% + var(--ock-space));
		inset-inline-start: 0;
		display: flex;
		flex-direction: column;
		min-inline-size: min(16rem, 100%);
		max-inline-size: 100%;
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface);
		box-shadow: 0 6px 24px rgb(0 0 0 / 18%);
		overflow: hidden;
	}

	.ock-models .ock-menu {
		inset-inline: auto 0;
	}

	.ock-wide {
		inline-size: 100%;
	}

	.ock-menu[data-loading] .ock-options {
		opacity: 0.6;
	}

	.ock-options {
		padding: var(--ock-space);
		overflow-y: auto;
		overscroll-behavior: contain;
	}

	.ock-options:focus-visible {
		outline-offset: -2px;
		border-radius: var(--ock-radius);
	}

	.ock-group {
		padding: calc(var(--ock-space) * 1.5) calc(var(--ock-space) * 2) var(--ock-space);
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-option {
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 2);
		min-block-size: 2.25rem;
		padding: var(--ock-space) calc(var(--ock-space) * 2);
		border-radius: calc(var(--ock-radius) - var(--ock-space));
		cursor: pointer;
	}

	.ock-option[data-active] {
		background: color-mix(in srgb, var(--ock-accent) 14%, transparent);
	}

	.ock-option[aria-disabled="true"] {
		color: var(--ock-text-quiet);
		cursor: default;
	}

	.ock-option-text {
		flex: 1;
		display: flex;
		flex-direction: column;
		min-inline-size: 0;
		overflow-wrap: anywhere;
	}

	.ock-option-text .ock-quiet {
		line-height: 1.35;
	}

	.ock-quiet {
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-menu-empty {
		margin: 0;
		padding: calc(var(--ock-space) * 3);
		color: var(--ock-text-quiet);
	}

	.ock-preview {
		inline-size: min(22rem, 100%);
		padding: calc(var(--ock-space) * 3);
		overflow-y: auto;
	}

	.ock-files {
		display: flex;
		flex-wrap: wrap;
		gap: calc(var(--ock-space) * 2);
		max-block-size: 30vh;
		margin: 0;
		padding: calc(var(--ock-space) * 3) calc(var(--ock-space) * 3) 0;
		overflow-y: auto;
		list-style: none;
	}

	.ock-file {
		position: relative;
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 2);
		inline-size: min(16rem, 100%);
		padding: calc(var(--ock-space) * 1.5);
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface-raised);
		overflow: hidden;
	}

	.ock-file[data-state="failed"] {
		border-color: var(--ock-danger);
		inline-size: min(24rem, 100%);
	}

	.ock-file[data-state="failed"] .ock-quiet {
		color: var(--ock-danger);
	}

	.ock-file-picture {
		flex: none;
		display: grid;
		place-items: center;
		inline-size: 2.5rem;
		block-size: 2.5rem;
		border-radius: calc(var(--ock-radius) / 2);
		background: var(--ock-surface);
		color: var(--ock-text-quiet);
		object-fit: cover;
	}

	.ock-file-text {
		flex: 1;
		display: flex;
		flex-direction: column;
		min-inline-size: 0;
		line-height: 1.3;
	}

	.ock-file-name {
		overflow: hidden;
		font-size: 0.875em;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-file .ock-tool {
		min-inline-size: 2rem;
		min-block-size: 2rem;
		padding: 0;
	}

	.ock-progress {
		position: absolute;
		inset: auto 0 0;
		block-size: 3px;
		background: var(--ock-border);
	}

	.ock-progress-bar {
		display: block;
		block-size: 100%;
		background: var(--ock-accent);
		transition: inline-size 0.2s;
	}

	.ock-progress-bar[data-unknown] {
		inline-size: 40%;
		animation: ock-to-and-fro 1.2s ease-in-out infinite alternate;
	}

	@keyframes ock-to-and-fro {
		to {
			margin-inline-start: 60%;
		}
	}

	.ock-quote {
		display: flex;
		align-items: flex-start;
		gap: var(--ock-space);
		margin: calc(var(--ock-space) * 3) calc(var(--ock-space) * 3) 0;
		padding: calc(var(--ock-space) * 1.5) calc(var(--ock-space) * 2);
		border-inline-start: 3px solid var(--ock-accent);
		border-radius: 4px;
		background: var(--ock-surface-raised);
	}

	.ock-quote blockquote {
		flex: 1;
		display: -webkit-box;
		margin: 0;
		min-inline-size: 0;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		overflow: hidden;
		overflow-wrap: anywhere;
		white-space: pre-line;
		-webkit-box-orient: vertical;
		-webkit-line-clamp: 3;
	}

	.ock-quote .ock-tool {
		min-inline-size: 1.75rem;
		min-block-size: 1.75rem;
		padding: 0;
	}

	.ock-note {
		margin: var(--ock-space) calc(var(--ock-space) * 2) 0;
		color: var(--ock-danger);
		font-size: 0.875em;
		overflow-wrap: anywhere;
	}

	.ock-closed {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		justify-content: space-between;
		gap: calc(var(--ock-space) * 2);
		padding: 0 calc(var(--ock-space) * 2) calc(var(--ock-space) * 2);
	}

	.ock-closed p {
		margin: 0;
		color: var(--ock-text-quiet);
		overflow-wrap: anywhere;
	}

	.ock-plain {
		min-block-size: 2.25rem;
		padding: 0 calc(var(--ock-space) * 3);
		border: 1px solid var(--ock-border);
		border-radius: 999px;
		background: none;
		cursor: pointer;
	}

	.ock-dictation-text {
		flex: 1;
		min-inline-size: 8rem;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		overflow-wrap: anywhere;
	}

	.ock-dictation[data-state="failed"] .ock-dictation-text {
		color: var(--ock-danger);
	}

	.ock-recording {
		inline-size: 0.7rem;
		block-size: 0.7rem;
		margin-inline-start: calc(var(--ock-space) * 2);
		border-radius: 50%;
		background: var(--ock-border);
	}

	.ock-dictation[data-state="recording"] .ock-recording {
		background: var(--ock-danger);
		animation: ock-pulse 1s ease-in-out infinite alternate;
	}

	@keyframes ock-pulse {
		to {
			opacity: 0.35;
		}
	}

	.ock-time {
		font-variant-numeric: tabular-nums;
		font-size: 0.875em;
	}

	.ock-drop {
		position: absolute;
		z-index: 30;
		inset: calc(var(--ock-space) * 2);
		display: grid;
		place-items: center;
		border: 2px dashed var(--ock-accent);
		border-radius: var(--ock-radius);
		background: color-mix(in srgb, var(--ock-surface) 88%, transparent);
		font-weight: 600;
		text-align: center;
		pointer-events: none;
	}

	.ock-drop p {
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 2);
		margin: calc(var(--ock-space) * 4);
	}

	.ock-quoter {
		position: absolute;
		z-index: 15;
		display: inline-flex;
		align-items: center;
		gap: var(--ock-space);
		min-block-size: 2rem;
		padding: 0 calc(var(--ock-space) * 3);
		border: 1px solid var(--ock-border);
		border-radius: 999px;
		background: var(--ock-surface);
		box-shadow: 0 2px 10px rgb(0 0 0 / 16%);
		font-size: 0.875em;
		cursor: pointer;
		transform: translateX(-50%);
	}

	@media (pointer: coarse) {
		.ock-tool,
		.ock-option,
		.ock-plain {
			min-inline-size: 2.75rem;
			min-block-size: 2.75rem;
		}

		.ock-file .ock-tool,
		.ock-quote .ock-tool {
			min-inline-size: 2.75rem;
			min-block-size: 2.75rem;
		}
	}

	@media (forced-colors: active) {
		.ock-option[data-active] {
			outline: 2px solid Highlight;
		}

		.ock-tag {
			text-decoration: underline;
			text-decoration-color: CanvasText;
		}
	}
`;
