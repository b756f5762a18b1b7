// What the parts of one text share while they are drawn.

import type { Words } from "../words.ts";

/** Something that is shown at a place of the text, such as a citation. */
export interface Mark {
	/** The place: an index into the text as it was given. */
	index: number;
	node: Node;
}

export interface Target {
	href: string;
	title: string;
}

/** A text that may have to be drawn again, when a label that it uses gets a meaning. */
export interface Reader {
	meaning(label: string): void;
}

export class Ink {
	words!: Words;
	/** Hosts that images may come from. */
	domains: readonly string[] = [];
	/** The level of the highest heading. */
	top = 3;
	/** The marks of each text, and a sign of those for the blocks around it. */
	marks = new Map<object, Mark[]>();
	marksBelow = new Map<object, string>();
	/** Texts that have to be drawn again. */
	readonly again = new Set<() => void>();
	/** What link references point to. Without a prototype: labels may be called `__proto__`. */
	readonly links: Record<string, Target> = Object.create(null);
	/** The footnotes by their labels, and their numbers. */
	private readonly notes = new Map<string, { number: number; element: HTMLElement }>();
	private readonly readers = new Map<string, Set<Reader>>();

	define(label: string, target: Target): void {
		if (this.links[label]) return;
		this.links[label] = target;
		this.tell(label);
	}

	/** Gives a footnote its number: they count in the order of their texts. */
	note(label: string, element: HTMLElement): number {
		const known = this.notes.get(label);
		if (known) return known.number;
		const number = this.notes.size + 1;
		this.notes.set(label, { number, element });
		this.tell(`^${label}`);
		return number;
	}

	forgetNote(label: string): void {
		this.notes.delete(label);
		this.tell(`^${label}`);
	}

	noteOf(label: string): { number: number; element: HTMLElement } | undefined {
		return this.notes.get(label);
	}

	listen(label: string, reader: Reader): void {
		const readers = this.readers.get(label);
		if (readers) readers.add(reader);
		else this.readers.set(label, new Set([reader]));
	}

	forget(label: string, reader: Reader): void {
		const readers = this.readers.get(label);
		readers?.delete(reader);
		if (readers?.size === 0) this.readers.delete(label);
	}

	private tell(label: string): void {
		for (const reader of this.readers.get(label) ?? []) reader.meaning(label);
	}
}
