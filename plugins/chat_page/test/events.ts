// Any stream of ChatKit events that a server may send, for property tests.

import fc from "fast-check";
import type {
	Annotation,
	ItemUpdate,
	OutputText,
	StreamEvent,
	Task,
	ThreadItem,
	WidgetNode,
} from "../src/protocol.ts";

const THREAD = { id: "thr_1", created_at: "2026-11-27T10:00:00Z" };
const text = fc.oneof(fc.constantFrom("", " ", "\n\n", "```", "**", "🎈", "日本", "مرحبا"), fc.string());
const place = fc.nat(3);

const itemId = fc.integer({ min: 1, max: 6 }).map((number) => `item_${number}`);
const componentId = fc.constantFrom("a", "b", "c");

const leaf: fc.Arbitrary<WidgetNode> = fc.record({
	type: fc.constantFrom("Text", "Markdown", "Badge", "Unknown"),
	id: fc.option(componentId, { nil: null }),
	value: text,
});
const component = fc.letrec<{ node: WidgetNode }>((tie) => ({
	node: fc.oneof(
		{ maxDepth: 3 },
		leaf,
		fc.record({ type: fc.constant("Row"), id: componentId, children: fc.array(tie("node"), { maxLength: 3 }) }),
		fc.record({ type: fc.constant("Transition"), id: componentId, children: fc.option(tie("node"), { nil: null }) }),
	),
})).node;
const widget: fc.Arbitrary<WidgetNode> = fc.record({
	type: fc.constantFrom("Card", "ListView", "Basic"),
	children: fc.array(component, { maxLength: 3 }),
});

const annotation: fc.Arbitrary<Annotation> = fc.record({
	type: fc.constant("annotation" as const),
	source: fc.record({ type: fc.constant("url" as const), title: text, url: fc.webUrl() }),
	index: fc.option(fc.nat(50), { nil: null }),
});
const part: fc.Arbitrary<OutputText> = fc.record({
	type: fc.constant("output_text" as const),
	text,
	annotations: fc.array(annotation, { maxLength: 2 }),
});
const task: fc.Arbitrary<Task> = fc.record({
	type: fc.constantFrom("custom" as const, "thought" as const, "web_search" as const),
	title: text,
	content: text,
});

const base = { thread_id: fc.constant(THREAD.id), created_at: fc.constant(THREAD.created_at) };
const kinds: fc.Arbitrary<object>[] = [
	fc.record({ type: fc.constant("assistant_message"), content: fc.array(part, { maxLength: 2 }) }),
	fc.record({ type: fc.constant("widget"), widget }),
	fc.record({
		type: fc.constant("workflow"),
		workflow: fc.record({ type: fc.constant("custom"), tasks: fc.array(task, { maxLength: 2 }) }),
	}),
	fc.record({ type: fc.constant("generated_image") }),
	fc.record({ type: fc.constant("user_message"), content: fc.constant([]), inference_options: fc.constant({}) }),
	fc.record({ type: fc.constantFrom("end_of_turn", "hidden_context_item", "from_the_future") }),
];

export const item = fc
	.tuple(itemId, fc.record(base), fc.oneof(...kinds))
	.map(([id, rest, kind]) => ({ id, ...rest, ...kind }) as ThreadItem);

export const update: fc.Arbitrary<ItemUpdate> = fc.oneof(
	fc.record({
		type: fc.constantFrom(
			"assistant_message.content_part.added" as const,
			"assistant_message.content_part.done" as const,
		),
		content_index: place,
		content: part,
	}),
	fc.record({
		type: fc.constant("assistant_message.content_part.text_delta" as const),
		content_index: place,
		delta: text,
	}),
	fc.record({
		type: fc.constant("assistant_message.content_part.annotation_added" as const),
		content_index: place,
		annotation_index: place,
		annotation,
	}),
	fc.record({
		type: fc.constant("widget.streaming_text.value_delta" as const),
		component_id: componentId,
		delta: text,
		done: fc.boolean(),
	}),
	fc.record({ type: fc.constant("widget.root.updated" as const), widget }),
	fc.record({ type: fc.constant("widget.component.updated" as const), component_id: componentId, component }),
	fc.record({
		type: fc.constantFrom("workflow.task.added" as const, "workflow.task.updated" as const),
		task_index: place,
		task,
	}),
	fc.record({
		type: fc.constant("generated_image.updated" as const),
		image: fc.record({ id: fc.constant("img_1"), url: fc.webUrl() }),
		progress: fc.double({ min: 0, max: 1, noNaN: true }),
	}),
	fc.record({ type: fc.constant("something.new") }) as unknown as fc.Arbitrary<ItemUpdate>,
);

export const event: fc.Arbitrary<StreamEvent> = fc.oneof(
	{ weight: 3, arbitrary: fc.record({ type: fc.constant("thread.item.added" as const), item }) },
	{ weight: 8, arbitrary: fc.record({ type: fc.constant("thread.item.updated" as const), item_id: itemId, update }) },
	{
		weight: 2,
		arbitrary: fc.record({
			type: fc.constantFrom("thread.item.done" as const, "thread.item.replaced" as const),
			item,
		}),
	},
	fc.record({ type: fc.constant("thread.item.removed" as const), item_id: itemId }),
	fc.record({
		type: fc.constantFrom("thread.created" as const, "thread.updated" as const),
		thread: fc.record({ id: fc.constant(THREAD.id), created_at: fc.constant(THREAD.created_at), title: text }),
	}),
	fc.record({
		type: fc.constant("stream_options" as const),
		stream_options: fc.record({ allow_cancel: fc.boolean() }),
	}),
	fc.record({ type: fc.constant("progress_update" as const), text }),
	fc.record({ type: fc.constant("client_effect" as const), name: text, data: fc.constant({}) }),
	fc.record({ type: fc.constant("notice" as const), level: fc.constant("info" as const), message: text }),
	fc.record({ type: fc.constant("error" as const), code: fc.constant("custom"), message: text }),
	fc.record({ type: fc.constant("from.the.future") }) as unknown as fc.Arbitrary<StreamEvent>,
);

export const events = fc.array(event, { maxLength: 60 });
