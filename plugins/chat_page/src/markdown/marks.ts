// Finds the text that each mark belongs to.

import type { Block } from "./block.ts";
import type { Ink, Mark } from "./ink.ts";

interface Leaf {
	/** What the mark is kept for: a block, or a row of a table. */
	key: object;
	start: number;
	path: Block[];
}

const TEXTS = new Set(["paragraph", "heading", "summary", "code", "math"]);
const numbers = new WeakMap<Mark, number>();
let last = 0;

/** Tells the ink which marks are where. A mark beyond `length` waits for its text. */
export function place(marks: readonly Mark[], root: Block, length: number, ink: Ink): void {
	ink.marks = new Map();
	ink.marksBelow = new Map();
	if (!marks.length) return;
	const leaves = [...leavesOf(root, [])];
	const known = marks.filter(({ index }) => index <= length);
	for (const mark of known.sort((a, b) => a.index - b.index)) {
		const leaf = leaves[Math.max(0, leaves.findLastIndex(({ start }) => start < mark.index))];
		if (!leaf) continue;
		ink.marks.set(leaf.key, [...(ink.marks.get(leaf.key) ?? []), mark]);
		for (const block of leaf.path)
			ink.marksBelow.set(block, `${ink.marksBelow.get(block) ?? ""} ${numberOf(mark)}`);
	}
}

function* leavesOf(block: Block, above: Block[]): Generator<Leaf> {
	const path = [...above, block];
	for (const row of block.rows) yield { key: row, start: row.source, path };
	if (TEXTS.has(block.type)) yield { key: block, start: block.start, path };
	for (const child of block.children) yield* leavesOf(child, path);
}

function numberOf(mark: Mark): number {
	if (!numbers.has(mark)) numbers.set(mark, ++last);
	return numbers.get(mark)!;
}
