import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseHTML } from "linkedom";
import { marked } from "marked";
import { Drawing } from "../src/markdown/drawing.ts";
import type { Mark } from "../src/markdown/ink.ts";
import { Words } from "../src/words.ts";

Object.assign(globalThis, {
	document: parseHTML("<html><body></body></html>").document,
	requestAnimationFrame: (frame: () => void) => setTimeout(frame),
});

function newDrawing(): Drawing {
	const drawing = new Drawing();
	drawing.ink.words = new Words("en");
	return drawing;
}

function all(drawing: Drawing, text: string, more: boolean, marks: Mark[] = []): void {
	while (!drawing.draw(text, more, marks, 0));
}

/** Draws a text at once. */
function whole(text: string, marks: Mark[] = []): string {
	const drawing = newDrawing();
	all(drawing, text, false, marks);
	return html(drawing);
}

/** Draws a text as it comes in pieces. */
function streamed(text: string, cuts: number[], marks: Mark[] = []): string {
	const drawing = newDrawing();
	for (const cut of cuts.map((part) => Math.floor(part * text.length)).sort((a, b) => a - b))
		all(drawing, text.slice(0, cut), true, marks);
	all(drawing, text, false, marks);
	return html(drawing);
}

function html(drawing: Drawing): string {
	// Next to each other, text nodes are one text
	return (drawing.node as unknown as { innerHTML: string }).innerHTML;
}

const PIECES = [
	"word", "two words", " ", " ", "\n", "\n", "\n\n", "\n\n", "\n    ", "\n  ", "\t", "- ", "* ", "1. ", "2) ",
	"- [ ] ", "- [x] ", "> ", "# ", "## ", "###### x #", "---", "===", "***", "```", "```js\n", "~~~\n", "    code",
	"`", "``", "*", "**", "_", "__", "~~", "~", "\\", "\\*", "[", "]", "(", ")", "](", "![", "[a](http://x.yz \"t\")",
	"![i](data:image/png;base64,AA)", "[a]", "[a]: http://x.yz\n", "[a]: http://other.yz 'T'\n", "[^1]", "[^1]: note\n",
	"[^n]: more\n", "https://x.yz/a_b", "<https://x.yz>", "a@b.cd", "|", "| a | b |\n", "|--|:-:|\n", "| c | `d` |\n",
	"a|b\n-|-\n", "$", "$$", "$x^2$", "$5", "\\(", "\\)", "\\[", "\\]", "$$\nx\n$$\n", "<b>", "</b>", "<br>", "<sub>", "<x y>",
	"<!-- c -->", "<details>\n", "<details open><summary>s</summary>\n", "</details>\n", "<summary>t</summary>\n",
	"&amp;", "&#1", ";", "\r\n", "\0", "😀", "\ud800", "ש", "\u202e", "⸬", "x".repeat(300), "lorem ipsum ".repeat(80),
];
const texts = fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join(""));
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

test("a streamed text is drawn like a whole one", () => {
	fc.assert(
		fc.property(texts, cuts, (text, places) => {
			assert.equal(streamed(text, places), whole(text));
		}),
		{ numRuns: Number(process.env.RUNS ?? 500) },
	);
});

const LIKE_MARKED = [
	"Hello **world** and *it* ~~no~~\n\n- a\n- b\n  - c\n  - d\n\n    para\n- e\n\n1. x\n2. y",
	"> q\n> w\nlazy\n\nafter", "> > a\n> b\n\nc", "> a\n>\n> b\n\n> c", "text\n> q", "para\n- list\n- list2\ntext lazy\n\nafter",
	"1. a\n\n   b\n2. c", "- a\n\n  - b\n\n\n  - c\n- d", "***\n---\n___\n- - -\n", "1985. A great\ntext\n1985. no list",
	"a\n1. b", "* a\n + b\n  - c", "a  \nb\\\nc", "10) a\n11) b", "`a``b` ``c`d``", "- a\n- b\n\n- c", "2. a\n3. b\n- c",
	"* * a", "- - x\n  - y\n- z", "a\n\n\n\nb", "- a\n\n\tb", "- a\n\nb\n- c", "1. a\n   - b\n\n     c\n2. d", "<b>x</b> y<br>z",
	"- one\n\n two", "   > > 1.  one\n>>\n>>     two", "- a\n - b\n  - c\n   - d\n    - e", "1. a\n\n  2. b",
	"*a **b* c**", "***a** b*", "a_b_c _d_", "**a** *b*_c_", "[a](http://x.yz/) [b]( http://x.yz/ )", "1. a\n1. b\n\n\n1. c",
];

