// Where the user writes.

import { html, nothing } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import "./preview.ts";
import "./quoting.ts";
import type { ComposerPart, ComposerValue, Topic } from "../chat.ts";
import type { Conversation } from "../conversation.ts";
import { View, define } from "../view.ts";
import { attachmentList } from "./attachments.ts";
import { bar } from "./bar.ts";
import { CaretMenu, type Surroundings } from "./caret-menu.ts";
import { type Choices, afterSending, inferenceOptions, toolOf } from "./choices.ts";
import type { Deeds } from "./commands.ts";
import { type Draft, Drafts, type Sending, giveBack, sessionStore } from "./drafts.ts";
import { filesOf, takeDrops } from "./dropping.ts";
import { Field } from "./field.ts";
import * as glyphs from "./glyphs.ts";
import { type AttachmentOptions, acceptAttribute, refusalOf } from "./limits.ts";
import type { Preview } from "./preview.ts";
import { EMPTY, type RichText, fromContent, toContent } from "./rich-text.ts";
import { type Upload, Uploads, release } from "./uploads.ts";

export class Composer extends View implements ComposerPart, Surroundings {
	static override properties = {
		...View.properties,
		choices: { state: true },
		notes: { state: true },
		isDropping: { state: true },
		isDictating: { state: true },
	};
	declare choices: Choices;
	/** What the user has to know of what they did, such as a file that is too large. */
	declare private notes: readonly string[];
	declare private isDropping: boolean;
	declare private isDictating: boolean;

	private drafts!: Drafts;
	private draft!: Draft;
	private api: string | null = null;
	private shown: { conversation: Conversation; threadId: string | null } | null = null;
	private readonly fieldRef = createRef<Field>();
	private readonly previewRef = createRef<Preview>();
	private readonly fileRef = createRef<HTMLInputElement>();
	private readonly menu = new CaretMenu(this);
	private leaving = new AbortController();

	constructor() {
		super();
		this.choices = { toolId: null, modelId: null };
		this.notes = [];
		this.isDropping = this.isDictating = false;
	}

	protected override topics(): Topic[] {
		return ["status", "options", "thread"];
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.chat.composer = this;
		this.leaving = new AbortController();
		const { signal } = this.leaving;
		addEventListener("pagehide", () => this.drafts?.flush(), { signal });
		const end = takeDrops(this.host, {
			allowed: () => this.attachmentOptions !== null && !this.isDisabled,
			over: (isOver) => (this.isDropping = isOver),
			dropped: (data) => this.takeFiles(data),
		});
		signal.addEventListener("abort", end);
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.leaving.abort();
		this.menu.close();
		this.drafts?.flush();
		if (this.chat.composer === this) this.chat.composer = null;
	}

	get field(): Field | null {
		return this.fieldRef.value ?? null;
	}

	// For the page

	override focus(): void {
		this.field?.focus();
	}

	/** Sets what is given, and leaves the rest. Resolves when the files have been uploaded. */
	async set(value: ComposerValue): Promise<void> {
		this.sync();
		const { text, content, reply, attachments, files, selectedToolId, selectedModelId } = value;
		if (content) this.write(fromContent(content));
		else if (text !== undefined) this.write({ text, tags: [] });
		if (reply !== undefined) this.draft.quote = reply || null;
		if (selectedToolId !== undefined) this.choose({ toolId: selectedToolId });
		if (selectedModelId !== undefined) this.choose({ modelId: selectedModelId });
		for (const attachment of attachments ?? []) this.draft.uploads.put(attachment);
		if (files) this.attach(files);
		this.changed();
		if (files?.length) await this.draft.uploads.settled();
	}

	// What the user does

	readonly deeds: Deeds = this.newDeeds();

	private newDeeds(): Deeds {
		const composer = this;
		return {
			get attach() {
				return composer.attachmentOptions ? () => composer.fileRef.value?.click() : null;
			},
			get mention() {
				return composer.chat.options.entities?.onTagSearch ? () => composer.mention() : null;
			},
			get dictate() {
				const { dictation } = composer.chat.options.composer ?? {};
				return dictation?.enabled && !composer.isDictating ? () => void composer.dictate() : null;
			},
			chooseTool: (toolId) => composer.choose({ toolId }),
			chooseModel: (modelId) => composer.choose({ modelId }),
		};
	}

	private mention(): void {
		const field = this.field!;
		field.focus();
		field.insert("@");
	}

	private async dictate(): Promise<void> {
		try {
			await import("./dictation.ts");
			this.isDictating = true;
		} catch (error) {
			this.chat.emit("chatkit.error", { error });
			this.notes = [this.chat.words.text("composer.dictation.failed")];
		}
	}

	private readonly dictated = (text: string): void => {
		this.field!.insert(text);
	};

	private readonly dictationOver = (): void => {
		this.isDictating = false;
		this.focus();
	};

	private choose(choice: Partial<Choices>): void {
		const before = toolOf(this.chat.options, this.choices)?.id ?? null;
		this.choices = { ...this.choices, ...choice };
		const toolId = toolOf(this.chat.options, this.choices)?.id ?? null;
		if (toolId !== before) this.chat.emit("chatkit.tool.change", { toolId });
	}

