// How a line of markdown begins a block. No pattern backtracks: a hostile line costs its length.

export type Align = "left" | "center" | "right" | null;

export const QUOTE = /^ {0,3}> ?/;
export const MARKER = /^ {0,3}([-+*]|(\d{1,9})[.)])(?= |$)/;
export const TASK = /^\[([ xX])\] /;
export const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
export const UNDERLINE = /^ {0,3}(?:=+|-+)[ \t]*$/;
export const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
export const FENCE_END = /^ {0,3}(`{3,}|~{3,})[ \t]*$/;
export const MATH = /^ {0,3}(\$\$|\\\[)(.*)$/;
export const FOOTNOTE = /^ {0,3}\[\^([^\]\s]{1,100})\]: ?/;
export const DETAILS = /^ {0,3}<details( open)?>/i;
export const DETAILS_END = /^ {0,3}<\/details>[ \t]*$/i;

const DEFINITION = /^ {0,3}\[((?:[^\]\\]|\\.){1,300})\]:[ \t]*(<[^>]*>|\S+)(?:[ \t]+("[^"]*"|'[^']*'|\([^)]*\)))?[ \t]*$/;
const DELIMITER = /^:?-+:?$/;
const LEAD = /^(?:[ \t>*+-]|\d{1,9}[.)])*/;
const MARKERS_ONLY = /^[\s>]*(?:[-+*_=#|:~`<$\\[]+|\d{1,9}[.)]?|[-+*] \[[ xX]?\]?)?$/;
const OPEN_TAG = /^[\s>]*<[/!a-z][^>]{0,200}$/i;
const OPEN_LABEL = /^\[(?:[^\]]{0,100}|[^\]^][^\]]{0,99}\](?::.*)?)$/;

/**
 * Says that the beginning of a line does not tell yet what it will be, so that nothing is drawn that
 * becomes something else with the next letter.
 */
export function undecided(line: string): boolean {
	if (line.length > 1000) return false;
	const text = line.trim();
	return [MARKERS_ONLY, OPEN_TAG, OPEN_LABEL].some((pattern) => pattern.test(text));
}

/** Returns a line whose leading tabs are spaces. */
export function expanded(line: string): string {
	const lead = line.match(LEAD)![0];
	if (!lead.includes("\t")) return line;
	let out = "";
	for (const letter of lead) out += letter === "\t" ? " ".repeat(4 - (out.length % 4)) : letter;
	return out + line.slice(lead.length);
}

/** Returns labels as they are compared. */
export function label(text: string): string {
	return text.trim().replace(/\s+/g, " ").toLowerCase();
}

export function heading(line: string): { level: number; text: string; from: number } | null {
	const found = line.match(/^ {0,3}(#{1,6})(?=[ \t]|$)[ \t]*/);
	if (!found) return null;
	let end = line.trimEnd().length;
	let marks = end;
	while (marks > 0 && line[marks - 1] === "#") marks--;
	if (/[ \t]/.test(line[marks - 1] ?? " ") || marks <= found[0].length) end = marks;
	const from = found[0].length;
	return { level: found[1]!.length, text: line.slice(from, Math.max(from, end)).trimEnd(), from };
}

/** Reads `<summary>text</summary>`. */
export function summary(line: string): { text: string; from: number } | null {
	const from = line.match(/^ {0,3}<summary>/i)?.[0].length;
	if (!from) return null;
	const end = line.toLowerCase().indexOf("</summary>", from);
	if (end < 0) return { text: line.slice(from), from };
	return line.slice(end + 10).trim() ? null : { text: line.slice(from, end), from };
}

/** Reads `[label]: address "title"`. */
export function definition(line: string): { name: string; url: string; title: string } | null {
	const found = line.match(DEFINITION);
	if (!found || found[1]!.trim() === "" || found[1]!.startsWith("^")) return null;
	const url = found[2]!.startsWith("<") ? found[2]!.slice(1, -1) : found[2]!;
	return { name: label(found[1]!), url, title: found[3]?.slice(1, -1) ?? "" };
}

/** Reads the line below a table's head, such as `|:--|--:|`. */
export function delimiters(line: string): Align[] | null {
	if (!line.includes("-") || !(line.includes("|") || line.includes(":"))) return null;
	if (!/^[\s|:-]*$/.test(line)) return null;
	const found = cells(line).map((cell) => cell.trim());
	if (!found.every((cell) => DELIMITER.test(cell))) return null;
	return found.map((cell) => {
		const [left, right] = [cell.startsWith(":"), cell.endsWith(":")];
		return left && right ? "center" : left ? "left" : right ? "right" : null;
	});
}

/** Splits a row of a table. */
export function cells(row: string): string[] {
	const text = row.trim();
	const found: string[] = [];
	let cell = "";
	for (let at = text.startsWith("|") ? 1 : 0; at < text.length; at++) {
		const letter = text[at]!;
		if (letter === "\\" && text[at + 1] === "|") cell += text[++at];
		else if (letter === "\\" && at + 1 < text.length) cell += letter + text[++at];
		else if (letter === "|") {
			found.push(cell.trim());
			cell = "";
		} else cell += letter;
	}
	if (cell.trim() || !text.endsWith("|")) found.push(cell.trim());
	return found;
}

/** Copies a piece of a text: engines let pieces keep the whole text in memory. */
export function detached(text: string): string {
	return ` ${text}`.slice(1);
}
