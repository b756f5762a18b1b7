import { css } from "lit";

export const workflows = css`
	.ock-workflow-head,
	summary.ock-step-head {
		display: inline-flex;
		align-items: center;
		gap: calc(2 * var(--ock-space));
		max-inline-size: 100%;
		min-block-size: 32px;
		padding: calc(1 * var(--ock-space)) calc(2 * var(--ock-space));
		margin-inline-start: calc(-2 * var(--ock-space));
		border: 0;
		border-radius: calc(var(--ock-radius) * 0.6);
		background: none;
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
		text-align: start;
		list-style: none;
		cursor: pointer;
	}

	.ock-workflow-head:disabled {
		cursor: default;
		opacity: 1;
	}

	.ock-workflow-head:enabled:hover,
	summary.ock-step-head:hover {
		background: var(--ock-surface-raised);
	}

	summary.ock-step-head::-webkit-details-marker {
		display: none;
	}

	.ock-turn {
		display: inline-grid;
		transition: transform 0.15s;
	}

	:dir(rtl) > .ock-turn {
		transform: scaleX(-1);
	}

	[aria-expanded="true"] > .ock-turn,
	[open] > summary > .ock-turn {
		transform: rotate(90deg);
	}

	.ock-seconds {
		flex: none;
		font-variant-numeric: tabular-nums;
	}

	.ock-busy > span:not(.ock-mark-icon, .ock-dots),
	.ock-name.ock-busy {
		animation: ock-breathe 2s infinite ease-in-out;
	}

	.ock-tasks {
		margin: calc(1 * var(--ock-space)) 0 0;
		padding: 0;
		list-style: none;
	}

	.ock-tasks[hidden] {
		display: none;
	}

	.ock-tasks > li {
		position: relative;
		padding-block-end: calc(2 * var(--ock-space));
	}

	.ock-tasks > li:not(:last-child)::before {
		content: "";
		position: absolute;
		inset-block: 1.9em 0.1em;
		inset-inline-start: calc(0.625em - 0.5px);
		border-inline-start: 1px solid var(--ock-border);
	}

	.ock-step,
	ock-task {
		display: block;
		font-size: 0.9375em;
	}

	ock-task .ock-step {
		font-size: 1em;
	}

	p.ock-step-head {
		display: flex;
		gap: calc(2 * var(--ock-space));
		align-items: start;
		margin: 0;
	}

	.ock-step-head {
		color: var(--ock-text-quiet);
	}

	.ock-step-body {
		padding-inline-start: calc(1.25em + 2 * var(--ock-space));
		color: var(--ock-text-quiet);
	}

	details.ock-step > .ock-step-body {
		padding-inline-start: 0;
		padding-block: calc(1 * var(--ock-space));
	}

	.ock-done {
		display: inline-grid;
		place-items: center;
		flex: none;
		inline-size: 1.25em;
		block-size: 1.5em;
		color: var(--ock-success);
	}

	.ock-spinner {
		flex: none;
		inline-size: 1em;
		block-size: 1em;
		margin: 0.25em 0.125em;
		border: 2px solid var(--ock-border);
		border-block-start-color: var(--ock-accent);
		border-radius: 50%;
		animation: ock-spin 0.9s linear infinite;
	}

	.ock-queries,
	.ock-found {
		display: flex;
		flex-wrap: wrap;
		gap: calc(1.5 * var(--ock-space));
		margin: calc(1.5 * var(--ock-space)) 0 0;
		padding: 0;
		list-style: none;
		font-size: 0.9375em;
	}

	.ock-queries li {
		padding: 1px calc(2 * var(--ock-space));
		border-radius: 1em;
		background: var(--ock-surface-raised);
	}

	.ock-found {
		flex-direction: column;
	}

	.ock-found a {
		color: inherit;
	}

	.ock-about {
		margin: calc(1 * var(--ock-space)) 0;
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
	}

	@keyframes ock-spin {
		to {
			transform: rotate(1turn);
		}
	}

	@keyframes ock-breathe {
		50% {
			opacity: 0.55;
		}
	}

	@media (prefers-reduced-motion: reduce) {
		.ock-spinner,
		.ock-dots i {
			animation: none !important;
		}
	}

	@media (pointer: coarse) {
		.ock-workflow-head,
		summary.ock-step-head {
			min-block-size: 44px;
		}
	}
`;
