// What opens over the composer: lists, previews.

import { css } from "lit";

export const composerMenus = css`
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
		min-inline-size: min(256px, 100%);
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
		min-block-size: 36px;
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

	.ock-option-text .ock-hint {
		line-height: 1.35;
	}

	.ock-menu-empty {
		margin: 0;
		padding: calc(var(--ock-space) * 3);
		color: var(--ock-text-quiet);
	}

	.ock-preview {
		inline-size: min(352px, 100%);
		padding: calc(var(--ock-space) * 3);
		overflow-y: auto;
	}

	.ock-quoter {
		position: absolute;
		z-index: 15;
		display: inline-flex;
		align-items: center;
		gap: var(--ock-space);
		min-block-size: 32px;
		padding: 0 calc(var(--ock-space) * 3);
		border: 1px solid var(--ock-border);
		border-radius: 999px;
		background: var(--ock-surface);
		box-shadow: 0 2px 10px rgb(0 0 0 / 16%);
		font-size: 0.875em;
		cursor: pointer;
		transform: translateX(-50%);
	}
`;
