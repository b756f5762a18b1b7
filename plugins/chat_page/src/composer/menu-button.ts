// A button that opens a list: tools, models.

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { View, define, styled } from "../view.ts";
import * as glyphs from "./glyphs.ts";
import { type Entry, activeAfter, grouped, listbox, showActive, typedAhead } from "./listbox.ts";
import { roomAbove } from "./room.ts";

let lists = 0;

export class MenuButton extends View {
	static override properties = {
		...View.properties,
		label: { attribute: false },
		text: { attribute: false },
		glyph: { attribute: false },
		entries: { attribute: false },
		name: { attribute: false },
		open: { state: true },
		active: { state: true },
	};
	/** What the button is for, to be read; `text` is what it shows. */
	declare label: string;
	declare text: string;
	declare glyph: TemplateResult | undefined;
	declare entries: readonly Entry[];
	/** The name of its part. */
	declare name: string;
	declare private open: boolean;
	declare private active: number;
	private readonly list = `ock-list-${++lists}`;
	private sorted: Entry[] = [];

	constructor() {
		super();
		this.open = false;
		this.active = -1;
		this.addEventListener("focusout", (event) => {
			if (!this.contains(event.relatedTarget as Node | null)) this.open = false;
		});
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		super.willUpdate(changed);
		if (changed.has("entries")) this.sorted = grouped(this.entries);
	}

	override updated(changed: PropertyValues): void {
		if (!this.open) return;
		if (changed.has("open")) this.querySelector<HTMLElement>(`#${this.list}`)?.focus();
		showActive(this, this.list, this.active);
	}

	/** Opens the list, for another control that does the same. */
	show(): void {
		const chosen = this.sorted.findIndex(({ checked }) => checked);
		this.active = chosen >= 0 ? chosen : (activeAfter("Home", this.sorted, -1) ?? -1);
		this.open = true;
	}

	override render() {
		return html`<button type="button" class="ock-tool" part=${`composer-button ${this.name}`}
				aria-label=${this.label} title=${this.text ? nothing : this.label}
				aria-haspopup="listbox" aria-expanded=${String(this.open)}
				@click=${() => (this.open ? this.close() : this.show())} @keydown=${this.buttonKey}>
				${this.glyph ?? nothing}
				${this.text ? html`<span class="ock-tool-text" dir="auto">${this.text}</span>${glyphs.down}` : nothing}
			</button>
			${this.open ? this.popup() : nothing}`;
	}

	private popup() {
		return html`<div class="ock-menu" part="menu" @keydown=${this.listKey}
			${styled({ "max-block-size": roomAbove(this) })}>
			${listbox({
				id: this.list,
				label: this.label,
				entries: this.sorted,
				active: this.active,
				onPick: (entry) => this.pick(entry),
				onActive: (index) => (this.active = index),
			})}
		</div>`;
	}

	private pick(entry: Entry): void {
		this.close();
		entry.run();
	}

	private close(): void {
		this.open = false;
		this.querySelector("button")!.focus();
	}

	private buttonKey(event: KeyboardEvent): void {
		if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
		event.preventDefault();
		this.show();
	}

	private listKey(event: KeyboardEvent): void {
		const { key } = event;
		const next = activeAfter(key, this.sorted, this.active) ?? typedAhead(key, this.sorted, this.active);
		if (next !== null) this.active = next;
		else if (key === "Escape") this.close();
		else if (key === "Enter" || key === " ") this.sorted[this.active] && this.pick(this.sorted[this.active]!);
		else return;
		event.preventDefault();
		event.stopPropagation();
	}
}

define("ock-menu-button", MenuButton);
