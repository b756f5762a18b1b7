import { css } from "lit";
import { controls } from "./controls.ts";
import { questions } from "./questions.ts";
import { sources } from "./sources.ts";
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
		max-inline-size: 256px;
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
		inline-size: 160px;
		block-size: 160px;
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
		inline-size: 320px;
		max-inline-size: 100%;
		min-block-size: 64px;
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
`;

export const items = [messages, controls, sources, workflows, questions];
