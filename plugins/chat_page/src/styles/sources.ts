// Sources of answers, things of the page, and the cards that say more about them.

import { css } from "lit";

export const sources = css`
	.ock-mark .ock-source,
	.ock-mark .ock-entity {
		display: inline-block;
		min-inline-size: 1.5em;
		margin-inline: 2px;
		padding: 0 0.45em;
		border: 0;
		border-radius: 1em;
		background: var(--ock-surface-raised);
		color: var(--ock-text-quiet);
		font-size: 0.75em;
		line-height: 1.6;
		text-align: center;
		text-decoration: none;
		vertical-align: 0.15em;
		cursor: pointer;
	}

	.ock-mark .ock-source:hover,
	.ock-mark .ock-entity:hover {
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-sources,
	.ock-found {
		display: flex;
		flex-wrap: wrap;
		gap: calc(1.5 * var(--ock-space));
		margin: calc(2 * var(--ock-space)) 0 0;
		padding: 0;
		list-style: none;
	}

	.ock-sources > li {
		max-inline-size: 100%;
	}

	.ock-sources .ock-source,
	.ock-sources .ock-entity {
		display: inline-flex;
		align-items: center;
		gap: calc(1.5 * var(--ock-space));
		max-inline-size: min(100%, 352px);
		min-block-size: 28px;
		padding: 2px calc(2.5 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: 1.2em;
		background: none;
		color: inherit;
		font-size: 0.875em;
		text-decoration: none;
		cursor: pointer;
	}

	.ock-sources .ock-source:hover,
	.ock-sources .ock-entity:hover {
		background: var(--ock-surface-raised);
	}

	.ock-sources .ock-name {
		white-space: nowrap;
	}

	.ock-number,
	.ock-origin {
		color: var(--ock-text-quiet);
	}

	.ock-origin {
		overflow: hidden;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-entity {
		white-space: normal;
		text-align: start;
	}

	.ock-tagged .ock-entity {
		padding: 0 0.35em;
		border: 0;
		border-radius: 0.4em;
		background: color-mix(in srgb, var(--ock-accent) 9%, transparent);
		color: var(--ock-link);
	}

	.ock-tagged button.ock-entity {
		cursor: pointer;
	}

	.ock-card {
		position: fixed;
		inset: auto;
		z-index: 10;
		margin: 0;
		inline-size: max-content;
		max-inline-size: min(320px, calc(100vw - 12px));
		padding: calc(3 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface);
		color: var(--ock-text);
		box-shadow: 0 6px 24px rgb(0 0 0 / 0.16);
		font-size: calc(0.875 * var(--ock-size));
		line-height: 1.45;
		text-align: start;
		overflow-wrap: anywhere;
		animation: ock-appear 0.12s ease-out;
	}

	.ock-card strong {
		display: block;
	}

	.ock-card p {
		margin: calc(1 * var(--ock-space)) 0 0;
	}

	.ock-card-head {
		color: var(--ock-text-quiet);
		font-size: 0.9em;
	}
`;
