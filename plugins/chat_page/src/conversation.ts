// A conversation as the events of its streams leave it. Without a DOM: it runs in Node, too.

import type { ItemUpdate, StreamEvent, Thread, ThreadItem } from "./protocol.ts";

/** What an event changed: `items` is the list, `item:ID` one item. */
export type Change = "thread" | "items" | `item:${string}`;

export class Conversation {
	thread: Thread | null = null;
	private order: ThreadItem[] = [];
	private places = new Map<string, number>();

	/** The items, oldest first. The array is another one after each change of the list. */
	get items(): readonly ThreadItem[] {
		return this.order;
	}

	get(id: string): ThreadItem | undefined {
		const place = this.places.get(id);
		return place === undefined ? undefined : this.order[place];
	}

	apply(event: StreamEvent): Change[] {
		switch (event.type) {
			case "thread.created":
			case "thread.updated": {
				const { items, ...thread } = event.thread;
				this.thread = thread;
				return ["thread", ...(items?.data ?? []).flatMap((item) => this.put(item))];
			}
			case "thread.item.added":
			case "thread.item.done":
			case "thread.item.replaced":
				return this.put(event.item);
			case "thread.item.removed":
				return this.set(this.order.filter(({ id }) => id !== event.item_id));
			case "thread.item.updated":
				return this.update(event.item_id, event.update);
			default:
				return [];
		}
	}

	/** Puts a page of older items before the others. */
	prepend(items: ThreadItem[]): Change[] {
		return this.set([...items.filter(({ id }) => !this.places.has(id)), ...this.order]);
	}

	private put(item: ThreadItem): Change[] {
		const place = this.places.get(item.id);
		if (place === undefined) return this.set([...this.order, item]);
		this.order[place] = item;
		return [`item:${item.id}`];
	}

	private set(items: ThreadItem[]): Change[] {
		this.order = items;
		this.places = new Map(items.map(({ id }, place) => [id, place]));
		return ["items"];
	}

	private update(id: string, update: ItemUpdate): Change[] {
		const item = this.get(id);
		const next = item && updated(item, update);
		return next ? this.put(next) : [];
	}
}

function updated(item: ThreadItem, update: ItemUpdate): ThreadItem | null {
	if (item.type === "assistant_message" && "content_index" in update) {
		const content = [...item.content];
		const part = content[update.content_index] ?? { type: "output_text", text: "", annotations: [] };
		if (update.type === "assistant_message.content_part.text_delta")
			content[update.content_index] = { ...part, text: part.text + update.delta };
		else if ("content" in update) content[update.content_index] = update.content;
		return { ...item, content };
	}
	if (item.type === "widget" && update.type === "widget.root.updated")
		return { ...item, widget: update.widget };
	return null;
}
