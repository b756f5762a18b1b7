// The block structure of markdown, line by line, as CommonMark describes it.
//
// Text is only ever added. A line changes nothing but the open blocks, so what came before is never
// looked at again, however long it is. The last line may not be complete: it is parsed as it is, and
// taken back when more of it comes.

import { type Block, type BlockType, newBlock } from "./block.ts";
import * as lines from "./lines.ts";

type Verdict = "here" | "not here" | "consumed";

const DEEPEST = 40;
const CONTAINERS = new Set<BlockType>(["document", "quote", "list", "item", "details", "footnote"]);

export class BlockParser {
	readonly root = newBlock("document", 0);
	/** The open blocks, from the root to the innermost. */
	private spine: Block[] = [this.root];
	private saved: (() => void) | null = null;
	private rest = "";
	private clock = 0;
	/** Where the line begins in the source. */
	private source = 0;
	private raw = "";
	private line = "";
	private at = 0;
	private partial = false;
	/** How many of the open blocks go on in this line. */
	private matched = 1;

	/** Adds text. */
	push(text: string): void {
		this.saved?.();
		this.saved = null;
		this.rest += text;
		let from = 0;
		for (let end; (end = this.rest.indexOf("\n", from)) >= 0; from = end + 1) {
			this.read(this.rest.slice(from, end));
			this.source += end + 1 - from;
		}
		this.rest = this.rest.slice(from);
		if (!this.rest || lines.undecided(this.rest)) return;
		this.saved = this.save();
		this.partial = true;
		this.read(this.rest);
		this.partial = false;
	}

	/** Says that no text follows. If some does, this is taken back. */
	end(): void {
		this.saved?.();
		this.saved = this.save();
		if (this.rest) this.read(this.rest);
		this.close(1);
		this.root.version = ++this.clock;
	}

	/** Says whether text may still follow after the end: labels keep their first meaning. */
	get mayGoOn(): boolean {
		return !this.rest.includes("]:");
	}

	/** Returns a function that undoes what the next line does. */
	private save(): () => void {
		const spine = [...this.spine];
		const copies = spine.map((block) => ({
			...block,
			children: block.children.length,
			rows: block.rows.length,
			places: block.places.slice(),
		}));
		return () => {
			this.spine = spine;
			spine.forEach((block, index) => {
				const { children, rows, ...fields } = copies[index]!;
				Object.assign(block, fields, { version: ++this.clock });
				block.children.length = children;
				block.rows.length = rows;
			});
		};
	}

	private read(raw: string): void {
		const before = this.spine;
		this.spine = [...before];
		this.raw = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
		this.line = lines.expanded(this.raw);
		this.at = 0;
		this.parse();
		for (const block of before) block.version = ++this.clock;
		for (const block of this.spine) block.version = ++this.clock;
	}

	private parse(): void {
		for (this.matched = 1; this.matched < this.spine.length; this.matched++) {
			const verdict = this.goesOn(this.spine[this.matched]!);
			if (verdict === "consumed") return;
			if (verdict === "not here") break;
		}
		const last = this.spine.at(-1)!;
		const text = last.type === "paragraph" || last.type === "table" ? last : null;
		const lazy = this.matched < this.spine.length && text?.type === "paragraph";
		if (this.isBlank()) {
			this.close(this.matched);
			return this.blankLine();
		}
		if (text && this.matched === this.spine.length) this.matched--;
		let inside: Block | null = text;
		for (let began; (began = this.begin(inside)) !== "not here"; inside = null) {
			if (began === "consumed") return this.unblank();
			if (this.isBlank()) return this.unblank();
		}
		if (inside && (lazy || this.matched === this.spine.length - 1)) {
			this.matched = this.spine.length;
			this.addLine(inside);
		} else this.addLine(this.add("paragraph", true));
		this.unblank();
	}

	/** Says whether an open block goes on in this line, and reads what marks that. */
	private goesOn(block: Block): Verdict {
		switch (block.type) {
			case "quote":
				return this.take(lines.QUOTE) ? "here" : "not here";
			case "item":
				if (this.isBlank()) return block.children.length ? "here" : "not here";
				return this.dedent(block.indent);
			case "footnote":
				return this.isBlank() ? "here" : this.dedent(2);
			case "details":
				if (!this.take(lines.DETAILS_END)) return "here";
				this.close(this.matched);
				return "consumed";
			case "code":
				return block.fence ? this.fenced(block, block.fence) : this.indented(block);
			case "math":
				return this.formula(block);
			case "paragraph":
			case "table":
				return this.isBlank() ? "not here" : "here";
			default:
				return "here";
		}
	}

