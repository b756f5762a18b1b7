// A block of code: its language, a button that copies it, and lines that are coloured little by little.

import type { Block } from "./block.ts";
import { copyText } from "./copy.ts";
import { whenIdle } from "./frames.ts";
import { type Painter, painterOf } from "./highlight.ts";
import type { Ink } from "./ink.ts";

/** Lines are kept in groups, so that a new line does not lay out all of them again. */
const GROUP = 50;
const FEEDBACK = 2000; // ms
/** Longer lines are kept in pieces, for the same reason, and have no colours. */
const PIECE = 2000;

export class Code {
	readonly node = document.createElement("div");
	private readonly label = document.createElement("span");
	private readonly button = document.createElement("button");
	private readonly after = document.createElement("span");
	private readonly pre = document.createElement("pre");
	private readonly code = this.pre.appendChild(document.createElement("code"));
	private text = "";
	private language: string | null = null;
	/** The text of the lines that are complete. */
	private done = "";
	private lines = 0;
	private group: HTMLElement | null = null;
	/** The last line, as long as it is not complete. */
	private last: Text | null = null;
	/** Where the last piece of the last line begins. */
	private from = 0;
	/** Complete lines that have no colours yet. */
	private plain: Text[] = [];
	private painter: Painter | null = null;

	constructor(private readonly ink: Ink) {
		this.node.className = "ock-code";
		this.node.setAttribute("part", "code");
		const head = this.node.appendChild(document.createElement("div"));
		head.className = "ock-code-head";
		this.button.type = "button";
		this.button.setAttribute("part", "code-copy");
		this.button.textContent = ink.words.text("code.copy");
		this.button.addEventListener("click", () => void this.copy());
		head.append(this.label, this.button);
		this.pre.dir = "ltr";
		this.pre.tabIndex = 0;
		this.pre.className = "ock-scroll";
		this.pre.setAttribute("role", "region");
		this.node.append(this.pre, this.after);
	}

	update(block: Block): void {
		// Blank lines at the end of indented code belong to what follows
		this.text = block.fence ? block.text : `${block.text.trimEnd()}\n`;
		if (this.language !== block.name || !this.text.startsWith(this.done)) this.reset(block.name);
		this.addLines();
		this.after.replaceChildren(...(this.ink.marks.get(block) ?? []).map(({ node }) => node));
	}

	dispose(): void {
		this.plain = [];
	}

	private reset(language: string): void {
		this.language = language;
		this.code.replaceChildren();
		this.done = "";
		this.lines = 0;
		this.last = null;
		this.from = 0;
		this.plain = [];
		this.painter = null;
		const { words } = this.ink;
		this.label.textContent = language;
		const label = language ? words.text("code.regionOf", { language }) : words.text("code.region");
		this.pre.setAttribute("aria-label", label);
		void this.load(language);
	}

	private async load(language: string): Promise<void> {
		const painter = language ? await painterOf(language) : null;
		if (this.language !== language || !painter) return;
		this.painter = painter;
		whenIdle(this.paint);
	}

	private addLines(): void {
		const fresh = this.text.slice(this.done.length).split("\n");
		const last = fresh.pop()!;
		for (const line of fresh) this.addLine(`${line}\n`);
		this.done = this.text.slice(0, this.text.length - last.length);
		if (last) this.showLast(last);
		if (!last && this.last) this.dropLast();
		if (this.painter && fresh.length) whenIdle(this.paint);
	}

	private addLine(text: string): void {
		this.showLast(text);
		if (this.from === 0) this.plain.push(this.last!);
		this.last = null;
		this.from = 0;
		this.lines++;
	}

	private newLine(): Text {
		if (!this.group || this.lines % GROUP === 0) {
			this.group = this.code.appendChild(document.createElement("span"));
			this.group.className = "ock-lines";
		}
		return this.addPiece();
	}

	private addPiece(): Text {
		return this.group!.appendChild(document.createTextNode(""));
	}

	private showLast(text: string): void {
		this.last ??= this.newLine();
		for (; text.length - this.from > PIECE; this.from += PIECE) {
			this.last.data = text.slice(this.from, this.from + PIECE);
			this.last = this.addPiece();
		}
		this.last.data = text.slice(this.from);
	}

	/** Takes back a line that turned out to be the end of the code. */
	private dropLast(): void {
		this.last!.remove();
		this.last = null;
		this.from = 0;
		if (this.group?.childNodes.length === 0) {
			this.group.remove();
			this.group = this.code.lastElementChild as HTMLElement | null;
		}
	}

	/** Colours one line, and says whether there are more. */
	private readonly paint = (): boolean => {
		const line = this.plain.shift();
		if (!line || !this.painter) return false;
		line.replaceWith(...this.painter.paint(line.data));
		return this.plain.length > 0;
	};

	private async copy(): Promise<void> {
		const { words } = this.ink;
		if (!(await copyText(this.text.replace(/\n$/, "")))) return;
		this.button.textContent = words.text("code.copied");
		this.button.setAttribute("aria-live", "polite");
		setTimeout(() => {
			this.button.removeAttribute("aria-live");
			this.button.textContent = words.text("code.copy");
		}, FEEDBACK);
	}
}
