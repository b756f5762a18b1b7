import { type TemplateResult, html, nothing } from "lit";
import { type Styles, View, define, styled } from "../view.ts";
import { type ChartData, chartData } from "./chart-data.ts";
import type { Plot } from "./chart-drawing.ts";
import type { Draw } from "./context.ts";
import { type Props, block } from "./values.ts";

const HEIGHT = 220; // pixels, of a chart that does not say how high it is
const TOLD = 300; // rows of the table for screen readers

const chart: Draw = (node, { chat }) =>
	html`<ock-chart class="ock-w-chart" .chat=${chat} .node=${node} ${styled(sizes(node))}></ock-chart>`;

function sizes(node: Props): Styles {
	const styles = block(node);
	const isSized = styles["height"] || styles["aspect-ratio"] || styles["min-height"];
	return isSized ? styles : { ...styles, height: `${HEIGHT}px` };
}

/** A chart, and its table for those who cannot see it. What draws it is loaded with the first one. */
export class Chart extends View {
	static override properties = {
		...View.properties,
		node: { attribute: false },
		plot: { state: true },
		width: { state: true },
		height: { state: true },
		active: { state: true },
	};
	declare node: Props;
	declare plot: Plot | undefined;
	declare width: number;
	declare height: number;
	/** The row whose values are shown. */
	declare active: number | undefined;
	private data: ChartData = chartData({});
	private readonly observer = new ResizeObserver(([entry]) => {
		if (!entry) return;
		this.width = Math.round(entry.contentRect.width);
		this.height = Math.round(entry.contentRect.height);
	});

	override connectedCallback(): void {
		super.connectedCallback();
		void import("./chart-drawing.ts").then(({ plot }) => (this.plot = plot)).catch(() => {});
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.observer.disconnect();
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		super.willUpdate(changed);
		if (changed.has("node")) this.data = chartData(this.node);
	}

	override updated(): void {
		const area = this.querySelector(".ock-w-plot");
		if (area) this.observer.observe(area);
	}

	override render() {
		const { data } = this;
		return html`${data.showsLegend ? this.legend() : nothing}
			<div class="ock-w-plot" tabindex=${data.showsTooltip && data.labels.length ? 0 : nothing} role="img"
				aria-label=${this.summary()} @pointermove=${this.pointed} @pointerdown=${this.pointed}
				@pointerleave=${this.left} @blur=${this.left} @keydown=${this.pressed}>
				${this.picture()}${this.tooltip()}
			</div>
			${this.table()}`;
	}

	private picture(): TemplateResult | typeof nothing {
		const { plot, width, height } = this;
		if (!plot || !width || !height) return nothing;
		const { words } = this.chat;
		return plot(this.data, { width, height, active: this.active, words });
	}

	private legend() {
		return html`<ul class="ock-w-legend" role="list" aria-hidden="true">
			${this.data.series.map(
				({ label, color, type }) => html`<li dir="auto">
					<span class="ock-w-swatch" data-type=${type} ${styled({ background: color })}></span>${label}</li>`,
			)}
		</ul>`;
	}

	private tooltip() {
		const { active, data } = this;
		if (active === undefined || !data.showsTooltip) return nothing;
		const { start, wide } = this.rows();
		const band = wide / data.labels.length;
		const along = (active + 0.5) / data.labels.length;
		const share = this.isRtl ? 1 - along : along;
		const x = start + share * wide;
		const isRight = share > 0.5;
		const place = isRight ? this.width - x + band / 2 + 4 : x + band / 2 + 4;
		return html`<div class="ock-w-tooltip" ${styled({ [isRight ? "right" : "left"]: `${place}px` })}>
			<strong dir="auto">${data.labels[active]}</strong>
			${data.series.map(
				({ label, color, type, values }) => html`<span dir="auto">
					<span class="ock-w-swatch" data-type=${type} ${styled({ background: color })}></span>
					${label}: ${this.number(values[active])}</span>`,
			)}
		</div>`;
	}

	private summary(): string {
		const { labels, series } = this.data;
		const names = series.map(({ label }) => label).join(", ");
		const [from = "", to = ""] = [labels[0], labels.at(-1)];
		return this.chat.words.text("widget.chart", { names, from, to });
	}

	private table() {
		const { labels, series } = this.data;
		if (!labels.length) return nothing;
		return html`<table class="ock-hidden">
			<thead><tr><td></td>${series.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead>
			<tbody>
				${labels.slice(0, TOLD).map(
					(label, row) => html`<tr>
						<th scope="row">${label}</th>
						${series.map(({ values }) => html`<td>${this.number(values[row])}</td>`)}
					</tr>`,
				)}
			</tbody>
		</table>`;
	}

	private number(value: number | undefined): string {
		return value === undefined || Number.isNaN(value) ? "–" : this.chat.words.number(value);
	}

	/** Where the rows are in the drawing, in pixels from its left edge. */
	private rows(): { start: number; wide: number } {
		const { start = 0, wide = this.width } = this.querySelector<SVGElement>(".ock-w-svg")?.dataset ?? {};
		return { start: Number(start), wide: Number(wide) || 1 };
	}

	private readonly pointed = ({ clientX, currentTarget }: PointerEvent) => {
		const { start, wide } = this.rows();
		const { left } = (currentTarget as Element).getBoundingClientRect();
		const share = (clientX - left - start) / wide;
		this.show(Math.floor((this.isRtl ? 1 - share : share) * this.data.labels.length));
	};

	private readonly left = () => {
		this.active = undefined;
	};

	private readonly pressed = (event: KeyboardEvent) => {
		const forward = this.isRtl ? -1 : 1;
		const last = this.data.labels.length - 1;
		const places: Record<string, number> = {
			ArrowLeft: (this.active ?? 0) - forward,
			ArrowRight: (this.active ?? -1) + forward,
			Home: 0,
			End: last,
		};
		if (event.key === "Escape") this.left();
		if (!(event.key in places)) return;
		event.preventDefault();
		this.show(places[event.key]!);
	};

	private show(row: number): void {
		const { labels } = this.data;
		this.active = labels.length ? Math.max(0, Math.min(row, labels.length - 1)) : undefined;
	}

	private get isRtl(): boolean {
		return this.chat.words.direction === "rtl";
	}
}

define("ock-chart", Chart);

export const charts: Readonly<Record<string, Draw>> = { Chart: chart };
