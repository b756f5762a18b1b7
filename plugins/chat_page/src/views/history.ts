import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import type { Thread } from "../protocol.ts";
import { View, define } from "../view.ts";
import { groupThreads } from "./history-groups.ts";

const ENOUGH = 20; // found threads, before more are loaded

/** The user's conversations: open, search, rename, delete. */
export class History extends View {
	static override properties = {
		...View.properties,
		query: { state: true },
		renaming: { state: true },
		deleting: { state: true },
		gone: { state: true },
		failed: { state: true },
	};
	declare query: string;
	declare renaming: string | null;
	declare deleting: string | null;
	/** Those that the user deleted just now. */
	declare gone: ReadonlySet<string>;
	/** The title of one that could not be changed. */
	declare failed: string | null;
	private opener: HTMLElement | null = null;

	constructor() {
		super();
		this.query = "";
		this.renaming = null;
		this.deleting = null;
		this.gone = new Set();
		this.failed = null;
	}

	protected override topics(): Topic[] {
		return ["threads", "thread", "options"];
	}

	override connectedCallback(): void {
		super.connectedCallback();
		const root = this.getRootNode() as ShadowRoot;
		this.opener = root.activeElement as HTMLElement | null;
		void this.updateComplete.then(() => this.querySelector("input")?.focus());
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		// The frame is no longer inert after this render
		const { opener, chat } = this;
		queueMicrotask(() => (opener?.isConnected ? opener.focus() : chat.composer?.focus()));
	}

	override updated(): void {
		const { more, loading, error } = this.chat.threads;
		if (this.query && more && !loading && !error && this.found().length < ENOUGH)
			this.chat.loadThreads().catch(() => {});
	}

	override render() {
		const { words } = this.chat;
		return html`<section role="dialog" aria-label=${words.text("history.title")} @keydown=${this.key}>
			<div class="ock-history-head">
				<h2>${words.text("history.title")}</h2>
				<button type="button" class="ock-button" aria-label=${words.text("history.close")}
					@click=${() => this.chat.hideHistory()}>${icon("close")}</button>
			</div>
			<label class="ock-search">
				${icon("search")}
				<input type="search" aria-label=${words.text("history.search")} .value=${this.query}
					placeholder=${words.text("history.search")} @input=${this.search} />
			</label>
			<div role="alert">${
				this.failed === null
					? nothing
					: html`<p class="ock-failed" dir="auto">${words.text("history.unchanged", { title: this.failed })}</p>`
			}</div>
			<div class="ock-history-list" @scroll=${this.scrolled}>${this.list()} ${this.foot()}</div>
		</section>`;
	}

	private found(): readonly Thread[] {
		const threads = this.chat.threads.threads.filter(({ id }) => !this.gone.has(id));
		const query = this.query.trim().toLocaleLowerCase();
		if (!query) return threads;
		return threads.filter(({ title }) => title?.toLocaleLowerCase().includes(query));
	}

	private list() {
		const { words } = this.chat;
		return groupThreads(this.found(), words).map(
			({ label, threads }) => html`<h3>${label}</h3>
				<ul aria-label=${label}>
					${repeat(
						threads,
						({ id }) => id,
						(thread) => html`<li>${this.row(thread)}</li>`,
					)}
				</ul>`,
		);
	}

	private row(thread: Thread) {
		if (this.renaming === thread.id) return this.renameField(thread);
		if (this.deleting === thread.id) return this.question(thread);
		const { words, options, conversation } = this.chat;
		const title = thread.title || words.text("history.untitled");
		const { showRename = true, showDelete = true } = options.history ?? {};
		const isCurrent = thread.id === conversation.thread?.id;
		return html`<button type="button" class="ock-thread" part="thread" data-id=${thread.id}
				aria-current=${isCurrent ? "true" : nothing} @click=${() => this.open(thread)}>
				<span dir="auto">${title}</span>
			</button>
			${
				showRename
					? html`<button type="button" class="ock-button" aria-label=${words.text("history.rename", { title })}
							@click=${() => this.ask("renaming", thread.id)}>${icon("write")}</button>`
					: nothing
			}
			${
				showDelete
					? html`<button type="button" class="ock-button" aria-label=${words.text("history.delete", { title })}
							@click=${() => this.ask("deleting", thread.id)}>${icon("trash")}</button>`
					: nothing
			}`;
	}

