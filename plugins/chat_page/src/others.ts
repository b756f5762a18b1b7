// What other tabs and devices do in the conversation that is shown.

import { type Client, Refused } from "./client.ts";
import { type Network, pause } from "./network.ts";
import type { RunKind } from "./runs.ts";
import type { Session } from "./session.ts";

const WAIT = 25; // seconds that the server may wait for a turn to begin
const AGAIN = 15_000; // milliseconds between two questions, where a server answers at once
const SOON = 1_000; // milliseconds, at first, where it could not be reached
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
			let after = 0;
			try {
				const found = await session.followNext(signal, WAIT);
				if (this.client.hasTurns === false) return;
				if (!found && performance.now() - began < QUICK) after = AGAIN;
				tries = 0;
			} catch (error) {
				if (signal.aborted) return;
				const isRefused = error instanceof Refused;
				if (!isRefused) this.network.failed();
				after = isRefused ? AGAIN : pause(SOON, tries++);
			}
			await this.network.wait(after, signal).catch(() => {});
		}
	}
}
