import { html } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Topic } from "../chat.ts";
import type { Conversation } from "../conversation.ts";
import { toldText } from "../items/texts.ts";
import { View, define } from "../view.ts";
import { Sentences } from "./sentences.ts";

const EVERY = 1000; // milliseconds between two announcements, so that none is cut off
const KEPT = 5; // announcements that stay, as screen readers may be slow

/** Browsers that can tell screen readers without a text in the document. */
type Notifier = { ariaNotify?: (text: string) => void };

/**
 * Tells screen readers of what is new in a running answer, in whole sentences. Where the browser
 * cannot do that, the sentences are in a live region, a second time in the document.
 */
export class Announcer extends View {
	static override properties = { ...View.properties, told: { state: true } };
	declare told: readonly { key: number; text: string }[];
	private shown: Conversation | null = null;
	private texts = new Map<string, Sentences>();
	private wasAnswering = false;
	private waiting: string[] = [];
	private timer: ReturnType<typeof setTimeout> | undefined;
	private count = 0;
	private watched = "";

	constructor() {
		super();
		this.told = [];
	}

	protected override topics(): Topic[] {
		const ids = this.chat ? this.answer().map(({ id }) => `item:${id}` as const) : [];
		return ["items", "status", "thread", ...ids];
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		clearTimeout(this.timer);
		this.timer = undefined;
	}

	/** The items of the newest answer. */
	private answer() {
		const { items } = this.chat.conversation;
		const from = items.findLastIndex(({ type }) => type === "user_message");
		return items.slice(from + 1);
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		super.willUpdate(changed);
		const { conversation, status } = this.chat;
		if (conversation !== this.shown) this.reset(conversation);
		const items = this.answer();
		const watched = items.map(({ id }) => id).join(" ");
		if (watched !== this.watched) this.listen();
		this.watched = watched;
		for (const item of items) {
			const isOpen = conversation.isOpen(item.id);
			const text = toldText(item, isOpen, this.chat.words);
			// Only texts grow; of all else, one state follows the other
			const key = item.type === "assistant_message" ? item.id : `${item.id} ${text}`;
			const sentences = this.texts.get(key) ?? new Sentences();
			this.texts.set(key, sentences);
			if (status.answering || this.wasAnswering) this.say(sentences.next(text, !isOpen || key !== item.id));
			else sentences.skip(text);
		}
		this.wasAnswering = status.answering;
	}

	private reset(conversation: Conversation): void {
		this.shown = conversation;
		this.texts.clear();
		this.waiting = [];
		this.wasAnswering = false;
		this.told = [];
	}

	private say(text: string): void {
		if (!text) return;
		this.waiting.push(text);
		this.timer ??= setTimeout(() => this.flush(), this.count ? EVERY : 0);
	}

	private flush(): void {
		this.timer = undefined;
		if (!this.waiting.length) return;
		const text = this.waiting.splice(0).join(" ");
		const { ariaNotify } = this as Notifier;
		if (ariaNotify) ariaNotify.call(this, text);
		else this.told = [...this.told, { key: this.count, text }].slice(-KEPT);
		this.count++;
		this.timer = setTimeout(() => this.flush(), EVERY);
	}

	override render() {
		return html`<div class="ock-hidden" part="announcements" aria-live="polite" aria-relevant="additions">
			${repeat(this.told, ({ key }) => key, ({ text }) => html`<p>${text}</p>`)}
		</div>`;
	}
}

define("ock-announcer", Announcer);
