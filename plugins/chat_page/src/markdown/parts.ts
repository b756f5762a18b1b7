// The parts of a text on the page, one for each block. A part is drawn again only if its block changed.

import type { Block } from "./block.ts";
import { Code } from "./code.ts";
import type { Ink, Mark } from "./ink.ts";
import { goTo, origins } from "./inline.ts";
import { formula } from "./math.ts";
import { Table } from "./table.ts";
import { type Placed, Text } from "./text.ts";

export interface Part {
	readonly node: ChildNode;
	/** Draws what has changed. `tail` says that more text will come in this block. */
	update(block: Block, tail: boolean): void;
	dispose(): void;
}

interface Drawn {
	kind: string;
	part: Part;
	block: Block;
	version: number;
	tail: boolean;
	marks: string;
}

/** Parts of the same kind can take each other's blocks. */
function kindOf(block: Block, ink: Ink): string {
	switch (block.type) {
		case "heading":
			return `h${Math.min(6, ink.top - 1 + block.level)}`;
		case "list":
			return block.first === null ? "ul" : "ol";
		case "math":
			return block.name === "failed" ? "source" : "math";
		default:
			return block.type;
	}
}

function newPart(kind: string, block: Block, ink: Ink, lead: Lead): Part {
	switch (kind) {
		case "ul":
		case "ol":
			return new List(kind, ink, lead);
		case "item":
			return new Item(ink, lead);
		case "quote":
			return new Container("blockquote", ink, lead);
		case "details":
			return new Details(ink, lead);
		case "footnote":
			return new Note(ink, lead);
		case "code":
			return new Code(ink);
		case "table":
			return new Table(ink);
		case "math":
			return new Formula(ink);
		case "rule":
			return new Nothing(document.createElement("hr"));
		case "definition":
			return new Definition(block, ink);
		case "paragraph":
		case "source":
			return new Line("p", ink, lead);
		default:
			return new Line(kind, ink, lead);
	}
}

/**
 * Each block has the direction of its own text, but `dir="auto"` does not look into elements that
 * have a `dir` too. So the first text of a list or quote has none: it leads what is around it.
 */
type Lead = "own" | "leads" | "follows";

function direct(element: HTMLElement, lead: Lead): void {
	if (lead === "own") element.dir = "auto";
}

/** A block with blocks in it. */
export class Container implements Part {
	readonly node: HTMLElement;
	private readonly drawn: Drawn[] = [];

	constructor(
		name: string,
		protected readonly ink: Ink,
		private readonly lead: Lead,
	) {
		this.node = document.createElement(name);
		direct(this.node, lead);
	}

	update(block: Block, tail: boolean): void {
		block.children.forEach((child, index) =>
			this.child(index, child, tail && index === block.children.length - 1),
		);
		for (const { part } of this.drawn.splice(block.children.length)) remove(part);
	}

	dispose(): void {
		for (const { part } of this.drawn) part.dispose();
	}

	private child(index: number, block: Block, tail: boolean): void {
		const { version } = block;
		const marks = this.marksOf(block);
		const before = this.drawn[index];
		if (before?.block === block && before.version === version && before.tail === tail)
			if (before.marks === marks) return;
		const kind = kindOf(block, this.ink);
		const part = before?.kind === kind ? before.part : newPart(kind, block, this.ink, this.leadOf(index));
		if (before && part !== before.part) {
			before.part.node.before(part.node);
			remove(before.part);
		} else if (!before) this.node.append(part.node);
		this.drawn[index] = { kind, part, block, version, tail, marks };
		part.update(block, tail);
	}

	/** The direction of a list is that of its first item, and its items have none. */
	protected leadOf(index: number): Lead {
		return index === 0 && this.lead !== "follows" ? "leads" : "own";
	}

	/** Says which marks are in a block, so that others make it be drawn again. */
	private marksOf(block: Block): string {
		return this.ink.marks.size ? (this.ink.marksBelow.get(block) ?? "") : "";
	}
}

function remove(part: Part): void {
	part.dispose();
	part.node.remove();
}

class List extends Container {
	override update(block: Block, tail: boolean): void {
		this.node.classList.toggle("ock-loose", block.loose);
		if (block.first !== null && block.first !== 1) this.node.setAttribute("start", String(block.first));
		super.update(block, tail);
	}

	protected override leadOf(index: number): Lead {
		return super.leadOf(index) === "leads" ? "leads" : "follows";
	}
}

class Item extends Container {
	private box: HTMLInputElement | null = null;

