// Icons by name: `currentColor`, 1em, hidden from screen readers. They are Lucide's.

import { noChange } from "lit";
import { AsyncDirective } from "lit/async-directive.js";
import { type DirectiveResult, directive } from "lit/directive.js";
import { load, ready } from "./icons/find.ts";
import type { IconNode } from "./icons/own.ts";

const SVG = "http://www.w3.org/2000/svg";

class IconDirective extends AsyncDirective {
	private name: string | undefined;

	override render(name: string) {
		if (name === this.name) return noChange;
		this.name = name;
		const icon = ready(name);
		if (!icon) void this.later(name);
		return draw(icon ?? []); // its place is kept
	}

	private async later(name: string): Promise<void> {
		const icon = await load(name);
		if (this.name === name) this.setValue(draw(icon));
	}
}

const drawn = directive(IconDirective);

/** Returns an icon; without a name there is none, and for an unknown one there is a dot. */
export function icon(name: string | null | undefined): DirectiveResult | null {
	return name ? drawn(name) : null;
}

/** Makes the picture of an icon: an element, since text may not become one. */
export function draw(parts: IconNode): SVGElement {
	const svg = make("svg", {
		viewBox: "0 0 24 24",
		fill: "none",
		stroke: "currentColor",
		"stroke-width": "2",
		"stroke-linecap": "round",
		"stroke-linejoin": "round",
		"aria-hidden": "true",
		class: "ock-icon",
	});
	for (const [tag, attributes] of parts) svg.append(make(tag, attributes));
	return svg;
}

function make(tag: string, attributes: Record<string, unknown>): SVGElement {
	const element = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
	return element;
}
