import { css } from "lit";
import { questions } from "./questions.ts";
import { workflows } from "./workflows.ts";

const messages = css`
	ock-item {
		display: block;
	}

	.ock-row[data-speaker="user"] ock-item {
		display: flex;
		flex-direction: column;
		align-items: end;
		gap: calc(1.5 * var(--ock-space));
	}

	.ock-bubble {
		max-inline-size: 85%;
		padding: calc(2.5 * var(--ock-space)) calc(4 * var(--ock-space));
		border-radius: calc(var(--ock-radius) * 1.5);
		border-end-end-radius: calc(var(--ock-radius) / 3);
		background: var(--ock-bubble);
		overflow-wrap: anywhere;
	}

	.ock-bubble p {
		margin: 0;
		min-block-size: 1.5em;
		white-space: pre-wrap;
	}

	.ock-quoted {
		max-inline-size: 85%;
		max-block-size: 7.5em;
		overflow: auto;
		margin: 0;
		padding-inline-start: calc(3 * var(--ock-space));
		border-inline-start: 3px solid var(--ock-border);
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
		white-space: pre-wrap;
	}

	.ock-choices {
		display: flex;
		flex-wrap: wrap;
		justify-content: end;
		gap: calc(2 * var(--ock-space));
		margin: 0;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-attachments {
		display: flex;
		flex-wrap: wrap;
		justify-content: end;
		gap: calc(2 * var(--ock-space));
		max-inline-size: 100%;
		margin: 0;
		padding: 0;
		list-style: none;
	}

	.ock-attachments li {
		max-inline-size: 100%;
	}

	.ock-attachment {
		position: relative;
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: calc(2 * var(--ock-space));
		padding: calc(1.5 * var(--ock-space)) calc(2 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
	}

	.ock-attachment[data-image] {
		padding: 0;
		border: 0;
	}

	.ock-attachment[data-image] > .ock-icon-button,
	.ock-icon-button.ock-over {
		position: absolute;
		inset-block-end: calc(1.5 * var(--ock-space));
		inset-inline-end: calc(1.5 * var(--ock-space));
		background: color-mix(in srgb, var(--ock-surface) 85%, transparent);
		color: var(--ock-text);
	}

	.ock-file-label {
		display: flex;
		flex-direction: column;
		min-inline-size: 0;
		max-inline-size: 16rem;
		line-height: 1.3;
	}

	.ock-file-label small {
		color: var(--ock-text-quiet);
	}

	.ock-name {
		overflow: hidden;
		text-overflow: ellipsis;
	}

	.ock-thumb,
	.ock-picture {
		display: block;
		padding: 0;
		border: 0;
		border-radius: var(--ock-radius);
		overflow: hidden;
		background: var(--ock-surface-raised);
		cursor: zoom-in;
	}

	.ock-thumb img {
		display: block;
		inline-size: 10rem;
		block-size: 10rem;
		max-inline-size: 100%;
		object-fit: cover;
	}

	.ock-image {
		position: relative;
		inline-size: fit-content;
		max-inline-size: 100%;
		margin: calc(1 * var(--ock-space)) 0;
	}

	.ock-picture {
		inline-size: 20rem;
		max-inline-size: 100%;
		min-block-size: 4rem;
	}

	div.ock-picture {
		cursor: default;
	}

	.ock-image[data-open] .ock-picture {
		aspect-ratio: 1;
	}

	.ock-picture img {
		display: block;
		inline-size: 100%;
		block-size: auto;
	}

	.ock-image[data-open] img {
		block-size: 100%;
		object-fit: cover;
		filter: blur(14px);
		transform: scale(1.08);
	}

	.ock-image figcaption {
		margin-block-start: calc(2 * var(--ock-space));
		color: var(--ock-text-quiet);
		font-size: 0.875em;
	}

	.ock-meter {
		display: block;
		block-size: 4px;
		margin-block-start: calc(1 * var(--ock-space));
		border-radius: 2px;
		background: var(--ock-border);
		overflow: hidden;
	}

	.ock-meter > span {
		display: block;
		block-size: 100%;
		border-radius: 2px;
		background: var(--ock-accent);
		transition: inline-size 0.3s ease-out;
	}

	.ock-meter[data-unknown] > span {
		inline-size: 30%;
		animation: ock-pulse 1.2s infinite ease-in-out;
	}

	dialog.ock-large {
		max-inline-size: 100vw;
		max-block-size: 100dvh;
		padding: calc(4 * var(--ock-space));
		border: 0;
		background: none;
		cursor: zoom-out;
	}

	dialog.ock-large::backdrop {
		background: rgb(0 0 0 / 0.75);
	}

	dialog.ock-large img {
		display: block;
		max-inline-size: 90vw;
		max-block-size: 86dvh;
		min-inline-size: min(60vw, 60dvh);
		border-radius: var(--ock-radius);
	}

	dialog.ock-large .ock-icon-button {
		position: fixed;
		inset-block-start: calc(3 * var(--ock-space));
		inset-inline-end: calc(3 * var(--ock-space));
		background: var(--ock-surface);
		color: var(--ock-text);
	}

	.ock-icon-button {
		display: inline-grid;
		place-items: center;
		flex: none;
		inline-size: 32px;
		block-size: 32px;
		padding: 0;
		border: 0;
		border-radius: calc(var(--ock-radius) * 0.6);
		background: none;
		color: var(--ock-text-quiet);
		font-size: 0.9375rem;
		cursor: pointer;
	}

	.ock-icon-button:hover {
		background: var(--ock-surface-raised);
		color: var(--ock-text);
	}

	.ock-icon-button[aria-pressed="true"] {
		color: var(--ock-accent);
	}

	.ock-icon-button[aria-pressed="true"] .ock-icon {
		fill: color-mix(in srgb, var(--ock-accent) 25%, transparent);
	}

	.ock-push {
		min-block-size: 32px;
		padding: calc(1 * var(--ock-space)) calc(3 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: calc(var(--ock-radius) * 0.75);
		background: var(--ock-surface);
		font-size: 0.9375em;
		cursor: pointer;
	}

	.ock-push:hover {
		background: var(--ock-surface-raised);
	}

	.ock-push[data-primary] {
		border-color: var(--ock-accent);
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-push:disabled {
		opacity: 0.55;
		cursor: default;
	}

	.ock-link {
		min-block-size: 28px;
		padding: 0 calc(1 * var(--ock-space));
		border: 0;
		background: none;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		text-decoration: underline;
		text-underline-offset: 3px;
		cursor: pointer;
	}

	.ock-failed {
		color: var(--ock-danger);
		font-size: 0.875em;
	}

	.ock-failed:empty {
		display: none;
	}

	.ock-actions {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: 2px;
		margin-block-start: calc(1 * var(--ock-space));
		margin-inline-start: -7px;
	}

	.ock-row[data-speaker="user"] .ock-actions {
		justify-content: end;
		margin-inline: 0 -7px;
	}

	@media (hover: hover) {
		/* Over the space that is below the message anyway */
		.ock-row[data-speaker="user"] > ock-actions {
			position: absolute;
			inset-block-start: calc(100% - 10px);
			inset-inline-end: calc(4 * var(--ock-space));
			z-index: 1;
		}
	}

	.ock-hour {
		padding-inline: calc(1 * var(--ock-space));
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-asking {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: calc(2 * var(--ock-space));
		flex-basis: 100%;
		margin-inline-start: 7px;
		font-size: 0.9375em;
	}

	@media (hover: hover) {
		.ock-row[data-speaker="user"] .ock-actions,
		.ock-actions .ock-hour {
			opacity: 0;
			transition: opacity 0.12s;
		}

		.ock-row:hover .ock-actions,
		.ock-row:focus .ock-actions,
		.ock-row:focus-within .ock-actions,
		.ock-row:hover .ock-hour,
		.ock-row:focus-within .ock-hour {
			opacity: 1;
		}
	}

	@media (pointer: coarse) {
		.ock-icon-button {
			inline-size: 44px;
			block-size: 44px;
		}

		.ock-push,
		.ock-link {
			min-block-size: 44px;
		}

		.ock-newest {
			inline-size: 44px;
			block-size: 44px;
		}
	}

	/* Sources and things of the page */

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
		max-inline-size: min(100%, 22rem);
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
		color: var(--ock-accent);
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
		max-inline-size: min(20rem, calc(100vw - 12px));
		padding: calc(3 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface);
		color: var(--ock-text);
		box-shadow: 0 6px 24px rgb(0 0 0 / 0.16);
		font-size: 0.875rem;
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

export const items = [messages, workflows, questions];
