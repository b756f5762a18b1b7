// What other tabs and devices do in the conversation that is shown.

import { type Client, Refused } from "./client.ts";
import { type Network, pause } from "./network.ts";
import type { RunKind } from "./runs.ts";
import type { Session } from "./session.ts";

const WAIT = 25; // seconds that the server may wait for a turn to begin
const AGAIN = 15_000; // milliseconds after a refusal, or an answer that came at once
const SOON = 1_000; // milliseconds, at first, where it could not be reached or the stream was cut
const QUICK = 2_000; // milliseconds: it did not wait, and nothing was running

/** What tabs of one browser tell each other. */
export type Note =
	| { type: "turn"; thread: string; turn: string; kind: RunKind }
	| { type: "thread"; thread: string }
	| { type: "removed"; thread: string };

export class Others {
	private readonly channel: BroadcastChannel | null;
	private watching: AbortController | null = null;
	private session: Session | null = null;
	private readonly end = new AbortController();

	constructor(
		private readonly client: Client,
		private readonly network: Network,
		url: string,
		private readonly heard: (note: Note) => void,
	) {
		this.channel =
			typeof BroadcastChannel === "function" && globalThis.document
				? new BroadcastChannel(`open-chatkit ${url}`)
				: null;
		this.channel?.addEventListener("message", ({ data }) => this.heard(data as Note));
		globalThis.document?.addEventListener("visibilitychange", () => this.visible(), {
			signal: this.end.signal,
		});
	}

	tell(note: Note): void {
		this.channel?.postMessage(note);
	}

	/** Watches this conversation, and no other, while the page is visible. */
	watch(session: Session | null): void {
		if (session === this.session) return;
		this.session = session;
		this.start();
	}

	close(): void {
		this.end.abort();
		this.watching?.abort();
		this.channel?.close();
	}

	private visible(): void {
		// What was missed in the meantime
		if (this.session && !globalThis.document.hidden) this.session.isStale = true;
		this.start();
	}

	private start(): void {
		this.watching?.abort();
		this.watching = null;
		const { session } = this;
		if (this.end.signal.aborted) return; // what was on its way has come after the element had gone
		if (!session?.threadId || !globalThis.document || document.hidden) return;
		this.watching = new AbortController();
		void this.loop(session, this.watching.signal);
	}

	private async loop(session: Session, signal: AbortSignal): Promise<void> {
		let tries = 0;
		while (!signal.aborted) {
			const began = performance.now();
			let after: number | null = null;
			try {
				const { hasTurns, hasThreadEvents } = this.client;
				if (hasTurns && hasThreadEvents) await this.listen(session, signal);
				else after = await this.poll(session, signal);
				if (this.client.hasTurns === false) return;
			} catch (error) {
				if (signal.aborted) return;
				if (error instanceof Refused) after = AGAIN;
				else this.network.failed();
			}
			if (performance.now() - began > AGAIN) tries = 0;
			await this.network.wait(after ?? pause(SOON, tries++), signal).catch(() => {});
		}
	}

	/** Hears what happens in a conversation, until the connection is lost. */
	private async listen(session: Session, signal: AbortSignal): Promise<void> {
		const thread = session.threadId!;
		try {
			for await (const event of this.client.watch(thread, signal)) {
				if (event.type === "thread.removed") this.heard({ type: "removed", thread });
				else await session.hear(event);
			}
		} catch (error) {
			if (!isMissing(error)) throw error;
			await this.findOut(thread, signal);
		} finally {
			session.isStale = true;
		}
	}

	/** Finds out what the server does not have: the conversation, or the route. */
	private async findOut(thread: string, signal: AbortSignal): Promise<void> {
		try {
			await this.client.ask("threads.get_by_id", { thread_id: thread }, signal);
			this.client.hasThreadEvents = false;
		} catch (error) {
			if (!isMissing(error)) throw error;
			this.heard({ type: "removed", thread });
		}
	}

	/** Follows the next turn. Returns after how many milliseconds to ask for another one. */
	private async poll(session: Session, signal: AbortSignal): Promise<number> {
		const began = performance.now();
		const found = await session.followNext(signal, WAIT);
		return !found && performance.now() - began < QUICK ? AGAIN : 0;
	}
}

function isMissing(error: unknown): boolean {
	return error instanceof Refused && error.status === 404;
}
