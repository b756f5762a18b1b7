// Fields of forms: each with its place for what is wrong with it. `fields.ts` gives them names.

import { html, nothing } from "lit";
import { styled } from "../view.ts";
import { SIZES } from "./button.ts";
import { type Draw, type WidgetContext, oneOf, text } from "./context.ts";
import "./date-picker.ts";
import { changes, invalid, labelOf, problem } from "./fields.ts";
import { optionsOf, needsSearch } from "./options.ts";
import "./searchable-select.ts";
import { type Props, count } from "./values.ts";

const GUTTERS: Readonly<Record<string, string>> = {
	"2xs": "4px",
	xs: "6px",
	sm: "8px",
	md: "12px",
	lg: "16px",
	xl: "20px",
};
const ROWS = 3;
const MOST_ROWS = 10;
const DATE = /^\d{4}-\d{2}-\d{2}/;

const input: Draw = (node, context, path) => html`<input class="ock-w-field" id=${context.id(path)}
		name=${text(node["name"])} dir="auto" step="any"
		type=${oneOf(node["inputType"], "text", "number", "email", "password", "tel", "url")}
		value=${text(node["defaultValue"])} placeholder=${text(node["placeholder"])}
		pattern=${text(node["pattern"]) || nothing} ?required=${node["required"] === true}
		?disabled=${node["disabled"] === true} autocomplete=${autofill(node)}
		data-variant=${oneOf(node["variant"], "outline", "soft")} data-size=${oneOf(node["size"], ...SIZES)}
		?data-pill=${node["pill"] === true} data-label=${labelOf(node)}
		data-autofocus=${mark(node["autoFocus"])} data-autoselect=${mark(node["autoSelect"])}
		aria-invalid=${invalid(context, path)} ${styled({ "padding-inline": gutter(node) })} />
	${problem(context, path)}`;

const textarea: Draw = (node, context, path) => {
	const rows = count(node["rows"]) ?? ROWS;
	const most = count(node["maxRows"]) ?? Math.max(rows, MOST_ROWS);
	const styles = { "padding-inline": gutter(node), "max-block-size": `calc(${most * 1.5}em + 14px)` };
	return html`<textarea class="ock-w-field" id=${context.id(path)} name=${text(node["name"])} dir="auto"
		rows=${rows} placeholder=${text(node["placeholder"])} .defaultValue=${text(node["defaultValue"])}
		data-pattern=${text(node["pattern"]) || nothing} ?required=${node["required"] === true}
		?disabled=${node["disabled"] === true} autocomplete=${autofill(node)}
		data-variant=${oneOf(node["variant"], "outline", "soft")} data-size=${oneOf(node["size"], ...SIZES)}
		?data-grows=${node["autoResize"] === true} data-label=${labelOf(node)}
		data-autofocus=${mark(node["autoFocus"])} data-autoselect=${mark(node["autoSelect"])}
		aria-invalid=${invalid(context, path)} ${styled(styles)}></textarea>
		${problem(context, path)}`;
};

/** A mark that is an attribute, and none without it. */
function mark(value: unknown) {
	return value === true ? "" : nothing;
}

function autofill(node: Props) {
	return node["allowAutofillExtensions"] === true ? nothing : "off";
}

function gutter({ gutterSize: size }: Props): string | undefined {
	return Object.hasOwn(GUTTERS, String(size)) ? GUTTERS[String(size)] : undefined;
}

const select: Draw = (node, context, path) =>
	needsSearch(node) ? searchable(node, context, path) : plain(node, context, path);

