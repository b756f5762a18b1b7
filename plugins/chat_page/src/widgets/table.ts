import { html, nothing } from "lit";
import { styled } from "../view.ts";
import { type Draw, childrenOf, oneOf } from "./context.ts";
import { count, length, sides } from "./values.ts";

const COLUMNS: Readonly<Record<string, string>> = {
	xs: "64px",
	sm: "96px",
	md: "144px",
	lg: "208px",
	xl: "288px",
};
const VERTICAL = { start: "top", center: "middle", end: "bottom" };

const table: Draw = (node, context, path) => html`<div class="ock-w-scroll" tabindex="0" role="region"
	aria-label=${context.chat.words.text("widget.table")}>
	<table class="ock-w-table"><tbody>${context.children(node, path)}</tbody></table>
</div>`;

const row: Draw = (node, context, path) => {
	const isHeader = node["header"] === true;
	const cells = childrenOf(node).map((cell) => ({ ...cell, isHeader }));
	return html`<tr ?data-header=${isHeader}>${context.children({ ...node, children: cells }, path)}</tr>`;
};

const cell: Draw = (node, context, path) => {
	const { colSize } = node;
	const column = Object.hasOwn(COLUMNS, String(colSize)) ? COLUMNS[String(colSize)] : undefined;
	const styles = {
		"text-align": oneOf(node["align"], "start", "center", "end"),
		"vertical-align": VERTICAL[oneOf(node["vAlign"], "center", "start", "end")],
		width: length(node["width"]) ?? column,
		"min-width": column,
		...sides("padding", node["padding"]),
	};
	const spans = [count(node["colSpan"]) ?? nothing, count(node["rowSpan"]) ?? nothing];
	const inside = context.children(node, path);
	return node["isHeader"]
		? html`<th scope="col" colspan=${spans[0]} rowspan=${spans[1]} ${styled(styles)}>${inside}</th>`
		: html`<td colspan=${spans[0]} rowspan=${spans[1]} ${styled(styles)}>${inside}</td>`;
};

export const tables: Readonly<Record<string, Draw>> = {
	Table: table,
	"Table.Row": row,
	"Table.Cell": cell,
};
