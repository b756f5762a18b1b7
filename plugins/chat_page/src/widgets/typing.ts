// What happens in the fields of a widget while the user types.

import type { Field } from "./fields.ts";

const GROWS = "textarea[data-grows]";
const canGrow = (): boolean => CSS.supports("field-sizing", "content");

const listening = new WeakSet<Element>();

/** Listens to the fields of a widget, once. `changed` hears of each change. */
export function typing(widget: HTMLElement, changed: (field: Field) => void): void {
	if (listening.has(widget)) return;
	listening.add(widget);
	widget.addEventListener("focusin", select);
	widget.addEventListener("keydown", enter);
	for (const type of ["input", "change"])
		widget.addEventListener(type, ({ target }) => {
			if (!(target as Element).matches("input, textarea, select")) return;
			grow(target as HTMLElement);
			changed(target as Field);
		});
}

function select({ target }: Event): void {
	const field = target as HTMLInputElement;
	if (field.matches("[data-autoselect]")) field.select();
}

/** Enter sends a form, also one without a button, which the browser would not. */
function enter(event: KeyboardEvent): void {
	const field = event.target as Element;
	if (event.key !== "Enter" || event.isComposing || event.defaultPrevented) return;
	const isOneLine = field.matches("textarea[data-one-line]");
	if (!isOneLine && !field.matches("input:not([type=checkbox], [type=radio])")) return;
	event.preventDefault();
	field.closest("form")?.requestSubmit();
}

/** Makes a field as high as its text, where the browser does not. */
function grow(field: HTMLElement): void {
	if (!field.matches(GROWS) || canGrow()) return;
	field.style.setProperty("block-size", "auto");
	field.style.setProperty("block-size", `${field.scrollHeight + 2}px`);
}
