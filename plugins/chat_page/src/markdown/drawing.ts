// Draws a text that grows, a few milliseconds at a time.

import { BlockParser } from "./blocks.ts";
import { Ink, type Mark } from "./ink.ts";
import { detached } from "./lines.ts";
import { place } from "./marks.ts";
import { Container } from "./parts.ts";

const STEP = 500; // letters that are read between two looks at the clock

export class Drawing {
	readonly ink = new Ink();
	private readonly parser = new BlockParser();
	private readonly body = new Container("div", this.ink, "follows");
	private text = "";
	private read = 0;
	private ended = false;
	private marks: readonly Mark[] = [];

	get node(): HTMLElement {
		return this.body.node;
	}

	/** Says whether a text can be shown by adding to what is there. */
	goesOnWith(text: string): boolean {
		if (!text.startsWith(this.text)) return false;
		return !this.ended || text.length === this.text.length || this.parser.mayGoOn;
	}

	/**
	 * Draws a text as far as there is time, and says whether all of it is drawn. `more` says that more
	 * text will come.
	 */
	draw(text: string, more: boolean, marks: readonly Mark[], until: number): boolean {
		if (text.length > this.text.length) this.ended = false;
		this.text = text;
		this.marks = marks;
		do this.step(more);
		while (!this.finished(more) && performance.now() < until);
		return this.finished(more);
	}

	dispose(): void {
		this.body.dispose();
	}

	private finished(more: boolean): boolean {
		return this.read === this.text.length && (more || this.ended) && this.ink.again.size === 0;
	}

	private step(more: boolean): void {
		const [redraw] = this.ink.again;
		if (redraw) {
			this.ink.again.delete(redraw);
			redraw();
			return;
		}
		if (this.read < this.text.length) {
			const end = Math.min(this.text.length, this.read + STEP);
			this.parser.push(detached(this.text.slice(this.read, end)));
			this.read = end;
		}
		const all = this.read === this.text.length;
		if (all && !more && !this.ended) {
			this.parser.end();
			this.ended = true;
		}
		place(this.marks, this.parser.root, this.ended ? Infinity : this.read, this.ink);
		this.body.update(this.parser.root, !this.ended);
	}
}
