// Colours code line by line with CodeMirror's stream parsers: they keep their state between lines,
// so that code is coloured while it is written, and never all at once.

import type { StreamParser } from "@codemirror/streamparser";

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
