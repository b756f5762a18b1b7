// A conversation as its streams and pages leave it. Without a DOM: it runs in Node, too.
//
// Two sources tell of the same items: the events of streams, and pages that are loaded. An event is
// newer than a page that was asked for before it, so each item remembers when an event last changed
// it. An event that comes twice, since a stream was resumed, counts once.

import type {
	ErrorEvent,
	ItemUpdate,
	NoticeEvent,
	StreamEvent,
	Thread,
	ThreadItem,
	UserMessageItem,
} from "./protocol.ts";
import { updateItem } from "./updates.ts";

/**
 * What changed: `items` is the list, `item:ID` the inside of one item, `status` the progress, the
 * error and the notices.
 */
export type Change = "thread" | "items" | "status" | `item:${string}`;

const HIDDEN = ["hidden_context_item", "sdk_hidden_context"];

export class Conversation {
	/** The thread without its items; null before the first answer of a new one. */
	thread: Thread | null = null;
	/** What the server says that it does just now. */
	progress: { text: string; icon?: string | null } | null = null;
	error: ErrorEvent | null = null;
	notices: readonly NoticeEvent[] = [];
	/** Whether the running answer can be stopped. */
	stoppable = true;

	private list: ThreadItem[] = [];
	private places = new Map<string, number>();
	/** By item, the time of the last event that changed or removed it. */
	private changed = new Map<string, number>();
	private open = new Set<string>();
	private local: string[] = [];
	private received = new Map<string, number>();
	private clock = 0;

	/** The items, oldest first. The array is another one after each change of the list. */
	get items(): readonly ThreadItem[] {
		return this.list;
	}

	/** The time of the last change: what is asked of the server now is newer than all of these. */
	get now(): number {
		return this.clock;
	}

	get(id: string): ThreadItem | undefined {
		const place = this.places.get(id);
		return place === undefined ? undefined : this.list[place];
	}

	/** Whether an item has begun and more of it will come. */
	isOpen(id: string): boolean {
		return this.open.has(id);
	}

	/** The number of the last event of a turn; 0 if none came. */
	lastEvent(turn: string): number {
		return this.received.get(turn) ?? 0;
	}

	/** A stream begins: what the one before left to say is over. */
	begin(): Change[] {
		this.progress = null;
		this.error = null;
		this.notices = [];
		this.stoppable = true;
		return ["status"];
	}

	/** No stream runs: no item is open any longer, and no progress is made. */
	end(): Change[] {
		const open = [...this.open];
		this.open.clear();
		this.progress = null;
		return ["status", ...open.map((id) => `item:${id}` as const)];
	}

	/**
	 * Applies an event. `id` is that of its line in the stream, `TURN:NUMBER`. Returns what changed,
	 * or null if this event was applied before.
	 */
	apply(event: StreamEvent, id?: string): Change[] | null {
		if (id && !this.isNew(id)) return null;
		this.clock++;
		switch (event.type) {
			case "thread.created":
			case "thread.updated":
				return this.setThread(event.thread);
			case "thread.item.added":
				return this.put(event.item, true);
			case "thread.item.done":
			case "thread.item.replaced":
				return this.put(event.item, false);
			case "thread.item.removed":
				return this.remove(event.item_id);
			case "thread.item.updated":
				return this.update(event.item_id, event.update);
			case "stream_options":
				this.stoppable = event.stream_options.allow_cancel;
				return ["status"];
			case "progress_update":
				this.progress = { text: event.text, icon: event.icon ?? null };
				return ["status"];
			case "error":
				this.error = event;
				return ["status"];
			case "notice":
				this.notices = [...this.notices, event];
				return ["status"];
			default:
				return [];
		}
	}

	/** Sets the thread; its page of items, if any, is not for this: see `merge`. */
	setThread({ items: _, ...thread }: Thread): Change[] {
		if (this.thread && this.thread.id !== thread.id) return [];
		this.thread = thread;
		return ["thread"];
	}

	/** Puts a page of older items, oldest first, before the others. */
	prepend(page: readonly ThreadItem[]): Change[] {
		const unknown = page.filter(({ id }) => !this.places.has(id));
		return this.set([...unknown.filter((item) => this.isShown(item)), ...this.list]);
	}

