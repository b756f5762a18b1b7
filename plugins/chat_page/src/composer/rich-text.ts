// Text with tags in it, as the composer has it. Without a DOM.
//
// A tag is written out as `@Title`, and a range says which characters those are. So the field can be
// an ordinary <textarea>, and the browser's own undo, spelling, dictation, input methods and screen
// reader support work.

import type { Entity } from "@openai/chatkit";
import type { UserContent } from "../protocol.ts";

export interface Tag {
	start: number;
	end: number;
	entity: Entity;
}

export interface RichText {
	text: string;
	/** In the order of the text; they don't overlap. */
	tags: readonly Tag[];
}

export const EMPTY: RichText = { text: "", tags: [] };

/** How a tag is written in the text. */
export function written(entity: Entity): string {
	return `@${entity.title.replace(/\s+/g, " ").trim() || entity.id}`;
}

/** A piece of text, or a tag, in their order. */
export type Piece = { text: string; tag: Tag | null };

export function pieces({ text, tags }: RichText): Piece[] {
	const found: Piece[] = [];
	let at = 0;
	for (const tag of tags) {
		if (tag.start > at) found.push({ text: text.slice(at, tag.start), tag: null });
		found.push({ text: text.slice(tag.start, tag.end), tag });
		at = tag.end;
	}
	if (at < text.length) found.push({ text: text.slice(at), tag: null });
	return found;
}

/**
 * Returns the tags after an edit: those before and after what was replaced are kept, those that were
 * touched are text now. `caret` is where the edit ended.
 */
export function adjusted({ text: old, tags }: RichText, text: string, caret: number): Tag[] {
	const after = commonEnd(old, text, Math.max(text.length - caret, 0));
	const before = commonStart(old, text, Math.min(old.length, text.length) - after);
	const [from, to] = [before, old.length - after];
	const shift = text.length - old.length;
	const kept = tags.filter(({ start, end }) => end <= from || start >= to);
	return kept.map((tag) => (tag.end <= from ? tag : moved(tag, shift)));
}

export function moved(tag: Tag, by: number): Tag {
	return { ...tag, start: tag.start + by, end: tag.end + by };
}

/** Adds tags to those that are there. */
export function merged(tags: readonly Tag[], more: readonly Tag[]): Tag[] {
	return [...tags, ...more].sort((a, b) => a.start - b.start);
}

/** Returns a part of a text, with the tags that are whole in it. */
export function sliced({ text, tags }: RichText, from: number, to: number): RichText {
	const inside = tags.filter(({ start, end }) => start >= from && end <= to);
	return { text: text.slice(from, to), tags: inside.map((tag) => moved(tag, -from)) };
}

export function joined(first: RichText, between: string, second: RichText): RichText {
	const by = first.text.length + between.length;
	return {
		text: first.text + between + second.text,
		tags: [...first.tags, ...second.tags.map((tag) => moved(tag, by))],
	};
}

/** Returns the parts of a message, without white space around it. */
export function toContent(rich: RichText): UserContent[] {
	const from = rich.text.length - rich.text.trimStart().length;
	const trimmed = sliced(rich, from, Math.max(from, rich.text.trimEnd().length));
	return pieces(trimmed).map(({ text, tag }) =>
		tag ? tagContent(tag.entity) : { type: "input_text", text },
	);
}

export function fromContent(content: readonly UserContent[]): RichText {
	return content.reduce((rich: RichText, part) => {
		if (part.type === "input_text") return joined(rich, "", { text: part.text, tags: [] });
		const entity = entityOf(part);
		const text = written(entity);
		return joined(rich, "", { text, tags: [{ start: 0, end: text.length, entity }] });
	}, EMPTY);
}

function tagContent({ id, title, group, data, interactive }: Entity): UserContent {
	return {
		type: "input_tag",
		id,
		text: title,
		data: data ?? {},
		...(group ? { group } : {}),
		interactive: interactive ?? false,
	};
}

function entityOf(tag: Extract<UserContent, { type: "input_tag" }>): Entity {
	return {
		id: tag.id,
		title: tag.text,
		interactive: tag.interactive ?? false,
		...(tag.group ? { group: tag.group } : {}),
		...(tag.data ? { data: tag.data as Record<string, string> } : {}),
	};
}

function commonStart(a: string, b: string, most: number): number {
	let count = 0;
	while (count < most && a[count] === b[count]) count++;
	return count;
}

function commonEnd(a: string, b: string, most: number): number {
	let count = 0;
	const limit = Math.min(most, a.length, b.length);
	while (count < limit && a[a.length - 1 - count] === b[b.length - 1 - count]) count++;
	return count;
}
