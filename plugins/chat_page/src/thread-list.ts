// The conversations of the user, by pages.

import type { ThreadList } from "./chat.ts";
import type { Client } from "./client.ts";
import type { Page, Thread } from "./protocol.ts";

const NONE: ThreadList = { threads: [], more: true, loading: false, error: null };

export class Threads {
	state: ThreadList = NONE;
	private after: string | null = null;

	constructor(
		private readonly client: Client,
		private readonly changed: () => void,
	) {}

	/** Loads the next page; `again` begins with the newest. */
	async load(again: boolean): Promise<void> {
		if (this.state.loading || !(again || this.state.more)) return;
		this.set({ loading: true, error: null });
		try {
			const params = again || !this.after ? {} : { after: this.after };
			const page = await this.client.ask<Page<Thread>>("threads.list", { limit: 30, ...params });
			const before = again ? [] : this.state.threads;
			const known = new Set(before.map(({ id }) => id));
			const threads = [...before, ...page.data.filter(({ id }) => !known.has(id))];
			this.after = page.after ?? threads.at(-1)?.id ?? null;
			this.set({ threads, more: page.has_more, loading: false });
		} catch (error) {
			this.set({ loading: false, error: error instanceof Error ? error.message : String(error) });
			throw error;
		}
	}

	/** Puts a thread in its place: where it was, or first. */
	put(thread: Thread): void {
		const { threads } = this.state;
		const isKnown = threads.some(({ id }) => id === thread.id);
		this.set({
			threads: isKnown
				? threads.map((other) => (other.id === thread.id ? { ...other, ...thread } : other))
				: [thread, ...threads],
		});
	}

	remove(id: string): void {
		this.set({ threads: this.state.threads.filter((thread) => thread.id !== id) });
	}

	private set(change: Partial<ThreadList>): void {
		this.state = { ...this.state, ...change };
		this.changed();
	}
}
