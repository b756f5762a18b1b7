// Finds the `@…` or `/…` that is being written before the caret.

import type { RichText } from "./rich-text.ts";

export interface Trigger {
	kind: "@" | "/";
	/** Where the `@` or `/` is; the query goes from there to the caret. */
	start: number;
	end: number;
	query: string;
}

const LONGEST = 50; // characters of a query
const WORDS = 4; // of the name of something

/** Returns what is asked for at the caret, or null. `kinds` are those that the page has. */
export function triggerAt(
	{ text, tags }: RichText,
	caret: number,
	kinds: ReadonlySet<string>,
): Trigger | null {
	const earliest = Math.max(0, caret - LONGEST - 1, ...tags.map(({ end }) => Math.min(end, caret)));
	for (let start = caret - 1; start >= earliest; start--) {
		const kind = text[start]!;
		if (kind === "\n") return null;
		if ((kind !== "@" && kind !== "/") || !isBoundary(text[start - 1])) continue;
		const query = text.slice(start + 1, caret);
		return kinds.has(kind) && isQuery(kind, query) ? { kind, start, end: caret, query } : null;
	}
	return null;
}

function isQuery(kind: string, query: string): boolean {
	if (/^\s/.test(query)) return false;
	// Names have spaces, commands are one word: a path such as /usr/bin is none
	return kind === "@" ? query.split(/\s/).length <= WORDS : !/[\s/]/.test(query);
}

/** Whether a word may begin after this character: `me@example.com` has no tag. */
function isBoundary(before: string | undefined): boolean {
	return before === undefined || /[\s([{"'„“«‹‚‘¿¡。、，（「]/u.test(before);
}
