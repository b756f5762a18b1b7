// Custom properties of the look, and what all views share. Lengths are never in `rem`: a page may set it.

import { css } from "lit";
import { dark, light } from "./schemes.ts";

export const base = css`
	:host {
		${light}
		--ock-radius: 24px;
		--ock-radius-control: 999px;
		--ock-bubble: color-mix(in srgb, var(--ock-accent) 9%, var(--ock-surface));
		--ock-space: 4px;
		--ock-font: system-ui, sans-serif;
		--ock-mono: ui-monospace, monospace;
		--ock-size: 16px;

		display: block;
		block-size: 100%;
		min-inline-size: 0;
		max-inline-size: 100%;
		color: var(--ock-text);
		background: var(--ock-surface);
		font: var(--ock-size) / 1.5 var(--ock-font);
	}

	:host([hidden]) {
		display: none;
	}

	:host([data-scheme="dark"]) {
		${dark}
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
		outline: 2px solid var(--ock-link);
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
			transition: none !important;
			scroll-behavior: auto !important;
		}
	}
`;