	private dedent(most: number): Verdict {
		if (this.indent() < most) return "not here";
		this.at += most;
		return "here";
	}

	private fenced(block: Block, fence: string): Verdict {
		const found = this.peek(lines.FENCE_END);
		if (found && found[1]![0] === fence[0] && found[1]!.length >= fence.length) {
			this.close(this.matched);
			return "consumed";
		}
		this.at += Math.min(block.indent, this.indent());
		block.text += this.exact() + (this.partial ? "" : "\n");
		return "consumed";
	}

	private indented(block: Block): Verdict {
		const blank = this.isBlank();
		if (!blank && this.indent() < 4) return "not here";
		this.at = Math.min(this.at + 4, this.line.length);
		block.text += this.exact() + (this.partial ? "" : "\n");
		if (blank) this.blankLine();
		return "consumed";
	}

	private formula(block: Block): Verdict {
		const text = this.line.slice(this.at).trimEnd();
		const ends = text.endsWith(block.fence!);
		block.text += ends ? text.slice(0, -2) : `${text}\n`;
		// Mathematics has no blank lines: this was something else, such as "$$ is money"
		if (text === "") block.name = "failed";
		if (ends || text === "") this.close(this.matched);
		return "consumed";
	}

	/** Begins one block, if the line does. */
	private begin(inside: Block | null): Verdict {
		if (this.indent() >= 4) return inside ? "not here" : this.indentedCode();
		if (this.spine.length < DEEPEST) {
			const began = this.beginContainer(inside);
			if (began !== "not here") return began;
		}
		return this.beginLeaf(inside);
	}

	private indentedCode(): Verdict {
		this.at += 4;
		this.add("code", true).text = this.exact() + (this.partial ? "" : "\n");
		return "consumed";
	}

	private beginContainer(inside: Block | null): Verdict {
		if (this.take(lines.QUOTE)) return this.opened(this.add("quote", true));
		if (this.peek(lines.RULE)) return "not here"; // "- - -"
		const marker = this.peek(lines.MARKER);
		if (marker && this.mayBegin(marker, inside)) return this.opened(this.item(marker));
		const note = this.isParagraph(inside) ? null : this.take(lines.FOOTNOTE);
		if (note) return this.opened(this.add("footnote", true), { name: lines.label(note[1]!) });
		const details = this.take(lines.DETAILS);
		if (details) return this.opened(this.add("details", true), { loose: !!details[1] });
		return "not here";
	}

	private opened(block: Block, data: Partial<Block> = {}): Verdict {
		Object.assign(block, data);
		return "here";
	}

	/** Inside of a paragraph, only what is surely a list is one: not "1985. A great year". */
	private mayBegin(marker: RegExpMatchArray, inside: Block | null): boolean {
		if (!this.isParagraph(inside)) return true;
		const rest = this.line.slice(this.at + marker[0].length);
		return rest.trim() !== "" && (!marker[2] || marker[2] === "1");
	}

	/** Says whether a paragraph goes on in this line, not only by laziness. */
	private isParagraph(inside: Block | null): inside is Block {
		return inside?.type === "paragraph" && this.matched === this.spine.length - 1;
	}

	private item(marker: RegExpMatchArray): Block {
		const kind = marker[1]!.at(-1)!;
		const list = this.spine[this.matched - 1]!;
		if (list.type === "list" && list.name === kind) {
			if (list.children.at(-1)?.blank) list.loose = true;
		} else {
			const first = marker[2] ? Number(marker[2]) : null;
			Object.assign(this.add("list", true), { name: kind, first });
		}
		const block = this.add("item", true);
		const width = this.indent() + marker[1]!.length;
		this.at += width;
		const space = this.indent();
		const taken = this.isBlank() || space > 4 ? Math.min(1, space) : space;
		this.at += taken;
		block.indent = width + Math.max(1, taken);
		const task = this.take(lines.TASK);
		if (task) block.task = task[1] !== " ";
		return block;
	}

	private beginLeaf(inside: Block | null): Verdict {
		const paragraph = this.isParagraph(inside) ? inside : null;
		const heading = lines.heading(this.line.slice(this.at));
		if (heading) return this.filled("heading", heading.text, heading.from, { level: heading.level });
		if (paragraph && this.peek(lines.UNDERLINE)) return this.underline(paragraph);
		const fence = this.peek(lines.FENCE);
		if (fence) return this.fence(fence);
		if (this.peek(lines.RULE)) return this.filled("rule", "", 0);
		const math = this.peek(lines.MATH);
		if (math) return this.math(math);
		const summary = lines.summary(this.line.slice(this.at));
		if (summary) return this.filled("summary", summary.text, summary.from);
		if (paragraph && this.table(paragraph)) return "consumed";
		const definition = paragraph ? null : lines.definition(this.line.slice(this.at));
		if (definition) return this.filled("definition", "", 0, definition);
		return "not here";
	}

