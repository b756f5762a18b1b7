import { css } from "lit";

export const widgetCharts = css`
	.ock-w-chart {
		display: flex;
		flex-direction: column;
		gap: 8px;
		inline-size: 100%;
		max-inline-size: 100%;
		min-inline-size: 0;
	}

	.ock-w-legend {
		display: flex;
		flex-wrap: wrap;
		gap: 4px 14px;
		padding: 0;
		font-size: 0.8125em;
		list-style: none;
	}

	.ock-w-swatch {
		display: inline-block;
		inline-size: 10px;
		block-size: 10px;
		border-radius: 3px;
		margin-inline-end: 4px;
	}

	.ock-w-swatch[data-type="line"] {
		block-size: 3px;
		vertical-align: middle;
	}

	.ock-w-plot {
		position: relative;
		flex: 1;
		min-block-size: 60px;
		touch-action: pan-y;
	}

	.ock-w-svg {
		position: absolute;
		inset-block-start: 0;
		inset-inline-start: 0;
		overflow: visible;
		direction: ltr; /* the drawing is mirrored where it has to be */
	}

	.ock-w-grid {
		stroke: var(--ock-border);
		stroke-width: 1;
		stroke-dasharray: 2 4;
	}

	.ock-w-grid[data-zero] {
		stroke-dasharray: none;
	}

	.ock-w-tick {
		fill: var(--ock-text-quiet);
		font-size: 11px;
	}

	.ock-w-active {
		fill: color-mix(in srgb, var(--ock-text) 7%, transparent);
	}

	.ock-w-line {
		fill: none;
		stroke-width: 2;
		stroke-linejoin: round;
		stroke-linecap: round;
	}

	.ock-w-area {
		fill-opacity: 0.25;
	}

	.ock-w-tooltip {
		position: absolute;
		inset-block-start: 0;
		display: flex;
		flex-direction: column;
		max-inline-size: 70%;
		padding: 6px 10px;
		border: 1px solid var(--ock-border);
		border-radius: 8px;
		background: var(--ock-surface);
		font-size: 0.8125em;
		pointer-events: none;
	}
`;
