// Where rows are, and which of them have to be in the document. Without a DOM.

/** Rows from `from` up to, but not with, `to`. */
export interface Range {
	from: number;
	to: number;
}

const GUESS = 120; // pixels of a row, before any was measured

/** The heights of rows, measured or guessed, and the places that they lead to. */
export class Layout {
	private readonly heights = new Map<string, number>();
	private readonly measured = new Set<string>();
	private keys: readonly string[] = [];
	private tops = new Float64Array(1);
	private isStale = false;
	private sum = 0;

	get count(): number {
		return this.keys.length;
	}

	/** Takes the rows. A new one is guessed to be as high as the others are, until it is measured. */
	setKeys(keys: readonly string[]): void {
		this.keys = keys;
		this.isStale = true;
		const guess = this.measured.size ? this.sum / this.measured.size : GUESS;
		for (const key of keys) if (!this.heights.has(key)) this.heights.set(key, guess);
	}

	/** Takes a measured height. Returns whether it is another than before. */
	measure(key: string, height: number): boolean {
		const before = this.heights.get(key);
		this.sum += height - (this.measured.has(key) ? before! : 0);
		this.measured.add(key);
		this.heights.set(key, height);
		this.isStale ||= before !== height;
		return before !== height;
	}

	has(key: string): boolean {
		return this.heights.has(key);
	}

	isMeasured(key: string): boolean {
		return this.measured.has(key);
	}

	/** The place of a row's upper edge; of `count`, the end of all. */
	top(index: number): number {
		this.place();
		return this.tops[Math.max(0, Math.min(index, this.count))]!;
	}

	get total(): number {
		return this.top(this.count);
	}

	/** The row at a place; the last one beyond the end. */
	at(place: number): number {
		this.place();
		let [low, high] = [0, Math.max(0, this.count - 1)];
		while (low < high) {
			const middle = (low + high) >> 1;
			if (this.tops[middle + 1]! > place) high = middle;
			else low = middle + 1;
		}
		return low;
	}

	/** The rows that are between two places. */
	between(top: number, bottom: number): Range {
		if (!this.count) return { from: 0, to: 0 };
		return { from: this.at(top), to: this.at(bottom) + 1 };
	}

	private place(): void {
		if (!this.isStale) return;
		this.isStale = false;
		if (this.tops.length <= this.count) this.tops = new Float64Array(this.count * 2 + 1);
		let top = 0;
		for (let index = 0; index < this.count; index++) {
			this.tops[index] = top;
			top += this.heights.get(this.keys[index]!)!;
		}
		this.tops[this.count] = top;
	}
}

/**
 * Returns the rows to have next: `step` more of those that are seen, and then of those around them,
 * so that no frame has to draw many. Where none was, they begin at the end or at the upper edge.
 */
export function grow(
	before: Range,
	seen: Range,
	wanted: Range,
	{ step, fromEnd }: { step: number; fromEnd: boolean },
): Range {
	const isApart = before.from >= before.to || before.from > seen.to || before.to < seen.from;
	const edge = fromEnd ? seen.to : seen.from;
	let from = isApart ? edge : Math.max(before.from, wanted.from);
	let to = isApart ? edge : Math.min(before.to, wanted.to);
	for (let left = step; left > 0 && (from > wanted.from || to < wanted.to); left--) {
		const [isAbove, isBelow] = [from > seen.from, to < seen.to];
		const isBalanced = to >= wanted.to || (from > wanted.from && seen.from - from <= to - seen.to);
		if (isAbove === isBelow ? (isAbove ? fromEnd : isBalanced) : isAbove) from--;
		else to++;
	}
	return { from, to };
}

/** Returns a range with so many rows more on both sides, of `count`. */
export function widened({ from, to }: Range, by: number, count: number): Range {
	return { from: Math.max(0, from - by), to: Math.min(count, to + by) };
}

export function isSame(one: Range, other: Range): boolean {
	return one.from === other.from && one.to === other.to;
}

export type Piece = { row: number } | { gap: Range };

/** Returns the rows of a range and those to keep, in their order, with gaps for all others. */
export function pieces({ from, to }: Range, keep: Iterable<number>, count: number): Piece[] {
	const rows = new Set(keep);
	for (let row = from; row < to; row++) rows.add(row);
	const found: Piece[] = [];
	let next = 0;
	for (const row of [...rows].filter((row) => row >= 0 && row < count).sort((a, b) => a - b)) {
		if (row > next) found.push({ gap: { from: next, to: row } });
		found.push({ row });
		next = row + 1;
	}
	if (next < count) found.push({ gap: { from: next, to: count } });
	return found;
}
