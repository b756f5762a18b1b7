// The options of a field to choose from.

import { text } from "./context.ts";
import { type Props, nodeOf } from "./values.ts";

const MANY = 15; // options that need no search

export interface Option {
	value: string;
	label: string;
	description: string;
	disabled: boolean;
}

export function optionsOf({ options }: Props): Option[] {
	if (!Array.isArray(options)) return [];
	return options.map(nodeOf).map((option) => ({
		value: text(option["value"]),
		label: text(option["label"]) || text(option["value"]),
		description: text(option["description"]),
		disabled: option["disabled"] === true,
	}));
}

/** Whether a list of options can do what the browser's own control cannot. */
export function needsSearch(node: Props): boolean {
	if (!("showPopover" in HTMLElement.prototype)) return false;
	const options = optionsOf(node);
	return searches(node) || options.some(({ description }) => description);
}

/** Whether the list has a field to search in it. */
export function searches(node: Props): boolean {
	return node["searchable"] === true || (node["searchable"] !== false && optionsOf(node).length > MANY);
}
