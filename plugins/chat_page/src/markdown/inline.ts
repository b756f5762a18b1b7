// Draws what is inside of a paragraph, a heading or a cell. Elements are made one by one from what
// marked read: no text is ever parsed as HTML. Tags that only format are drawn without their
// attributes; others are shown as the text that they are.

import { Lexer, Marked, type Token, type Tokens } from "marked";
import { decoded } from "./entities.ts";
import { type Ink, type Mark } from "./ink.ts";
import { formula, readMath } from "./math.ts";
import { label } from "./lines.ts";
import { misleadingHost, safeImage, safeLink } from "./urls.ts";

const FORMATS = new Set(
	"abbr b bdi cite code del dfn em i ins kbd mark q s samp small strong sub sup u var".split(" "),
);
/** Tags that are not drawn, though what is in them is. */
const DROPPED = /^(?:span|font|center|div|p|section|article|header|footer|main|nav|aside|figure|figcaption|big|tt|strike|table|thead|tbody|tfoot|tr|td|th|ul|ol|li|dl|dt|dd|h[1-6]|blockquote|pre|picture|source|wbr|details|summary|nobr)$/;
const INLINE = /^(?:span|font|big|tt|strike|wbr|nobr)$/;
/** Ever more elements in each other would make the browser slow. */
const DEEPEST = 20;
const TAG = /^<(\/?)([a-z][a-z0-9-]*)(?=[\s/>])/i;

const marked = new Marked({
	gfm: true,
	extensions: [
		{ name: "math", level: "inline", start: mathStart, tokenizer: readMath },
		{ name: "note", level: "inline", start: (text) => text.indexOf("[^"), tokenizer: readNote },
	],
});

