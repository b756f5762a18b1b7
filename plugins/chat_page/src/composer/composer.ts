// Where the user writes.

import { html } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import "./field.ts";
import "./preview.ts";
import "./quoting.ts";
import type { InferenceOptions } from "../protocol.ts";
import type { ComposerPart, ComposerValue, Topic } from "../chat.ts";
import { View, define } from "../view.ts";
import { attachmentList, uploadsEnded } from "./attachments.ts";
import { bar } from "./bar.ts";
import { CaretMenu, type Surroundings } from "./caret-menu.ts";
import { type Choices, afterSending, inferenceOptions, toolOf } from "./choices.ts";
import type { Deeds } from "./commands.ts";
import { type Draft, type Sending, giveBack } from "./drafts.ts";
import { takeDrops } from "./dropping.ts";
import type { Field, FieldEvents } from "./field.ts";
import { Intake, type Taking } from "./intake.ts";
import { acceptAttribute } from "./limits.ts";
import type { Preview } from "./preview.ts";
import { EMPTY, type RichText, fromContent, toContent } from "./rich-text.ts";
import { CLOSED_NOTE, closedNote, dropOverlay, isClosed, quoteRow } from "./rows.ts";
import { isTouch } from "./touch.ts";
import { type Upload, release } from "./uploads.ts";
import { Writing } from "./writing.ts";

const HINDRANCES = ["composer.wait", "composer.file.decide"] as const;

export class Composer extends View implements ComposerPart, Surroundings, Taking {
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

