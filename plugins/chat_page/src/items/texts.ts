// An item in words: what Copy copies, and what screen readers are told.

import type { ThreadItem } from "../protocol.ts";
import type { Words } from "../words.ts";
import { isWhole } from "./shape.ts";

/** Returns what can be copied of an item, in markdown; empty if that is nothing. */
export function copyText(item: ThreadItem): string {
	if (!isWhole(item)) return "";
	switch (item.type) {
		case "user_message":
			return item.content.map(({ text }) => text).join("");
		case "assistant_message":
			return item.content.map(({ text }) => text).join("\n\n").trim();
		case "widget":
			return item.copy_text ?? "";
		default:
			return "";
	}
}

/** Returns what screen readers are told of an item of an answer; of a text, as far as it goes. */
export function toldText(item: ThreadItem, isOpen: boolean, words: Words): string {
	if (!isWhole(item)) return "";
	switch (item.type) {
		case "assistant_message":
			return item.content.map(({ text }) => text).join("\n\n");
		case "widget":
			return item.copy_text ?? words.text("items.widget");
		case "generated_image":
			return words.text(imageWord(isOpen, Boolean(item.image)));
		case "structured_input":
			return item.inputs.map(({ question }) => question).join("\n");
		case "task":
			return item.task.title ?? "";
		case "workflow":
			return item.workflow.tasks.at(-1)?.title ?? "";
		default:
			return "";
	}
}

/** Returns the word for how far an image is. */
export function imageWord(isOpen: boolean, hasImage: boolean) {
	if (isOpen) return "image.making";
	return hasImage ? "image.label" : "image.unfinished";
}
