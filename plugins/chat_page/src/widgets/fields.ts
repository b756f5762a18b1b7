// What all fields of forms have in common: names, labels, and what is wrong with them.

import { html, nothing } from "lit";
import type { Word, Words } from "../words.ts";
import { type WidgetContext, actionOf, text } from "./context.ts";
import type { Props } from "./values.ts";

export type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const FIELDS = "input:not([role]), textarea, select"; // a search has a role
const MISSING: Readonly<Record<string, Word>> = { radio: "widget.choose", checkbox: "widget.tick" };
const LONGEST = 10_000; // characters that a pattern is tried on

export function fieldsIn(container: Element): Field[] {
	return [...container.querySelectorAll<Field>(FIELDS)];
}

/** The name of a field in the payload. */
export function nameOf(field: Field): string {
	return field.dataset["name"] ?? field.name;
}

/** Whether a field is marked as wrong, as an attribute. */
export function invalid({ problems, id }: WidgetContext, path: string) {
	return problems.has(id(path)) ? "true" : nothing;
}

/** The text below a field that says what is wrong. */
export function problem({ problems, id }: WidgetContext, path: string) {
	const words = problems.get(id(path));
	return words ? html`<p class="ock-w-problem" id=${`${id(path)}-problem`}>${words}</p>` : nothing;
}

/** Has an action run when the user has changed a control. */
export function changes(node: Props, context: WidgetContext, path: string) {
	const action = actionOf(node["onChangeAction"]);
	return ({ currentTarget }: Event) => {
		if (action) context.act(action, currentTarget as Element, path);
	};
}

/** What a field is called for which the widget has no label. */
export function labelOf(node: Props): string {
	return text(node["placeholder"]) || text(node["name"]).replaceAll(/[._-]+/g, " ");
}

/** What is wrong with a field, in the words of the user; null if nothing is. */
export function problemOf(field: Field, words: Words): string | null {
	const { validity } = field;
	if (field.disabled) return null;
	if (validity.valueMissing) return words.text(MISSING[field.type] ?? "widget.required");
	if (validity.typeMismatch)
		return words.text(field.type === "email" ? "widget.email" : "widget.url");
	if (validity.badInput) return words.text("widget.number");
	if (validity.patternMismatch || !matches(field)) return words.text("widget.pattern");
	return validity.valid ? null : field.validationMessage;
}

/** `pattern` of a field with many lines, which the browser does not check. */
function matches({ dataset, value }: Field): boolean {
	const pattern = dataset["pattern"];
	if (!pattern || !value || value.length > LONGEST) return true;
	try {
		return new RegExp(`^(?:${pattern})$`, "u").test(value);
	} catch {
		return true; // as the browser does with a pattern that is none
	}
}

/** What bears the id of a field: the group of a radio button, the button of a picker. */
export function bearerOf(field: Field): HTMLElement {
	const group = field.closest<HTMLElement>("[role=radiogroup]");
	const picker = field.type === "hidden" ? field.parentElement : null;
	return group ?? picker?.querySelector<HTMLElement>("[role=combobox]") ?? field;
}

/** Connects the fields of a widget with their labels and problems; it does so after each drawing. */
export function connectFields(widget: Element): void {
	const labels = [...widget.querySelectorAll<HTMLLabelElement>("label[data-field]")];
	const bearers = new Set(fieldsIn(widget).map(bearerOf));
	for (const bearer of bearers) {
		const label = labels.find((each) => isLabelOf(each, bearer));
		name(bearer, label);
		const problemId = `${bearer.id}-problem`;
		const isWrong = bearer.getAttribute("aria-invalid") === "true";
		set(bearer, "aria-describedby", isWrong ? problemId : null);
	}
}

function isLabelOf(label: HTMLLabelElement, bearer: HTMLElement): boolean {
	const isPicker = bearer.matches("button");
	const field = bearer.matches(FIELDS)
		? (bearer as Field)
		: fieldsIn((isPicker ? bearer.parentElement : null) ?? bearer)[0];
	if (!field || label.closest("form") !== bearer.closest("form")) return false;
	return nameOf(field) === label.dataset["field"];
}

/** A group cannot be named by `for`, so it is by its label's id. */
function name(bearer: HTMLElement, label: HTMLLabelElement | undefined): void {
	const isGroup = bearer.getAttribute("role") === "radiogroup";
	if (label && !isGroup) label.htmlFor = bearer.id;
	set(bearer, "aria-labelledby", label && isGroup ? label.id : null);
	set(bearer, "aria-label", label ? null : (bearer.dataset["label"] ?? null));
}

function set(element: Element, name: string, value: string | null): void {
	if (value === null || value === "") element.removeAttribute(name);
	else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
