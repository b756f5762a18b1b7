// What screen readers are told of a text that grows: whole sentences and lines.

/** Gives a growing text out in whole sentences, each once. */
export class Sentences {
	private told = 0;

	/** Returns what is new in `text` and whole; if it is `done`, also the rest. */
	next(text: string, done: boolean): string {
		if (text.length < this.told) this.told = 0; // another text has taken its place
		const end = done ? text.length : lastEnd(text, this.told);
		const fresh = text.slice(this.told, end);
		this.told = Math.max(this.told, end);
		return spoken(fresh);
	}

	/** What is there already is not told. */
	skip(text: string): void {
		this.told = text.length;
	}
}

const END = /[.!?…:;][)\]"'”’*_]*\s|[。！？]|\n/g;

function lastEnd(text: string, from: number): number {
	let end = from;
	END.lastIndex = from;
	for (let found = END.exec(text); found; found = END.exec(text)) end = END.lastIndex;
	return end;
}

/** Returns markdown as it is read out: without its signs and addresses. */
export function spoken(markdown: string): string {
	return markdown
		.replace(/^\s*((```|~~~).*|[-:| ]{3,})$/gm, "")
		.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
		.replace(/^\s*(#{1,6}|>|[-*+])\s+/gm, "")
		.replace(/(\*\*|__|~~|`|\*)/g, "")
		.replace(/^\s*\||\|\s*$/gm, "")
		.replace(/\s*\|\s*/g, ", ")
		.replace(/\s+/g, " ")
		.replace(/^[, ]+|[, ]+$/g, "");
}
