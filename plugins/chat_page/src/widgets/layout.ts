// What places other components: boxes, forms, and what is between.

import { html, nothing } from "lit";
import { styled } from "../view.ts";
import { color } from "./colors.ts";
import { type Draw, actionOf, oneOf } from "./context.ts";
import { box, length, spacing } from "./values.ts";

type Way = "row" | "col";

const drawBox =
	(given?: Way): Draw =>
	(node, context, path) => {
		const way = given ?? oneOf(node["direction"], "col", "row");
		return html`<div class="ock-w-box" data-type=${given ?? "box"} data-way=${way}
			${styled(box(node, way))}>${context.children(node, path)}</div>`;
	};

const form: Draw = (node, context, path) => {
	const action = actionOf(node["onSubmitAction"]);
	const way = oneOf(node["direction"], "col", "row");
	return html`<form class="ock-w-box" data-type="form" data-way=${way} novalidate
		@submit=${submits((form, button) => context.submit(action, form, button ?? path))}
		aria-busy=${context.busy.has(path) ? "true" : nothing}
		${styled(box(node, way))}>${context.children(node, path)}</form>`;
};

/** Listens to a form, and to none that is inside of it: with the place of the button that sent it. */
export function submits(listener: (form: HTMLFormElement, button?: string) => void) {
	return (event: SubmitEvent) => {
		event.preventDefault();
		event.stopPropagation();
		listener(event.currentTarget as HTMLFormElement, event.submitter?.dataset["path"]);
	};
}

const spacer: Draw = (node) =>
	html`<div class="ock-w-spacer" ${styled({ "flex-basis": length(node["minSize"]) })}></div>`;

const divider: Draw = (node) => {
	const styles = {
		"--w-line": length(node["size"]),
		"--w-around": spacing(node["spacing"]),
		"--w-color": color(node["color"]),
	};
	return html`<hr class="ock-w-divider" ?data-flush=${node["flush"] === true} ${styled(styles)} />`;
};

export const layout: Readonly<Record<string, Draw>> = {
	Box: drawBox(),
	Row: drawBox("row"),
	Col: drawBox("col"),
	Form: form,
	Spacer: spacer,
	Divider: divider,
};
