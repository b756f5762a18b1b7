// Work in slices between frames, so that the page answers its user while a lot is drawn.

const SLICE = 5; // ms of work for each frame

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
		slice(Math.max(1, SLICE - (performance.now() - start - 16) / 4));
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
