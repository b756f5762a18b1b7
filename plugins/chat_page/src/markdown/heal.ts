// The end of a text that still grows: what is begun and not ended is ended, or not shown yet, so that
// no mark flashes up that becomes a format with the next word.

const DANGLING = /[*_~\\]+$/;
const ENTITY = /&#?\w{0,12}$/;
const TAG = /<[/!a-z][^>]{0,200}$/i;
const ROW = /(?:^|\n)[ \t]*\|[^\n]*$/;
const FORMULA = 600;
const DOLLARS = 80;
const LABEL = 300;
const DEEPEST = 8;
const ADDRESS = 3000;

/** Returns the text as it is shown while more of it comes. */
export function heal(text: string): string {
	const shown = text.replace(ROW, "").replace(DANGLING, "");
	const { held, ends } = new Scan(shown).result();
	const cut = shown.slice(0, held).replace(TAG, "").replace(ENTITY, "");
	return ends ? cut.replace(DANGLING, "").trimEnd() + ends : cut;
}

class Scan {
	private at = 0;
	private open: string[] = [];
	private held: number;

	constructor(private readonly text: string) {
		this.held = text.length;
	}

	result(): { held: number; ends: string } {
		while (this.at < this.held) this.step();
		// Nobody writes that deep, and it would take long
		const ends = this.open.length > DEEPEST ? "" : this.open.reverse().join("");
		return { held: this.held, ends };
	}

	private step(): void {
		const letter = this.text[this.at]!;
		if (letter === "\\") this.escape();
		else if (letter === "`") this.code();
		else if (letter === "$") this.dollars();
		else if (letter === "[") this.bracket();
		else if (letter === "*" || letter === "_" || letter === "~") this.mark(letter);
		else this.at++;
	}

	private escape(): void {
		const close = { "(": "\\)", "[": "\\]" }[this.text[this.at + 1] ?? ""];
		if (close) this.formula(2, close, FORMULA);
		else this.at += 2;
	}

	private dollars(): void {
		if (this.text[this.at + 1] === "$") return this.formula(2, "$$", FORMULA);
		// "$5" is a price
		if (/[\s\d]/.test(this.text[this.at + 1] ?? " ")) this.at++;
		else this.formula(1, "$", DOLLARS);
	}

	private formula(width: number, close: string, most: number): void {
		const end = this.text.indexOf(close, this.at + width);
		if (end >= 0) this.at = end + close.length;
		else this.holdOr(most, width);
	}

	/** Shows nothing from here on, unless it is open for so long that it will not be closed. */
	private holdOr(most: number, width: number): void {
		if (this.text.length - this.at <= most) this.held = this.at;
		else this.at += width;
	}

	private code(): void {
		const run = this.run();
		const end = this.endOfCode(this.at + run.length, run.length);
		if (end >= 0) this.at = end;
		else if (this.text.length === this.at + run.length) this.held = this.at;
		else {
			this.open.push(run);
			this.at = this.text.length;
		}
	}

	private endOfCode(from: number, length: number): number {
		for (let at = from; (at = this.text.indexOf("`", at)) >= 0; ) {
			let end = at;
			while (this.text[end] === "`") end++;
			if (end - at === length) return end;
			at = end;
		}
		return -1;
	}

	private bracket(): void {
		const start = this.text[this.at - 1] === "!" ? this.at - 1 : this.at;
		const label = closing(this.text, this.at, LABEL);
		if (label < 0) {
			if (this.text.length - start <= LABEL) this.held = start;
			else this.at++;
		} else if (label === this.text.length - 1) this.held = start;
		else if (this.text[label + 1] === "(" && closing(this.text, label + 1, ADDRESS) < 0) {
			if (this.text.length - start <= ADDRESS) this.held = start;
			else this.at++;
		} else this.at++;
	}

	private mark(letter: string): void {
		const run = this.run();
		const before = this.text[this.at - 1] ?? " ";
		const after = this.text[this.at + run.length] ?? " ";
		this.at += run.length;
		let left = /\s/.test(before) ? run.length : this.close(letter, run.length);
		if (left === 0 || /\s/.test(after) || (letter === "_" && /\w/.test(before))) return;
		if (letter === "~" && left > 2) left = 2;
		this.open.push(letter.repeat(Math.min(3, left)));
	}

	/** Closes emphasis, and returns how many of its marks are left. */
	private close(letter: string, left: number): number {
		for (let top; left > 0 && (top = this.open.at(-1)) && top[0] === letter; ) {
			this.open.pop();
			if (top.length > left) this.open.push(top.slice(left));
			left -= Math.min(left, top.length);
		}
		return left;
	}

	private run(): string {
		let end = this.at;
		while (this.text[end] === this.text[this.at]) end++;
		return this.text.slice(this.at, end);
	}
}

/** Returns where a bracket is closed, within a distance, or -1. */
function closing(text: string, from: number, most: number): number {
	const open = text[from];
	const close = open === "[" ? "]" : ")";
	let depth = 0;
	for (let at = from; at < Math.min(text.length, from + most); at++) {
		if (text[at] === "\\") at++;
		else if (text[at] === open) depth++;
		else if (text[at] === close && --depth === 0) return at;
	}
	return -1;
}
