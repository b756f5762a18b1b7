// Buttons of items, and what a user can do with an answer.

import { css } from "lit";

export const controls = css`
	.ock-icon-button {
		display: inline-grid;
		place-items: center;
		flex: none;
		inline-size: 32px;
		block-size: 32px;
		padding: 0;
		border: 0;
		border-radius: calc(var(--ock-radius) * 0.6);
		background: none;
		color: var(--ock-text-quiet);
		font-size: calc(0.9375 * var(--ock-size));
		cursor: pointer;
	}

	.ock-icon-button:hover {
		background: var(--ock-surface-raised);
		color: var(--ock-text);
	}

	.ock-icon-button[aria-pressed="true"] {
		color: var(--ock-link);
	}

	.ock-icon-button[aria-pressed="true"] .ock-icon {
		fill: color-mix(in srgb, var(--ock-accent) 25%, transparent);
	}

	.ock-push {
		min-block-size: 32px;
		padding: calc(1 * var(--ock-space)) calc(3 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: calc(var(--ock-radius) * 0.75);
		background: var(--ock-surface);
		font-size: 0.9375em;
		cursor: pointer;
	}

	.ock-push:hover {
		background: var(--ock-surface-raised);
	}

	.ock-push[data-primary] {
		border-color: var(--ock-accent);
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-push:disabled {
		opacity: 0.55;
		cursor: default;
	}

	.ock-link {
		min-block-size: 28px;
		padding: 0 calc(1 * var(--ock-space));
		border: 0;
		background: none;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		text-decoration: underline;
		text-underline-offset: 3px;
		cursor: pointer;
	}

	.ock-failed {
		color: var(--ock-danger);
		font-size: 0.875em;
	}

	.ock-failed:empty {
		display: none;
	}

	.ock-actions {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: 2px;
		margin-block-start: calc(1 * var(--ock-space));
		margin-inline-start: -7px;
	}

	.ock-row[data-speaker="user"] .ock-actions {
		justify-content: end;
		margin-inline: 0 -7px;
	}

	@media (hover: hover) {
		/* Over the space that is below the message anyway */
		.ock-row[data-speaker="user"] > ock-actions {
			position: absolute;
			inset-block-start: calc(100% - 10px);
			inset-inline-end: calc(4 * var(--ock-space));
			z-index: 1;
		}
	}

	.ock-hour {
		padding-inline: calc(1 * var(--ock-space));
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-asking {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: calc(2 * var(--ock-space));
		flex-basis: 100%;
		margin-inline-start: 7px;
		font-size: 0.9375em;
	}

	@media (hover: hover) {
		.ock-row[data-speaker="user"] .ock-actions,
		.ock-actions .ock-hour {
			opacity: 0;
			transition: opacity 0.12s;
		}

		.ock-row:hover .ock-actions,
		.ock-row:focus .ock-actions,
		.ock-row:focus-within .ock-actions,
		.ock-row:hover .ock-hour,
		.ock-row:focus-within .ock-hour {
			opacity: 1;
		}
	}

	@media (pointer: coarse) {
		.ock-icon-button {
			inline-size: 44px;
			block-size: 44px;
		}

		.ock-push,
		.ock-link {
			min-block-size: 44px;
		}

		.ock-newest {
			inline-size: 44px;
			block-size: 44px;
		}
	}
`;
