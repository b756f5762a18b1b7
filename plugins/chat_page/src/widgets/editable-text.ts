// A text that the user can change in its place.

import { html, nothing } from "lit";
import type { WidgetNode } from "../protocol.ts";
import { type Styles, styled } from "../view.ts";
import { type WidgetContext, text } from "./context.ts";
import { invalid, problem } from "./fields.ts";
import { count, nodeOf } from "./values.ts";

export function editableText(
	node: WidgetNode,
	styles: Styles,
	context: WidgetContext,
	path: string,
) {
	const field = nodeOf(node["editable"]);
	const value = text(node["value"]);
	const name = text(field["name"]);
	const placeholder = text(field["placeholder"]);
	const isLong = (count(node["minLines"]) ?? 1) > 1 || value.includes("\n");
	const complete = text(field["autoComplete"]);
	return html`<textarea class="ock-w-editable" id=${context.id(path)} name=${name} dir="auto" rows="1"
		placeholder=${placeholder} .defaultValue=${value} ?required=${field["required"] === true}
		?data-one-line=${!isLong} data-pattern=${text(field["pattern"]) || nothing} data-grows
		autocomplete=${complete || (field["allowAutofillExtensions"] === true ? nothing : "off")}
		data-label=${placeholder || name || context.chat.words.text("widget.field")}
		data-autofocus=${field["autoFocus"] === true ? "" : nothing}
		data-autoselect=${field["autoSelect"] === true ? "" : nothing}
		aria-invalid=${invalid(context, path)} ${styled(styles)}></textarea>
		${problem(context, path)}`;
}