	private takeFiles(data: DataTransfer | null): boolean {
		const { files, folders } = filesOf(data);
		if (!files.length && !folders.length) return false;
		const { words } = this.chat;
		this.attach(files, folders.map((name) => words.text("composer.file.folder", { name })));
		return true;
	}

	/** Adds files, and says why some cannot be. */
	private attach(files: readonly File[], notes: string[] = []): void {
		const { words } = this.chat;
		const { uploads } = this.draft;
		const options = this.attachmentOptions ?? { enabled: true };
		for (const file of files) {
			const refusal = refusalOf(file, uploads.list.length, options, words.locale);
			if (refusal) notes.push(words.text(refusal.key, refusal.values));
			else uploads.add(file);
		}
		this.notes = notes;
	}

	private readonly detach = (upload: Upload): void => {
		this.draft.uploads.remove(upload);
		this.notes = [];
		this.focus();
	};

	private readonly picked = (event: Event): void => {
		const input = event.target as HTMLInputElement;
		this.attach([...(input.files ?? [])]);
		// The same file may be picked again
		input.value = "";
		this.focus();
	};

	private readonly pasted = (event: ClipboardEvent): void => {
		const hasText = event.clipboardData?.types.includes("text/plain");
		// Text of an office program comes with a picture of itself
		if (hasText || !this.attachmentOptions || this.isDisabled) return;
		if (this.takeFiles(event.clipboardData)) event.preventDefault();
	};

	private readonly key = (event: KeyboardEvent): void => {
		// 229: the input method has the key, also where `isComposing` is over already
		if (event.isComposing || event.keyCode === 229) return;
		if (event.key === "Escape" && this.previewRef.value?.hide()) return;
		if (!(event.target instanceof HTMLTextAreaElement) || this.menu.key(event)) return;
		if (event.key !== "Enter" || event.shiftKey || event.altKey || isTouch()) return;
		event.preventDefault();
		void this.send();
	};

	private readonly quoted = (text: string): void => {
		this.draft.quote = text;
		this.changed();
		this.focus();
	};

	private readonly stop = (): void => {
		this.chat.stop();
		if (!isTouch()) this.focus();
	};

	private readonly send = async (): Promise<void> => {
		const { draft, chat, choices } = this;
		if (!this.canSend) return this.explain();
		const { quote, rich } = draft;
		const message = {
			content: toContent(rich),
			attachments: draft.uploads.attachments,
			quotedText: quote,
			inferenceOptions: inferenceOptions(chat.options, choices),
		};
		const sending: Sending = { rich, quote, uploads: draft.uploads.take() };
		draft.sending.add(sending);
		draft.quote = null;
		this.write(EMPTY);
		this.choose(afterSending(chat.options, choices));
		this.notes = [];
		if (!isTouch()) this.focus();
		try {
			await chat.send(message);
			draft.sending.delete(sending);
			sending.uploads.forEach(release);
		} catch {
			// The chat has told why
			giveBack(draft, sending);
			this.choose({ toolId: this.choices.toolId ?? choices.toolId });
			if (draft === this.draft) this.write(draft.rich);
		}
		this.changed();
	};

	/** Says why nothing is sent. */
	private explain(): void {
		const { uploads } = this.draft;
		const { words } = this.chat;
		if (uploads.isBusy) this.notes = [words.text("composer.wait")];
		else if (uploads.hasFailed) this.notes = [words.text("composer.file.decide")];
	}

	/** Puts a text into the field and the draft. */
	private write(rich: RichText): void {
		this.draft.rich = rich;
		if (!this.field) return;
		this.field.value = rich;
		void this.field.updateComplete.then(() => this.field?.toEnd());
		this.menu.close();
	}

	private readonly edited = (): void => {
		const { value } = this.field!;
		if (value !== this.draft.rich) {
			this.draft.rich = value;
			this.notes = [];
		}
		this.menu.update();
		this.changed();
	};

	private changed(): void {
		this.drafts.save();
		this.requestUpdate();
	}

	// State

	private get host(): HTMLElement {
		return (this.getRootNode() as ShadowRoot).host as HTMLElement;
	}

	private get attachmentOptions(): AttachmentOptions | null {
		const { attachments } = this.chat.options.composer ?? {};
		return attachments?.enabled ? attachments : null;
	}

	private get isDisabled(): boolean {
		const { status } = this.chat.conversation.thread ?? {};
		return status?.type === "locked" || status?.type === "closed";
	}

	private get hasText(): boolean {
		const { rich, uploads } = this.draft;
		return rich.text.trim() !== "" || uploads.list.length > 0;
	}

	private get canSend(): boolean {
		const { uploads } = this.draft;
		return this.hasText && !uploads.isBusy && !uploads.hasFailed && !this.isDisabled;
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		super.willUpdate(changed);
		this.sync();
	}

	override updated(): void {
		this.menu.drawn(this);
	}

