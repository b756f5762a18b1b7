// The field: a textarea, and over it a layer with the same text that marks the tags.
//
// The layer also gives the height, so the field grows without being measured. The textarea keeps
// what browsers do for text: undo, spelling, input methods, plain text on paste.

import type { Entity } from "@openai/chatkit";
import { type PropertyValues, html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { View, define } from "../view.ts";
import { EMPTY, type RichText, type Tag, adjusted, merged, moved, pieces, sliced, written } from "./rich-text.ts";

/** What the composer does for its field. */
export interface FieldEvents {
	/** The text has changed, or the caret moved. */
	edited: () => void;
	clicked: (entity: Entity) => void;
	/** A tag is pointed at or has the focus; null when no more. */
	shown: (entity: Entity | null) => void;
}

const UNDO = /^history(Undo|Redo)$/;
const LONGEST_UNDONE = 5000; // characters
const REMEMBERED = 200; // texts with tags, for undo

/** What was copied last, since the clipboard has only its text. */
let copied: RichText = EMPTY;

export class Field extends View {
	static override properties = {
		...View.properties,
		label: { attribute: false },
		placeholder: { attribute: false },
		disabled: { attribute: false },
		describedBy: { attribute: false },
		enterKey: { attribute: false },
		list: { attribute: false },
		activeOption: { attribute: false },
		rich: { state: true },
	};
	declare label: string;
	declare placeholder: string;
	declare disabled: boolean;
	declare describedBy: string;
	declare enterKey: "send" | "enter";
	/** The ids of the open list and of its active option. */
	declare list: string | null;
	declare activeOption: string | null;
	declare private rich: RichText;
	events: FieldEvents = { edited: () => {}, clicked: () => {}, shown: () => {} };

	/** Tags of texts that undo may bring back. */
	private readonly earlier = new Map<string, readonly Tag[]>();
	/** Tags that come with the edit that is being made. */
	private coming: Tag[] | null = null;
	/** Where the moving end of the selection was. */
	private lastFocus = 0;

	constructor() {
		super();
		this.rich = EMPTY;
	}

	get value(): RichText {
		return this.rich;
	}

	/** Sets the text, without telling of it. */
	set value(rich: RichText) {
		this.rich = rich;
		this.remember();
	}

	get caret(): number {
		return this.area?.selectionEnd ?? this.rich.text.length;
	}

	get hasSelection(): boolean {
		return this.area !== null && this.area.selectionStart !== this.area.selectionEnd;
	}

	override focus(): void {
		const { area } = this;
		area?.focus();
		// What is disabled takes no focus, and may be about to be enabled
		if (!area || area.disabled) void this.updateComplete.then(() => this.area?.focus());
	}

	/** Puts the caret behind the text. */
	toEnd(): void {
		const { area } = this;
		area?.setSelectionRange(area.value.length, area.value.length);
	}

	/** Writes at the caret, or over the selection, with spaces around it as words need them. */
	insert(text: string): void {
		const area = this.area!;
		const before = area.value.slice(0, area.selectionStart);
		const after = area.value.slice(area.selectionEnd);
		const lead = /\S$/.test(before) ? " " : "";
		const tail = /^\S/.test(after) && /\S$/.test(text) ? " " : "";
		this.replace(area.selectionStart, area.selectionEnd, { text: lead + text + tail, tags: [] });
	}

	/** Writes a tag over a range. */
	insertTag(start: number, end: number, entity: Entity): void {
		const text = written(entity);
		const space = /^\s/.test(this.rich.text.slice(end)) ? "" : " ";
		this.replace(start, end, { text: text + space, tags: [{ start: 0, end: text.length, entity }] });
	}

	/** Replaces a range, so that the user can undo it. */
	replace(start: number, end: number, { text, tags }: RichText): void {
		const area = this.area!;
		area.focus();
		area.setSelectionRange(start, end);
		this.coming = tags.map((tag) => moved(tag, start));
		if (!write(text, start === end)) {
			area.setRangeText(text, start, end, "end");
			this.take();
		}
		this.coming = null;
	}

	override render() {
		const { rich, list } = this;
		return html`<div class="ock-field">
			<textarea part="composer-field" rows="1" dir="auto" aria-label=${this.label}
				placeholder=${this.placeholder} ?disabled=${this.disabled}
				enterkeyhint=${this.enterKey} autocomplete="off"
				aria-describedby=${this.describedBy || nothing}
				aria-autocomplete=${list ? "list" : nothing} aria-haspopup=${list ? "listbox" : nothing}
				aria-controls=${list ?? nothing} aria-activedescendant=${this.activeOption ?? nothing}
				.value=${live(rich.text)}
				@input=${this.take} @keydown=${this.keydown} @keyup=${this.moved} @pointerup=${this.moved}
				@focus=${this.moved} @selectionchange=${this.moved}
				@copy=${this.copy} @cut=${this.copy} @paste=${this.paste}></textarea>
			<div class="ock-mirror" dir="auto">${pieces(rich).map((piece) =>
				piece.tag ? this.tag(piece.tag, piece.text) : html`<span aria-hidden="true">${piece.text}</span>`,
			)}<span aria-hidden="true">${rich.text ? "\u200b" : this.placeholder || "\u200b"}</span></div>
		</div>`;
	}

	private tag({ entity }: Tag, text: string) {
		if (!entity.interactive) return html`<span class="ock-mention" part="tag" aria-hidden="true">${text}</span>`;
		const { events } = this;
		const press = (event: KeyboardEvent) => {
			if (event.key !== "Enter" && event.key !== " ") return;
			event.preventDefault();
			event.stopPropagation();
			events.clicked(entity);
		};
		// No <button>: it would not break over lines as the text below it does
		return html`<span class="ock-mention" part="tag" role="button" tabindex="0" data-interactive
			aria-label=${entity.title} @click=${() => events.clicked(entity)} @keydown=${press}
			@pointerenter=${() => events.shown(entity)} @pointerleave=${() => events.shown(null)}
			@focus=${() => events.shown(entity)} @blur=${() => events.shown(null)}>${text}</span>`;
	}

	override updated(changed: PropertyValues): void {
		if (changed.has("disabled") && this.disabled) this.events.shown(null);
	}

	private get area(): HTMLTextAreaElement | null {
		return this.querySelector("textarea");
	}

	/** Takes over what the textarea has now. */
	private take(event?: Event): void {
		const area = this.area!;
		const text = area.value;
		const known = UNDO.test((event as InputEvent | undefined)?.inputType ?? "") ? this.earlier.get(text) : undefined;
		const kept = known ?? adjusted(this.rich, text, area.selectionEnd);
		this.rich = { text, tags: this.coming ? merged(kept, this.coming) : kept };
		this.coming = null;
		this.remember();
		this.lastFocus = area.selectionEnd;
		this.events.edited();
	}

	private remember(): void {
		const { text, tags } = this.rich;
		if (!tags.length) return;
		this.earlier.delete(text);
		this.earlier.set(text, tags);
		if (this.earlier.size > REMEMBERED) this.earlier.delete(this.earlier.keys().next().value!);
	}

	/** Neither end of a selection stands inside of a tag; the moving one goes on over it. */
	private moved(): void {
		const area = this.area!;
		const { selectionStart: start, selectionEnd: end, selectionDirection } = area;
		const inside = (at: number) => this.rich.tags.find((tag) => tag.start < at && at < tag.end);
		let [anchor, focus] = selectionDirection === "backward" ? [end, start] : [start, end];
		const [anchored, focused] = [inside(anchor), inside(focus)];
		if (focused) focus = this.lastFocus <= focused.start ? focused.end : focused.start;
		if (start === end) anchor = focus;
		else if (anchored) anchor = anchor < focus ? anchored.start : anchored.end;
		if (anchored || focused) {
			const [from, to] = [Math.min(anchor, focus), Math.max(anchor, focus)];
			area.setSelectionRange(from, to, focus < anchor ? "backward" : "forward");
		}
		if (this.lastFocus === focus) return;
		this.lastFocus = focus;
		this.events.edited();
	}

	/** A tag goes as a whole. */
	private keydown({ key, isComposing }: KeyboardEvent): void {
		const area = this.area!;
		const { selectionStart: start, selectionEnd: end } = area;
		if (isComposing || start !== end) return;
		const tag = this.rich.tags.find((each) =>
			key === "Backspace" ? each.end === start : key === "Delete" && each.start === start,
		);
		if (tag) area.setSelectionRange(tag.start, tag.end);
	}

	private copy(): void {
		const { selectionStart, selectionEnd } = this.area!;
		copied = sliced(this.rich, selectionStart, selectionEnd);
	}

	private paste(event: ClipboardEvent): void {
		const text = event.clipboardData?.getData("text/plain") ?? "";
		if (!copied.tags.length || text !== copied.text) return;
		event.preventDefault();
		const { selectionStart, selectionEnd } = this.area!;
		this.replace(selectionStart, selectionEnd, copied);
	}
}

/** Writes over the selection. Old, but the only way into the browser's undo; slow for many lines. */
function write(text: string, isEmpty: boolean): boolean {
	if (text.length > LONGEST_UNDONE) return false;
	if (text) return document.execCommand("insertText", false, text);
	return isEmpty || document.execCommand("delete");
}

define("ock-field", Field);
