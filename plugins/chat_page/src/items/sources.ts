// Sources of an answer: which number each has, and where it goes.

import type { Annotation, Source } from "../protocol.ts";
import { safeLink } from "../markdown/urls.ts";

/** A source, with the number that its marks in the text have. */
export interface Cited {
	number: number;
	source: Source;
}

/** A mark in a text, before the letter at `index`. */
export interface Mark extends Cited {
	index: number;
}

function identity({ type, url, filename, id, title }: Source): string {
	return JSON.stringify([type, url ?? filename ?? id ?? title]);
}

/** Numbers the sources of a message's parts, each once, in the order in which they are cited. */
export class Sources {
	private readonly found = new Map<string, Cited>();

	constructor(parts: readonly { annotations?: readonly Annotation[] | null }[]) {
		for (const { annotations } of parts)
			for (const { source } of inOrder(annotations)) this.add(source);
	}

	get all(): Cited[] {
		return [...this.found.values()];
	}

	/** The marks of a text, in its order; a source is marked once at a place. */
	marks(annotations: readonly Annotation[] | null | undefined, text: string): Mark[] {
		const marks = new Map<string, Mark>();
		for (const { source, index } of inOrder(annotations)) {
			const cited = this.found.get(identity(source));
			if (typeof index !== "number" || !cited) continue;
			const place = Math.max(0, Math.min(Math.floor(index), text.length));
			marks.set(`${place} ${cited.number}`, { ...cited, index: place });
		}
		return [...marks.values()].sort((a, b) => a.index - b.index);
	}

	private add(source: Source): void {
		const key = identity(source);
		if (!this.found.has(key)) this.found.set(key, { number: this.found.size + 1, source });
	}
}

/** Annotations by their place; those without one come last. Those that make no sense are left out. */
function inOrder(annotations: readonly Annotation[] | null | undefined): Annotation[] {
	const place = ({ index }: Annotation) => index ?? Number.POSITIVE_INFINITY;
	return (annotations ?? [])
		.filter((annotation) => typeof annotation?.source?.type === "string")
		.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

/** Returns the address of a source; null if it has none that may be followed. */
export function linkOf({ type, url }: Source): string | null {
	return type === "url" ? safeLink(url) : null;
}

/** Returns where a source is from, in short: its host, its file, or what kind of thing it is. */
export function originOf(source: Source): string {
	if (source.type === "file") return source.filename ?? "";
	if (source.type === "entity") return source.label ?? source.group ?? "";
	if (source.attribution) return source.attribution;
	return hostOf(source.url);
}

function hostOf(url: string | undefined): string {
	try {
		return new URL(url ?? "").hostname.replace(/^www\./, "");
	} catch {
		return "";
	}
}