	/** Takes the draft of the conversation that is shown now. */
	private sync(): void {
		const { conversation, threadId, options } = this.chat;
		const api = "url" in options.api ? options.api.url : "";
		if (api !== this.api) {
			this.api = api;
			this.shown = null;
			const newUploads = () => new Uploads(this.chat, () => this.drafts && this.changed());
			this.drafts = new Drafts(api, newUploads, sessionStore());
		}
		const before = this.shown;
		if (before?.conversation === conversation && before.threadId === threadId) return;
		this.shown = { conversation, threadId };
		if (before?.conversation === conversation && threadId) return this.drafts.becomes(threadId);
		this.drafts.flush();
		this.draft = this.drafts.of(threadId);
		this.notes = [];
		this.isDictating = false;
		this.write(this.draft.rich);
	}

	// What is drawn

	override render() {
		const { chat, draft, choices, menu, isDisabled, deeds } = this;
		const { words, options } = chat;
		return html`<form class="ock-composer" @submit=${(event: Event) => event.preventDefault()}
				@keydown=${this.key} @paste=${this.pasted}>
				${this.closedNote()}
				<div class="ock-box" part="composer-box" ?data-disabled=${isDisabled}>
					${menu.render()}
					<ock-tag-preview .chat=${chat} ${ref(this.previewRef)}></ock-tag-preview>
					${attachmentList(draft.uploads, words, this.detach)}
					${this.quoteRow()}
					<ock-field .chat=${chat} ${ref(this.fieldRef)} ${ref(this.setUp)}
						.label=${words.text("composer.label")} .placeholder=${this.placeholder}
						.disabled=${isDisabled} .describedBy=${isDisabled ? "ock-closed" : ""}
						.enterKey=${isTouch() ? "enter" : "send"}
						.list=${menu.list} .activeOption=${menu.activeOption}></ock-field>
					<input class="ock-file-input" type="file" tabindex="-1" aria-hidden="true" hidden
						?multiple=${(options.composer?.attachments?.maxCount ?? 2) > 1}
						accept=${acceptAttribute(options.composer?.attachments?.accept)}
						@change=${this.picked} ${ref(this.fileRef)} />
					${
						this.isDictating
							? html`<ock-dictation .chat=${chat} .onText=${this.dictated} .onEnd=${this.dictationOver}
									></ock-dictation>`
							: bar({
									chat,
									choices,
									deeds,
									isDisabled,
									canSend: this.canSend,
									hasText: this.hasText,
									stop: this.stop,
									send: this.send,
								})
					}
				</div>
				<div role="status">${this.notes.map((note) => html`<p class="ock-note" part="composer-note">${note}</p>`)}</div>
			</form>
			<ock-quoter .chat=${chat} .onQuote=${this.quoted}></ock-quoter>
			${
				this.isDropping
					? html`<div class="ock-drop" part="drop">
							<p>${glyphs.attach} ${words.text("composer.drop")}</p>
						</div>`
					: nothing
			}`;
	}

	private readonly setUp = (element: Element | undefined): void => {
		if (!(element instanceof Field) || element.events.edited === this.edited) return;
		element.events = {
			edited: this.edited,
			clicked: (entity) => this.chat.options.entities?.onClick?.(entity),
			shown: (entity) => this.previewRef.value?.show(entity),
		};
		element.value = this.draft.rich;
	};

	private get placeholder(): string {
		const { options, words } = this.chat;
		const tool = toolOf(options, this.choices);
		return tool?.placeholderOverride ?? options.composer?.placeholder ?? words.text("composer.placeholder");
	}

	private quoteRow() {
		const { quote } = this.draft;
		const { words } = this.chat;
		if (!quote) return nothing;
		const remove = () => {
			this.draft.quote = null;
			this.changed();
			this.focus();
		};
		return html`<div class="ock-quote" part="composer-quote">
			<blockquote dir="auto" aria-label=${words.text("composer.quote")}>${quote}</blockquote>
			<button type="button" class="ock-tool" @click=${remove}
				aria-label=${words.text("composer.quote.remove")} title=${words.text("composer.quote.remove")}
				>${glyphs.close}</button>
		</div>`;
	}

	/** Why nothing can be written here. */
	private closedNote() {
		if (!this.isDisabled) return nothing;
		const { words, conversation } = this.chat;
		const { type, reason } = conversation.thread!.status!;
		const isClosed = type === "closed";
		const words_ = words.text(isClosed ? "composer.closed" : "composer.locked");
		return html`<div class="ock-closed" part="composer-closed">
			<p id="ock-closed" dir="auto">${reason || words_}</p>
			${
				isClosed
					? html`<button type="button" class="ock-plain" @click=${() => void this.chat.open(null)}>
							${words.text("composer.new")}
						</button>`
					: nothing
			}
		</div>`;
	}
}

/** Whether there is no keyboard but the one on the screen, whose Enter makes a line. */
function isTouch(): boolean {
	return matchMedia("(pointer: coarse)").matches && !matchMedia("(any-hover: hover)").matches;
}

define("ock-composer", Composer);
