// What an update makes of an item. Items are never changed in place: views compare them.

import type {
	AssistantMessageItem,
	ItemUpdate,
	OutputText,
	ThreadItem,
	WidgetItem,
	WorkflowItem,
} from "./protocol.ts";
import { changeComponent } from "./widget-tree.ts";

type UpdateOf<Prefix extends string> = Extract<ItemUpdate, { type: `${Prefix}.${string}` }>;

/** Returns the item after an update, or the same item if the update is not for one like it. */
export function updateItem(item: ThreadItem, update: ItemUpdate): ThreadItem {
	switch (item.type) {
		case "assistant_message":
			return isOf("assistant_message", update) ? updateText(item, update) : item;
		case "widget":
			return isOf("widget", update) ? updateWidget(item, update) : item;
		case "workflow":
			return isOf("workflow", update) ? updateWorkflow(item, update) : item;
		case "generated_image":
			if (update.type !== "generated_image.updated") return item;
			return { ...item, image: update.image, progress: update.progress ?? null };
		default:
			return item;
	}
}

function isOf<Prefix extends string>(
	prefix: Prefix,
	update: ItemUpdate,
): update is UpdateOf<Prefix> {
	return update.type.startsWith(`${prefix}.`);
}

function updateText(
	item: AssistantMessageItem,
	update: UpdateOf<"assistant_message">,
): ThreadItem {
	const { content_index: index } = update;
	if (!isPlace(index)) return item;
	const part = item.content?.[index] ?? emptyPart();
	switch (update.type) {
		case "assistant_message.content_part.added":
		case "assistant_message.content_part.done":
			return withPart(item, index, update.content);
		case "assistant_message.content_part.text_delta":
			return withPart(item, index, { ...part, text: part.text + update.delta });
		case "assistant_message.content_part.annotation_added": {
			const annotations = placed(part.annotations, update.annotation_index, update.annotation);
			return withPart(item, index, { ...part, annotations });
		}
		default:
			return item;
	}
}

function withPart(item: AssistantMessageItem, index: number, part: OutputText): ThreadItem {
	const content = [...(item.content ?? [])];
	while (content.length < index) content.push(emptyPart());
	content[index] = part;
	return { ...item, content };
}

function emptyPart(): OutputText {
	return { type: "output_text", text: "", annotations: [] };
}

function updateWidget(item: WidgetItem, update: UpdateOf<"widget">): ThreadItem {
	switch (update.type) {
		case "widget.root.updated":
			return { ...item, widget: update.widget };
		case "widget.component.updated":
			return withComponent(item, update.component_id, () => update.component);
		case "widget.streaming_text.value_delta":
			return withComponent(item, update.component_id, (component) => ({
				...component,
				value: `${component["value"] ?? ""}${update.delta}`,
				streaming: !update.done,
			}));
		default:
			return item;
	}
}

function withComponent(
	item: WidgetItem,
	id: string,
	change: Parameters<typeof changeComponent>[2],
): ThreadItem {
	const widget = changeComponent(item.widget, id, change);
	return widget === item.widget ? item : { ...item, widget };
}

function updateWorkflow(item: WorkflowItem, update: UpdateOf<"workflow">): ThreadItem {
	const tasks = placed(item.workflow?.tasks, update.task_index, update.task);
	return { ...item, workflow: { ...item.workflow, tasks } };
}

/** Returns the list with a value at a place; beyond the end it is appended, so there are no holes. */
function placed<T>(list: readonly T[] | undefined, place: number, value: T): T[] {
	const copy = [...(list ?? [])];
	copy[isPlace(place) ? Math.min(place, copy.length) : copy.length] = value;
	return copy;
}

const MOST_PARTS = 10_000;

/** Whether this is a place in a list; what a server sends may be anything. */
function isPlace(index: unknown): boolean {
	return Number.isInteger(index) && (index as number) >= 0 && (index as number) < MOST_PARTS;
}
