import { css } from "lit";
import { dark, light } from "./schemes.ts";

export const widgets = css`
	ock-widget {
		display: block;
		min-inline-size: 0;
	}

	/* Nothing that a widget says leaves it; what is around is room for outlines and fields. */
	.ock-widget {
		position: relative;
		contain: paint;
		margin: -4px -8px;
		padding: 4px 8px;
		overflow-wrap: anywhere;
	}

	.ock-widget:focus {
		outline: none;
	}

	.ock-widget [data-scheme] {
		${light}
		color: var(--ock-text);
		color-scheme: light;
	}

	.ock-widget [data-scheme="dark"] {
		${dark}
	}

	:host([data-own-accent]) .ock-widget [data-scheme] {
		--ock-accent: inherit;
		--ock-accent-text: inherit;
		--ock-link: inherit;
	}

	.ock-w-box[data-type="basic"][data-scheme] {
		background: var(--ock-surface);
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

	/* Cards and lists */

	.ock-w-card {
		--w-inline: calc(var(--ock-space) * 4);
		display: flex;
		flex-direction: column;
		gap: calc(var(--ock-space) * 3);
		max-inline-size: 512px;
		padding-block: var(--w-block-start, var(--w-inline)) var(--w-block-end, var(--w-inline));
		padding-inline: var(--w-inline-start, var(--w-inline)) var(--w-inline-end, var(--w-inline));
		border: 1px solid var(--ock-border);
		border-radius: min(var(--ock-radius), 16px);
		background: var(--ock-surface);
		overflow: hidden;
	}

	.ock-w-card[data-size="sm"] {
		max-inline-size: 352px;
	}

	.ock-w-card[data-size="lg"] {
		max-inline-size: 672px;
	}

	.ock-w-card[data-size="full"] {
		max-inline-size: none;
	}

	.ock-w-body {
		display: flex;
		flex-direction: column;
		gap: calc(var(--ock-space) * 3);
		min-inline-size: 0;
	}

	.ock-w-status {
		display: flex;
		align-items: center;
		gap: 6px;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
	}

	.ock-w-status img {
		inline-size: 16px;
		block-size: 16px;
		object-fit: contain;
	}

	.ock-w-status img[data-frame] {
		inline-size: 22px;
		block-size: 22px;
		padding: 2px;
		border: 1px solid var(--ock-border);
		border-radius: 6px;
		background: #fff;
	}

	.ock-w-buttons {
		display: flex;
		flex-wrap: wrap;
		justify-content: flex-end;
		gap: 8px;
	}

	.ock-w-list {
		gap: 0;
		padding: 0;
	}

	.ock-w-list > .ock-w-status {
		padding: 12px var(--w-inline) 4px;
	}

	.ock-w-list ul {
		padding: 0;
		list-style: none;
	}

	.ock-w-item {
		position: relative;
		padding: 10px var(--w-inline);
	}

	.ock-w-item + .ock-w-item {
		border-block-start: 1px solid var(--ock-border);
	}

	.ock-w-item[data-acts] {
		cursor: pointer;
	}

	.ock-w-item[data-acts]:hover {
		background: var(--ock-surface-raised);
	}

	.ock-w-cover {
		position: absolute;
		inset: 0;
		border: 0;
		background: none;
	}

	.ock-w-cover:focus-visible,
	.ock-w-more:focus-visible,
	.ock-w-item:focus-visible {
		outline-offset: -2px;
	}

	.ock-w-row {
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 3);
		min-inline-size: 0;
	}

	.ock-w-item[data-acts] .ock-w-row {
		position: relative;
		pointer-events: none;
	}

	.ock-w-item[data-acts] .ock-w-row :is(p, span, img, button, input, select, textarea, a, label) {
		pointer-events: auto;
	}

	.ock-w-more {
		align-self: stretch;
		min-block-size: 44px;
		margin-block: 0 calc(-1 * var(--w-block-end, var(--w-inline)));
		margin-inline: calc(-1 * var(--w-inline-start, var(--w-inline)))
			calc(-1 * var(--w-inline-end, var(--w-inline)));
		border: 0;
		border-block-start: 1px solid var(--ock-border);
		background: none;
		color: var(--ock-text-quiet);
		cursor: pointer;
	}

	.ock-w-list > .ock-w-more {
		margin: 0;
	}

	.ock-w-more:hover {
		background: var(--ock-surface-raised);
	}

	/* Layout */

	.ock-w-box {
		display: flex;
		min-inline-size: 0;
		max-inline-size: 100%;
	}

	.ock-w-box[data-type="row"] {
		align-items: center;
	}

	.ock-w-box:is([data-type="row"], [data-type="col"], [data-type="basic"]) {
		gap: calc(var(--ock-space) * 2);
	}

	.ock-w-box[data-type="form"] {
		gap: calc(var(--ock-space) * 3);
	}

	.ock-w-spacer {
		flex: 1 0 0;
	}

	.ock-w-divider {
		flex: none;
		align-self: stretch;
		inline-size: auto;
		block-size: var(--w-line, 1px);
		margin-block: var(--w-around, 0);
		margin-inline: 0;
		border: 0;
		background: var(--w-color, var(--ock-border));
	}

	.ock-w-divider[data-flush] {
		margin-inline: calc(-1 * var(--w-inline-start, var(--w-inline, 0px)))
			calc(-1 * var(--w-inline-end, var(--w-inline, 0px)));
	}

	[data-way="row"] > .ock-w-divider {
		inline-size: var(--w-line, 1px);
		block-size: auto;
		margin-block: 0;
		margin-inline: var(--w-around, 0);
	}

	.ock-w-transition,
	.ock-w-appear {
		min-inline-size: 0;
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

	.ock-w-table :is(td, th) {
		padding: 6px 10px;
		border-block-end: 1px solid var(--ock-border);
		font-weight: inherit;
	}

	.ock-w-table tr:last-child > td {
		border-block-end: 0;
	}

	.ock-w-table tr[data-header] {
		font-weight: 600;
		color: var(--ock-text-quiet);
	}

	/* Texts, badges, icons, pictures */

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

	.ock-w-markdown {
		min-inline-size: 0;
	}

	[data-clamp] {
		display: -webkit-box;
		overflow: hidden;
		-webkit-box-orient: vertical;
	}

	.ock-w-icon {
		display: inline-grid;
		flex: none;
	}

	.ock-w-badge {
		flex: none;
		display: inline-block;
		inline-size: fit-content;
		max-inline-size: 100%;
		padding: 1px 8px;
		border: 1px solid transparent;
		border-radius: 6px;
		font-size: 0.75em;
		font-weight: 500;
		color: var(--w-tone);
		background: color-mix(in srgb, var(--w-tone) 10%, var(--ock-surface));
	}

	.ock-w-badge[data-pill] {
		border-radius: 999px;
	}

	.ock-w-badge[data-size="md"] {
		font-size: 0.8125em;
	}

	.ock-w-badge[data-size="lg"] {
		padding: 2px 10px;
		font-size: 0.9375em;
	}

	.ock-w-badge[data-variant="solid"] {
		background: var(--w-tone);
		color: var(--w-on-tone);
	}

	.ock-w-badge[data-variant="outline"] {
		border-color: currentColor;
		background: none;
	}

	.ock-w-image {
		flex: none;
		inline-size: fit-content;
		max-inline-size: 100%;
		block-size: auto;
		border-radius: 8px;
	}

	.ock-w-image[data-frame] {
		border: 1px solid var(--ock-border);
	}

	.ock-w-image[data-flush] {
		inline-size: auto;
		max-inline-size: none;
		margin-inline: calc(-1 * var(--w-inline-start, var(--w-inline, 0px)))
			calc(-1 * var(--w-inline-end, var(--w-inline, 0px)));
		border-radius: 0;
	}

	.ock-w-body > .ock-w-image[data-flush]:first-child {
		margin-block-start: calc(-1 * var(--w-block-start, var(--w-inline, 0px)));
	}

	.ock-w-status + .ock-w-body > .ock-w-image[data-flush]:first-child {
		margin-block-start: 0;
	}

	.ock-w-link {
		color: var(--ock-link);
	}

	.ock-w-problem {
		color: var(--ock-danger);
		font-size: 0.875em;
	}

	:is(.ock-w-box, .ock-w-body) > .ock-w-problem {
		margin-block-start: -6px;
	}

	.ock-widget > .ock-w-problem {
		margin-block-start: 8px;
	}
`;
