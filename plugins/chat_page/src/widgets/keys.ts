// What a component is called among its siblings, so that it stays itself when the widget changes:
// with the focus, and with what the user has typed.

import type { WidgetNode } from "../protocol.ts";
import { childrenOf } from "./context.ts";
import { nodeOf } from "./values.ts";

const FIELDS = new Set(["Input", "Textarea", "Select", "DatePicker", "Checkbox", "RadioGroup"]);

const DEPTH = 6; // components inside of each other, in which a field is looked for

export interface Keyed {
	key: string;
	child: WidgetNode;
}

/**
 * Gives each child a key: its own, else the name of the first field in it, and of those which would
 * have the same key, how many precede.
 */
export function keyed(children: WidgetNode[]): Keyed[] {
	const times = new Map<string, number>();
	return children.map((child) => {
		const name = nameOf(child);
		const before = times.get(name) ?? 0;
		times.set(name, before + 1);
		return { child, key: `${before}:${name}` };
	});
}

function nameOf(child: WidgetNode): string {
	const own = child.key ?? child.id ?? fieldIn(child);
	return isName(own) ? `${child.type}:${own}` : String(child.type);
}

/** The name of the first field in a component: a row with it stays that row. */
function fieldIn(node: WidgetNode, depth = 0): unknown {
	const name = FIELDS.has(node.type) ? node["name"] : nodeOf(node["editable"])["name"];
	if (isName(name) || depth === DEPTH) return name;
	for (const child of childrenOf(node)) {
		const found = fieldIn(child, depth + 1);
		if (isName(found)) return found;
	}
	return undefined;
}

function isName(value: unknown): value is string | number {
	return typeof value === "string" || typeof value === "number";
}