/** The browser's own control: it is the best one on a phone, and for everybody's tools. */
const plain: Draw = (node, context, path) => {
	const chosen = text(node["defaultValue"]);
	const canBeEmpty = node["clearable"] === true;
	const hasEmpty = canBeEmpty || !optionsOf(node).some(({ value }) => value === chosen);
	return html`<select class="ock-w-field" id=${context.id(path)} name=${text(node["name"])} dir="auto"
		?disabled=${node["disabled"] === true} @change=${changes(node, context, path)}
		data-variant=${oneOf(node["variant"], "outline", "soft", "solid", "ghost")}
		data-size=${oneOf(node["size"], ...SIZES)} ?data-pill=${node["pill"] === true}
		?data-block=${node["block"] === true} data-label=${labelOf(node)} aria-busy=${running(context, path)}>
		${
			hasEmpty
				? html`<option value="" ?selected=${!chosen} ?hidden=${!canBeEmpty}>${text(node["placeholder"]) || "–"}</option>`
				: nothing
		}
		${optionsOf(node).map(
			({ value, label, disabled }) =>
				html`<option value=${value} ?selected=${value === chosen} ?disabled=${disabled}>${label}</option>`,
		)}
	</select>`;
};

/** Shows that the action of a control runs. */
function running({ busy }: WidgetContext, path: string) {
	return busy.has(path) ? "true" : nothing;
}

const searchable: Draw = (node, context, path) => html`<ock-select class="ock-w-picker"
	.chat=${context.chat} .node=${node} .fieldId=${context.id(path)}
	?data-block=${node["block"] === true} aria-busy=${running(context, path)}
	@change=${changes(node, context, path)}></ock-select>`;

const datePicker: Draw = (node, context, path) => {
	if ("showPopover" in HTMLElement.prototype)
		return html`<ock-date class="ock-w-picker" .chat=${context.chat} .node=${node}
			.fieldId=${context.id(path)} ?data-block=${node["block"] === true}
			aria-busy=${running(context, path)} @change=${changes(node, context, path)}></ock-date>`;
	const day = (value: unknown) => text(value).match(DATE)?.[0] ?? nothing;
	return html`<input type="date" class="ock-w-field" id=${context.id(path)} name=${text(node["name"])}
		value=${day(node["defaultValue"])} min=${day(node["min"])} max=${day(node["max"])}
		?disabled=${node["disabled"] === true} data-size=${oneOf(node["size"], ...SIZES)}
		?data-pill=${node["pill"] === true} ?data-block=${node["block"] === true}
		data-label=${labelOf(node)} @change=${changes(node, context, path)} />`;
};

const checkbox: Draw = (node, context, path) => html`<label class="ock-w-choice"
		aria-busy=${running(context, path)}>
		<input type="checkbox" id=${context.id(path)} name=${text(node["name"])}
			?checked=${node["defaultChecked"] === true} ?disabled=${node["disabled"] === true}
			?required=${node["required"] === true} data-label=${node["label"] ? nothing : labelOf(node)}
			aria-invalid=${invalid(context, path)} @change=${changes(node, context, path)} />
		${node["label"] ? html`<span dir="auto">${text(node["label"])}</span>` : nothing}
	</label>
	${problem(context, path)}`;

const radioGroup: Draw = (node, context, path) => {
	const chosen = text(node["defaultValue"]);
	const id = context.id(path);
	// The names of radio buttons are those of the whole page, so they begin with the widget's
	return html`<div class="ock-w-radios" role="radiogroup" id=${id} data-label=${text(node["ariaLabel"]) || labelOf(node)}
		data-direction=${oneOf(node["direction"], "col", "row")} aria-invalid=${invalid(context, path)}
		aria-busy=${running(context, path)}>
		${optionsOf(node).map(
			({ value, label, disabled }) => html`<label class="ock-w-choice">
				<input type="radio" name=${id} data-name=${text(node["name"])} value=${value}
					?checked=${value === chosen} ?disabled=${node["disabled"] === true || disabled}
					?required=${node["required"] === true} @change=${changes(node, context, path)} />
				<span dir="auto">${label}</span>
			</label>`,
		)}
	</div>
	${problem(context, path)}`;
};

export const controls: Readonly<Record<string, Draw>> = {
	Input: input,
	Textarea: textarea,
	Select: select,
	DatePicker: datePicker,
	Checkbox: checkbox,
	RadioGroup: radioGroup,
};