	private renameField(thread: Thread) {
		return html`<input class="ock-rename-field" maxlength="200" .value=${thread.title ?? ""}
			aria-label=${this.chat.words.text("header.title")}
			@keydown=${(event: KeyboardEvent) => {
				if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
				event.stopPropagation();
				event.preventDefault(); // Enter would press the button that gets the focus
				this.rename(thread, event.key === "Enter" ? (event.target as HTMLInputElement).value : "");
			}}
			@blur=${(event: Event) => this.rename(thread, (event.target as HTMLInputElement).value)} />`;
	}

	private question(thread: Thread) {
		const { words } = this.chat;
		const title = thread.title || words.text("history.untitled");
		const question = words.text("history.confirm", { title });
		return html`<div class="ock-question" role="group" aria-label=${question}>
			<p dir="auto">${question}</p>
			<button type="button" class="ock-danger" @click=${() => this.deleteThread(thread)}>
				${words.text("history.yes")}
			</button>
			<button type="button" data-first @click=${() => this.back(thread.id)}>
				${words.text("history.no")}
			</button>
		</div>`;
	}

	private foot() {
		const { words, threads } = this.chat;
		const { loading, error, more } = threads;
		if (error !== null)
			return html`<div role="alert" class="ock-foot">
				<p>${words.text("history.failed")}</p>
				<button type="button" @click=${this.more}>${words.text("again")}</button>
			</div>`;
		if (loading) return html`<p class="ock-foot" role="status">${words.text("loading")}</p>`;
		if (more && !this.query)
			return html`<button type="button" class="ock-foot" @click=${this.more}>
				${words.text("history.more")}
			</button>`;
		if (this.found().length) return nothing;
		const text = words.text(this.query ? "history.nothing" : "history.empty");
		return html`<p class="ock-foot" role="status">${text}</p>`;
	}

	private search(event: Event): void {
		this.query = (event.target as HTMLInputElement).value;
	}

	private readonly more = () => {
		this.chat.loadThreads().catch(() => {});
	};

	private scrolled(event: Event): void {
		const { scrollTop, clientHeight, scrollHeight } = event.target as HTMLElement;
		const { more, loading, error } = this.chat.threads;
		if (scrollTop + 2 * clientHeight > scrollHeight && more && !loading && error === null)
			this.more();
	}

	private key(event: KeyboardEvent): void {
		if (event.key === "Escape") {
			event.stopPropagation();
			if (this.deleting) void this.back(this.deleting);
			else this.chat.hideHistory();
		}
	}

	private open(thread: Thread): void {
		this.chat.hideHistory();
		this.chat.open(thread.id).catch(() => {});
	}

	private async ask(what: "renaming" | "deleting", id: string): Promise<void> {
		this.renaming = this.deleting = null;
		this[what] = id;
		await this.updateComplete;
		const first = what === "renaming" ? "input.ock-rename-field" : "[data-first]";
		this.querySelector<HTMLElement>(first)?.focus();
		if (what === "renaming") this.querySelector<HTMLInputElement>(first)?.select();
	}

	private rename(thread: Thread, value: string): void {
		if (this.renaming !== thread.id) return;
		const title = value.trim();
		this.failed = null;
		if (title && title !== thread.title)
			this.chat.rename(thread.id, title).catch(() => this.fail(thread));
		void this.back(thread.id);
	}

	/** Shows a row again, with the focus in it; without one it is in the search. */
	private async back(id: string | undefined): Promise<void> {
		this.renaming = this.deleting = null;
		await this.updateComplete;
		const row = id === undefined ? "input" : `[data-id="${CSS.escape(id)}"]`;
		this.querySelector<HTMLElement>(row)?.focus();
	}

	private async deleteThread(thread: Thread): Promise<void> {
		const threads = this.found();
		const place = threads.findIndex(({ id }) => id === thread.id);
		const next = threads[place + 1] ?? threads[place - 1];
		this.gone = new Set([...this.gone, thread.id]);
		this.failed = null;
		await this.back(next?.id);
		try {
			await this.chat.remove(thread.id);
		} catch {
			this.gone = new Set([...this.gone].filter((id) => id !== thread.id));
			this.fail(thread);
		}
	}

	private fail({ title }: Thread): void {
		this.failed = title || this.chat.words.text("history.untitled");
	}
}

define("ock-history", History);
