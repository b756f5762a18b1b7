// The text of a paragraph, heading or cell, drawn in segments.

import { heal } from "./heal.ts";
import type { Ink, Mark, Reader } from "./ink.ts";
import { drawInline } from "./inline.ts";
import { detached, label } from "./lines.ts";
import { segmentEnd } from "./segments.ts";

interface Segment {
	source: string;
	/** No more text will be part of it. */
	sealed: boolean;
	healed: boolean;
	stale: boolean;
	marks: Mark[];
	nodes: ChildNode[];
	labels: string[];
}

/** A mark, and its place in the text of the block. */
export interface Placed {
	at: number;
	mark: Mark;
}

/** Signs that stand for marks while the text is read: punctuation that nobody writes. */
const SENTINELS = ["\u2e2c", "\u2e2d", "\u2e1e", "\u2e1f", "\u2e16", "\u2e0e"];

export class Text implements Reader {
	private segments: Segment[] = [];
	private readonly redraw = () => this.drawStale();

	constructor(
		readonly element: HTMLElement,
		private readonly ink: Ink,
	) {}

	/** Shows a text. `tail` says that more of it comes. */
	update(text: string, tail: boolean, placed: readonly Placed[] = []): void {
		let index = 0;
		for (let from = 0; from < text.length; index++) {
			const before = this.segments[index];
			const same = before?.sealed && text.startsWith(before.source, from);
			const found = same ? from + before.source.length : segmentEnd(text, from);
			const end = found < 0 ? text.length : found;
			const healed = tail && end === text.length;
			const slice = same ? before.source : text.slice(from, end);
			// What stays may not keep the whole text of that time alive
			const source = found >= 0 && !same ? detached(slice) : slice;
			const marks = placed.filter(({ at }) => at >= from && (at < end || end === text.length));
			if (!isDrawn(before, source, healed, marks))
				this.draw(index, { source, sealed: found >= 0, healed }, marks, from);
			from = end;
		}
		for (const gone of this.segments.splice(index)) this.drop(gone);
	}

	dispose(): void {
		for (const segment of this.segments) this.unlisten(segment);
		this.ink.again.delete(this.redraw);
	}

	/** A label that the text uses has a meaning now, or none any more. */
	meaning(name: string): void {
		for (const segment of this.segments) segment.stale ||= segment.labels.includes(name);
		this.ink.again.add(this.redraw);
	}

	private drawStale(): void {
		this.segments.forEach((segment, index) => {
			if (segment.stale) this.fill(segment, index);
		});
	}

	private draw(
		index: number,
		how: Pick<Segment, "source" | "sealed" | "healed">,
		placed: readonly Placed[],
		from: number,
	): void {
		const old = this.segments[index];
		const segment = { nodes: old?.nodes ?? [], labels: [], stale: false, ...how, marks: marksOf(placed) };
		if (old) this.unlisten(old);
		this.segments[index] = segment;
		this.offsets.set(segment, placed.map(({ at }) => at - from));
		this.listen(segment);
		this.fill(segment, index);
	}

	private readonly offsets = new WeakMap<Segment, number[]>();

	private fill(segment: Segment, index: number): void {
		segment.stale = false;
		const shown = segment.healed ? heal(segment.source) : segment.source;
		const sentinel = segment.marks.length ? SENTINELS.find((sign) => !shown.includes(sign)) : "";
		const source = sentinel ? withSigns(shown, this.offsets.get(segment)!, sentinel) : shown;
		const nodes = drawInline(source, this.ink, segment.marks, sentinel ?? "") as ChildNode[];
		const next = this.segments.slice(index + 1).find((each) => each.nodes.length)?.nodes[0] ?? null;
		segment.nodes = replace(this.element, segment.nodes, nodes, next, !segment.marks.length);
	}

	private drop(segment: Segment): void {
		this.unlisten(segment);
		for (const node of segment.nodes) node.remove();
	}

	private listen(segment: Segment): void {
		if (!segment.source.includes("[")) return;
		const found = segment.source.matchAll(/\[([^[\]]{1,300})\]/g);
		segment.labels = [...new Set([...found].map(([, name]) => label(name!)))];
		for (const name of segment.labels) this.ink.listen(name, this);
	}

	private unlisten(segment: Segment): void {
		for (const name of segment.labels)
			if (!this.segments.some((other) => other !== segment && other.labels.includes(name)))
				this.ink.forget(name, this);
	}
}

function isDrawn(
	segment: Segment | undefined,
	source: string,
	healed: boolean,
	placed: readonly Placed[],
): boolean {
	if (!segment || segment.source !== source || segment.healed !== healed) return false;
	return (
		segment.marks.length === placed.length &&
		placed.every(({ mark }, index) => segment.marks[index] === mark)
	);
}

function marksOf(placed: readonly Placed[]): Mark[] {
	return placed.map(({ mark }) => mark);
}

function withSigns(text: string, offsets: readonly number[], sign: string): string {
	let out = "";
	let from = 0;
	for (const offset of offsets) {
		out += text.slice(from, offset) + sign;
		from = Math.max(from, Math.min(offset, text.length));
	}
	return out + text.slice(from);
}

/** Replaces nodes by others, and keeps those that are the same: an image is not loaded again. */
function replace(
	parent: Node,
	old: ChildNode[],
	fresh: ChildNode[],
	next: Node | null,
	compare: boolean,
): ChildNode[] {
	let same = 0;
	if (compare) while (old[same] && fresh[same] && takes(old[same]!, fresh[same]!)) same++;
	for (const node of old.slice(same)) node.remove();
	for (const node of fresh.slice(same)) parent.insertBefore(node, next);
	return [...old.slice(0, same), ...fresh.slice(same)];
}

function takes(old: ChildNode, fresh: ChildNode): boolean {
	if (old.nodeType === 3 && fresh.nodeType === 3) {
		if ((old as CharacterData).data !== (fresh as CharacterData).data)
			(old as CharacterData).data = (fresh as CharacterData).data;
		return true;
	}
	return old.isEqualNode(fresh);
}
