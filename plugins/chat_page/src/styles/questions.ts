import { css } from "lit";

export const questions = css`
	.ock-questions {
		display: flex;
		flex-direction: column;
		gap: calc(4 * var(--ock-space));
		margin: calc(1 * var(--ock-space)) 0;
		padding: calc(4 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
	}

	.ock-ask {
		min-inline-size: 0;
		margin: 0;
		padding: 0;
		border: 0;
	}

	.ock-ask legend {
		margin-block-end: calc(1.5 * var(--ock-space));
		padding: 0;
		font-weight: 600;
	}

	.ock-ask[data-skipped] > :not(legend, .ock-link) {
		opacity: 0.45;
	}

	.ock-choice {
		display: flex;
		align-items: start;
		gap: calc(2 * var(--ock-space));
		padding-block: calc(1.25 * var(--ock-space));
		min-block-size: 28px;
		cursor: pointer;
	}

	.ock-choice input {
		flex: none;
		inline-size: 1.125em;
		block-size: 1.125em;
		margin: 0.2em 0 0;
		accent-color: var(--ock-accent);
	}

	.ock-answer-field {
		display: block;
		inline-size: 100%;
		min-block-size: 36px;
		margin-block: calc(1 * var(--ock-space));
		padding: calc(1.5 * var(--ock-space)) calc(2.5 * var(--ock-space));
		border: 1px solid color-mix(in srgb, var(--ock-text) 45%, var(--ock-surface));
		border-radius: calc(var(--ock-radius) * 0.6);
		background: var(--ock-surface);
		resize: vertical;
	}

	.ock-answer-field::placeholder {
		color: var(--ock-text-quiet);
		opacity: 1;
	}

	.ock-ask[data-wrong] .ock-answer-field {
		border-color: var(--ock-danger);
	}

	.ock-ask .ock-failed {
		margin: calc(1 * var(--ock-space)) 0;
	}

	.ock-buttons {
		display: flex;
		flex-wrap: wrap;
		gap: calc(2 * var(--ock-space));
	}

	.ock-answers {
		display: flex;
		flex-direction: column;
		gap: calc(2 * var(--ock-space));
		margin: calc(1 * var(--ock-space)) 0;
		padding-inline-start: calc(3 * var(--ock-space));
		border-inline-start: 3px solid var(--ock-border);
	}

	.ock-answers dt {
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
	}

	.ock-answers dd {
		margin: 0;
		white-space: pre-wrap;
	}

	.ock-answers .ock-skipped {
		color: var(--ock-text-quiet);
		font-style: italic;
	}

	@media (pointer: coarse) {
		.ock-choice,
		.ock-answer-field {
			min-block-size: 44px;
		}
	}
`;
