import { type TemplateResult, html, nothing } from "lit";
import type { Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import type { Conversation } from "../conversation.ts";
import { timeOf } from "../transcript/days.ts";
import { View, define } from "../view.ts";
import { copy } from "./clipboard.ts";
import { copyText } from "./texts.ts";

type Kind = "positive" | "negative";

const THUMBS: Record<Kind, string> = { positive: "thumbs-up", negative: "thumbs-down" };
const COPIED = 2000; // milliseconds that the button says so

/** What the user thinks of answers, by their last item: the server doesn't tell it back. */
const feedbacks = new WeakMap<Conversation, Map<string, Kind>>();

const sameItems = {
	attribute: false,
	hasChanged: (now?: readonly string[], before?: readonly string[]) => String(now) !== String(before),
};

/** What a user can do with an answer, or with a message of theirs (`own`). */
export class Actions extends View {
	static override properties = {
		...View.properties,
		itemIds: sameItems,
		userId: { attribute: false },
		isLast: { attribute: false },
		own: { attribute: false },
		isCopied: { state: true },
		isAsking: { state: true },
		failure: { state: true },
	};
	declare itemIds: readonly string[];
	declare userId: string | null;
	declare isLast: boolean;
	declare own: boolean | undefined;
	declare isCopied: boolean;
	/** Whether the user is asked if later messages may go. */
	declare isAsking: boolean;
	declare failure: string;

	constructor() {
		super();
		this.isCopied = false;
		this.isAsking = false;
		this.failure = "";
	}

	protected override topics(): Topic[] {
		return ["options", "status", "thread"];
	}

	override render() {
		const { chat } = this;
		const { words } = chat;
		const { feedback, retry } = chat.options.threadItemActions ?? {};
		const text = this.text();
		const buttons = [
			text && this.button(this.isCopied ? "check" : "copy", words.text(this.isCopied ? "actions.copied" : "actions.copy"), this.copy, "copy"),
			feedback && !this.own && this.thumb("positive"),
			feedback && !this.own && this.thumb("negative"),
			retry && this.canRetry && this.button("reload", words.text("actions.retry"), this.retry, "retry"),
		].filter(Boolean);
		if (!buttons.length) return nothing;
		return html`<div class="ock-actions" part="actions" role="group" aria-label=${words.text("actions.label")}>
			${buttons} ${this.time()}
			${this.isAsking ? this.question() : nothing}
			<span class="ock-hidden" role="status">${this.isCopied ? words.text("actions.copied") : nothing}</span>
			<span class="ock-failed" role="alert">${this.failure || nothing}</span>
		</div>`;
	}

	private button(sign: string, name: string, act: () => void, part: string): TemplateResult {
		return html`<button
			class="ock-icon-button"
			type="button"
			part=${`action ${part}`}
			aria-label=${name}
			title=${name}
			@click=${act}
		>
			${icon(sign)}
		</button>`;
	}

	private thumb(kind: Kind): TemplateResult {
		const { chat } = this;
		const name = chat.words.text(`actions.${kind}`);
		return html`<button
			class="ock-icon-button"
			type="button"
			part=${`action feedback ${kind}`}
			aria-label=${name}
			aria-pressed=${this.given === kind}
			title=${name}
			@click=${() => this.rate(kind)}
		>
			${icon(THUMBS[kind])}
		</button>`;
	}

	/** Asks before an answer is made again that others follow: they are gone then. */
	private question(): TemplateResult {
		const { words } = this.chat;
		return html`<span class="ock-asking" role="group" aria-label=${words.text("actions.retryLater")}>
			${words.text("actions.retryLater")}
			<button class="ock-push" type="button" @click=${this.retryNow}>${words.text("actions.retry")}</button>
			<button class="ock-push" type="button" @click=${this.retryNot}>${words.text("actions.cancel")}</button>
		</span>`;
	}

	private time() {
		const { chat, itemIds } = this;
		const created = chat.conversation.get(itemIds.at(-1) ?? "")?.created_at;
		const time = created && timeOf(created, chat.words);
		if (!time) return nothing;
		return html`<time class="ock-hour" part="time" datetime=${created} title=${time.long}>${time.short}</time>`;
	}

	/** What can be copied. */
	private text(): string {
		const items = this.itemIds.map((id) => this.chat.conversation.get(id));
		return items
			.map((item) => (item ? copyText(item) : ""))
			.filter(Boolean)
			.join("\n\n");
	}

	private get canRetry(): boolean {
		const { chat, userId, own } = this;
		const status = chat.conversation.thread?.status?.type ?? "active";
		return Boolean(userId) && !own && !chat.status.answering && status === "active";
	}

	private get given(): Kind | undefined {
		return feedbacks.get(this.chat.conversation)?.get(this.itemIds.at(-1) ?? "");
	}

	private set given(kind: Kind | undefined) {
		const { conversation } = this.chat;
		const all = feedbacks.get(conversation) ?? new Map<string, Kind>();
		feedbacks.set(conversation, all);
		const id = this.itemIds.at(-1) ?? "";
		if (kind) all.set(id, kind);
		else all.delete(id);
		this.requestUpdate();
	}

	private async copy(): Promise<void> {
		this.isCopied = await copy(this.text());
		this.failure = this.isCopied ? "" : this.chat.words.text("actions.copyFailed");
		setTimeout(() => {
			this.isCopied = false;
			this.failure = "";
		}, COPIED);
	}

	/** Says what the user thinks; they may change their mind. */
	private async rate(kind: Kind): Promise<void> {
		const before = this.given;
		if (before === kind) return;
		this.given = kind;
		this.failure = "";
		try {
			await this.chat.feedback([...this.itemIds], kind);
		} catch {
			this.given = before;
			this.failure = this.chat.words.text("actions.feedbackFailed");
		}
	}

	private retry(): void {
		if (this.isLast) void this.retryNow();
		else this.isAsking = true;
	}

	private async retryNow(): Promise<void> {
		this.isAsking = false;
		this.failure = "";
		this.closest<HTMLElement>(".ock-row")?.focus({ preventScroll: true });
		try {
			await this.chat.retry(this.userId!);
		} catch (error) {
			const message = error instanceof Error ? error.message : "";
			this.failure = message || this.chat.words.text("actions.retryFailed");
		}
	}

	private async retryNot(): Promise<void> {
		this.isAsking = false;
		await this.updateComplete;
		this.querySelector<HTMLElement>('[part~="retry"]')?.focus();
	}
}

define("ock-actions", Actions);
