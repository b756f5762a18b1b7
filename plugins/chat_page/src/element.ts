// The element: options, methods and events of @openai/chatkit, over a controller.

import type { ChatKitEvents, EventHandler, OpenAIChatKit } from "@openai/chatkit";
import { LitElement, html } from "lit";
import "./views/shell.ts";
import { Controller } from "./controller.ts";
import { examine } from "./option-problems.ts";
import type { OpenChatKitOptions } from "./options.ts";
import type { Attachment, WidgetItem } from "./protocol.ts";
import { copied, isSame } from "./same.ts";
import { styles } from "./styles/index.ts";
import { Theme } from "./theme.ts";

type Message = Parameters<OpenAIChatKit["sendUserMessage"]>[0];
type ComposerValue = Parameters<OpenAIChatKit["setComposerValue"]>[0];
type Action = Parameters<OpenAIChatKit["sendCustomAction"]>[0];

/** The methods of @openai/chatkit, which the compiler holds this class to. */
type Methods = Omit<OpenAIChatKit, keyof HTMLElement>;

/**
 * A chat with a server that speaks ChatKit's protocol.
 *
 * Set its options by `setOptions` or the property `options`. Methods that are called earlier wait for
 * them. Its events don't bubble.
 */
export class OpenChatKit extends LitElement implements Methods {
	static override styles = styles;
	/** Tells the classes of this module from others, also if it is loaded twice. */
	static readonly family = "open-chatkit";
	/** What the page around it may listen to; no part of the API. */
	readonly controller = new Controller((name, detail) => this.tell(name, detail));
	private readonly theme = new Theme(this);
	private given: OpenChatKitOptions | null = null;
	/** What they were, since a page may change its object. */
	private taken: unknown = null;
	private readonly ready: Promise<void>;
	private setReady!: () => void;

	constructor() {
		super();
		this.ready = new Promise((ready) => {
			this.setReady = ready;
		});
		// Words that come from a file may be of another language
		this.controller.subscribe("options", () => this.requestUpdate());
		this.takeProperty("options");
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.theme.connect();
		this.controller.reconnect();
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.theme.disconnect();
		this.controller.disconnect();
	}

	/** The options that were set last; null before. */
	get options(): OpenChatKitOptions | null {
		return this.given;
	}

	set options(options: OpenChatKitOptions | null) {
		if (options) this.setOptions(options);
	}

	/**
	 * Sets all options: those that are left out have their defaults again. If something is wrong with
	 * one, none is taken, and `chatkit.error` says what.
	 */
	setOptions(options: OpenChatKitOptions): void {
		const { wrong, unknown } = examine(options);
		if (wrong.length) {
			this.refuse(wrong);
			return;
		}
		const isFirst = !this.given;
		this.given = options;
		// Frameworks set them again whenever they draw
		if (isSame(options, this.taken)) return;
		this.taken = copied(options);
		for (const name of unknown) console.warn(`open-chatkit: ${name}`);
		this.controller.configure(options);
		this.theme.set(options.theme);
		this.requestUpdate();
		if (isFirst) void this.start(options.initialThread ?? null);
	}

	async focusComposer(): Promise<void> {
		await this.ready;
		this.controller.composer?.focus();
	}

	async setThreadId(threadId: string | null): Promise<void> {
		await this.ready;
		// Pages keep no thread as "" or undefined, too
		await this.controller.open(threadId || null);
	}

	async sendCustomAction(action: Action, itemId?: string): Promise<void> {
		await this.ready;
		const item = itemId ? this.controller.conversation.get(itemId) : undefined;
		// The server knows items that are not loaded here
		const known = item ?? (itemId ? ({ id: itemId } as WidgetItem) : undefined);
		await this.controller.act(action, known as WidgetItem | undefined);
	}

	/** Sends a message. Resolves when the server has it, rejects with why it has not. */
	async sendUserMessage(message: Message): Promise<void> {
		const content = contentOf(message);
		const { toolChoice, model, attachments, reply, newThread } = message;
		await this.ready;
		await this.controller.send({
			content,
			attachments: (attachments ?? []) as Attachment[],
			quotedText: reply ?? null,
			inferenceOptions: {
				...(toolChoice ? { tool_choice: toolChoice } : {}),
				...(model ? { model } : {}),
			},
			newThread: newThread ?? false,
		});
	}

	async setComposerValue(value: ComposerValue): Promise<void> {
		await this.ready;
		await this.updateComplete;
		await this.controller.composer?.set(value as never);
	}

	async showHistory(): Promise<void> {
		await this.ready;
		this.controller.showHistory();
	}

	async hideHistory(): Promise<void> {
		await this.ready;
		this.controller.hideHistory();
	}

	async fetchUpdates(): Promise<void> {
		await this.ready;
		await this.controller.fetchUpdates();
	}

	/** Waits for the frame too, which has the composer. */
	protected override async getUpdateComplete(): Promise<boolean> {
		const isDone = await super.getUpdateComplete();
		await this.renderRoot.querySelector<LitElement>("ock-shell")?.updateComplete;
		return isDone;
	}

	override render() {
		if (!this.given) return null;
		const { words } = this.controller;
		return html`<ock-shell .chat=${this.controller} lang=${words.language} dir=${words.direction}
			aria-label=${this.given.frameTitle ?? words.text("chat.title")} role="region"></ock-shell>`;
	}

	private async start(threadId: string | null): Promise<void> {
		this.requestUpdate();
		await this.updateComplete;
		this.setReady();
		// Frameworks add their listeners after the options
		await drawn();
		this.tell("chatkit.ready");
		// What is wrong is shown, and has been told by `chatkit.error`
		if (threadId) await this.controller.open(threadId).catch(() => {});
	}

	/** Takes a property that was set before the element was defined. */
	private takeProperty(name: "options"): void {
		if (!Object.hasOwn(this, name)) return;
		const value = this[name];
		delete (this as Partial<this>)[name];
		this[name] = value;
	}

	private refuse(wrong: string[]): void {
		const error = new TypeError(`open-chatkit: ${wrong.join("; ")}`);
		console.error(error.message);
		this.tell("chatkit.error", { error });
	}

	private tell(name: string, detail?: unknown): void {
		this.dispatchEvent(new CustomEvent(name, { detail }));
	}
}

export interface OpenChatKit {
	addEventListener<K extends keyof ChatKitEvents>(
		type: K,
		listener: EventHandler<K>,
		options?: boolean | AddEventListenerOptions,
	): void;
	addEventListener(
		type: string,
		listener: EventListenerOrEventListenerObject | null,
		options?: boolean | AddEventListenerOptions,
	): void;
	removeEventListener<K extends keyof ChatKitEvents>(
		type: K,
		listener: EventHandler<K>,
		options?: boolean | EventListenerOptions,
	): void;
	removeEventListener(
		type: string,
		listener: EventListenerOrEventListenerObject | null,
		options?: boolean | EventListenerOptions,
	): void;
}

/** Resolves after the next frame; in a hidden page, which draws none, soon. */
function drawn(): Promise<void> {
	return new Promise((done) => {
		requestAnimationFrame(() => setTimeout(done));
		setTimeout(done, 100);
	});
}

function contentOf(message: Message): never {
	const { text, content, attachments } = message ?? {};
	if (!text && !content?.length && !attachments?.length)
		throw new TypeError("open-chatkit: sendUserMessage needs `text`, `content` or `attachments`");
	return (content ?? (text ? [{ type: "input_text", text }] : [])) as never;
}
