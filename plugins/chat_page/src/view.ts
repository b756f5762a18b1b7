// What all views share.

import { LitElement, noChange } from "lit";
import { Directive, type ElementPart, type PartInfo, PartType, directive } from "lit/directive.js";
import type { Chat, Topic } from "./chat.ts";

/**
 * A part of the chat. It renders into the host's one shadow tree, so that ids, labels, `part` and
 * slots work across all views.
 */
export abstract class View extends LitElement {
	static override properties = { chat: { attribute: false } };
	declare chat: Chat;
	private ends: (() => void)[] = [];

	/** The topics whose changes render this view again. */
	protected topics(): Topic[] {
		return [];
	}

	protected override createRenderRoot(): HTMLElement {
		return this;
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.listen();
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.ends.forEach((end) => end());
		this.ends = [];
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		if (changed.has("chat")) this.listen();
	}

	/** Listens to `topics()`; call it again if they are others now. */
	protected listen(): void {
		this.ends.forEach((end) => end());
		const again = () => this.requestUpdate();
		this.ends = this.chat ? this.topics().map((topic) => this.chat.subscribe(topic, again)) : [];
	}
}

/** Defines an inner element once, also if the module is loaded twice. */
export function define(name: `ock-${string}`, view: CustomElementConstructor): void {
	if (!customElements.get(name)) customElements.define(name, view);
}

export type Styles = Record<string, string | number | null | undefined>;

class Styled extends Directive {
	private before: Styles = {};

	constructor(part: PartInfo) {
		super(part);
		if (part.type !== PartType.ELEMENT) throw Error("styled() goes into a tag");
	}

	override render(_styles: Styles) {
		return noChange;
	}

	override update(part: ElementPart, [styles]: [Styles]) {
		const { style } = part.element as HTMLElement;
		for (const name of Object.keys(this.before))
			if (styles[name] == null) style.removeProperty(name);
		for (const [name, value] of Object.entries(styles))
			if (value != null && value !== this.before[name]) style.setProperty(name, String(value));
		this.before = { ...styles };
		return noChange;
	}
}

/**
 * Sets styles of an element: `<div ${styled({ "max-width": "10px" })}>`. Through the CSSOM, since a
 * strict Content-Security-Policy forbids `style` attributes.
 */
export const styled = directive(Styled);