	/**
	 * Merges the page of the newest items, oldest first, that was asked for at the time `asked`. What
	 * events changed since then stays. What the page should have and lacks is gone. `more` says that
	 * there are older items than those of the page.
	 */
	merge(page: readonly ThreadItem[], asked: number, more: boolean): Change[] {
		const known = new Set(page.map(({ id }) => id));
		const isNewer = (id: string) => (this.changed.get(id) ?? 0) > asked || this.open.has(id);
		const overlap = this.list.findIndex(({ id }) => known.has(id));
		const older = more && overlap > 0 ? this.list.slice(0, overlap) : [];
		const newer = this.list.slice(older.length).filter(({ id }) => !known.has(id) && isNewer(id));
		const loaded = page.filter((item) => this.isShown(item)).flatMap((item) => {
			const own = isNewer(item.id) ? this.get(item.id) : item;
			return own ? [own] : []; // an event has removed it since
		});
		return this.set([...older, ...loaded, ...newer]);
	}

	/** Shows a message that is being sent, until the server's own takes its place. */
	addLocal(item: UserMessageItem): Change[] {
		this.local.push(item.id);
		this.changed.set(item.id, ++this.clock);
		return this.set([...this.list, item]);
	}

	/** Takes such a message away: it could not be sent. */
	removeLocal(id: string): Change[] {
		this.local = this.local.filter((other) => other !== id);
		return this.remove(id);
	}

	/** Takes away what comes after an item: it is to be answered again. */
	dropAfter(id: string): Change[] {
		const place = this.places.get(id);
		if (place === undefined) return [];
		for (const item of this.list.slice(place + 1)) this.changed.set(item.id, this.clock);
		return this.set(this.list.slice(0, place + 1));
	}

	dismiss(notice: NoticeEvent): Change[] {
		this.notices = this.notices.filter((other) => other !== notice);
		return ["status"];
	}

	private isNew(id: string): boolean {
		const colon = id.lastIndexOf(":");
		const number = Number(id.slice(colon + 1));
		if (colon < 0 || !Number.isInteger(number)) return true;
		const turn = id.slice(0, colon);
		if (number <= this.lastEvent(turn)) return false;
		this.received.set(turn, number);
		return true;
	}

	private isShown(item: ThreadItem): boolean {
		return Boolean(item?.id) && !HIDDEN.includes(item.type);
	}

	private put(item: ThreadItem, open: boolean): Change[] {
		if (!this.isShown(item)) return [];
		this.changed.set(item.id, this.clock);
		if (open) this.open.add(item.id);
		else this.open.delete(item.id);
		if (item.type !== "user_message") this.progress = null;
		else if (this.replaceLocal(item)) return ["items", "status"];
		return [...this.place(item), "status"];
	}

	private place(item: ThreadItem): Change[] {
		const place = this.places.get(item.id);
		if (place === undefined) {
			this.places.set(item.id, this.list.length);
			this.list = [...this.list, item];
			return ["items"];
		}
		this.list[place] = item;
		return [`item:${item.id}`];
	}

	/** Puts a user's message in the place of the one that was shown while it was sent. */
	private replaceLocal(item: UserMessageItem): boolean {
		const local = this.places.has(item.id) ? undefined : this.local.shift();
		if (local === undefined || !this.places.has(local)) return false;
		this.set(this.list.map((other) => (other.id === local ? item : other)));
		return true;
	}

	private remove(id: string): Change[] {
		this.changed.set(id, this.clock);
		this.open.delete(id);
		return this.set(this.list.filter((item) => item.id !== id));
	}

	private update(id: string, update: ItemUpdate): Change[] {
		const item = this.get(id);
		if (!item || !update?.type) return [];
		this.changed.set(id, this.clock);
		const changes: Change[] = this.progress ? ["status"] : [];
		this.progress = null;
		const next = updateItem(item, update);
		return next === item ? changes : [...this.place(next), ...changes];
	}

	private set(items: ThreadItem[]): Change[] {
		this.list = items;
		this.places = new Map(items.map(({ id }, place) => [id, place]));
		return ["items"];
	}
}
