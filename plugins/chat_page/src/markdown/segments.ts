// Long text is cut into segments that are read and drawn on their own, so that text which grows by a
// word costs one segment and not all of it. Where it is cut depends only on what comes before.

const LEAST = 600;
const MOST = 2000;

/** What is open at a place of the text: code, brackets, emphasis. */
class Open {
	private code = 0;
	private brackets = 0;
	private marks = 0;

	get nothing(): boolean {
		return !this.code && !this.brackets && !this.marks;
	}

	/** Reads what begins at a place, and returns how long it is. */
	read(text: string, at: number): number {
		const letter = text[at]!;
		if (letter === "`") return this.ticks(runAt(text, at));
		if (this.code) return 1;
		if (letter === "\\") return 2;
		if (letter === "[" || letter === "(") this.brackets++;
		else if (letter === "]" || letter === ")") this.brackets = Math.max(0, this.brackets - 1);
		else if ("*_~$".includes(letter)) return this.mark(text, at, "*_~$".indexOf(letter));
		return 1;
	}

	private ticks(run: number): number {
		if (!this.code) this.code = run;
		else if (this.code === run) this.code = 0;
		return run;
	}

	private mark(text: string, at: number, kind: number): number {
		const run = runAt(text, at);
		const [before, after] = [text[at - 1] ?? " ", text[at + run] ?? " "];
		const alone = /\s/.test(before) && /\s/.test(after);
		const inside = text[at] === "_" && /\w/.test(before) && /\w/.test(after);
		if (!alone && !inside) this.marks ^= (run & 3) << (2 * kind);
		return run;
	}
}

function runAt(text: string, at: number): number {
	let end = at + 1;
	while (text[end] === text[at]) end++;
	return end - at;
}

/** Returns where the segment that begins at `from` ends, or -1 if the text has no such place yet. */
export function segmentEnd(text: string, from: number): number {
	const open = new Open();
	let space = -1; // the last place where it could be cut if it has to
	for (let at = from; at < text.length; ) {
		if (at - from >= LEAST && mayCut(text, at)) {
			if (open.nothing) return at;
			space = at;
		}
		if (at - from >= MOST) return space > 0 ? space : whole(text, from + MOST);
		at += open.read(text, at);
	}
	return -1;
}

/** Between two words, but not where two spaces or a backslash break a line. */
function mayCut(text: string, at: number): boolean {
	const before = text[at - 1];
	if (before !== " " && before !== "\n") return false;
	return !/[\s\\]/.test(text[at - 2]!) && /[\p{L}\p{N}]/u.test(text[at]!);
}

/** Moves a place out of the middle of a pair of surrogates. */
function whole(text: string, at: number): number {
	return /[\uDC00-\uDFFF]/.test(text[at] ?? "") ? at - 1 : at;
}
