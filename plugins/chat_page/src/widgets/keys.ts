// What a component is called among its siblings, so that it stays itself when the widget changes:
// with the focus, and with what the user has typed.

import type { WidgetNode } from "../protocol.ts";
import { nodeOf } from "./values.ts";

const FIELDS = new Set(["Input", "Textarea", "Select", "DatePicker", "Checkbox", "RadioGroup"]);

export interface Keyed {
	key: string;
	child: WidgetNode;
}

/** Gives each child a key: its own, else the name of the field, else how many of its type precede. */
export function keyed(children: WidgetNode[]): Keyed[] {
	const times = new Map<string, number>();
	return children.map((child) => {
		const name = nameOf(child);
		const before = times.get(name) ?? 0;
		times.set(name, before + 1);
		return { child, key: before ? `${name}-${before}` : name };
	});
}

function nameOf(child: WidgetNode): string {
	const type = String(child.type);
	const field = FIELDS.has(type) ? child["name"] : nodeOf(child["editable"])["name"];
	const own = child.key ?? child.id ?? field;
	return typeof own === "string" || typeof own === "number" ? `${type}:${own}` : type;
}
