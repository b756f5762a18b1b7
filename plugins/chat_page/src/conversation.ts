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

/** The items that a page has, although events of a turn are still to tell of them. */
interface Replay {
	/** The number of the turn's last event when the page was asked for. */
	until: number;
	saved: Set<string>;
	/** Items whose beginning was skipped: what is added to them, the page has. */
	skipped: Set<string>;
}

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
	private local = new Set<string>();
	private received = new Map<string, number>();
	private replays = new Map<string, Replay>();
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
	 * or null if this event was applied before, or is in a page that was loaded.
	 */
	apply(event: StreamEvent, id?: string): Change[] | null {
		const source = id === undefined ? null : sourceOf(id);
		if (source && source.number <= this.lastEvent(source.turn)) return null;
		if (source) this.received.set(source.turn, source.number);
		if (source && this.isLoaded(event, source)) return null;
		this.clock++;
		switch (event.type) {
			case "thread.created":
			case "thread.updated":
				return event.thread ? this.setThread(event.thread) : [];
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
				this.stoppable = event.stream_options?.allow_cancel ?? true;
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
		const isNewer = (id: string) =>
			(this.changed.get(id) ?? 0) > asked || this.open.has(id) || this.local.has(id);
		const overlap = this.list.findIndex(({ id }) => known.has(id));
		const older = more && overlap > 0 ? this.list.slice(0, overlap) : [];
		const newer = this.list.slice(older.length).filter(({ id }) => !known.has(id) && isNewer(id));
		const loaded = page.filter((item) => this.isShown(item)).flatMap((item) => {
			const own = isNewer(item.id) ? this.get(item.id) : item;
			return own ? [own] : []; // an event has removed it since
		});
		for (const item of newer) loaded.splice(this.placeIn(loaded, item), 0, item);
		return this.set([...older, ...loaded]);
	}

	/**
	 * Says that the page which was just merged was asked for after event `until` of a turn. When the
	 * turn is replayed, its items don't begin again, and nothing older replaces them.
	 */
	loadedAfter(turn: string, until: number): void {
		const complete = this.list.filter(({ id }) => !this.open.has(id) && !this.local.has(id));
		const saved = new Set(complete.map(({ id }) => id));
		this.replays.set(turn, { until, saved, skipped: new Set() });
	}

	/** Shows a message that is being sent, until the server's own takes its place. */
	addLocal(item: UserMessageItem): Change[] {
		this.local.add(item.id);
		return this.set([...this.list, item]);
	}

	/** Takes such a message away: it could not be sent, or it has come in another place. */
	removeLocal(id: string): Change[] {
		return this.local.delete(id) ? this.set(this.list.filter((item) => item.id !== id)) : [];
	}

	/** Puts the server's message in the place of the one that was shown while it was sent. */
	replaceLocal(id: string, item: UserMessageItem): Change[] {
		if (!this.local.has(id) || this.places.has(item.id)) return this.removeLocal(id);
		this.local.delete(id);
		this.changed.set(item.id, ++this.clock);
		return this.set(this.list.map((other) => (other.id === id ? item : other)));
	}

	/** Takes away what comes after an item: it will be answered again. */
	cutAfter(id: string): Change[] {
		const place = this.places.get(id);
		if (place === undefined) return [];
		this.clock++;
		const later = this.list.slice(place + 1);
		for (const item of later) if (!this.local.has(item.id)) this.forget(item.id);
		return this.set([
			...this.list.slice(0, place + 1),
			...later.filter((item) => this.local.has(item.id)),
		]);
	}

	/** The error is no longer true: what was missing has come. */
	clearError(): Change[] {
		this.error = null;
		return ["status"];
	}

	dismiss(notice: NoticeEvent): Change[] {
		this.notices = this.notices.filter((other) => other !== notice);
		return ["status"];
	}

	/** Where an item belongs that a page lacks: at its end, but before later items that are new here. */
	private placeIn(page: readonly ThreadItem[], item: ThreadItem): number {
		let place = page.length;
		if (this.local.has(item.id)) return place;
		while (place > 0 && this.isAfter(page[place - 1]!, item)) place--;
		return place;
	}

	private isAfter(other: ThreadItem, item: ThreadItem): boolean {
		if (this.places.has(other.id)) return this.local.has(other.id);
		return Date.parse(other.created_at) > Date.parse(item.created_at);
	}

	/** Whether a page that was loaded has what an event tells. */
	private isLoaded(event: StreamEvent, { turn, number }: Source): boolean {
		const replay = this.replays.get(turn);
		if (!replay) return false;
		const isBefore = number <= replay.until;
		switch (event.type) {
			case "thread.created":
			case "thread.updated":
			case "client_effect":
				return isBefore;
			case "thread.item.added":
				if (!replay.saved.has(event.item?.id)) return false;
				replay.skipped.add(event.item.id);
				return true;
			case "thread.item.updated":
				return replay.skipped.has(event.item_id);
			case "thread.item.removed":
				return isBefore && replay.saved.has(event.item_id); // it has come again since
			case "thread.item.done":
			case "thread.item.replaced":
				replay.skipped.delete(event.item?.id);
				return isBefore && replay.saved.has(event.item?.id);
			default:
				return false;
		}
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

	private remove(id: string): Change[] {
		this.forget(id);
		return this.set(this.list.filter((item) => item.id !== id));
	}

	private forget(id: string): void {
		this.changed.set(id, this.clock);
		this.open.delete(id);
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

interface Source {
	turn: string;
	number: number;
}

/** Reads the id of an event, `TURN:NUMBER`; null for ids that are none of these. */
function sourceOf(id: string): Source | null {
	const colon = id.lastIndexOf(":");
	const number = Number(id.slice(colon + 1));
	return colon > 0 && Number.isInteger(number) ? { turn: id.slice(0, colon), number } : null;
}
