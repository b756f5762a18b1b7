// Draws charts as SVG, in the colours of the page. D3 has the curves and the round numbers.

import {
	type CurveFactory,
	area,
	curveBasis,
	curveBasisClosed,
	curveBasisOpen,
	curveBumpX,
	curveBumpY,
	curveLinear,
	curveLinearClosed,
	curveMonotoneX,
	curveMonotoneY,
	curveNatural,
	curveStep,
	curveStepAfter,
	curveStepBefore,
	line,
} from "d3-shape";
import { type TemplateResult, html, nothing, svg } from "lit";
import { styled } from "../view.ts";
import type { Words } from "../words.ts";
import type { ChartData, Series } from "./chart-data.ts";
import { type Bands, type Scale, type Span, horizontalBands, stacked, verticalScale } from "./chart-scales.ts";

const CURVES: Readonly<Record<string, CurveFactory>> = {
	basis: curveBasis,
	basisClosed: curveBasisClosed,
	basisOpen: curveBasisOpen,
	bump: curveBumpX,
	bumpX: curveBumpX,
	bumpY: curveBumpY,
	linear: curveLinear,
	linearClosed: curveLinearClosed,
	monotone: curveMonotoneX,
	monotoneX: curveMonotoneX,
	monotoneY: curveMonotoneY,
	natural: curveNatural,
	step: curveStep,
	stepAfter: curveStepAfter,
	stepBefore: curveStepBefore,
};

const LETTER = 6.5; // pixels of a letter of an axis, about
const ABOVE = 10; // pixels, so that the highest number is not cut
const BELOW = 22; // pixels of the names of rows
const FEW = 40; // rows, of which each has a dot

export interface Frame {
	width: number;
	height: number;
	active: number | undefined;
	words: Words;
}

export type Plot = typeof plot;

interface Scales {
	bands: Bands;
	scale: Scale;
	spans: Span[][];
}

/** Draws a chart. */
export function plot(data: ChartData, frame: Frame): TemplateResult {
	const spans = stacked(data.series);
	const high = Math.max(frame.height - ABOVE - (data.hidesX ? 4 : BELOW), 20);
	const scale = verticalScale(spans, high);
	const names = scale.ticks.map((tick) => short(tick, frame.words));
	const beside = data.showsY ? Math.max(...names.map(({ length }) => length)) * LETTER + 10 : 2;
	const wide = Math.max(frame.width - beside, 20);
	const isRtl = frame.words.direction === "rtl";
	const bands = horizontalBands(data, groupsOf(data.series).length, wide);
	const mirrored: Bands = isRtl
		? {
				width: bands.width,
				middle: (row) => wide - bands.middle(row),
				bar: (row, group) => {
					const { x, width } = bands.bar(row, group);
					return { x: wide - x - width, width };
				},
			}
		: bands;
	const scales = { bands: mirrored, scale, spans };
	return html`<svg class="ock-w-svg" width=${frame.width} height=${frame.height} aria-hidden="true"
		data-start=${isRtl ? 0 : beside} data-wide=${wide}>
		<g transform=${`translate(${isRtl ? 0 : beside} ${ABOVE})`}>
			${grid(scale, names, wide, data.showsY, isRtl)}
			${active(frame.active, mirrored, high)}
			${inOrder(data.series).map(([series, place]) => drawSeries(data, series, place, scales))}
			${data.hidesX ? nothing : rows(data.labels, mirrored, high)}
		</g>
	</svg>`;
}

function short(value: number, { locale }: Words): string {
	return new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 2 }).format(value);
}

/** The bars that are beside each other: those of a stack are one. */
function groupsOf(series: Series[]): string[] {
	return [...new Set(series.filter(({ type }) => type === "bar").map(({ stack }) => stack))];
}

