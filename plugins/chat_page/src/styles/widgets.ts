import { css } from "lit";

export const widgets = css`
	ock-widget {
		display: block;
		min-inline-size: 0;
	}

	.ock-widget {
		position: relative;
		contain: paint;
		overflow-wrap: anywhere;
	}

	.ock-widget[data-scheme] {
		color: var(--ock-text);
	}

	.ock-widget[data-scheme="light"] {
		--ock-surface: #fff;
		--ock-surface-raised: #f6f6f7;
		--ock-text: #1b1b1f;
		--ock-text-quiet: #5d5d66;
		--ock-border: #dcdce0;
		color-scheme: light;
	}

	.ock-widget[data-scheme="dark"] {
		--ock-surface: #18181b;
		--ock-surface-raised: #232327;
		--ock-text: #ececf1;
		--ock-text-quiet: #a5a5b0;
		--ock-border: #3a3a41;
		color-scheme: dark;
	}

	.ock-widget[aria-busy] > :first-child,
	.ock-w-box[aria-busy],
	.ock-w-item[aria-busy] {
		opacity: 0.6;
		pointer-events: none;
	}

	.ock-widget :is(p, ul) {
		margin: 0;
	}

	.ock-w-card {
		display: flex;
		flex-direction: column;
		gap: calc(var(--ock-space) * 3);
		max-inline-size: 32rem;
		padding: calc(var(--ock-space) * 4);
		border: 1px solid var(--ock-border);
		border-radius: min(var(--ock-radius), 16px);
		background: var(--ock-surface);
		overflow: hidden;
	}

	.ock-w-card[data-size="sm"] {
		max-inline-size: 22rem;
	}

	.ock-w-card[data-size="lg"] {
		max-inline-size: 42rem;
	}

	.ock-w-card[data-size="full"] {
		max-inline-size: none;
	}

	.ock-w-body {
		display: flex;
		flex-direction: column;
		gap: calc(var(--ock-space) * 3);
	}

	.ock-w-status {
		display: flex;
		align-items: center;
		gap: 6px;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
	}

	.ock-w-buttons {
		display: flex;
		flex-wrap: wrap;
		justify-content: flex-end;
		gap: 8px;
	}

	.ock-w-box {
		display: flex;
		min-inline-size: 0;
		max-inline-size: 100%;
	}

	.ock-w-basic {
		flex-direction: column;
		gap: calc(var(--ock-space) * 2);
	}

	.ock-w-spacer {
		flex: 1 1 auto;
	}

	.ock-w-divider {
		inline-size: auto;
		block-size: var(--size, 1px);
		margin: var(--space, 0) 0;
		border: 0;
		background: var(--color, var(--ock-border));
		flex: none;
		align-self: stretch;
	}

	.ock-w-divider[data-flush] {
		margin-inline: calc(var(--ock-space) * -4);
	}

	.ock-w-appear {
		animation: ock-appear 250ms ease-out;
	}

	.ock-w-scroll {
		overflow-x: auto;
	}

	.ock-w-table {
		inline-size: 100%;
		border-collapse: collapse;
	}

	.ock-w-table td {
		padding: 6px 10px;
		border-block-end: 1px solid var(--ock-border);
		vertical-align: middle;
	}

	.ock-w-table tr[data-header] td {
		font-weight: 600;
		color: var(--ock-text-quiet);
	}

	.ock-w-list {
		gap: 0;
		padding: 0;
	}

	.ock-w-list > .ock-w-status {
		padding: 12px 16px 4px;
	}

	.ock-w-list ul {
		padding: 0;
		list-style: none;
	}

	.ock-w-item {
		position: relative;
		padding: 10px 16px;
	}

	.ock-w-item + .ock-w-item {
		border-block-start: 1px solid var(--ock-border);
	}

	.ock-w-item[data-acts]:hover {
		background: var(--ock-surface-raised);
	}

	.ock-w-cover {
		position: absolute;
		inset: 0;
		border: 0;
		background: none;
		cursor: pointer;
	}

	.ock-w-cover:focus-visible {
		outline-offset: -2px;
	}

	.ock-w-row {
		display: flex;
		gap: calc(var(--ock-space) * 3);
		min-inline-size: 0;
	}

	.ock-w-item[data-acts] .ock-w-row {
		position: relative;
		pointer-events: none;
	}

	.ock-w-item[data-acts] .ock-w-row :is(button, input, select, textarea, a) {
		pointer-events: auto;
	}

	.ock-w-more {
		align-self: stretch;
		min-block-size: 40px;
		padding: 8px 16px;
		border: 0;
		border-block-start: 1px solid var(--ock-border);
		background: none;
		color: var(--ock-text-quiet);
		cursor: pointer;
	}

	.ock-w-text {
		min-inline-size: 0;
		white-space: pre-wrap;
	}

	.ock-w-title {
		min-inline-size: 0;
		font-weight: 600;
		line-height: 1.25;
	}

	.ock-w-caption {
		min-inline-size: 0;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	[data-clamp] {
		display: -webkit-box;
		overflow: hidden;
		-webkit-box-orient: vertical;
	}

	.ock-w-label {
		font-size: 0.875em;
		font-weight: 500;
	}

	.ock-w-editable {
		min-inline-size: 4ch;
		inline-size: 100%;
		padding: 2px 4px;
		margin-inline: -4px;
		border: 1px solid transparent;
		border-radius: 6px;
		background: none;
	}

	.ock-w-editable:hover,
	.ock-w-editable:focus {
		border-color: var(--ock-border);
	}

	.ock-w-icon {
		display: inline-grid;
		flex: none;
	}

	.ock-w-image {
		max-inline-size: 100%;
		block-size: auto;
		border-radius: 8px;
	}

	.ock-w-image[data-frame] {
		border: 1px solid var(--ock-border);
	}

	.ock-w-image[data-flush] {
		inline-size: calc(100% + var(--ock-space) * 8);
		max-inline-size: none;
		margin-inline: calc(var(--ock-space) * -4);
		border-radius: 0;
	}

	.ock-w-link {
		color: var(--ock-accent);
	}

	.ock-w-problem {
		margin-block-start: 8px !important;
		color: var(--ock-danger);
	}

	.ock-widget [data-color="primary"] {
		--tone: var(--ock-accent);
		--on-tone: var(--ock-accent-text);
	}

	.ock-widget [data-color="secondary"] {
		--tone: var(--ock-text);
		--on-tone: var(--ock-surface);
	}

	.ock-widget [data-color="success"] {
		--tone: var(--ock-success);
	}

	.ock-widget [data-color="danger"] {
		--tone: var(--ock-danger);
	}

	.ock-widget :is([data-color="warning"], [data-color="caution"]) {
		--tone: var(--ock-warning);
	}

	.ock-widget [data-color="info"] {
		--tone: var(--ock-info);
	}

	.ock-widget [data-color="discovery"] {
		--tone: var(--ock-discovery);
	}

	.ock-w-badge {
		display: inline-block;
		align-self: flex-start;
		padding: 1px 8px;
		border: 1px solid transparent;
		border-radius: 6px;
		font-size: 0.75em;
		font-weight: 500;
		color: var(--tone);
		background: color-mix(in srgb, var(--tone) 10%, var(--ock-surface));
	}

	.ock-w-badge[data-pill] {
		border-radius: 999px;
	}

	.ock-w-badge[data-size="md"] {
		font-size: 0.8125em;
	}

	.ock-w-badge[data-size="lg"] {
		font-size: 0.9375em;
	}

	.ock-w-badge[data-variant="solid"] {
		background: var(--tone);
		color: var(--on-tone, var(--ock-surface));
	}

	.ock-w-badge[data-variant="outline"] {
		border-color: currentColor;
		background: none;
	}

	.ock-w-button {
		--block-size: 36px;
		display: inline-flex;
		align-items: center;
		justify-content: center;
		gap: 6px;
		max-inline-size: 100%;
		min-block-size: var(--block-size);
		padding: 4px calc(var(--block-size) * 0.4);
		border: 1px solid transparent;
		border-radius: 8px;
		background: none;
		color: var(--tone);
		font-size: 0.9375em;
		font-weight: 500;
		cursor: pointer;
	}

	.ock-w-button[data-pill] {
		border-radius: var(--ock-radius-control);
	}

	.ock-w-button:is([data-size="3xs"], [data-size="2xs"], [data-size="xs"]) {
		--block-size: 26px;
		font-size: 0.8125em;
	}

	.ock-w-button[data-size="sm"] {
		--block-size: 30px;
		font-size: 0.875em;
	}

	.ock-w-button[data-size="lg"] {
		--block-size: 42px;
	}

	.ock-w-button:is([data-size="xl"], [data-size="2xl"], [data-size="3xl"]) {
		--block-size: 48px;
		font-size: 1em;
	}

	.ock-w-button[data-uniform] {
		inline-size: var(--block-size);
		padding: 0;
	}

	.ock-w-button[data-block] {
		inline-size: 100%;
	}

	.ock-w-button[data-variant="solid"] {
		background: var(--tone);
		color: var(--on-tone, var(--ock-surface));
	}

	.ock-w-button[data-variant="soft"] {
		background: color-mix(in srgb, var(--tone) 10%, var(--ock-surface));
	}

	.ock-w-button[data-variant="outline"] {
		border-color: color-mix(in srgb, var(--tone) 35%, var(--ock-surface));
	}

	.ock-w-button:hover:not(:disabled) {
		filter: brightness(0.94);
	}

	.ock-w-button[data-variant="ghost"]:hover:not(:disabled),
	.ock-w-button[data-variant="outline"]:hover:not(:disabled) {
		background: color-mix(in srgb, var(--tone) 8%, var(--ock-surface));
	}

	.ock-w-button:disabled {
		opacity: 0.5;
		cursor: default;
	}

	.ock-w-button[aria-busy] {
		opacity: 0.6;
		cursor: progress;
	}

	.ock-w-button span:not(.ock-w-name) {
		display: inline-grid;
	}

	.ock-w-field {
		inline-size: 100%;
		min-inline-size: 0;
		min-block-size: 38px;
		padding: 6px 12px;
		border: 1px solid var(--ock-control-border, color-mix(in srgb, var(--ock-text) 50%, var(--ock-surface)));
		border-radius: 8px;
		background: var(--ock-surface);
		font-size: 1em;
	}

	.ock-w-field[data-variant="soft"],
	.ock-w-field[data-variant="solid"] {
		background: var(--ock-surface-raised);
	}

	.ock-w-field[data-variant="ghost"] {
		border-color: transparent;
	}

	.ock-w-field[data-pill] {
		border-radius: var(--ock-radius-control);
	}

	.ock-w-field:is([data-size="3xs"], [data-size="2xs"], [data-size="xs"], [data-size="sm"]) {
		min-block-size: 30px;
		padding-block: 2px;
		font-size: 0.875em;
	}

	.ock-w-field:is([data-size="lg"], [data-size="xl"], [data-size="2xl"], [data-size="3xl"]) {
		min-block-size: 46px;
	}

	select.ock-w-field:not([data-block]),
	.ock-w-field[type="date"]:not([data-block]) {
		inline-size: auto;
		max-inline-size: 100%;
	}

	textarea.ock-w-field {
		resize: vertical;
	}

	textarea.ock-w-field[data-grows] {
		field-sizing: content;
	}

	.ock-w-field:user-invalid {
		border-color: var(--ock-danger);
	}

	.ock-w-choice {
		display: flex;
		align-items: center;
		gap: 8px;
		min-block-size: 28px;
	}

	.ock-w-choice input {
		inline-size: 18px;
		block-size: 18px;
		margin: 0;
		accent-color: var(--ock-accent);
		flex: none;
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

	ock-chart {
		display: block;
		inline-size: 100%;
		max-inline-size: 100%;
	}

	.ock-chart-area {
		position: relative;
		inline-size: 100%;
		min-block-size: 200px;
		block-size: 100%;
	}
`;
