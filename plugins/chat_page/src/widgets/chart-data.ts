// The data of a chart, whatever a model has written.

import { seriesColors } from "./colors.ts";
import { oneOf, text } from "./context.ts";
import { type Props, nodeOf, number } from "./values.ts";

const ROWS = 2000; // that are drawn
const SERIES = 20;

export interface Series {
	type: "bar" | "area" | "line";
	label: string;
	color: string;
	curve: string;
	/** What is put on top of each other has the same name. */
	stack: string;
	/** NaN where there is no number. */
	values: number[];
}

export interface ChartData {
	labels: string[];
	series: Series[];
	hidesX: boolean;
	showsY: boolean;
	showsLegend: boolean;
	showsTooltip: boolean;
	/** Pixels; undefined for what looks well. */
	barGap: number | undefined;
	categoryGap: number | undefined;
}

export function chartData(node: Props): ChartData {
	const rows = listOf(node["data"]).slice(0, ROWS);
	const series = listOf(node["series"]).slice(0, SERIES);
	const axis = typeof node["xAxis"] === "object" ? nodeOf(node["xAxis"]) : { dataKey: node["xAxis"] };
	const names = nodeOf(axis["labels"]);
	const labels = rows.map((row) => {
		const value = text(own(row, text(axis["dataKey"])));
		return text(own(names, value)) || value;
	});
	const colors = seriesColors(series.map((each) => each["color"]));
	return {
		labels,
		series: series.map((each, place) => seriesOf(each, place, colors[place]!, rows)),
		hidesX: axis["hide"] === true,
		showsY: node["showYAxis"] === true,
		showsLegend: typeof node["showLegend"] === "boolean" ? node["showLegend"] : series.length > 1,
		showsTooltip: node["showTooltip"] !== false,
		barGap: pixels(node["barGap"]),
		categoryGap: pixels(node["barCategoryGap"]),
	};
}

function seriesOf(given: Props, place: number, color: string, rows: Props[]): Series {
	const key = text(given["dataKey"]);
	return {
		type: oneOf(given["type"], "bar", "area", "line"),
		label: text(given["label"]) || key,
		color,
		curve: text(given["curveType"]),
		stack: text(given["stack"]) || `#${place}`,
		values: rows.map((row) => number(own(row, key)) ?? Number.NaN),
	};
}

function listOf(value: unknown): Props[] {
	return Array.isArray(value) ? value.filter((each) => typeof each === "object" && each !== null) : [];
}

function own(of: Props, key: string): unknown {
	return Object.hasOwn(of, key) ? of[key] : undefined;
}

function pixels(value: unknown): number | undefined {
	const given = number(value);
	return given !== undefined && given >= 0 ? given : undefined;
}