function grid(scale: Scale, names: string[], wide: number, showsY: boolean, isRtl: boolean) {
	return scale.ticks.map((tick, place) => {
		const y = scale.at(tick);
		return svg`<line class="ock-w-grid" x1="0" x2=${wide} y1=${y} y2=${y} ?data-zero=${tick === 0}></line>
			${
				showsY
					? svg`<text class="ock-w-tick" x=${isRtl ? wide + 6 : -6} y=${y} dy="0.32em"
							text-anchor=${isRtl ? "start" : "end"}>${names[place]}</text>`
					: nothing
			}`;
	});
}

/** The band of the row whose values are shown. */
function active(row: number | undefined, bands: Bands, high: number) {
	if (row === undefined) return nothing;
	return svg`<rect class="ock-w-active" x=${bands.middle(row) - bands.width / 2} y="0"
		width=${bands.width} height=${high}></rect>`;
}

/** The names of the rows: as many as there is room for. */
function rows(labels: string[], bands: Bands, high: number) {
	const longest = labels.reduce((most, { length }) => Math.max(most, Math.min(length, 16)), 1);
	const step = Math.max(1, Math.ceil((longest * LETTER + 8) / bands.width));
	return labels.map((label, row) =>
		row % step
			? nothing
			: svg`<text class="ock-w-tick" x=${bands.middle(row)} y=${high + 16}
					text-anchor="middle">${label.length > 16 ? `${label.slice(0, 15)}…` : label}</text>`,
	);
}

/** Areas are behind bars, and bars behind lines. */
function inOrder(series: Series[]): [Series, number][] {
	const kinds = ["area", "bar", "line"];
	const placed = series.map((each, place): [Series, number] => [each, place]);
	return placed.sort(([a], [b]) => kinds.indexOf(a.type) - kinds.indexOf(b.type));
}

function drawSeries(data: ChartData, series: Series, place: number, scales: Scales) {
	if (series.type === "bar") return bars(data, series, place, scales);
	const points = scales.spans[place]!;
	const { bands, scale } = scales;
	const curve = Object.hasOwn(CURVES, series.curve) ? CURVES[series.curve]! : curveLinear;
	const top = line<Span>((_, row) => bands.middle(row), ([, to]) => scale.at(to))
		.defined(([, to]) => Number.isFinite(to))
		.curve(curve);
	return svg`${series.type === "area" ? filled(points, series, scales, curve) : nothing}
		<path class="ock-w-line" d=${top(points) ?? ""} ${styled({ stroke: series.color })}></path>
		${points.length > FEW ? nothing : points.map(([, to], row) => dot(bands.middle(row), scale.at(to), series))}`;
}

function filled(points: Span[], { color }: Series, { bands, scale }: Scales, curve: CurveFactory) {
	const shape = area<Span>(
		(_, row) => bands.middle(row),
		([from]) => scale.at(from),
		([, to]) => scale.at(to),
	)
		.defined(([, to]) => Number.isFinite(to))
		.curve(curve);
	return svg`<path class="ock-w-area" d=${shape(points) ?? ""} ${styled({ fill: color })}></path>`;
}

function dot(x: number, y: number, { color }: Series) {
	if (!Number.isFinite(y)) return nothing;
	return svg`<circle class="ock-w-dot" cx=${x} cy=${y} r="2.5" ${styled({ fill: color })}></circle>`;
}

function bars(data: ChartData, series: Series, place: number, { bands, scale, spans }: Scales) {
	const group = groupsOf(data.series).indexOf(series.stack);
	return spans[place]!.map(([from, to], row) => {
		if (!Number.isFinite(to)) return nothing;
		const { x, width } = bands.bar(row, group);
		const [a, b] = [scale.at(from), scale.at(to)];
		return svg`<rect class="ock-w-bar" x=${x} y=${Math.min(a, b)} width=${width}
			height=${Math.abs(a - b)} rx=${Math.min(3, width / 4)} ${styled({ fill: series.color })}></rect>`;
	});
}
