// Tells views what has changed, at most once in a frame.

import type { Topic } from "./chat.ts";

type Listener = () => void;

/** Runs `work` before the next frame is drawn; in a hidden page, which draws none, soon. */
function beforeFrame(work: () => void): void {
	if (typeof requestAnimationFrame !== "function") return queueMicrotask(work);
	let done = false;
	const once = () => {
		if (done) return;
		done = true;
		cancelAnimationFrame(frame);
		clearTimeout(timer);
		work();
	};
	const frame = requestAnimationFrame(once);
	const timer = setTimeout(once, 100);
}

export class Topics {
	private readonly listeners = new Map<Topic, Set<Listener>>();
	private changed = new Set<Topic>();

	constructor(private readonly schedule: (work: () => void) => void = beforeFrame) {}

	subscribe(topic: Topic, listener: Listener): () => void {
		const listeners = this.listeners.get(topic) ?? new Set();
		this.listeners.set(topic, listeners.add(listener));
		return () => {
			listeners.delete(listener);
			if (!listeners.size && this.listeners.get(topic) === listeners) this.listeners.delete(topic);
		};
	}

	tell(topics: Iterable<Topic>): void {
		const isFirst = !this.changed.size;
		for (const topic of topics) this.changed.add(topic);
		if (isFirst && this.changed.size) this.schedule(() => this.flush());
	}

	private flush(): void {
		const topics = this.changed;
		this.changed = new Set();
		const listeners = new Set([...topics].flatMap((topic) => [...(this.listeners.get(topic) ?? [])]));
		for (const listener of listeners) listener();
	}
}
