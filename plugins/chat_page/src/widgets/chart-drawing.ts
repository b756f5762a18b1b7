// Charts on a canvas. This file and its library are loaded when a widget has a chart.

import {
	BarController,
	BarElement,
	CategoryScale,
	Chart,
	type ChartConfiguration,
	type ChartDataset,
	Filler,
	Legend,
	LineController,
	LineElement,
	LinearScale,
	PointElement,
	Tooltip,
} from "chart.js";
import type { WidgetNode } from "../protocol.ts";
import { parts } from "./chart.ts";
import { text } from "./context.ts";
import { type Scheme, color } from "./values.ts";

Chart.register(
	BarController,
	BarElement,
	CategoryScale,
	Filler,
	Legend,
	LineController,
	LineElement,
	LinearScale,
	PointElement,
	Tooltip,
);

const COLORS = ["blue-500", "orange-500", "green-600", "purple-500", "red-500", "yellow-600", "pink-500"];

/** Draws a chart. What it returns draws it again with other data, and ends it. */
export function draw(canvas: HTMLCanvasElement, node: WidgetNode, scheme: Scheme) {
	const chart = new Chart(canvas, configuration(canvas, node, scheme));
	return {
		update(next: WidgetNode, nextScheme: Scheme): void {
			const { data, options } = configuration(canvas, next, nextScheme);
			chart.data = data;
			chart.options = options!;
			chart.update("none");
		},
		destroy: () => chart.destroy(),
	};
}

function configuration(
	canvas: HTMLCanvasElement,
	node: WidgetNode,
	scheme: Scheme,
): ChartConfiguration {
	const { data, series, xAxis } = parts(node);
	const ink = resolved(canvas, "var(--ock-text-quiet)");
	const line = resolved(canvas, "var(--ock-border)");
	const isStacked = series.some((each) => each["stack"]);
	const gap = Number(node["barCategoryGap"]);
	return {
		type: "bar",
		data: {
			labels: data.map(xAxis.name),
			datasets: series.map((each, place) => dataset(canvas, each, place, data, scheme, gap)),
		},
		options: {
			animation: false,
			maintainAspectRatio: false,
			responsive: true,
			interaction: { mode: "index", intersect: false },
			plugins: {
				legend: {
					display: node["showLegend"] ?? series.length > 1 ? true : false,
					labels: { color: ink, boxWidth: 12 },
				},
				tooltip: { enabled: node["showTooltip"] !== false },
			},
			scales: {
				x: {
					display: !xAxis.hide,
					stacked: isStacked,
					ticks: { color: ink },
					grid: { display: false },
					border: { color: line },
				},
				y: {
					display: node["showYAxis"] === true,
					stacked: isStacked,
					beginAtZero: true,
					ticks: { color: ink },
					grid: { color: line },
					border: { display: false },
				},
			},
		},
	};
}

function dataset(
	canvas: HTMLCanvasElement,
	series: Record<string, unknown>,
	place: number,
	data: Record<string, unknown>[],
	scheme: Scheme,
	gap: number,
): ChartDataset<"bar" | "line"> {
	const key = text(series["dataKey"]);
	const css = color(series["color"], scheme) ?? color(COLORS[place % COLORS.length], scheme)!;
	const paint = resolved(canvas, css);
	const common = {
		label: text(series["label"]) || key,
		data: data.map((row) => Number(row[key])),
		stack: text(series["stack"]) || `${series["type"]} ${place}`,
		borderColor: paint,
	};
	if (series["type"] === "bar") {
		const share = Number.isFinite(gap) && gap > 0 ? Math.max(0.2, 1 - gap / 40) : 0.8;
		return { ...common, type: "bar", backgroundColor: paint, borderRadius: 3, categoryPercentage: share };
	}
	const curve = text(series["curveType"]);
	const isArea = series["type"] === "area";
	return {
		...common,
		type: "line",
		fill: isArea ? (series["stack"] ? "stack" : "origin") : false,
		backgroundColor: isArea ? resolved(canvas, `color-mix(in srgb, ${css} 25%, transparent)`) : paint,
		pointRadius: data.length > 30 ? 0 : 2,
		cubicInterpolationMode: curve.startsWith("monotone") ? "monotone" : "default",
		stepped: curve === "step" ? "middle" : curve === "stepBefore" ? "before" : curve === "stepAfter" ? "after" : false,
		tension: /^(natural|basis|bump)/.test(curve) ? 0.4 : 0,
	} as ChartDataset<"line">;
}

/** A canvas knows no custom properties: returns the colour that they make. */
function resolved(canvas: HTMLCanvasElement, value: string): string {
	const probe = document.createElement("span");
	probe.style.color = value;
	canvas.parentElement?.append(probe);
	const { color: found } = getComputedStyle(probe);
	probe.remove();
	return found;
}