	constructor(ink: Ink, lead: Lead) {
		super("li", ink, lead);
	}

	override update(block: Block, tail: boolean): void {
		if ((block.task === null) !== (this.box === null)) this.toggleBox(block.task !== null);
		if (this.box) this.box.checked = block.task === true;
		this.node.classList.toggle("ock-task", block.task !== null);
		super.update(block, tail);
	}

	private toggleBox(shown: boolean): void {
		this.box?.remove();
		this.box = shown ? document.createElement("input") : null;
		if (!this.box) return;
		this.box.type = "checkbox";
		this.box.disabled = true;
		this.box.setAttribute("aria-label", this.ink.words.text("markdown.task"));
		this.node.prepend(this.box);
	}
}

class Details extends Container {
	private opened: boolean | null = null;

	constructor(ink: Ink, lead: Lead) {
		super("details", ink, lead);
	}

	override update(block: Block, tail: boolean): void {
		// Later, the reader opens and closes it
		if (this.opened === null) this.node.toggleAttribute("open", (this.opened = block.loose));
		super.update(block, tail);
	}
}

class Note extends Container {
	private name: string | null = null;
	private readonly back = document.createElement("button");

	constructor(ink: Ink, lead: Lead) {
		super("div", ink, lead);
		this.node.className = "ock-note";
		this.node.setAttribute("role", "note");
		this.back.type = "button";
		this.back.className = "ock-note-mark";
		this.back.addEventListener("click", () => goTo(origins.get(this.node)));
		this.node.append(this.back);
	}

	override update(block: Block, tail: boolean): void {
		if (this.name !== block.name) {
			if (this.name !== null) this.ink.forgetNote(this.name);
			this.name = block.name;
			const number = this.ink.note(block.name, this.node);
			this.back.textContent = String(number);
			this.back.setAttribute("aria-label", this.ink.words.text("markdown.back", { number }));
		}
		super.update(block, tail);
	}

	override dispose(): void {
		if (this.name !== null) this.ink.forgetNote(this.name);
		super.dispose();
	}
}

/** A paragraph, a heading, a summary. */
class Line implements Part {
	readonly node: HTMLElement;
	private readonly text: Text;

	constructor(
		name: string,
		private readonly ink: Ink,
		lead: Lead,
	) {
		this.node = document.createElement(name);
		direct(this.node, lead);
		this.text = new Text(this.node, ink);
	}

	update(block: Block, tail: boolean): void {
		if (block.name === "failed")
			return this.text.update(`${block.fence === "$$" ? "\\$\\$" : "\\\\["}${block.text}`, false);
		const text = tail ? block.text : block.text.trimEnd();
		this.text.update(text, tail, placed(this.ink.marks.get(block), block.places, text.length));
	}

	dispose(): void {
		this.text.dispose();
	}
}

/** Returns where marks are in a text, by the places of its lines in the source. */
function placed(marks: readonly Mark[] = [], places: Block["places"], length: number): Placed[] {
	return marks.map((mark) => {
		const line = places.findLastIndex(({ source }) => source <= mark.index);
		const { at, source } = places[Math.max(0, line)] ?? { at: 0, source: 0 };
		const end = places[line + 1] ? places[line + 1]!.at - 1 : length;
		return { mark, at: Math.max(0, Math.min(at + mark.index - source, end)) };
	});
}

class Formula implements Part {
	readonly node = document.createElement("div");
	private text: string | null = null;

	constructor(private readonly ink: Ink) {
		this.node.className = "ock-scroll ock-formula";
	}

	update(block: Block): void {
		const marks = this.ink.marks.get(block) ?? [];
		if (!block.closed) {
			// Half a formula is mostly an error: its source is not shown either
			this.node.replaceChildren();
			this.text = null;
			return;
		}
		const text = `${block.text}\n${marks.length}`;
		if (this.text === text) return;
		this.text = text;
		const drawn = block.text.trim() ? [formula(block.text, true, this.ink.words)] : [];
		this.node.replaceChildren(...drawn, ...marks.map(({ node }) => node));
	}

	dispose(): void {}
}

class Nothing implements Part {
	constructor(readonly node: HTMLElement | globalThis.Text) {}
	update(): void {}
	dispose(): void {}
}

/** What a reference points to. It shows nothing. */
class Definition extends Nothing {
	constructor(block: Block, ink: Ink) {
		super(document.createTextNode(""));
		ink.define(block.name, { href: block.url, title: block.title });
	}
}