	private readonly writing = new Writing(() => this.changed());
	private readonly fieldRef = createRef<Field>();
	private readonly previewRef = createRef<Preview>();
	private readonly fileRef = createRef<HTMLInputElement>();
	private readonly menu = new CaretMenu(this);
	private readonly intake = new Intake(this);
	private leaving = new AbortController();
	private hadFocus = false;

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
		addEventListener("pagehide", () => this.writing.flush(), { signal });
		const end = takeDrops(this.host, {
			allowed: () => this.intake.isOpen,
			over: (isOver) => (this.isDropping = isOver),
			dropped: (data) => this.intake.take(data),
		});
		signal.addEventListener("abort", end);
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.leaving.abort();
		this.menu.close();
		this.writing.flush();
		if (this.chat.composer === this) this.chat.composer = null;
	}

	get field(): Field | null {
		return this.fieldRef.value ?? null;
	}

	/** Back to the field. Not on a phone, where that opens the keyboard. */
	refocus(): void {
		if (!isTouch()) this.focus();
	}

	say(notes: readonly string[]): void {
		this.notes = notes;
	}

	// For the page

	override focus(): void {
		this.field?.focus();
		if (this.field && !this.field.disabled) return;
		// Another conversation may have taken the place of a closed one just now
		this.requestUpdate();
		void this.updateComplete.then(() => this.field?.focus());
	}

	takeInferenceOptions(): InferenceOptions {
		const { chat, choices } = this;
		this.choose(afterSending(chat.options, choices));
		return inferenceOptions(chat.options, choices);
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
		if (files) this.intake.add(files);
		this.changed();
		if (files?.length) await this.draft.uploads.settled();
	}

	// What the user does

	get deeds(): Deeds {
		const { entities, composer } = this.chat.options;
		const canDictate = composer?.dictation?.enabled && !this.isDictating;
		return {
			attach: this.intake.options ? () => this.fileRef.value?.click() : null,
			mention: entities?.onTagSearch ? () => this.mention() : null,
			dictate: canDictate ? () => void this.dictate() : null,
			chooseTool: (toolId) => this.choose({ toolId }),
			chooseModel: (modelId) => this.choose({ modelId }),
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

	private readonly dictated = (text: string): void => this.field!.insert(text);

	private readonly dictationOver = (): void => {
		this.isDictating = false;
		this.refocus();
	};

	private choose(choice: Partial<Choices>): void {
		const before = toolOf(this.chat.options, this.choices)?.id ?? null;
		this.choices = { ...this.choices, ...choice };
		this.writing.keep(this.choices);
		const toolId = toolOf(this.chat.options, this.choices)?.id ?? null;
		if (toolId !== before) this.chat.emit("chatkit.tool.change", { toolId });
	}

	private readonly detach = (upload: Upload): void => {
		this.draft.uploads.remove(upload);
		this.notes = [];
		this.refocus();
	};

	private readonly key = (event: KeyboardEvent): void => {
		// 229: the input method has the key, also where `isComposing` is over already
		if (event.isComposing || event.keyCode === 229) return;
		if (event.key === "Escape" && this.previewRef.value?.hide()) return event.stopPropagation();
		if (event.key === "Escape" && this.isDictating) return this.dictationOver();
		if (!(event.target instanceof HTMLTextAreaElement) || this.menu.key(event)) return;
		if (event.key !== "Enter" || event.shiftKey || event.altKey || isTouch()) return;
		event.preventDefault();
		void this.send();
	};

	/** The list of the caret goes when something else has the focus. */
	private readonly left = ({ target, relatedTarget }: FocusEvent): void => {
		const isInMenu = relatedTarget instanceof Element && relatedTarget.closest(".ock-wide");
		if (target instanceof HTMLTextAreaElement && !isInMenu) this.menu.close();
	};

	private readonly quoted = (text: string): void => {
		this.draft.quote = text;
		this.changed();
		this.focus();
	};

	private readonly unquote = (): void => {
		this.draft.quote = null;
		this.changed();
		this.refocus();
	};

	private readonly stop = (): void => {
		this.chat.stop();
		this.refocus();
	};

	private readonly send = async (): Promise<void> => {
		const { draft, chat, choices } = this;
		if (!this.canSend) return this.explain();
		const { quote, rich } = draft;
		const message = {
			content: toContent(rich),
			attachments: draft.uploads.attachments,
			quotedText: quote,
			inferenceOptions: this.takeInferenceOptions(),
		};
		const sending: Sending = { rich, quote, uploads: draft.uploads.take() };
		draft.sending.add(sending);
		draft.quote = null;
		this.write(EMPTY);
		this.notes = [];
		this.refocus();
		try {
			await chat.send(message);
			draft.sending.delete(sending);
			sending.uploads.forEach(release);
		} catch (error) {
			giveBack(draft, sending);
			this.choose({ toolId: this.choices.toolId ?? choices.toolId });
			if (draft === this.draft) this.write(draft.rich);
			this.tellUnsent(error as Error);
		}
		this.changed();
	};

	/** The conversation says why a message was not sent, but not while another answer runs. */
	private tellUnsent({ name, message }: Error): void {
		const { status, words } = this.chat;
		if (status.error && !status.answering) return;
		const reason = name === "Refused" ? message : "";
		this.notes = [`${words.text("composer.unsent")} ${reason}`.trim()];
	}

	/** Says why nothing is sent. */
	private explain(): void {
		const { isBusy, hasFailed } = this.draft.uploads;
		const word = isBusy ? "composer.wait" : hasFailed ? "composer.file.decide" : null;
		if (word) this.notes = [this.chat.words.text(word)];
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
		// Written before the other conversation was drawn: it is for that one
		if (this.sync()) this.field!.value = value;
		if (value !== this.draft.rich) {
			this.draft.rich = value;
			this.notes = [];
			this.previewRef.value?.hide();
		}
		this.menu.update();
		this.changed();
	};

	private readonly fieldEvents: FieldEvents = {
		edited: this.edited,
		clicked: (entity) => this.chat.options.entities?.onClick?.(entity),
		shown: (entity) => this.previewRef.value?.show(this.menu.isOpen ? null : entity),
	};

	private changed(): void {
		this.writing.save();
		// Files that are there, or that failed, don't keep the message back as they did
		if (HINDRANCES.some((word) => this.notes.includes(this.chat.words.text(word)))) {
			this.notes = [];
			this.explain();
		}
		this.requestUpdate();
	}

	// State

	private get host(): HTMLElement {
		return (this.getRootNode() as ShadowRoot).host as HTMLElement;
	}

	get draft(): Draft {
		return this.writing.draft;
	}

	private get isDisabled(): boolean {
		return isClosed(this.chat);
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
		this.hadFocus = this.hasFocus;
	}

	override firstUpdated(): void {
		this.field!.value = this.draft.rich;
	}

	override updated(): void {
		this.menu.drawn(this);
		// The button that had it is gone, such as Stop
		if (this.hadFocus && !this.hasFocus) this.refocus();
	}

	private get hasFocus(): boolean {
		const { activeElement } = this.getRootNode() as ShadowRoot;
		return activeElement !== null && this.contains(activeElement);
	}

	/** Takes the draft of the conversation that is shown now. Returns whether it is another one. */
	private sync(): boolean {
		if (!this.writing.follow(this.chat)) return false;
		this.notes = [];
		this.isDictating = this.isDropping = false;
		this.choices = this.writing.choices;
		this.write(this.draft.rich);
		return true;
	}

	// What is drawn

	override render() {
		const { chat, draft, choices, menu, isDisabled, deeds } = this;
		const { words, options } = chat;
		return html`<form class="ock-composer" @submit=${(event: Event) => event.preventDefault()}
				@keydown=${this.key} @paste=${this.intake.pasted} @focusout=${this.left}>
				${closedNote(chat)}
				<div class="ock-box" part="composer-box" ?data-disabled=${isDisabled}>
					${menu.render()}
					<ock-tag-preview .chat=${chat} ${ref(this.previewRef)}></ock-tag-preview>
					${attachmentList(draft.uploads, words, this.detach)}
					${quoteRow(draft.quote, words, this.unquote)}
					<ock-field .chat=${chat} ${ref(this.fieldRef)} .events=${this.fieldEvents}
						.label=${words.text("composer.label")} .placeholder=${this.placeholder}
						.disabled=${isDisabled} .describedBy=${isDisabled ? CLOSED_NOTE : ""}
						.enterKey=${isTouch() ? "enter" : "send"}
						.list=${menu.list} .activeOption=${menu.activeOption}></ock-field>
					<input class="ock-upload-input" type="file" tabindex="-1" aria-hidden="true" hidden
						?multiple=${(options.composer?.attachments?.maxCount ?? 2) > 1}
						accept=${acceptAttribute(options.composer?.attachments?.accept)}
						@change=${this.intake.picked} ${ref(this.fileRef)} />
					${
						this.isDictating
							? html`<ock-dictation .chat=${chat} .onText=${this.dictated}
									.onEnd=${this.dictationOver}></ock-dictation>`
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
				<p class="ock-hidden" role="status">${uploadsEnded(draft.uploads, words)}</p>
				<div role="status">${this.notes.map((note) => html`<p class="ock-composer-note" part="composer-note">${note}</p>`)}</div>
			</form>
			<ock-quoter .chat=${chat} .onQuote=${this.quoted}></ock-quoter>
			${dropOverlay(this.isDropping, words)}`;
	}

	private get placeholder(): string {
		const { options, words } = this.chat;
		const tool = toolOf(options, this.choices);
		return tool?.placeholderOverride ?? options.composer?.placeholder ?? words.text("composer.placeholder");
	}
}

define("ock-composer", Composer);
