import { html, nothing } from "lit";
import type { Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import type { Thread } from "../protocol.ts";
import { View, define } from "../view.ts";

interface Action {
	icon: string;
	label?: string;
	onClick: () => void;
}

/** The title of the conversation, which can be changed, and buttons. */
export class Header extends View {
	static override properties = { ...View.properties, editing: { state: true }, failed: { state: true } };
	declare editing: boolean;
	/** The conversation whose title could not be changed. */
	declare failed: Thread | null;

	protected override topics(): Topic[] {
		return ["options", "thread", "history"];
	}

	override render() {
		const { options, words, threadId } = this.chat;
		const { header = {}, history } = options;
		return html`<header>
			${
				history?.enabled === false
					? nothing
					: this.button("history", words.text("header.history"), () => this.chat.showHistory())
			}
			${this.action(header.leftAction)}
			${header.title?.enabled === false ? html`<span class="ock-title"></span>` : this.heading()}
			${this.action(header.rightAction)}
			${
				// Also in place of one that is not found
				threadId !== null
					? this.button("compose", words.text("header.new"), () => this.begin())
					: nothing
			}
		</header>
		<div role="alert">${this.failed?.id === threadId ? this.failure(this.failed) : nothing}</div>`;
	}

	private failure(thread: Thread) {
		const { words } = this.chat;
		const title = thread.title ?? words.text("header.untitled");
		return html`<p class="ock-failed" dir="auto">${words.text("history.unchanged", { title })}</p>`;
	}

	private heading() {
		const { options, words, conversation } = this.chat;
		const { thread } = conversation;
		const fixed = options.header?.title?.text;
		const title = fixed ?? thread?.title ?? (thread ? words.text("header.untitled") : "");
		if (this.editing && thread)
			return html`<input class="ock-title" part="title-input" maxlength="200" .value=${thread.title ?? ""}
				aria-label=${words.text("header.title")} @keydown=${this.key} @blur=${this.save} />`;
		if (!title) return html`<span class="ock-title" part="title"></span>`;
		if (fixed !== undefined || !thread || options.history?.showRename === false)
			return html`<h1 class="ock-title" part="title" dir="auto">${title}</h1>`;
		return html`<h1 class="ock-title" part="title">
			<button type="button" class="ock-rename" title=${words.text("header.rename")} @click=${this.edit}>
				<span dir="auto">${title}</span>${icon("write")}
			</button>
		</h1>`;
	}

	private button(name: string, label: string, click: () => void) {
		return html`<button type="button" class="ock-button" part=${`button button-${name.replace("lucide:", "")}`} aria-label=${label}
			title=${label} @click=${click}>${icon(name)}</button>`;
	}

	private action(action: Action | undefined) {
		if (!action) return nothing;
		// Where the page gives no words for it, its icon's name is the best there is
		const label = action.label ?? action.icon.replace("lucide:", "").replaceAll("-", " ");
		return this.button(action.icon, label, action.onClick);
	}

	private begin(): void {
		void this.chat.open(null);
		this.chat.composer?.focus();
	}

	private async edit(): Promise<void> {
		this.editing = true;
		this.failed = null;
		await this.updateComplete;
		this.querySelector("input")?.select();
	}

	private key(event: KeyboardEvent): void {
		if (event.isComposing) return;
		if (event.key === "Enter") {
			event.preventDefault(); // it would press the button that gets the focus
			this.save(event);
		} else if (event.key === "Escape") {
			event.stopPropagation();
			void this.leave();
		}
	}

	private save(event: Event): void {
		if (!this.editing) return;
		const title = (event.target as HTMLInputElement).value.trim();
		const { thread } = this.chat.conversation;
		if (thread && title && title !== thread.title)
			this.chat.rename(thread.id, title).catch(() => {
				this.failed = thread;
			});
		void this.leave(event.type !== "blur");
	}

	/** Ends the edit; the focus goes back to the button, but not away from where the user went. */
	private async leave(focus = true): Promise<void> {
		this.editing = false;
		await this.updateComplete;
		if (focus) this.querySelector<HTMLElement>(".ock-rename")?.focus();
	}
}

define("ock-header", Header);
