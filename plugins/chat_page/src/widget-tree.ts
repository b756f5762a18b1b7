// Changes inside of a widget that keep the identity of every part that did not change.

import type { WidgetNode } from "./protocol.ts";

/**
 * Returns the tree with the component `id` replaced by what `change` makes of it. Without such a
 * component it is the same tree.
 */
export function changeComponent(
	node: WidgetNode,
	id: string,
	change: (component: WidgetNode) => WidgetNode,
): WidgetNode {
	if (node.id === id) return change(node);
	const { children } = node;
	if (Array.isArray(children)) {
		for (const [place, child] of children.entries()) {
			const changed = isNode(child) ? changeComponent(child, id, change) : child;
			if (changed !== child) return { ...node, children: children.with(place, changed) };
		}
		return node;
	}
	if (!isNode(children)) return node;
	const changed = changeComponent(children, id, change);
	return changed === children ? node : { ...node, children: changed };
}

function isNode(value: unknown): value is WidgetNode {
	return typeof value === "object" && value !== null;
}