test("a text goes on after its end, as after a lost connection", () => {
	fc.assert(
		fc.property(texts, cuts, (text, places) => {
			const drawing = newDrawing();
			for (const cut of places.map((part) => Math.floor(part * text.length)).sort((a, b) => a - b))
				if (drawing.goesOnWith(text.slice(0, cut))) all(drawing, text.slice(0, cut), false);
			if (!drawing.goesOnWith(text)) return;
			all(drawing, text, false);
			assert.equal(html(drawing), whole(text));
		}),
		{ numRuns: Number(process.env.RUNS ?? 300) },
	);
});

test("the first text of a list or quote gives it its direction", () => {
	assert.equal(whole("- a\n- b"), '<ul dir="auto"><li><p>a</p></li><li><p dir="auto">b</p></li></ul>');
	assert.equal(whole("> a\n>\n> b"), '<blockquote dir="auto"><p>a</p><p dir="auto">b</p></blockquote>');
	assert.equal(whole("a"), '<p dir="auto">a</p>');
});

test("blocks and emphasis are those that marked sees", () => {
	const bare = (text: string) =>
		text
			.replace(/ (?:dir|class|target|rel)="[^"]*"/g, "")
			.replace(/<\/?p>/g, " ")
			.replace(/\s+/g, " ")
			.replace(/ ?(<\/?(?:ul|ol|li|blockquote|hr|br)\b[^>]*>) ?/g, "$1")
			.trim();
	for (const text of LIKE_MARKED)
		assert.equal(bare(whole(text)), bare(marked.parse(text, { async: false })), text);
});

test("marks come where they belong, in any piece of the text", () => {
	const text = "First **point.** Second\n\n- an item\n- `code` here\n\n| a | b |\n|--|--|\n| c | d |\n\n```js\nx\n```\n";
	fc.assert(
		fc.property(fc.array(fc.nat(text.length), { maxLength: 5 }), cuts, (indexes, places) => {
			const marks = (): Mark[] =>
				indexes.map((index, number) => {
					const node = document.createElement("cite");
					node.textContent = String(number);
					return { index, node };
				});
			const expected = whole(text, marks());
			assert.equal(expected.match(/<cite>/g)?.length ?? 0, indexes.length);
			assert.equal(streamed(text, places, marks()), expected);
		}),
	);
	const cite = document.createElement("cite");
	assert.match(whole(text, [{ index: 16, node: cite }]), /<strong>point\.<\/strong><cite><\/cite> Second/);
});

test("half-written syntax is not shown", () => {
	for (const [half, shown] of [
		["a **bo", "a <strong>bo</strong>"], ["a **bold*", "a <strong>bold</strong>"], ["a **", "a "], ["a *i **b", "a <em>i <strong>b</strong></em>"],
		["see [the te", "see "], ["see [it](http://x.y", "see "], ["see ![pic](htt", "see "], ["run `npm i", "run <code dir=\"auto\">npm i</code>"],
		["run `", "run "], ["x <su", "x "], ["x &am", "x "], ["x \\(a^2", "x "], ["is $x^", "is "], ["costs $5 and", "costs $5 and"],
		["a ~~b", "a <del>b</del>"], ["a_b", "a_b"], ["2 * 3", "2 * 3"], ["text\n| a | b |", "text"],
	] as const)
		assert.equal(tail(half), `<p dir="auto">${shown}</p>`, half);
	for (const half of ["-", "1.", "#", "```", "| a", "[1]: http://x", "<det", "- [", "$$\nx^2"])
		assert.doesNotMatch(tail(half).replace(/<[^>]*>/g, ""), /\S/, half);
});

function tail(text: string): string {
	const drawing = newDrawing();
	all(drawing, text, true);
	return html(drawing);
}
