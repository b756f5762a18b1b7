import { css } from "lit";

export const transcript = css`
	ock-transcript {
		position: relative;
		display: flex;
		flex-direction: column;
		overflow: hidden;
	}

	.ock-reel {
		flex: 1;
		min-block-size: 0;
		overflow: hidden auto;
		/* What is read is kept in its place by the code: not all browsers do it */
		overflow-anchor: none;
		overscroll-behavior: contain;
		outline-offset: -2px;
		position: relative;
	}

	.ock-row,
	.ock-older,
	ock-ending {
		display: block;
		inline-size: 100%;
		max-inline-size: calc(736px + 8 * var(--ock-space));
		margin-inline: auto;
		padding-inline: calc(4 * var(--ock-space));
	}

	.ock-row {
		position: relative;
		padding-block: calc(1.5 * var(--ock-space));
		outline-offset: -2px;
		overflow-wrap: anywhere;
	}

	.ock-row[data-begins] {
		padding-block-start: calc(4 * var(--ock-space));
	}

	.ock-row[data-sending] ock-item {
		opacity: 0.6;
	}

	ock-ending {
		padding-block-end: calc(4 * var(--ock-space));
	}

	.ock-older {
		text-align: center;
		block-size: 48px;
		display: grid;
		place-items: center;
	}

	.ock-day {
		margin: 0 0 calc(4 * var(--ock-space));
		text-align: center;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-day::first-letter {
		text-transform: uppercase;
	}

	.ock-newest {
		position: absolute;
		inset-block-end: calc(3 * var(--ock-space));
		inset-inline: 0;
		margin-inline: auto;
		inline-size: 40px;
		block-size: 40px;
		padding: 0;
		display: grid;
		place-items: center;
		border: 1px solid var(--ock-border);
		border-radius: 50%;
		background: var(--ock-surface);
		box-shadow: 0 2px 10px rgb(0 0 0 / 0.14);
		cursor: pointer;
		animation: ock-appear 0.15s ease-out;
	}

	.ock-newest[hidden] {
		display: none;
	}

	.ock-newest:hover {
		background: var(--ock-surface-raised);
	}

	ock-transcript .ock-icon {
		inline-size: 1.1em;
		block-size: 1.1em;
		vertical-align: -0.15em;
	}

	.ock-aside {
		display: flex;
		gap: calc(2 * var(--ock-space));
		align-items: center;
		margin: calc(1 * var(--ock-space)) 0;
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
	}

	.ock-mark-icon {
		display: inline-grid;
		place-items: center;
		flex: none;
		min-inline-size: 1.25em;
		block-size: 1.5em;
	}

	.ock-typing {
		margin: calc(2 * var(--ock-space)) 0;
	}

	.ock-dots {
		display: inline-flex;
		gap: 4px;
		flex: none;
	}

	.ock-dots i {
		inline-size: 6px;
		block-size: 6px;
		border-radius: 50%;
		background: var(--ock-text-quiet);
		animation: ock-pulse 1.2s infinite ease-in-out;
	}

	.ock-dots i:nth-child(2) {
		animation-delay: 0.15s;
	}

	.ock-dots i:nth-child(3) {
		animation-delay: 0.3s;
	}

	.ock-notice,
	.ock-error {
		--tone: var(--ock-info);
		display: flex;
		gap: calc(2 * var(--ock-space));
		align-items: start;
		margin-block: calc(2 * var(--ock-space));
		padding: calc(2.5 * var(--ock-space)) calc(3 * var(--ock-space));
		border: 1px solid color-mix(in srgb, var(--tone) 35%, transparent);
		border-radius: var(--ock-radius);
		background: color-mix(in srgb, var(--tone) 7%, transparent);
		overflow-wrap: anywhere;
		animation: ock-appear 0.2s ease-out;
	}

	.ock-notice[data-level="warning"] {
		--tone: var(--ock-warning);
	}

	.ock-notice[data-level="danger"],
	.ock-error {
		--tone: var(--ock-danger);
	}

	.ock-error[data-quiet] {
		--tone: var(--ock-text-quiet);
		color: var(--ock-text-quiet);
		background: none;
		border-color: transparent;
		padding-inline: 0;
	}

	.ock-notice > .ock-mark-icon,
	.ock-error > .ock-mark-icon {
		color: var(--tone);
	}

	.ock-notice-text,
	.ock-error > p {
		flex: 1;
		min-inline-size: 0;
		margin: 0;
	}

	.ock-error {
		flex-wrap: wrap;
		align-items: center;
	}

	.ock-error > p {
		flex-basis: 160px;
	}

	.ock-notice-text > strong {
		display: block;
	}

	.ock-notice-text p {
		margin: 0;
	}

	@keyframes ock-pulse {
		0%,
		60%,
		100% {
			opacity: 0.3;
		}
		30% {
			opacity: 1;
		}
	}

	@keyframes ock-appear {
		from {
			opacity: 0;
		}
	}
`;
