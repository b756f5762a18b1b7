// A button beside text that the user has selected in the conversation: to reply to it.

import { html, nothing } from "lit";
import type { Topic } from "../chat.ts";
import type { Conversation } from "../conversation.ts";
import { View, define, styled } from "../view.ts";
import * as glyphs from "./glyphs.ts";
import { isTouch } from "./touch.ts";

interface Quote {
	text: string;
	/** Where the button goes, in pixels from the upper left corner of the chat. */
	x: number;
	y: number;
}

const LONGEST = 5000; // characters that go with a message
const HEIGHT = 40; // pixels of the button, and some room
const REST = 300; // milliseconds

export class Quoter extends View {
	static override properties = { ...View.properties, quote: { state: true } };
	declare private quote: Quote | null;
	onQuote: (text: string) => void = () => {};
	private conversation: Conversation | null = null;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private leaving = new AbortController();

	constructor() {
		super();
		this.quote = null;
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.leaving = new AbortController();
		const { signal } = this.leaving;
		const look = () => this.look();
		document.addEventListener("selectionchange", () => this.selectionChanged(), { signal });
		// Not while the user drags
		this.host.addEventListener("pointerup", () => setTimeout(look), { signal });
		this.host.addEventListener("keyup", look, { signal });
		// Events of scrolling stay within the shadow root
		this.getRootNode().addEventListener("scroll", look, { signal, capture: true });
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.leaving.abort();
	}

	protected override topics(): Topic[] {
		return ["thread"];
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		super.willUpdate(changed);
		const { conversation } = this.chat;
		if (conversation !== this.conversation) this.quote = null;
		this.conversation = conversation;
	}

	/** Handles of phones move a selection without a pointer: it is looked at when it rests. */
	private selectionChanged(): void {
		if (!this.quote && !isTouch()) return;
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.look(), isTouch() ? REST : 0);
	}

	override render() {
		if (!this.quote) return nothing;
		const { text, x, y } = this.quote;
		const { words } = this.chat;
		return html`<button type="button" class="ock-quoter" part="quote-button"
			${styled({ left: `${x}px`, top: `${y}px` })}
			@mousedown=${(event: Event) => event.preventDefault()}
			@click=${() => this.take(text)}>${glyphs.quote} ${words.text("composer.reply")}</button>`;
	}

	private take(text: string): void {
		this.quote = null;
		this.onQuote(text);
	}

	private look(): void {
		const { status } = this.chat.conversation.thread ?? {};
		const canReply = !status || status.type === "active";
		this.quote = canReply ? selectedQuote(this.host) : null;
	}

	private get host(): HTMLElement {
		return (this.getRootNode() as ShadowRoot).host as HTMLElement;
	}
}

/** Returns what is selected inside of the transcript of a chat, or null. */
function selectedQuote(host: HTMLElement): Quote | null {
	const root = host.shadowRoot!;
	const selection = selectionIn(root);
	const text = selection?.toString().trim() ?? "";
	if (!text || !selection?.rangeCount) return null;
	const range = rangeIn(selection, root);
	// A triple click ends at the beginning of what comes next
	const isWithin = isSaid(range.endContainer) || range.endOffset === 0;
	if (!isSaid(range.startContainer) || !isWithin) return null;
	const lines = linesOf(range);
	// The phone's own menu is above the selection
	const box = isTouch() ? lines.at(-1) : lines[0];
	const view = root.querySelector(".ock-reel")?.getBoundingClientRect();
	if (!box || !view || box.bottom < view.top || box.top > view.bottom) return null;
	const frame = host.getBoundingClientRect();
	const y = (isTouch() ? box.bottom + HEIGHT / 2 : box.top - HEIGHT) - frame.top;
	return {
		text: text.slice(0, LONGEST),
		x: Math.min(Math.max((box.left + box.right) / 2 - frame.left, 60), frame.width - 60),
		y: Math.max(y, 4),
	};
}

type Composed = Selection & {
	getComposedRanges?: (options: { shadowRoots: ShadowRoot[] }) => StaticRange[];
};

/** Chromium tells only a shadow root what is selected in it. */
function selectionIn(root: ShadowRoot): Composed | null {
	const own = root as ShadowRoot & { getSelection?: () => Selection | null };
	return own.getSelection?.() ?? document.getSelection();
}

function rangeIn(selection: Composed, root: ShadowRoot): AbstractRange {
	const composed = selection.getComposedRanges?.({ shadowRoots: [root] })[0];
	return composed ?? selection.getRangeAt(0);
}

function isSaid(node: Node): boolean {
	const element = node instanceof Element ? node : node.parentElement;
	return !!element?.closest("ock-transcript") && !element.closest("input, textarea, select, button");
}

function linesOf({ startContainer, startOffset, endContainer, endOffset }: AbstractRange): DOMRect[] {
	const range = document.createRange();
	range.setStart(startContainer, startOffset);
	range.setEnd(endContainer, endOffset);
	return [...range.getClientRects()];
}

define("ock-quoter", Quoter);
