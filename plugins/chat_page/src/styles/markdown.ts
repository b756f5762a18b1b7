import { css } from "lit";

/** Colours of code, with a contrast of at least 4.5 to 1 on --ock-surface-raised. */
const colours = css`
	:host {
		--ock-code-keyword: #8a1c9e;
		--ock-code-string: #1d6a2c;
		--ock-code-number: #9a4a00;
		--ock-code-comment: #5d6470;
		--ock-code-type: #00628a;
		--ock-code-name: #1f4fc4;
		--ock-code-meta: #80560a;
		--ock-code-inserted: #1d6a2c;
		--ock-code-deleted: #b3261e;
	}

	:host([data-scheme="dark"]) {
		--ock-code-keyword: #e09cf0;
		--ock-code-string: #8fd69a;
		--ock-code-number: #f2b27a;
		--ock-code-comment: #a0a5b1;
		--ock-code-type: #7fcdf0;
		--ock-code-name: #a4bfff;
		--ock-code-meta: #e0c07a;
		--ock-code-inserted: #8fd69a;
		--ock-code-deleted: #ff9b93;
	}

	.ock-t-keyword {
		color: var(--ock-code-keyword);
	}
	.ock-t-string {
		color: var(--ock-code-string);
	}
	.ock-t-number {
		color: var(--ock-code-number);
	}
	.ock-t-comment {
		color: var(--ock-code-comment);
		font-style: italic;
	}
	.ock-t-type {
		color: var(--ock-code-type);
	}
	.ock-t-name {
		color: var(--ock-code-name);
	}
	.ock-t-meta {
		color: var(--ock-code-meta);
	}
	.ock-t-inserted {
		color: var(--ock-code-inserted);
	}
	.ock-t-deleted {
		color: var(--ock-code-deleted);
	}
`;

const text = css`
	ock-markdown {
		display: block;
		min-inline-size: 0;
		overflow-wrap: anywhere;
	}

	:where(.ock-text) :where(p, ul, ol, blockquote, details, h1, h2, h3, h4, h5, h6) {
		margin-block: 0;
	}

	.ock-text > * + *,
	.ock-text :is(li, blockquote, details, .ock-note) > * + * {
		margin-block-start: calc(3 * var(--ock-space));
	}

	.ock-text :is(h1, h2, h3, h4, h5, h6) {
		line-height: 1.3;
	}
	.ock-text > * + :is(h1, h2, h3, h4, h5, h6) {
		margin-block-start: calc(6 * var(--ock-space));
	}
	.ock-text :is(h1, h2, h3) {
		font-size: 1.25em;
	}
	.ock-text h4 {
		font-size: 1.12em;
	}
	.ock-text :is(h5, h6) {
		font-size: 1em;
	}

	.ock-text :is(ul, ol) {
		padding-inline-start: 1.75em;
	}
	.ock-text li + li {
		margin-block-start: var(--ock-space);
	}
	.ock-text .ock-loose > li + li {
		margin-block-start: calc(3 * var(--ock-space));
	}
	.ock-text li > :is(ul, ol) {
		margin-block-start: var(--ock-space);
	}
	.ock-text .ock-task {
		list-style: none;
		position: relative;
	}
	.ock-text .ock-task > input {
		position: absolute;
		inset-block-start: 0.3em;
		inset-inline-start: -1.5em;
		margin: 0;
	}
	.ock-text .ock-task > input + * {
		margin-block-start: 0;
	}

	.ock-text blockquote {
		margin-inline: 0;
		padding-inline-start: calc(3 * var(--ock-space));
		border-inline-start: 3px solid var(--ock-border);
		color: var(--ock-text-quiet);
	}

	.ock-text hr {
		border: 0;
		border-block-start: 1px solid var(--ock-border);
		margin-block: calc(5 * var(--ock-space));
	}

	.ock-text a {
		color: var(--ock-link);
		text-underline-offset: 0.15em;
	}
	.ock-text .ock-host {
		color: var(--ock-text-quiet);
	}

	.ock-text img {
		max-inline-size: 100%;
		max-block-size: 30em;
		border-radius: calc(var(--ock-radius) / 2);
		vertical-align: middle;
	}

	.ock-text mark {
		background: color-mix(in srgb, var(--ock-warning) 30%, transparent);
		color: inherit;
	}

	.ock-text summary {
		cursor: pointer;
	}

	.ock-text .ock-note {
		font-size: 0.9em;
	}
	.ock-text .ock-note > .ock-note-mark {
		float: inline-start;
		margin-inline-end: var(--ock-space);
		margin-block: 0;
	}
	.ock-note-mark {
		min-inline-size: 24px;
		min-block-size: 24px;
		margin-block: -8px;
		padding: 0 var(--ock-space);
		border: 0;
		background: none;
		color: var(--ock-link);
		cursor: pointer;
	}
	sup > .ock-note-mark {
		font-size: inherit;
		line-height: 1;
	}
`;

