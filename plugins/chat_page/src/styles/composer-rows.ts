// What comes and goes in the composer: files, a quotation, notes, dictation.

import { css } from "lit";

export const composerRows = css`
	.ock-uploads {
		display: flex;
		flex-wrap: wrap;
		gap: calc(var(--ock-space) * 2);
		max-block-size: 30vh;
		margin: 0;
		padding: calc(var(--ock-space) * 3) calc(var(--ock-space) * 3) 0;
		overflow-y: auto;
		list-style: none;
	}

	.ock-upload {
		position: relative;
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 2);
		inline-size: min(256px, 100%);
		padding: calc(var(--ock-space) * 1.5);
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface-raised);
		overflow: hidden;
	}

	.ock-upload[data-state="failed"] {
		border-color: var(--ock-danger);
		inline-size: min(384px, 100%);
	}

	.ock-upload[data-state="failed"] .ock-hint {
		color: var(--ock-danger);
	}

	.ock-upload-picture {
		flex: none;
		display: grid;
		place-items: center;
		inline-size: 40px;
		block-size: 40px;
		border-radius: calc(var(--ock-radius) / 2);
		background: var(--ock-surface);
		color: var(--ock-text-quiet);
		object-fit: cover;
	}

	.ock-upload-picture[hidden] {
		display: none;
	}

	.ock-upload-text {
		flex: 1;
		display: flex;
		flex-direction: column;
		min-inline-size: 0;
		line-height: 1.3;
	}

	.ock-upload-name {
		overflow: hidden;
		font-size: 0.875em;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-upload .ock-tool {
		min-inline-size: 32px;
		min-block-size: 32px;
		padding: 0;
	}

	.ock-upload-progress {
		position: absolute;
		inset: auto 0 0;
		block-size: 3px;
		background: var(--ock-border);
	}

	.ock-upload-progress-bar {
		display: block;
		block-size: 100%;
		background: var(--ock-accent);
		transition: inline-size 0.2s;
	}

	.ock-upload-progress-bar[data-unknown] {
		inline-size: 40%;
		animation: ock-to-and-fro 1.2s ease-in-out infinite alternate;
	}

	@keyframes ock-to-and-fro {
		to {
			margin-inline-start: 60%;
		}
	}

	.ock-quote {
		display: flex;
		align-items: flex-start;
		gap: var(--ock-space);
		margin: calc(var(--ock-space) * 3) calc(var(--ock-space) * 3) 0;
		padding: calc(var(--ock-space) * 1.5) calc(var(--ock-space) * 2);
		border-inline-start: 3px solid var(--ock-accent);
		border-radius: 4px;
		background: var(--ock-surface-raised);
	}

	.ock-quote blockquote {
		flex: 1;
		display: -webkit-box;
		margin: 0;
		min-inline-size: 0;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		overflow: hidden;
		overflow-wrap: anywhere;
		white-space: pre-line;
		-webkit-box-orient: vertical;
		-webkit-line-clamp: 3;
	}

	.ock-quote .ock-tool {
		min-inline-size: 28px;
		min-block-size: 28px;
		padding: 0;
	}

	.ock-composer-note {
		margin: var(--ock-space) calc(var(--ock-space) * 2) 0;
		color: var(--ock-danger);
		font-size: 0.875em;
		overflow-wrap: anywhere;
	}

	.ock-closed {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		justify-content: space-between;
		gap: calc(var(--ock-space) * 2);
		padding: 0 calc(var(--ock-space) * 2) calc(var(--ock-space) * 2);
	}

	.ock-closed p {
		margin: 0;
		color: var(--ock-text-quiet);
		overflow-wrap: anywhere;
	}

	.ock-plain {
		min-block-size: 36px;
		padding: 0 calc(var(--ock-space) * 3);
		border: 1px solid var(--ock-border);
		border-radius: 999px;
		background: none;
		cursor: pointer;
	}

	.ock-dictation-text {
		flex: 1;
		min-inline-size: 128px;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		overflow-wrap: anywhere;
	}

	.ock-dictation[data-state="failed"] .ock-dictation-text {
		color: var(--ock-danger);
	}

	.ock-recording {
		flex: none;
		inline-size: 11.2px;
		block-size: 11.2px;
		margin-inline: calc(var(--ock-space) * 2);
		border-radius: 50%;
		background: var(--ock-border);
	}

	.ock-dictation[data-state="recording"] .ock-recording {
		background: var(--ock-danger);
		animation: ock-pulse 1s ease-in-out infinite alternate;
	}

	@keyframes ock-pulse {
		to {
			opacity: 0.35;
		}
	}

	.ock-c-time {
		font-variant-numeric: tabular-nums;
		font-size: 0.875em;
	}

	.ock-drop {
		position: absolute;
		z-index: 30;
		inset: calc(var(--ock-space) * 2);
		display: grid;
		place-items: center;
		border: 2px dashed var(--ock-accent);
		border-radius: var(--ock-radius);
		background: color-mix(in srgb, var(--ock-surface) 88%, transparent);
		font-weight: 600;
		text-align: center;
		pointer-events: none;
	}

	.ock-drop p {
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 2);
		margin: calc(var(--ock-space) * 4);
	}
`;
