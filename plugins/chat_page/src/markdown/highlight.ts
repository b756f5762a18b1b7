// Colours code line by line with CodeMirror's stream parsers: they keep their state between lines,
// so that code is coloured while it is written, and never all at once.

import type { StreamParser } from "@codemirror/streamparser";

const SLICE = 6; // ms of work between two frames

export interface Painter {
	/** Returns the nodes of the next line of a text, which ends with a line break. */
	paint(line: string): (Node | string)[];
}

export type Parser = StreamParser<unknown>;

/** Returns a painter for one block of code, or null if the language is not known. */
export async function painterOf(language: string): Promise<Painter | null> {
	try {
		const { newPainter } = await import("./painter.ts");
		return await newPainter(language);
	} catch {
		return null; // offline, or a newer version is on the server: code without colours
	}
}

const jobs = new Set<() => boolean>();

/** Calls a function in slices between frames, until it says that there is no more to do. */
export function whenIdle(job: () => boolean): void {
	if (jobs.size === 0) setTimeout(work);
	jobs.add(job);
}

function work(): void {
	const until = performance.now() + SLICE;
	for (const job of jobs) {
		let more = true;
		while (more && performance.now() < until) more = job();
		if (!more) jobs.delete(job);
	}
	if (jobs.size) setTimeout(work, 10);
}
