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

/** Rejects if the promise takes longer than so many milliseconds; 0 is for ever. */
export async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
	if (!milliseconds) return promise;
	let timer: ReturnType<typeof setTimeout> | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(Error("Nothing was received")), milliseconds);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Network {
	state: Connection = "online";
	private failing = false;
	/** The browser has lost its network; a server on this machine may answer all the same. */
	private inDoubt = false;
	private end = new AbortController();

	constructor(private readonly changed: () => void = () => {}) {
		this.listen();
	}

	/** Listens to whether the browser has a network, until `close`. */
	listen(): void {
		this.end.abort();
		this.end = new AbortController();
		for (const type of ["online", "offline"]) {
			const heard = () => {
				this.inDoubt = type === "offline";
				this.update();
			};
			globalThis.addEventListener?.(type, heard, { signal: this.end.signal });
		}
	}

	/** A request failed, and is sent again. */
	failed(): void {
		this.failing = true;
		this.update();
	}

	/** The server has answered, or it is not asked any more. */
	answered(): void {
		this.failing = this.inDoubt = false;
		this.update();
	}

	/**
	 * Waits before the next attempt: the time, or less if the network comes back; without a network,
	 * the longest time. Returns how much the attempt counts: nothing without a network. Rejects if the
	 * signal aborts.
	 */
	async wait(milliseconds: number, signal?: AbortSignal): Promise<number> {
		signal?.throwIfAborted();
		const isOffline = this.state === "offline";
		await new Promise<void>((go) => {
			const done = new AbortController();
			const options = { signal: done.signal };
			const finish = () => {
				clearTimeout(timer);
				done.abort();
				go();
			};
			const timer = setTimeout(finish, isOffline ? LONGEST : milliseconds);
			globalThis.addEventListener?.("online", finish, options);
			signal?.addEventListener("abort", finish, options);
		});
		signal?.throwIfAborted();
		return isOffline ? 0 : 1;
	}

	close(): void {
		this.end.abort();
	}

	private update(): void {
		const isOffline = globalThis.navigator?.onLine === false;
		const isWell = !this.failing && !this.inDoubt;
		const state = isWell ? "online" : isOffline ? "offline" : "reconnecting";
		if (state === this.state) return;
		this.state = state;
		this.changed();
	}
}
