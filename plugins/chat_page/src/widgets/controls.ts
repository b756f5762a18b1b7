import { html, nothing } from "lit";
import { styled } from "../view.ts";
import { type Draw, type WidgetContext, actionOf, oneOf, text } from "./context.ts";

type Node = Record<string, unknown>;

const SIZES = ["md", "3xs", "2xs", "xs", "sm", "lg", "xl", "2xl", "3xl"] as const;
const GUTTERS = { "2xs": "4px", xs: "6px", sm: "8px", md: "12px", lg: "16px", xl: "20px" };
const DATE = /^\d{4}-\d{2}-\d{2}/;

/** Has an action run when the user has changed a control. */
function changes(node: Node, context: WidgetContext, path: string) {
	const action = actionOf(node["onChangeAction"]);
	return (event: Event) => {
		if (action) context.act(action, event.currentTarget as Element, path);
	};
}

function idOf(node: Node, { prefix }: WidgetContext): string {
	return `${prefix}${text(node["name"])}`;
}

/** A field without a label of its own has its placeholder or its name as one. */
function nameOf(node: Node): string {
	return text(node["placeholder"]) || text(node["name"]).replaceAll(/[._-]+/g, " ");
}

const input: Draw = (node, context) => {
	const gutter = GUTTERS[node["gutterSize"] as keyof typeof GUTTERS];
	return html`<input class="ock-w-field" id=${idOf(node, context)} name=${text(node["name"])} dir="auto"
		type=${oneOf(node["inputType"], "text", "number", "email", "password", "tel", "url")}
		value=${text(node["defaultValue"])} placeholder=${text(node["placeholder"])}
		pattern=${node["pattern"] ? text(node["pattern"]) : nothing} ?required=${node["required"]}
		?disabled=${node["disabled"] === true} autocomplete=${node["allowAutofillExtensions"] ? nothing : "off"}
		data-variant=${oneOf(node["variant"], "outline", "soft")} data-size=${oneOf(node["size"], ...SIZES)}
		?data-pill=${node["pill"]} ?data-autofocus=${node["autoFocus"]} ?data-autoselect=${node["autoSelect"]}
		data-label=${nameOf(node)} step="any" ${styled({ "padding-inline": gutter })} />`;
};

const textarea: Draw = (node, context) => {
	const gutter = GUTTERS[node["gutterSize"] as keyof typeof GUTTERS];
	const number = (value: unknown, otherwise: number) =>
		typeof value === "number" && value > 0 ? Math.min(Math.floor(value), 100) : otherwise;
	const rows = number(node["rows"], 3);
	return html`<textarea class="ock-w-field" id=${idOf(node, context)} name=${text(node["name"])} dir="auto"
		rows=${rows} placeholder=${text(node["placeholder"])} ?required=${node["required"]}
		data-pattern=${node["pattern"] ? text(node["pattern"]) : nothing}
		?disabled=${node["disabled"] === true} autocomplete=${node["allowAutofillExtensions"] ? nothing : "off"}
		data-variant=${oneOf(node["variant"], "outline", "soft")} data-size=${oneOf(node["size"], ...SIZES)}
		?data-grows=${node["autoResize"]} ?data-autofocus=${node["autoFocus"]} ?data-autoselect=${node["autoSelect"]}
		data-label=${nameOf(node)} .defaultValue=${text(node["defaultValue"])}
		${styled({
			"padding-inline": gutter,
			"max-height": `${number(node["maxRows"], Math.max(rows, 10)) * 1.5 + 1}em`,
		})}></textarea>`;
};

interface Option {
	value?: unknown;
	label?: unknown;
	description?: unknown;
	disabled?: unknown;
}

function optionsOf(node: Node): Option[] {
	const { options } = node;
	return Array.isArray(options) ? options.filter((each) => typeof each === "object" && each) : [];
}

const select: Draw = (node, context, path) => {
	const chosen = text(node["defaultValue"]);
	const placeholder = text(node["placeholder"]);
	const canBeEmpty = node["clearable"] === true;
	return html`<select class="ock-w-field" id=${idOf(node, context)} name=${text(node["name"])}
		?disabled=${node["disabled"] === true} ?required=${node["required"]} @change=${changes(node, context, path)}
		data-variant=${oneOf(node["variant"], "outline", "soft", "solid", "ghost")}
		data-size=${oneOf(node["size"], ...SIZES)} ?data-pill=${node["pill"]} ?data-block=${node["block"]}
		data-label=${nameOf(node)} aria-busy=${context.busy.has(path) ? "true" : nothing}>
		${
			canBeEmpty || !chosen
				? html`<option value="" ?disabled=${!canBeEmpty} ?selected=${!chosen}>${placeholder || "–"}</option>`
				: nothing
		}
		${optionsOf(node).map((option) => {
			const value = text(option.value);
			const description = text(option.description);
			return html`<option value=${value} ?selected=${value === chosen} ?disabled=${option.disabled === true}>
				${text(option.label) || value}${description ? ` – ${description}` : ""}
			</option>`;
		})}
	</select>`;
};

const datePicker: Draw = (node, context, path) => {
	const day = (value: unknown) => text(value).match(DATE)?.[0] ?? nothing;
	return html`<input type="date" class="ock-w-field" id=${idOf(node, context)} name=${text(node["name"])}
		value=${day(node["defaultValue"])} min=${day(node["min"])} max=${day(node["max"])}
		?disabled=${node["disabled"] === true} ?required=${node["required"]}
		data-variant=${oneOf(node["variant"], "outline", "soft", "solid", "ghost")}
		data-size=${oneOf(node["size"], ...SIZES)} ?data-pill=${node["pill"]} ?data-block=${node["block"]}
		data-label=${nameOf(node)} aria-busy=${context.busy.has(path) ? "true" : nothing}
		@change=${changes(node, context, path)} />`;
};

const checkbox: Draw = (node, context, path) => html`<label class="ock-w-choice">
	<input type="checkbox" id=${idOf(node, context)} name=${text(node["name"])}
		?checked=${node["defaultChecked"] === true} ?disabled=${node["disabled"] === true}
		?required=${node["required"]} data-label=${node["label"] ? nothing : nameOf(node)}
		aria-busy=${context.busy.has(path) ? "true" : nothing} @change=${changes(node, context, path)} />
	${node["label"] ? html`<span dir="auto">${text(node["label"])}</span>` : nothing}
</label>`;

const radioGroup: Draw = (node, context, path) => {
	const name = text(node["name"]);
	const chosen = text(node["defaultValue"]);
	return html`<div class="ock-w-radios" role="radiogroup" id=${idOf(node, context)}
		data-label=${text(node["ariaLabel"]) || nameOf(node)} data-direction=${oneOf(node["direction"], "col", "row")}
		aria-busy=${context.busy.has(path) ? "true" : nothing}>
		${optionsOf(node).map((option) => {
			const value = text(option.value);
			return html`<label class="ock-w-choice">
				<input type="radio" name=${name} value=${value} ?checked=${value === chosen}
					?disabled=${node["disabled"] === true || option.disabled === true} ?required=${node["required"]}
					@change=${changes(node, context, path)} />
				<span dir="auto">${text(option.label) || value}</span>
			</label>`;
		})}
	</div>`;
};

export const controls: Record<string, Draw> = {
	Input: input,
	Textarea: textarea,
	Select: select,
	DatePicker: datePicker,
	Checkbox: checkbox,
	RadioGroup: radioGroup,
};
