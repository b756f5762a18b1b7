import { html } from "lit";
import type { Topic } from "../chat.ts";
import { View, define } from "../view.ts";
import { Drawing } from "./drawing.ts";
import { pace } from "./frames.ts";
import type { Mark } from "./ink.ts";
import { deepLink } from "./urls.ts";

export type { Mark };

export interface MarkdownOptions {
	/** What is shown at places of the text. Keep the same object for the same mark. */
	marks?: readonly Mark[];
	/** The level of the highest heading; 3 by default, since the page and the chat have titles. */
	heading?: number;
}

/** Letters of a text that is drawn at once, so that it never shows half. */
const SHORT = 1500;

/**
 * Text in markdown. `streaming` says that more of it will come: then what is half written is not
 * shown. Only what is new is drawn, and a long text is drawn in slices.
 */
export class Markdown extends View {
	static override properties = {
		...View.properties,
		value: { attribute: false },
		streaming: { attribute: false },
		options: { attribute: false },
	};
	declare value: string;
	declare streaming: boolean;
	declare options: MarkdownOptions | undefined;
	private drawing: Drawing | null = null;
	private settings = "";
	private done = true;
	private next: Promise<void> | null = null;

	protected override topics(): Topic[] {
		return ["options"];
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.addEventListener("click", this.follow);
	}

	/** Draws at most once for each frame, however many pieces of text arrive. */
	protected override async scheduleUpdate(): Promise<void> {
		if (this.next) await this.next;
		await super.scheduleUpdate();
	}

	override render() {
		const drawing = this.drawn();
		return html`${drawing.node}`;
	}

	private drawn(): Drawing {
		const text = String(this.value ?? "");
		const drawing = this.drawingFor(text);
		const start = performance.now();
		const marks = this.options?.marks ?? [];
		const until = text.length <= SHORT ? Infinity : pace.until;
		this.done = drawing.draw(text, !!this.streaming, marks, until);
		pace.took(performance.now() - start);
		this.next = this.done && !this.streaming ? null : pace.rest();
		return drawing;
	}

	protected override updated(): void {
		if (!this.done) this.requestUpdate();
	}

	private drawingFor(text: string): Drawing {
		const { options, conversation, words } = this.chat;
		const domains = [
			...(options.allowedImageDomains ?? []),
			...(conversation.thread?.allowed_image_domains ?? []),
		];
		const top = this.options?.heading ?? 3;
		const settings = JSON.stringify([domains, top, words.locale]);
		if (this.drawing?.goesOnWith(text) && this.settings === settings) return this.drawing;
		this.drawing?.dispose();
		this.settings = settings;
		this.drawing = new Drawing();
		Object.assign(this.drawing.ink, { domains, top, words });
		this.drawing.node.className = "ock-text";
		return this.drawing;
	}

	/** A `chatkit-link://` is for the page around the chat. */
	private readonly follow = (event: Event): void => {
		const anchor = (event.target as Element).closest?.("a[href]");
		const link = deepLink(anchor?.getAttribute("href") ?? "");
		if (!link) return;
		event.preventDefault();
		this.chat.emit("chatkit.deeplink", link);
	};
}

define("ock-markdown", Markdown);
