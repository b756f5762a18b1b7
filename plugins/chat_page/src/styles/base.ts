// Custom properties of the look, and what all views share.

import { css } from "lit";

export const base = css`
	:host {
		--ock-surface: #fff;
		--ock-surface-raised: #f6f6f7;
		--ock-text: #1b1b1f;
		--ock-text-quiet: #5d5d66;
		--ock-border: #dcdce0;
		--ock-accent: #2f5bd7;
		--ock-accent-text: #fff;
		--ock-danger: #b3261e;
		--ock-warning: #8a5300;
		--ock-success: #1e6b3a;
		--ock-info: #1f5f99;
		--ock-discovery: #6b3fb5;
		--ock-radius: 24px;
		--ock-radius-control: 999px;
		--ock-accent-strength: 14%;
		--ock-space: 4px;
		--ock-font: system-ui, sans-serif;
		--ock-mono: ui-monospace, monospace;
		--ock-size: 16px;

		display: block;
		block-size: 100%;
		color: var(--ock-text);
		background: var(--ock-surface);
		font: var(--ock-size) / 1.5 var(--ock-font);
	}

	:host([hidden]) {
		display: none;
	}

	:host([data-scheme="dark"]) {
		--ock-surface: #18181b;
		--ock-surface-raised: #232327;
		--ock-text: #ececf1;
		--ock-text-quiet: #a5a5b0;
		--ock-border: #3a3a41;
		--ock-accent: #8fabff;
		--ock-accent-text: #10131f;
		--ock-danger: #ff9b93;
		--ock-warning: #f0b866;
		--ock-success: #7fd09a;
		--ock-info: #8ec5f5;
		--ock-discovery: #c3a6ff;
		color-scheme: dark;
	}

	*,
	*::before,
	*::after {
		box-sizing: border-box;
	}

	button,
	input,
	textarea,
	select {
		font: inherit;
		color: inherit;
	}

	:focus-visible {
		outline: 2px solid var(--ock-accent);
		outline-offset: 2px;
	}

	.ock-hidden {
		position: absolute;
		inline-size: 1px;
		block-size: 1px;
		overflow: hidden;
		clip-path: inset(50%);
		white-space: nowrap;
	}

	@media (prefers-reduced-motion: reduce) {
		*,
		*::before,
		*::after {
			animation-duration: 0.01ms !important;
			transition-duration: 0.01ms !important;
			scroll-behavior: auto !important;
		}
	}
`;
