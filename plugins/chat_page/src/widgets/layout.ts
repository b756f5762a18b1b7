import { html, nothing } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { styled } from "../view.ts";
import { type Draw, actionOf, oneOf } from "./context.ts";
import { border, box, color, length, sides, spacing } from "./values.ts";

const drawBox =
	(direction: "row" | "col"): Draw =>
	(node, context, path) => {
		const way = node.type === "Box" ? oneOf(node["direction"], direction, "row") : direction;
		return html`<div class="ock-w-box" ${styled(box(node, context.scheme, way))}>
			${context.children(node, path)}
		</div>`;
	};

const form: Draw = (node, context, path) => {
	const action = actionOf(node["onSubmitAction"]);
	const way = oneOf(node["direction"], "col", "row");
	const submit = (event: SubmitEvent) => {
		event.preventDefault();
		if (action) context.act(action, event.target as Element, path, true);
	};
	return html`<form class="ock-w-box" @submit=${submit} aria-busy=${context.busy.has(path) ? "true" : nothing}
		${styled({ gap: "12px", ...withoutGaps(box(node, context.scheme, way)) })}>
		${context.children(node, path)}
	</form>`;
};

/** Leaves out what is undefined, so that defaults stay. */
function withoutGaps<T extends object>(styles: T): T {
	return Object.fromEntries(Object.entries(styles).filter(([, value]) => value != null)) as T;
}

const spacer: Draw = (node) => {
	const size = length(node["minSize"]);
	return html`<div class="ock-w-spacer" ${styled({ "min-width": size, "min-height": size })}></div>`;
};

const divider: Draw = (node, { scheme }) => {
	const size = length(node["size"]);
	const space = spacing(node["spacing"]);
	return html`<hr class="ock-w-divider" ?data-flush=${node["flush"]} ${styled({
		"--size": size,
		"--space": space,
		"--color": color(node["color"], scheme),
	})} />`;
};

const transition: Draw = (node, context, path) => {
	const { children } = node;
	const child = Array.isArray(children) ? children[0] : children;
	if (!child) return html`<div class="ock-w-transition"></div>`;
	// Another key or type is another child, which comes in with an animation
	const key = child.key ?? child.id ?? child.type;
	return html`<div class="ock-w-transition">
		${keyed(key, html`<div class="ock-w-appear">${context.draw(child, `${path}.0`)}</div>`)}
	</div>`;
};

const table: Draw = (node, context, path) => html`<div class="ock-w-scroll" tabindex="0" role="region"
	aria-label=${context.chat.words.text("widget.table")}>
	<table class="ock-w-table"><tbody>${context.children(node, path)}</tbody></table>
</div>`;

const row: Draw = (node, context, path) =>
	html`<tr ?data-header=${node["header"]}>${context.children(node, path)}</tr>`;

const COLUMNS = { xs: "4rem", sm: "6rem", md: "9rem", lg: "13rem", xl: "18rem" };

const cell: Draw = (node, context, path) => {
	const span = (value: unknown) =>
		typeof value === "number" && value > 1 ? Math.min(Math.floor(value), 100) : nothing;
	const vertical = oneOf(node["vAlign"], "center", "start", "end");
	const size = node["colSize"] as keyof typeof COLUMNS;
	const styles = {
		"text-align": oneOf(node["align"], "start", "center", "end"),
		"vertical-align": { start: "top", center: "middle", end: "bottom" }[vertical],
		width: length(node["width"]) ?? COLUMNS[size],
		...sides("padding", node["padding"]),
		...border(node["border"], context.scheme),
	};
	return html`<td colspan=${span(node["colSpan"])} rowspan=${span(node["rowSpan"])} ${styled(styles)}>
		${context.children(node, path)}
	</td>`;
};

export const layout: Record<string, Draw> = {
	Box: drawBox("col"),
	Row: drawBox("row"),
	Col: drawBox("col"),
	Form: form,
	Spacer: spacer,
	Divider: divider,
	Transition: transition,
	Table: table,
	"Table.Row": row,
	"Table.Cell": cell,
};
