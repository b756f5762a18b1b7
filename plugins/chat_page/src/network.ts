// Whether the server can be reached, and when to try again.

import type { Connection } from "./chat.ts";

const LONGEST = 10_000; // milliseconds between two attempts

/** The growing pause before attempt `tries` (0, 1, …), in milliseconds, with jitter. */
export function pause(first: number, tries: number): number {
	return Math.min(first * 2 ** tries, LONGEST) * (0.5 + Math.random() / 2);
}

/** Lets the browser do what waits. A timer would take up to a minute in a hidden page. */
export function nextTask(): Promise<void> {
	return new Promise((go) => {
		const { port1, port2 } = new MessageChannel();
		port1.onmessage = () => {
			port1.close();
			go();
		};
		port2.postMessage(null);
	});
}

export class Network {
	state: Connection = "online";
	private failing = false;
	private end = new AbortController();

	constructor(private readonly changed: () => void = () => {}) {
		this.listen();
	}

	/** Listens to whether the browser has a network, until `close`. */
	listen(): void {
		this.end.abort();
		this.end = new AbortController();
		const { signal } = this.end;
		for (const type of ["online", "offline"])
			globalThis.addEventListener?.(type, () => this.update(), { signal });
		this.update();
	}

	/** A request failed, and is sent again. */
	failed(): void {
		this.failing = true;
		this.update();
	}

	/** The server has answered, or it is not asked any more. */
	answered(): void {
		this.failing = false;
		this.update();
	}

	/**
	 * Waits before the next attempt: the time, or less if the network comes back; without a network,
	 * until there is one. Rejects if the signal aborts.
	 */
	async wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
		signal?.throwIfAborted();
		await new Promise<void>((go) => {
			const done = new AbortController();
			const options = { signal: done.signal };
			const finish = () => {
				clearTimeout(timer);
				done.abort();
				go();
			};
			const timer = setTimeout(() => this.isOffline || finish(), milliseconds);
			globalThis.addEventListener?.("online", finish, options);
			signal?.addEventListener("abort", finish, options);
		});
		signal?.throwIfAborted();
	}

	close(): void {
		this.end.abort();
	}

	private get isOffline(): boolean {
		return globalThis.navigator?.onLine === false;
	}

	private update(): void {
		const state = this.isOffline ? "offline" : this.failing ? "reconnecting" : "online";
		if (state === this.state) return;
		this.state = state;
		this.changed();
	}
}
