// Whether an item is what its type says: other servers may send something else.

import type { ThreadItem } from "../protocol.ts";

/** Returns whether an item has the parts that those of its type have; of unknown types, false. */
export function isWhole(item: ThreadItem): boolean {
	switch (item.type) {
		case "user_message":
		case "assistant_message":
			return isList(item.content);
		case "structured_input":
			return isList(item.inputs);
		case "workflow":
			return isObject(item.workflow) && isList(item.workflow.tasks);
		case "task":
			return isObject(item.task);
		case "widget":
			return isObject(item.widget);
		default:
			return ["client_tool_call", "generated_image", "end_of_turn"].includes(item.type);
	}
}

function isList(value: unknown): boolean {
	return Array.isArray(value) && value.every(isObject);
}

function isObject(value: unknown): boolean {
	return typeof value === "object" && value !== null;
}
