// A card that says more about what the pointer or the focus is on.

import { noChange, render } from "lit";
import { AsyncDirective } from "lit/async-directive.js";
import { type ElementPart, directive } from "lit/directive.js";

type Content = unknown | Promise<unknown>;

const AFTER = 250; // milliseconds that the pointer has to rest
const GAP = 6; // pixels
let cards = 0;
/** The one card that is shown. */
let shown: HoverCard | null = null;

class HoverCard extends AsyncDirective {
	private anchor: HTMLElement | null = null;
	private content: () => Content = () => null;
	private card: HTMLElement | null = null;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private ends = new AbortController();
	private showing = new AbortController();

	override render(_content: () => Content) {
		return noChange;
	}

	override update(part: ElementPart, [content]: [() => Content]) {
		this.content = content;
		if (!this.anchor) this.listen(part.element as HTMLElement);
		return noChange;
	}

	protected override disconnected(): void {
		this.hide();
		this.ends.abort();
	}

	protected override reconnected(): void {
		if (this.anchor) this.listen(this.anchor);
	}

	private listen(anchor: HTMLElement): void {
		this.anchor = anchor;
		this.ends = new AbortController();
		const { signal } = this.ends;
		const on = (type: string, listener: (event: Event) => void) =>
			anchor.addEventListener(type, listener, { signal });
		on("pointerenter", () => this.later(() => void this.show()));
		on("pointerleave", () => this.later(() => this.hide()));
		on("focus", () => anchor.matches(":focus-visible") && void this.show());
		on("blur", () => this.hide());
		on("click", () => (anchor.localName === "button" ? void this.show() : this.hide()));
		on("keydown", (event) => {
			if ((event as KeyboardEvent).key !== "Escape" || !this.card) return;
			event.stopPropagation();
			this.hide();
		});
	}

	private later(work: () => void): void {
		clearTimeout(this.timer);
		this.timer = setTimeout(work, AFTER);
	}

	private async show(): Promise<void> {
		clearTimeout(this.timer);
		const { anchor } = this;
		if (this.card || !anchor) return;
		shown?.hide();
		shown = this;
		const card = (this.card = document.createElement("div"));
		const content = await Promise.resolve(this.content()).catch(() => null);
		// Nothing to show, or nobody looks any more
		if (content == null || this.card !== card || !anchor.isConnected) {
			if (this.card === card) this.card = null;
			return;
		}
		card.className = "ock-card";
		card.id = `ock-card-${++cards}`;
		card.setAttribute("part", "card");
		card.setAttribute("role", "tooltip");
		card.popover = "manual";
		card.addEventListener("pointerenter", () => clearTimeout(this.timer));
		card.addEventListener("pointerleave", () => this.later(() => this.hide()));
		render(content, card);
		anchor.after(card);
		anchor.setAttribute("aria-describedby", card.id);
		card.showPopover?.();
		place(card, anchor);
		const sizes = new ResizeObserver(() => place(card, anchor));
		sizes.observe(card);
		this.showing = new AbortController();
		const { signal } = this.showing;
		signal.addEventListener("abort", () => sizes.disconnect());
		// The focus itself may have scrolled to the anchor
		const follow = () => (isInView(anchor) ? place(card, anchor) : this.hide());
		// What scrolls in the chat does not tell the page
		for (const target of [window, anchor.getRootNode()])
			target.addEventListener("scroll", follow, { signal, capture: true });
	}

	hide(): void {
		clearTimeout(this.timer);
		this.showing.abort();
		this.card?.remove();
		this.card = null;
		this.anchor?.removeAttribute("aria-describedby");
	}
}

function isInView(anchor: HTMLElement): boolean {
	const { top, bottom } = anchor.getBoundingClientRect();
	const box = anchor.closest(".ock-reel")?.getBoundingClientRect();
	return bottom > (box?.top ?? 0) && top < (box?.bottom ?? innerHeight);
}

/** Puts a card above or below its anchor, where there is room. */
function place(card: HTMLElement, anchor: HTMLElement): void {
	const { left, top, bottom } = anchor.getBoundingClientRect();
	const { offsetWidth: width, offsetHeight: height } = card;
	const isAbove = bottom + GAP + height > innerHeight && top - GAP - height > 0;
	card.style.top = `${isAbove ? top - GAP - height : bottom + GAP}px`;
	card.style.left = `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`;
}

/**
 * Shows `content()` beside a tag while the pointer or the focus is there: `<a ${hoverCard(() => …)}>`.
 * A promise may give it later; null shows nothing.
 */
export const hoverCard = directive(HoverCard);