	/** Adds a block that is this one line. */
	private filled(type: BlockType, text: string, from: number, data: Partial<Block> = {}): Verdict {
		const block = this.add(type, false);
		Object.assign(block, { text, ...data });
		block.places.push({ at: 0, source: this.source + this.at + from });
		return "consumed";
	}

	private underline(paragraph: Block): Verdict {
		paragraph.type = "heading";
		paragraph.level = this.line[this.at + this.indent()] === "=" ? 1 : 2;
		this.close(this.matched);
		return "consumed";
	}

	private fence(found: RegExpMatchArray): Verdict {
		const name = this.partial ? "" : found[2]!.trim().split(/\s/, 1)[0]!;
		const data = { fence: found[1]!, name, indent: this.indent() };
		return this.opened(this.add("code", true), data) && "consumed";
	}

	private math(found: RegExpMatchArray): Verdict {
		const fence = found[1] === "$$" ? "$$" : "\\]";
		const text = found[2]!.trimEnd();
		const end = text.indexOf(fence);
		if (end >= 0 && end < text.length - 2) return "not here";
		const block = this.add("math", end < 0);
		const body = end < 0 ? `${text}\n` : text.slice(0, -2);
		Object.assign(block, { fence, text: body });
		return "consumed";
	}

	/** Makes a table of the last line of a paragraph and this one, if they are its head. */
	private table(paragraph: Block): boolean {
		const align = lines.delimiters(this.line.slice(this.at));
		if (!align) return false;
		const { at, source } = paragraph.places.at(-1)!;
		const head = paragraph.text.slice(at);
		if (lines.cells(head).length !== align.length) return false;
		if (at > 0) {
			paragraph.text = paragraph.text.slice(0, at - 1);
			paragraph.places.pop();
			this.add("table", true);
		} else {
			paragraph.type = "table";
			paragraph.text = "";
			this.matched = this.spine.length;
		}
		const table = this.spine.at(-1)!;
		table.align = align;
		table.rows.push({ at: 0, source, text: head });
		return true;
	}

	/** Closes what does not go on in this line, and adds a block there. */
	private add(type: BlockType, open: boolean): Block {
		while (this.spine[this.matched - 1]!.type === "list" && type !== "item") this.matched--;
		this.close(this.matched);
		const parent = this.spine.at(-1)!;
		if (parent.type === "item" && parent.blank && parent.children.length)
			this.spine.at(-2)!.loose = true;
		const block = newBlock(type, this.source + this.at);
		block.version = ++this.clock;
		block.closed = !open;
		parent.children.push(block);
		if (open) {
			this.spine.push(block);
			if (CONTAINERS.has(type)) this.matched = this.spine.length;
		}
		return block;
	}

	private addLine(block: Block): void {
		const from = this.at + this.indent();
		const text = this.line.slice(from);
		if (block.type === "table") {
			block.rows.push({ at: 0, source: this.source + from, text });
			return;
		}
		if (block.places.length) block.text += "\n";
		block.places.push({ at: block.text.length, source: this.source + from });
		block.text += text;
	}

	/** Closes the open blocks from this depth on. */
	private close(depth: number): void {
		for (const block of this.spine.slice(depth)) block.closed = true;
		this.spine.length = Math.max(1, depth);
	}

	private blankLine(): void {
		for (const block of this.spine) block.blank = true;
	}

	private unblank(): void {
		for (const block of this.spine) block.blank = false;
	}

	private indent(): number {
		let end = this.at;
		while (this.line[end] === " ") end++;
		return end - this.at;
	}

	private isBlank(): boolean {
		return this.at + this.indent() >= this.line.length;
	}

	private peek(pattern: RegExp): RegExpMatchArray | null {
		return this.line.slice(this.at).match(pattern);
	}

	private take(pattern: RegExp): RegExpMatchArray | null {
		const found = this.peek(pattern);
		if (found) this.at += found[0].length;
		return found;
	}

	/** Returns the rest of the line with its tabs, if none of them was part of what was read. */
	private exact(): string {
		const same = this.raw.slice(0, this.at) === this.line.slice(0, this.at);
		return (same ? this.raw : this.line).slice(this.at);
	}
}
