import { html, nothing } from "lit";
import { define } from "../view.ts";
import { text } from "./context.ts";
import { type Option, optionsOf, searches } from "./options.ts";
import { Picker } from "./picker.ts";
import type { Props } from "./values.ts";

/** A list to choose from, with descriptions, and with a search if there is much in it. */
export class SearchableSelect extends Picker {
	static override properties = {
		...Picker.properties,
		search: { state: true },
		active: { state: true },
	};
	/** What the user searches. */
	declare search: string;
	/** The value that Enter would choose. */
	declare active: string | undefined;
	protected override readonly popupRole = "listbox";

	constructor() {
		super();
		this.search = "";
	}

	protected override valueIn(node: Props): string {
		const value = text(node["defaultValue"]);
		return optionsOf(node).some((option) => option.value === value) ? value : "";
	}

	protected override shown(value: string): string {
		return optionsOf(this.node).find((option) => option.value === value)?.label ?? value;
	}

	protected override renderPopup() {
		const found = this.found();
		const listId = `${this.fieldId}-list`;
		const active = found.findIndex(({ value }) => value === this.active);
		const activeId = active < 0 ? nothing : `${listId}-${active}`;
		const words = this.chat.words.text("widget.search");
		return html`<div class="ock-w-options" @keydown=${this.pressed}>
			${
				searches(this.node)
					? html`<input class="ock-w-search" type="text" role="combobox" aria-expanded="true" autocomplete="off"
							aria-autocomplete="list" aria-controls=${listId} aria-activedescendant=${activeId}
							aria-label=${words} placeholder=${words} .value=${this.search} @input=${this.searched} />`
					: nothing
			}
			<ul role="listbox" id=${listId} tabindex="0" aria-label=${text(this.node["placeholder"]) || words}
				aria-activedescendant=${activeId}>
				${found.map((option, place) => this.option(option, `${listId}-${place}`))}
			</ul>
			<p class="ock-w-caption" role="status">${found.length ? "" : this.chat.words.text("widget.nothing")}</p>
		</div>`;
	}

	protected override focusPopup(): void {
		this.search = "";
		this.active = this.value || this.found().find(({ disabled }) => !disabled)?.value;
		(this.querySelector<HTMLElement>(".ock-w-search") ?? this.querySelector<HTMLElement>("[role=listbox]"))?.focus();
		this.show();
	}

	private option({ value, label, description, disabled }: Option, id: string) {
		return html`<li role="option" id=${id} dir="auto" aria-selected=${value === this.value ? "true" : "false"}
			aria-disabled=${disabled ? "true" : nothing} ?data-active=${value === this.active}
			@click=${() => disabled || this.choose(value)}>
			<span>${label}</span>${description ? html`<span class="ock-w-caption">${description}</span>` : nothing}
		</li>`;
	}

	private found(): Option[] {
		const wanted = this.search.trim().toLocaleLowerCase(this.chat.words.locale);
		const has = (words: string) => words.toLocaleLowerCase(this.chat.words.locale).includes(wanted);
		return optionsOf(this.node).filter(({ label, description }) => has(label) || has(description));
	}

	private readonly searched = (event: Event) => {
		event.stopPropagation();
		this.search = (event.target as HTMLInputElement).value;
		this.active = this.found().find(({ disabled }) => !disabled)?.value;
	};

	private readonly pressed = (event: KeyboardEvent) => {
		const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
		const step = steps[event.key];
		if (step) this.move(step);
		else if (event.key === "Enter" && this.active !== undefined) this.choose(this.active);
		else return;
		event.preventDefault();
		event.stopPropagation();
	};

	private move(step: number): void {
		const values = this.found().filter(({ disabled }) => !disabled).map(({ value }) => value);
		if (!values.length) return;
		const at = values.indexOf(this.active ?? "");
		this.active = values[(at + step + values.length) % values.length];
		this.show();
	}

	private show(): void {
		void this.updateComplete.then(() =>
			this.querySelector("[data-active]")?.scrollIntoView({ block: "nearest" }),
		);
	}
}

define("ock-select", SearchableSelect);
