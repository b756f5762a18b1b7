// Selects and date pickers: what opens beside a field.

import { css } from "lit";

export const widgetPopups = css`
	.ock-w-picker {
		position: relative;
		display: flex;
		align-items: center;
	}

	.ock-w-pick {
		display: flex;
		align-items: center;
		justify-content: space-between;
		gap: 12px;
		text-align: start;
		cursor: pointer;
	}

	.ock-w-pick[data-empty] .ock-w-name {
		color: var(--ock-text-quiet);
	}

	.ock-w-clear {
		display: inline-grid;
		place-items: center;
		flex: none;
		inline-size: 28px;
		block-size: 28px;
		border: 0;
		border-radius: 50%;
		background: none;
		color: var(--ock-text-quiet);
		cursor: pointer;
	}

	.ock-w-popup {
		position: fixed;
		inset: auto;
		margin: 0;
		padding: 6px;
		max-inline-size: min(384px, calc(100vw - 8px));
		border: 1px solid var(--ock-border);
		border-radius: 12px;
		background: var(--ock-surface);
		color: var(--ock-text);
		font-size: 0.9375em;
		box-shadow: 0 6px 24px rgb(0 0 0 / 18%);
	}

	.ock-w-search {
		inline-size: 100%;
		min-block-size: 36px;
		padding: 4px 10px;
		border: 1px solid var(--ock-border);
		border-radius: 8px;
		background: none;
	}

	.ock-w-options [role="listbox"] {
		max-block-size: min(288px, 50vh);
		padding: 4px 0 0;
		overflow-y: auto;
		list-style: none;
	}

	.ock-w-options [role="option"] {
		display: flex;
		flex-direction: column;
		justify-content: center;
		min-block-size: 32px;
		padding: 4px 10px;
		border-radius: 8px;
		cursor: pointer;
	}

	.ock-w-options [role="option"]:is([data-active], :hover) {
		background: var(--ock-surface-raised);
	}

	.ock-w-options [aria-selected="true"] > :first-child {
		font-weight: 600;
	}

	.ock-w-options [aria-disabled] {
		opacity: 0.5;
		cursor: default;
	}

	.ock-w-month {
		display: flex;
		align-items: center;
		justify-content: space-between;
		font-weight: 600;
	}

	.ock-w-month > span {
		flex: 1;
		text-align: center;
	}

	.ock-w-month .ock-button {
		inline-size: 32px;
	}

	.ock-w-calendar th {
		padding: 4px;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
		font-weight: 400;
	}

	.ock-w-calendar td {
		padding: 1px;
	}

	.ock-w-calendar td button {
		inline-size: 36px;
		block-size: 36px;
		border: 0;
		border-radius: 50%;
		background: none;
		cursor: pointer;
	}

	.ock-w-calendar td button:hover:not(:disabled) {
		background: var(--ock-surface-raised);
	}

	.ock-w-calendar [data-other] {
		color: var(--ock-text-quiet);
	}

	.ock-w-calendar [aria-current] {
		font-weight: 700;
		text-decoration: underline;
	}

	.ock-w-calendar [aria-selected="true"] button {
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-w-calendar button:disabled {
		opacity: 0.35;
		cursor: default;
	}
`;