const wide = css`
	.ock-text .ock-scroll {
		max-inline-size: 100%;
		overflow-x: auto;
		overscroll-behavior-inline: contain;
	}

	.ock-text table {
		border-collapse: collapse;
		overflow-wrap: normal;
	}
	.ock-text :is(th, td) {
		max-inline-size: 32em;
		min-inline-size: 3em;
		padding: calc(1.5 * var(--ock-space)) calc(3 * var(--ock-space));
		border-block-end: 1px solid var(--ock-border);
		text-align: start;
		vertical-align: top;
		overflow-wrap: break-word;
	}
	.ock-text .ock-long {
		display: block;
	}
	.ock-text .ock-long > * {
		display: table;
		table-layout: fixed;
		inline-size: 0; /* the columns make it wider */
	}
	.ock-text .ock-long :is(th, td) {
		max-inline-size: none;
		overflow-wrap: anywhere;
	}
	.ock-text .ock-left {
		text-align: left;
	}
	.ock-text .ock-center {
		text-align: center;
	}
	.ock-text .ock-right {
		text-align: right;
	}

	.ock-text code,
	.ock-text :is(kbd, samp) {
		font-family: var(--ock-mono);
		font-size: 0.9em;
	}
	.ock-text :not(pre) > code,
	.ock-text kbd {
		padding: 0.1em 0.3em;
		border-radius: 0.3em;
		background: var(--ock-surface-raised);
	}
	.ock-text kbd {
		border: 1px solid var(--ock-border);
	}

	.ock-code {
		border: 1px solid var(--ock-border);
		border-radius: calc(var(--ock-radius) * 0.75);
		background: var(--ock-surface-raised);
		overflow: clip;
	}
	.ock-code-head {
		display: flex;
		align-items: center;
		justify-content: space-between;
		gap: calc(2 * var(--ock-space));
		padding-inline: calc(3 * var(--ock-space)) var(--ock-space);
		border-block-end: 1px solid var(--ock-border);
		color: var(--ock-text-quiet);
		font-size: 0.85em;
	}
	.ock-code-head > span {
		overflow: hidden;
		text-overflow: ellipsis;
		white-space: nowrap;
	}
	.ock-code-head > button {
		flex: none;
		min-block-size: 32px;
		padding-inline: calc(2 * var(--ock-space));
		border: 0;
		border-radius: calc(var(--ock-radius) / 2);
		background: none;
		cursor: pointer;
	}
	.ock-code-head > button:hover {
		color: var(--ock-text);
	}
	.ock-code :focus-visible {
		outline-offset: -2px;
	}
	.ock-code > pre {
		margin: 0;
		padding: calc(3 * var(--ock-space));
		overflow-wrap: normal;
		tab-size: 4;
	}
	.ock-lines {
		display: block;
		inline-size: max-content;
		min-inline-size: 100%;
	}

	.ock-math {
		/* A formula may move things: not out of its box */
		contain: paint;
	}
	.ock-math:not(.ock-math-block) {
		display: inline-block;
		max-inline-size: 100%;
	}
	.ock-text .ock-math-block {
		display: block;
		overflow: auto hidden;
		padding-block: calc(2 * var(--ock-space));
		text-align: center;
	}
	.ock-math math {
		font-family: "Cambria Math", "STIX Two Math", "Noto Sans Math", "Latin Modern Math", math;
		font-feature-settings: "dtls" off; /* dots on i and j */
	}
	.ock-math .tml-display {
		display: block math;
	}

	@media (pointer: coarse) {
		.ock-code-head > button {
			min-block-size: 44px;
		}
	}
`;

export const markdown = [colours, text, wide];
