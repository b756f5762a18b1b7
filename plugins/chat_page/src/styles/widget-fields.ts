import { css } from "lit";

export const widgetFields = css`
	/* Colours of buttons and badges */

	.ock-widget [data-color] {
		--w-tone: var(--ock-text);
		--w-on-tone: var(--ock-surface);
	}

	.ock-widget [data-color="primary"] {
		--w-tone: var(--ock-accent);
		--w-on-tone: var(--ock-accent-text);
	}

	.ock-widget [data-color="success"] {
		--w-tone: var(--ock-success);
	}

	.ock-widget [data-color="danger"] {
		--w-tone: var(--ock-danger);
	}

	.ock-widget :is([data-color="warning"], [data-color="caution"]) {
		--w-tone: var(--ock-warning);
	}

	.ock-widget [data-color="info"] {
		--w-tone: var(--ock-info);
	}

	.ock-widget [data-color="discovery"] {
		--w-tone: var(--ock-discovery);
	}

	/* Sizes of buttons and fields */

	.ock-widget [data-size] {
		--w-size: 36px;
		--w-font: 0.9375em;
	}

	.ock-widget [data-size="3xs"] {
		--w-size: 24px;
		--w-font: 0.75em;
	}

	.ock-widget [data-size="2xs"] {
		--w-size: 26px;
		--w-font: 0.75em;
	}

	.ock-widget [data-size="xs"] {
		--w-size: 28px;
		--w-font: 0.8125em;
	}

	.ock-widget [data-size="sm"] {
		--w-size: 32px;
		--w-font: 0.875em;
	}

	.ock-widget [data-size="lg"] {
		--w-size: 40px;
		--w-font: 1em;
	}

	.ock-widget [data-size="xl"] {
		--w-size: 44px;
		--w-font: 1em;
	}

	.ock-widget [data-size="2xl"] {
		--w-size: 50px;
		--w-font: 1.0625em;
	}

	.ock-widget [data-size="3xl"] {
		--w-size: 56px;
		--w-font: 1.125em;
	}

	.ock-w-button {
		display: inline-flex;
		align-items: center;
		justify-content: center;
		gap: 6px;
		flex: none;
		inline-size: fit-content;
		max-inline-size: 100%;
		min-block-size: var(--w-size);
		padding: 0 calc(var(--w-size) * 0.4);
		border: 1px solid transparent;
		border-radius: 8px;
		background: none;
		color: var(--w-tone);
		font-size: var(--w-font);
		font-weight: 500;
		cursor: pointer;
	}

	.ock-w-button[data-pill] {
		border-radius: var(--ock-radius-control);
	}

	.ock-w-button[data-uniform] {
		inline-size: var(--w-size);
		padding: 0;
	}

	.ock-w-button[data-block] {
		inline-size: 100%;
	}

	.ock-w-button[data-variant="solid"] {
		background: var(--w-tone);
		color: var(--w-on-tone);
	}

	.ock-w-button[data-variant="soft"] {
		background: color-mix(in srgb, var(--w-tone) 10%, var(--ock-surface));
	}

	.ock-w-button[data-variant="outline"] {
		border-color: color-mix(in srgb, var(--w-tone) 35%, var(--ock-surface));
	}

	.ock-w-button[data-variant="solid"]:hover:not(:disabled) {
		background: color-mix(in srgb, var(--w-tone) 88%, var(--ock-surface));
	}

	.ock-w-button[data-variant="soft"]:hover:not(:disabled) {
		background: color-mix(in srgb, var(--w-tone) 16%, var(--ock-surface));
	}

	.ock-w-button:is([data-variant="ghost"], [data-variant="outline"]):hover:not(:disabled) {
		background: color-mix(in srgb, var(--w-tone) 8%, var(--ock-surface));
	}

	.ock-w-button:disabled {
		opacity: 0.5;
		cursor: default;
	}

	.ock-w-button[aria-busy] {
		cursor: progress;
	}

	.ock-w-name {
		min-inline-size: 0;
	}

	.ock-w-spinner {
		inline-size: 1em;
		block-size: 1em;
		border: 2px solid currentColor;
		border-inline-end-color: transparent;
		border-radius: 50%;
		animation: ock-w-turn 700ms linear infinite;
	}

	@keyframes ock-w-turn {
		to {
			transform: rotate(1turn);
		}
	}

	/* Fields */

	.ock-w-label {
		font-weight: 500;
	}

	.ock-w-field {
		inline-size: 100%;
		min-inline-size: 0;
		min-block-size: var(--w-size);
		padding: 4px calc(var(--w-size) / 3);
		border: 1px solid color-mix(in srgb, var(--ock-text) 50%, var(--ock-surface));
		border-radius: 8px;
		background: var(--ock-surface);
		color: var(--ock-text);
		font-size: max(var(--w-font), 16px * var(--w-touch, 0));
	}

	.ock-w-field::placeholder {
		color: var(--ock-text-quiet);
		opacity: 1;
	}

	.ock-w-field:is([data-variant="soft"], [data-variant="solid"]) {
		border-color: transparent;
		background: color-mix(in srgb, var(--ock-text) 8%, var(--ock-surface));
	}

	.ock-w-field[data-variant="solid"] {
		background: color-mix(in srgb, var(--ock-text) 14%, var(--ock-surface));
	}

	.ock-w-field[data-variant="ghost"] {
		border-color: transparent;
		background: none;
	}

	.ock-w-field[data-pill] {
		border-radius: var(--ock-radius-control);
	}

	.ock-w-field:disabled {
		opacity: 0.5;
	}

	textarea.ock-w-field[data-pill] {
		border-radius: calc(var(--w-size) / 2);
	}

	select.ock-w-field:not([data-block]),
	.ock-w-picker:not([data-block]),
	input[type="date"].ock-w-field:not([data-block]) {
		inline-size: fit-content;
		min-inline-size: 144px;
		max-inline-size: 100%;
	}

	textarea.ock-w-field {
		resize: vertical;
		line-height: 1.5;
	}

	textarea[data-grows] {
		field-sizing: content;
		resize: none;
	}

	.ock-w-field[aria-invalid="true"] {
		border-color: var(--ock-danger);
	}

	.ock-w-editable {
		min-inline-size: 4ch;
		inline-size: calc(100% + 14px);
		padding: 2px 6px;
		margin-inline: -7px; /* its text stands where that of others does */
		border: 1px dashed color-mix(in srgb, var(--ock-text) 30%, transparent);
		border-radius: 6px;
		background: none;
		line-height: 1.5;
		overflow-wrap: anywhere;
	}

	.ock-w-editable:is(:hover, :focus) {
		border-style: solid;
	}

	.ock-w-choice {
		display: flex;
		align-items: center;
		gap: 8px;
		inline-size: fit-content;
		min-block-size: 28px;
	}

	.ock-w-choice input {
		flex: none;
		inline-size: 18px;
		block-size: 18px;
		margin: 0;
		accent-color: var(--ock-accent);
	}

	.ock-w-choice:has(:disabled) {
		opacity: 0.5;
	}

	:is(.ock-w-field, .ock-w-choice, .ock-w-radios, .ock-w-picker)[aria-busy] {
		opacity: 0.6;
		cursor: progress;
	}

	.ock-w-radios {
		display: flex;
		flex-direction: column;
		gap: 4px;
	}

	.ock-w-radios[data-direction="row"] {
		flex-flow: row wrap;
		gap: 4px 16px;
	}

	@media (pointer: coarse) {
		.ock-w-button,
		.ock-w-field,
		.ock-w-choice,
		.ock-w-options [role="option"] {
			--w-touch: 1;
			min-block-size: 44px;
		}

		.ock-w-button[data-uniform] {
			min-inline-size: 44px;
		}

		.ock-w-calendar td button,
		.ock-w-clear {
			inline-size: 44px;
			block-size: 44px;
		}
	}
`;
