import { html, nothing } from "lit";
import type { WidgetNode } from "../protocol.ts";
import { View, define } from "../view.ts";
import { text } from "./context.ts";
import type { Scheme } from "./values.ts";

type Row = Record<string, unknown>;

interface Drawing {
	update(node: WidgetNode, scheme: Scheme): void;
	destroy(): void;
}

/** A chart, drawn by a library that is loaded when the first one comes; and its table for readers. */
export class ChartView extends View {
	static override properties = {
		...View.properties,
		node: { attribute: false },
		scheme: { attribute: false },
	};
	declare node: WidgetNode;
	declare scheme: Scheme;
	private drawing: Drawing | null = null;

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.drawing?.destroy();
		this.drawing = null;
	}

	override render() {
		return html`<div class="ock-chart-area" aria-hidden="true"><canvas></canvas></div>${this.table()}`;
	}

	override updated(): void {
		void this.paint();
	}

	private async paint(): Promise<void> {
		const { draw } = await import("./chart-drawing.ts");
		const canvas = this.querySelector("canvas");
		if (!canvas || !this.isConnected) return;
		if (this.drawing) this.drawing.update(this.node, this.scheme);
		else this.drawing = draw(canvas, this.node, this.scheme);
	}

	private table() {
		const { data, series, xAxis } = parts(this.node);
		if (!data.length) return nothing;
		return html`<table class="ock-hidden">
			<tr>
				<td></td>
				${series.map(({ label, dataKey }) => html`<th scope="col">${text(label) || text(dataKey)}</th>`)}
			</tr>
			${data.map(
				(row) => html`<tr>
					<th scope="row">${xAxis.name(row)}</th>
					${series.map(({ dataKey }) => html`<td>${text(row[text(dataKey)])}</td>`)}
				</tr>`,
			)}
		</table>`;
	}
}

/** The data, the series and the axis of a chart, whatever a model has written. */
export function parts(node: WidgetNode) {
	const rows = (value: unknown): Row[] =>
		Array.isArray(value) ? value.filter((row) => typeof row === "object" && row !== null) : [];
	const axis = node["xAxis"];
	const config: Row = typeof axis === "object" && axis !== null ? (axis as Row) : { dataKey: axis };
	const labels = (typeof config["labels"] === "object" ? (config["labels"] ?? {}) : {}) as Row;
	const name = (row: Row) => {
		const value = text(row[text(config["dataKey"])]);
		return Object.hasOwn(labels, value) ? text(labels[value]) : value;
	};
	return {
		data: rows(node["data"]),
		series: rows(node["series"]),
		xAxis: { name, hide: config["hide"] === true },
	};
}

define("ock-chart", ChartView);
