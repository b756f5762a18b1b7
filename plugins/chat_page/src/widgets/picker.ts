// A control that shows what is chosen, and opens something to choose from.

import { html, nothing } from "lit";
import { icon } from "../icons.ts";
import type { Topic } from "../chat.ts";
import { View } from "../view.ts";
import { SIZES } from "./button.ts";
import { oneOf, text } from "./context.ts";
import { connectFields, labelOf } from "./fields.ts";
import { type Align, type Side, place } from "./popup.ts";
import type { Props } from "./values.ts";

export abstract class Picker extends View {
	static override properties = {
		...View.properties,
		node: { attribute: false },
		fieldId: { attribute: false },
		value: { state: true },
		isOpen: { state: true },
	};
	declare node: Props;
	declare fieldId: string;
	declare isOpen: boolean;
	/** What is chosen; undefined until the user, or the widget, has chosen. */
	protected declare value: string | undefined;
	private given: string | undefined;
	private readonly follow = () => this.place();

	protected override topics(): Topic[] {
		return ["options"];
	}

	protected abstract readonly popupRole: "listbox" | "dialog";
	/** The value that the widget gives. */
	protected abstract valueIn(node: Props): string;
	/** What the control shows for its value. */
	protected abstract shown(value: string): string;
	protected abstract renderPopup(): unknown;
	/** Puts the focus into what has opened. */
	protected abstract focusPopup(): void;

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		super.willUpdate(changed);
		const given = this.valueIn(this.node);
		// Another value of the widget wins; the same one again leaves what the user chose
		if (given !== this.given) this.value = this.given = given;
	}

	override updated(): void {
		const widget = this.closest(".ock-widget");
		if (widget) connectFields(widget);
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.follows(false);
		this.isOpen = false;
	}

	override render() {
		const { node, value = "", fieldId } = this;
		const popupId = `${fieldId}-popup`;
		const words = value ? this.shown(value) : text(node["placeholder"]);
		const isDisabled = node["disabled"] === true;
		return html`<input type="hidden" name=${text(node["name"])} .value=${value} ?disabled=${isDisabled} />
			<button type="button" class="ock-w-field ock-w-pick" id=${fieldId} role="combobox"
				aria-haspopup=${this.popupRole} aria-expanded=${this.isOpen ? "true" : "false"} aria-controls=${popupId}
				data-label=${labelOf(node)} ?disabled=${isDisabled}
				data-variant=${oneOf(node["variant"], "outline", "soft", "solid", "ghost")}
				data-size=${oneOf(node["size"], ...SIZES)} ?data-pill=${node["pill"] === true}
				?data-empty=${!value} popovertarget=${popupId} @keydown=${this.opens}>
				<span class="ock-w-name" dir="auto">${words || "–"}</span>${icon(this.popupRole === "dialog" ? "calendar" : "chevron-down")}
			</button>
			${
				value && node["clearable"] === true && !isDisabled
					? html`<button type="button" class="ock-w-clear" aria-label=${this.chat.words.text("widget.clear")}
							@click=${() => this.clear()}>${icon("close")}</button>`
					: nothing
			}
			<div class="ock-w-popup" id=${popupId} popover="auto" @toggle=${this.toggled}>
				${this.isOpen ? this.renderPopup() : nothing}
			</div>`;
	}

	/** Takes what the user has chosen. */
	protected choose(value: string): void {
		this.close();
		this.control?.focus();
		if (value === this.value) return;
		this.value = value;
		void this.updateComplete.then(() => this.dispatchEvent(new Event("change", { bubbles: true })));
	}

	protected close(): void {
		if (this.popup?.matches(":popover-open")) this.popup.hidePopover();
	}

	protected get popup(): HTMLElement | null {
		return this.querySelector<HTMLElement>("[popover]");
	}

	private get control(): HTMLElement | null {
		return this.querySelector<HTMLElement>("[role=combobox]");
	}

	private clear(): void {
		this.choose("");
	}

	private readonly opens = (event: KeyboardEvent) => {
		if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
		event.preventDefault();
		if (!this.isOpen) this.popup?.showPopover();
	};

	private readonly toggled = (event: Event) => {
		this.isOpen = (event as ToggleEvent).newState === "open";
		this.follows(this.isOpen);
		if (this.isOpen) void this.updateComplete.then(() => this.opened());
		else this.focusAgain();
	};

	/** Gives the focus back, unless the user has gone on to something else. */
	private focusAgain(): void {
		const { activeElement } = this.getRootNode() as ShadowRoot;
		if (!activeElement || this.contains(activeElement)) this.control?.focus();
	}

	private opened(): void {
		this.place();
		this.focusPopup();
	}

	/** Keeps what is open beside its control while the conversation scrolls. */
	private follows(isOpen: boolean): void {
		for (const target of [this.getRootNode(), window]) {
			target.removeEventListener("scroll", this.follow, true);
			if (isOpen) target.addEventListener("scroll", this.follow, { capture: true, passive: true });
		}
	}

	private place(): void {
		const { popup, control, node } = this;
		if (!popup || !control) return;
		popup.style.setProperty("min-width", `${control.clientWidth}px`);
		const side = oneOf<Side>(node["side"], "bottom", "top", "left", "right");
		place(popup, control, side, oneOf<Align>(node["align"], "start", "center", "end"));
	}
}