function mathStart(text: string): number {
	return text.search(/\$|\\[([]/);
}

function readNote(source: string): Tokens.Generic | undefined {
	const found = source.match(/^\[\^([^\]\s]{1,100})\]/);
	return found ? { type: "note", raw: found[0], label: label(found[1]!) } : undefined;
}

/** Draws a piece of text. `sentinel` stands where the marks go, one after the other. */
export function drawInline(source: string, ink: Ink, marks: readonly Mark[], sentinel: string): Node[] {
	const lexer = new Lexer({ ...marked.defaults });
	lexer.tokens.links = ink.links;
	const drawer = new Drawer(ink, marks, sentinel);
	const fragment = document.createDocumentFragment();
	drawer.tokens(lexer.inlineTokens(source.replaceAll("\0", "\ufffd")), fragment);
	drawer.remaining(fragment);
	return [...fragment.childNodes];
}

class Drawer {
	private next = 0;
	private depth = 0;
	private inLink = false;

	constructor(
		private readonly ink: Ink,
		private readonly marks: readonly Mark[],
		private readonly sentinel: string,
	) {}

	tokens(tokens: readonly Token[], into: Node): void {
		const open: { name: string; node: Node }[] = [];
		for (const token of tokens) {
			const node = open.at(-1)?.node ?? into;
			if (token.type === "html") this.tag(token.raw, node, open);
			else this.token(token as Tokens.Generic, node);
		}
	}

	/** Places the marks whose places were in something that is not shown. */
	remaining(into: Node): void {
		for (; this.next < this.marks.length; this.next++) into.appendChild(this.marks[this.next]!.node);
	}

	private token(token: Tokens.Generic, into: Node): void {
		switch (token.type) {
			case "strong":
			case "em":
			case "del":
				return this.emphasis(token, into);
			case "codespan":
				return this.text(token.text, this.element("code", into, { dir: "auto" }));
			case "br":
				into.appendChild(document.createElement("br"));
				return;
			case "link":
				return this.link(token, into);
			case "image":
				return this.image(this.clean(token.href), this.clean(token.text), this.clean(token.title), into);
			case "math":
				into.appendChild(formula(this.clean(token.text), token.display, this.ink.words));
				return;
			case "note":
				return this.note(token, into);
			case "text":
				if (token.tokens?.length) return this.tokens(token.tokens, into);
				return this.text(decoded(token.text), into);
			default:
				this.text(token.text ?? token.raw, into);
		}
	}

	private emphasis(token: Tokens.Generic, into: Node): void {
		const deeper = ++this.depth <= DEEPEST;
		this.tokens(token.tokens ?? [], deeper ? this.element(token.type, into, {}) : into);
		this.depth--;
	}

	private element(name: string, into: Node, attributes: Record<string, string>): HTMLElement {
		const element = document.createElement(name);
		for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
		return into.appendChild(element);
	}

	private text(text: string, into: Node): void {
		const [first, ...rest] = this.sentinel ? text.split(this.sentinel) : [text];
		if (first) into.appendChild(document.createTextNode(first));
		for (const part of rest) {
			const mark = this.marks[this.next++];
			if (mark) into.appendChild(mark.node);
			if (part) into.appendChild(document.createTextNode(part));
		}
	}

	/** Removes sentinels from what is not shown as text. */
	private clean(text: string | null | undefined): string {
		return decoded(this.sentinel ? (text ?? "").replaceAll(this.sentinel, "") : (text ?? ""));
	}

	private link(token: Tokens.Generic, into: Node): void {
		const href = safeLink(this.clean(token.href));
		if (!href || this.inLink) return this.tokens(token.tokens ?? [], into);
		const anchor = this.anchor(href, this.clean(token.title), into);
		this.inLink = true;
		this.tokens(token.tokens ?? [], anchor);
		this.inLink = false;
		this.realHost(anchor, href);
	}

	private anchor(href: string, title: string, into: Node): HTMLElement {
		const leaves = !href.startsWith("chatkit-link:");
		const target: Record<string, string> = leaves
			? { target: "_blank", rel: "noopener noreferrer" }
			: {};
		const about: Record<string, string> = title ? { title } : {};
		return this.element("a", into, { href, ...target, ...about });
	}

	private realHost(anchor: HTMLElement, href: string): void {
		const host = misleadingHost(anchor.textContent ?? "", href);
		if (!host) return;
		const shown = this.element("bdi", anchor, { class: "ock-host" });
		shown.textContent = ` (${host})`;
	}

	private image(source: string, alt: string, title: string, into: Node): void {
		const src = safeImage(source, this.ink.domains);
		if (src) {
			const about: Record<string, string> = title ? { title } : {};
			const how = { loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" };
			this.element("img", into, { alt, ...how, ...about, src });
			return;
		}
		const href = this.inLink ? null : safeLink(source);
		if (!href) return this.text(alt, into);
		const anchor = this.anchor(href, title, into);
		anchor.textContent = alt.trim() || href;
		this.realHost(anchor, href);
	}

	private note(token: Tokens.Generic, into: Node): void {
		const note = this.ink.noteOf(token.label);
		if (!note) return this.text(token.raw, into);
		const label = this.ink.words.text("markdown.footnote", { number: note.number });
		const button = this.element("button", this.element("sup", into, {}), {
			type: "button",
			class: "ock-note-mark",
			"aria-label": label,
		});
		button.textContent = String(note.number);
		button.addEventListener("click", () => goTo(this.ink.noteOf(token.label)?.element, button));
	}

	private tag(raw: string, into: Node, open: { name: string; node: Node }[]): void {
		if (raw.startsWith("<!--")) return;
		const found = raw.match(TAG);
		const name = found?.[2]!.toLowerCase() ?? "";
		if (name === "br") into.appendChild(document.createElement("br"));
		else if (name === "img" && !found![1]) this.rawImage(raw, into);
		else if (name === "a") this.rawLink(raw, !!found![1], into, open);
		else if (FORMATS.has(name)) this.format(name, !!found![1], into, open);
		else if (DROPPED.test(name)) this.text(INLINE.test(name) ? "" : " ", into);
		else this.text(raw, into);
	}

	private format(name: string, ends: boolean, into: Node, open: { name: string; node: Node }[]): void {
		if (!ends) {
			const node = open.length < DEEPEST ? into.appendChild(document.createElement(name)) : into;
			open.push({ name, node });
		} else if (open.some((each) => each.name === name)) while (open.pop()!.name !== name);
	}

	private rawLink(raw: string, ends: boolean, into: Node, open: { name: string; node: Node }[]): void {
		if (ends) return this.format("a", true, into, open);
		const href = safeLink(attribute(raw, "href"));
		const nested = this.inLink || open.some(({ name }) => name === "a");
		open.push({ name: "a", node: href && !nested ? this.anchor(href, href, into) : into });
	}

	private rawImage(raw: string, into: Node): void {
		this.image(attribute(raw, "src"), attribute(raw, "alt"), attribute(raw, "title"), into);
	}
}

function attribute(tag: string, name: string): string {
	for (const [, key, double, single, bare] of tag.matchAll(
		/\s([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/gi,
	))
		if (key!.toLowerCase() === name) return decoded(double ?? single ?? bare ?? "");
	return "";
}

/** Scrolls to a footnote and back. */
export function goTo(element: HTMLElement | undefined, from?: HTMLElement): void {
	if (!element) return;
	element.tabIndex = -1;
	element.focus({ preventScroll: true });
	element.scrollIntoView({ block: "nearest" });
	if (from) origins.set(element, from);
}

/** Where the reader came from to a footnote. */
export const origins = new WeakMap<HTMLElement, HTMLElement>();
