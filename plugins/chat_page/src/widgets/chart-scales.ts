// Where the rows and the values of a chart are, in pixels.

import { nice, ticks } from "d3-array";
import type { ChartData, Series } from "./chart-data.ts";

const TICKS = 4;

/** A part of a stack: from one value to another. */
export type Span = [from: number, to: number];

/** Where each series begins and ends in each row: what has the same stack is on top of each other. */
export function stacked(series: Series[]): Span[][] {
	const heights = new Map<string, number[]>();
	return series.map(({ type, stack, values }) => {
		if (type === "line") return values.map((value): Span => [0, value]);
		return values.map((value, row): Span => {
			// What is below zero is stacked downwards
			const key = `${type} ${stack} ${value < 0}`;
			const all = heights.get(key) ?? [];
			heights.set(key, all);
			const from = all[row] ?? 0;
			const to = from + (Number.isNaN(value) && type === "area" ? 0 : value);
			if (!Number.isNaN(to)) all[row] = to;
			return [from, to];
		});
	});
}

export interface Scale {
	at(value: number): number;
	ticks: number[];
}

/** The vertical scale: round numbers, with zero. */
export function verticalScale(spans: Span[][], height: number): Scale {
	const values = spans.flat(2).filter((value) => Number.isFinite(value));
	const low = values.reduce((a, b) => Math.min(a, b), 0);
	const high = values.reduce((a, b) => Math.max(a, b), 0);
	const [from, to] = nice(low, high === low ? low + 1 : high, TICKS);
	return {
		at: (value) => height - ((value - from) / (to - from)) * height,
		ticks: ticks(from, to, TICKS),
	};
}

export interface Bands {
	/** The middle of a row. */
	middle(row: number): number;
	width: number;
	/** The place of the bars of a group in a row. */
	bar(row: number, group: number): { x: number; width: number };
}

/** The horizontal scale: a band for each row, and in it a bar for each group. */
export function horizontalBands(data: ChartData, groups: number, width: number): Bands {
	const band = width / Math.max(data.labels.length, 1);
	const between = Math.min(data.categoryGap ?? band * 0.25, band * 0.8);
	const inner = band - between;
	const gap = groups > 1 ? Math.min(data.barGap ?? 3, (inner * 0.5) / (groups - 1)) : 0;
	const bar = Math.max((inner - gap * (groups - 1)) / Math.max(groups, 1), 0.5);
	return {
		width: band,
		middle: (row) => (row + 0.5) * band,
		bar: (row, group) => ({ x: row * band + between / 2 + group * (bar + gap), width: bar }),
	};
}
