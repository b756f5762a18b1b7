import { css } from "lit";

export const frame = css`
	ock-shell {
		display: block;
		position: relative;
		block-size: 100%;
		min-block-size: 0;
		overflow: hidden;
		container-type: inline-size;
		/* Where nothing says how wide it is, as in a row of a page */
		contain-intrinsic-inline-size: 384px;
		/* How the page around it sets its own text is nothing for messages */
		text-align: start;
		text-indent: 0;
		text-shadow: none;
		text-transform: none;
		letter-spacing: normal;
		word-spacing: normal;
		white-space: normal;
		word-break: normal;
		cursor: auto;
	}

	.ock-frame {
		display: flex;
		flex-direction: column;
		block-size: 100%;
		min-block-size: 0;
		/* Where the composer alone is higher, as at 400% */
		overflow: hidden auto;
	}

	.ock-body {
		flex: 1;
		display: flex;
		flex-direction: column;
		min-block-size: 0;
	}

	ock-transcript {
		flex: 1;
		min-block-size: 0;
		overflow-y: auto;
	}

	[hidden] {
		display: none !important;
	}

	.ock-icon {
		inline-size: 1em;
		block-size: 1em;
		flex: none;
	}

	.ock-button {
		display: inline-grid;
		place-items: center;
		inline-size: 40px;
		block-size: 40px;
		flex: none;
		padding: 0;
		border: 0;
		border-radius: var(--ock-radius-control);
		background: none;
		color: var(--ock-text-quiet);
		font-size: 1.125em;
		cursor: pointer;
	}

	.ock-button:hover {
		background: var(--ock-surface-raised);
		color: var(--ock-text);
	}

	ock-header header {
		display: flex;
		align-items: center;
		gap: var(--ock-space);
		min-block-size: 56px;
		padding-inline: calc(var(--ock-space) * 2);
	}

	.ock-title {
		flex: 1;
		min-inline-size: 0;
		margin: 0;
		font-size: 1em;
		font-weight: 600;
		overflow: hidden;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	input.ock-title {
		padding: 6px 10px;
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius-control);
		background: var(--ock-surface);
	}

	.ock-rename {
		display: inline-flex;
		align-items: center;
		gap: 6px;
		max-inline-size: 100%;
		padding: 6px 10px;
		border: 0;
		border-radius: var(--ock-radius-control);
		background: none;
		font: inherit;
		cursor: pointer;
	}

	.ock-rename span {
		overflow: hidden;
		text-overflow: ellipsis;
	}

	.ock-rename .ock-icon {
		opacity: 0;
		color: var(--ock-text-quiet);
	}

	.ock-rename:hover,
	.ock-rename:focus-visible {
		background: var(--ock-surface-raised);
	}

	/* Inside, since a long title cuts off what is around it */
	.ock-rename:focus-visible {
		outline-offset: -2px;
	}

	.ock-rename:hover .ock-icon,
	.ock-rename:focus-visible .ock-icon {
		opacity: 1;
	}

	.ock-network {
		display: flex;
		align-items: center;
		justify-content: center;
		gap: 8px;
		margin: 0;
		padding: 6px 16px;
		background: var(--ock-surface-raised);
		color: var(--ock-warning);
		font-size: 0.875em;
	}

	ock-start-screen {
		flex: 1;
		display: flex;
		flex-direction: column;
		justify-content: safe center;
		gap: calc(var(--ock-space) * 6);
		inline-size: 100%;
		max-inline-size: 768px;
		margin-inline: auto;
		padding: calc(var(--ock-space) * 6) 16px;
		overflow-y: auto;
	}

	.ock-greeting {
		margin: 0;
		font-size: 1.75em;
		font-weight: 600;
		line-height: 1.25;
		letter-spacing: -0.01em;
		text-wrap: balance;
		overflow-wrap: anywhere;
	}

	.ock-prompts {
		display: grid;
		grid-template-columns: repeat(auto-fit, minmax(min(224px, 100%), 1fr));
		gap: calc(var(--ock-space) * 2);
		margin: 0;
		padding: 0;
		list-style: none;
	}

	.ock-prompts button {
		display: flex;
		align-items: center;
		gap: 10px;
		inline-size: 100%;
		block-size: 100%;
		min-block-size: 52px;
		padding: calc(var(--ock-space) * 2.5) calc(var(--ock-space) * 4);
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface);
		text-align: start;
		cursor: pointer;
		overflow-wrap: anywhere;
	}

	.ock-prompts .ock-icon {
		color: var(--ock-link);
		font-size: 1.125em;
	}

	.ock-prompts button:hover {
		border-color: color-mix(in srgb, var(--ock-accent) 40%, var(--ock-border));
		background: var(--ock-bubble);
	}

	.ock-disclaimer {
		display: block;
		padding: 0 16px 10px;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
		text-align: center;
	}

	.ock-disclaimer[data-contrast] {
		color: var(--ock-text);
	}

	.ock-disclaimer p {
		margin: 0;
	}

	.ock-veil {
		position: absolute;
		inset: 0;
		background: rgb(0 0 0 / 35%);
	}

	ock-history section {
		position: absolute;
		inset-block: 0;
		inset-inline-start: 0;
		display: flex;
		flex-direction: column;
		inline-size: min(352px, 100%);
		background: var(--ock-surface);
		border-inline-end: 1px solid var(--ock-border);
		animation: ock-appear 120ms ease-out;
	}

	@keyframes ock-appear {
		from {
			opacity: 0;
		}
	}

	.ock-history-head {
		display: flex;
		align-items: center;
		justify-content: space-between;
		min-block-size: 56px;
		padding-inline: 16px 8px;
	}

	.ock-history-head h2 {
		margin: 0;
		font-size: 1em;
	}

	.ock-search {
		display: flex;
		align-items: center;
		gap: 8px;
		margin: 0 12px 8px;
		padding-inline: 12px;
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius-control);
		color: var(--ock-text-quiet);
	}

	.ock-search:focus-within {
		outline: 2px solid var(--ock-link);
		outline-offset: 1px;
	}

	.ock-search input {
		flex: 1;
		min-inline-size: 0;
		padding: 8px 0;
		border: 0;
		outline: none;
		background: none;
		color: var(--ock-text);
	}

	.ock-history-list {
		flex: 1;
		min-block-size: 0;
		overflow-y: auto;
		padding: 0 8px 16px;
	}

	.ock-history-list h3 {
		margin: 16px 8px 4px;
		color: var(--ock-text-quiet);
		font-size: 0.75em;
		font-weight: 600;
	}

	.ock-history-list h3::first-letter {
		text-transform: uppercase;
	}

	.ock-history-list ul {
		margin: 0;
		padding: 0;
		list-style: none;
	}

	.ock-history-list li {
		display: flex;
		align-items: center;
		border-radius: min(var(--ock-radius-control), 20px);
	}

	.ock-history-list li:hover {
		background: var(--ock-surface-raised);
	}

	.ock-history-list li:has([aria-current]) {
		background: var(--ock-bubble);
		font-weight: 600;
	}

	.ock-thread {
		flex: 1;
		min-inline-size: 0;
		min-block-size: 40px;
		padding: 6px 12px;
		border: 0;
		border-radius: inherit;
		background: none;
		text-align: start;
		cursor: pointer;
	}

	.ock-thread span {
		display: block;
		overflow: hidden;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-history-list li .ock-button {
		inline-size: 32px;
		block-size: 32px;
		font-size: 0.95em;
	}

	@media (hover: hover) {
		.ock-history-list li:not(:hover, :focus-within) .ock-button {
			opacity: 0;
		}

		/* The title has the place of the buttons until they are shown */
		.ock-history-list li:not(:hover, :focus-within) .ock-thread:has(+ .ock-button) {
			margin-inline-end: -32px;
		}

		.ock-history-list li:not(:hover, :focus-within) .ock-thread:has(+ .ock-button + .ock-button) {
			margin-inline-end: -64px;
		}
	}

	.ock-rename-field {
		flex: 1;
		min-inline-size: 0;
		padding: 7px 12px;
		border: 1px solid var(--ock-border);
		border-radius: inherit;
		background: var(--ock-surface);
	}

	.ock-question {
		display: flex;
		flex-wrap: wrap;
		gap: 8px;
		padding: 8px 12px;
	}

	.ock-question p {
		flex-basis: 100%;
		margin: 0;
	}

	.ock-question button,
	.ock-foot button,
	button.ock-foot {
		min-block-size: 36px;
		padding: 4px 14px;
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius-control);
		background: var(--ock-surface);
		cursor: pointer;
	}

	.ock-question .ock-danger {
		border-color: var(--ock-danger);
		color: var(--ock-danger);
	}

	.ock-failed {
		margin: 0 12px 8px;
		padding: 8px 12px;
		border-radius: min(var(--ock-radius), 12px);
		background: color-mix(in srgb, var(--ock-danger) 10%, var(--ock-surface));
		font-size: 0.875em;
		overflow-wrap: anywhere;
	}

	.ock-foot {
		display: block;
		margin: 16px auto;
		color: var(--ock-text-quiet);
		text-align: center;
	}

	@media (pointer: coarse) {
		.ock-button,
		.ock-history-list li .ock-button {
			inline-size: 44px;
			block-size: 44px;
		}

		.ock-thread {
			min-block-size: 44px;
		}
	}
`;
