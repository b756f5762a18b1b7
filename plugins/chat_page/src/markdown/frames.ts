// Work in slices between frames, so that the page answers its user while a lot is drawn.

const SLICE = 8; // ms of drawing for each frame, at most
const FRAME = 24; // ms that a frame with its layout should take
const IDLE = 5; // ms of other work for each frame

/** Resolves after the next frame, or soon in a tab that is not shown and has no frames. */
export function nextFrame(): Promise<void> {
	return new Promise((resolve) => {
		const channel = new MessageChannel();
		const timer = setTimeout(done, 250);
		function done() {
			clearTimeout(timer);
			channel.port1.close();
			resolve();
		}
		// A message comes after the frame is laid out and painted
		channel.port1.onmessage = done;
		requestAnimationFrame(() => channel.port2.postMessage(null));
	});
}

/** How long may be drawn before the next frame, by all that draw: they share the time. */
class Pace {
	private slice = SLICE;
	private left = SLICE;
	private pause: Promise<void> | null = null;

	/** Until when may be drawn now. */
	get until(): number {
		return performance.now() + this.left;
	}

	/** Says how long something has drawn. */
	took(spent: number): void {
		this.left = Math.max(0, this.left - spent);
		void this.rest();
	}

	/** Resolves when the next may be drawn: after a frame, and later if frames take long. */
	rest(): Promise<void> {
		this.pause ??= this.wait();
		return this.pause;
	}

	private async wait(): Promise<void> {
		const start = performance.now();
		await nextFrame();
		const spent = performance.now() - start;
		this.slice = Math.min(SLICE, Math.max(0.5, (this.slice * FRAME) / spent));
		if (spent > FRAME) await new Promise((done) => setTimeout(done, Math.min(200, spent)));
		this.left = this.slice;
		this.pause = null;
	}
}

export const pace = new Pace();

const jobs = new Set<() => boolean>();
let running = false;

/** Calls a function in slices between frames, until it says that there is no more to do. */
export function whenIdle(job: () => boolean): void {
	jobs.add(job);
	if (!running) void work();
}

async function work(): Promise<void> {
	running = true;
	while (jobs.size) {
		const start = performance.now();
		await nextFrame();
		// Frames that take long leave less time
		slice(Math.max(1, IDLE - (performance.now() - start - 16) / 4));
	}
	running = false;
}

function slice(length: number): void {
	const until = performance.now() + length;
	for (const job of jobs) {
		let more = true;
		while (more && performance.now() < until) more = job();
		if (!more) jobs.delete(job);
	}
}
