import { html, nothing } from "lit";
import type { WidgetNode } from "../protocol.ts";
import { type Styles, styled } from "../view.ts";
import { color } from "./colors.ts";
import { type Draw, oneOf, text } from "./context.ts";
import { editableText } from "./editable-text.ts";
import { count, length } from "./values.ts";

const WEIGHTS = { normal: "400", medium: "500", semibold: "600", bold: "700" } as const;
export const TEXT = { md: "1em", xs: "0.75em", sm: "0.875em", lg: "1.125em", xl: "1.25em" } as const;
const CAPTION = { md: "0.8125em", sm: "0.75em", lg: "0.875em" } as const;
const TITLE = {
	md: "1.125em",
	sm: "1em",
	lg: "1.25em",
	xl: "1.5em",
	"2xl": "1.75em",
	"3xl": "2em",
	"4xl": "2.5em",
	"5xl": "3em",
} as const;
const LINE = 1.5; // em

/** What a property picks from a table; its first entry is the default. */
function picked<T extends string>(table: Readonly<Record<string, T>>, value: unknown): T {
	return table[oneOf(value, ...(Object.keys(table) as [string, ...string[]]))]!;
}

/** What texts of all kinds have in common. */
function textStyles(node: WidgetNode, size: string): Styles {
	const { weight } = node;
	return {
		color: color(node["color"]),
		"font-size": size,
		"font-weight": Object.hasOwn(WEIGHTS, String(weight)) ? WEIGHTS[weight as "bold"] : undefined,
		"text-align": node["textAlign"] ? oneOf(node["textAlign"], "start", "center", "end") : undefined,
		"-webkit-line-clamp": lines(node),
	};
}

/** The number of lines that a text is cut to, if it is. */
function lines(node: WidgetNode): number | undefined {
	return count(node["maxLines"]) ?? (node["truncate"] === true ? 1 : undefined);
}

const writing: Draw = (node, context, path) => {
	const least = count(node["minLines"]);
	const styles: Styles = {
		...textStyles(node, picked(TEXT, node["size"])),
		"font-style": node["italic"] === true ? "italic" : undefined,
		"text-decoration-line": node["lineThrough"] === true ? "line-through" : undefined,
		width: length(node["width"]),
		"min-height": least && `${least * LINE}em`,
	};
	if (typeof node["editable"] === "object" && node["editable"] !== null)
		return editableText(node, styles, context, path);
	return html`<p class="ock-w-text" dir="auto" ?data-clamp=${lines(node) !== undefined}
		aria-busy=${node["streaming"] === true ? "true" : nothing} ${styled(styles)}>${text(node["value"])}</p>`;
};

const title: Draw = (node) => html`<p class="ock-w-title" role="heading" aria-level="3" dir="auto"
	?data-clamp=${lines(node) !== undefined}
	${styled(textStyles(node, picked(TITLE, node["size"])))}>${text(node["value"])}</p>`;

const caption: Draw = (node) => html`<p class="ock-w-caption" dir="auto"
	?data-clamp=${lines(node) !== undefined}
	${styled(textStyles(node, picked(CAPTION, node["size"])))}>${text(node["value"])}</p>`;

const label: Draw = (node, context, path) => {
	const size = picked(TEXT, node["size"] ?? "sm");
	return html`<label class="ock-w-label" dir="auto" id=${context.id(path)}
		data-field=${text(node["fieldName"])}
		${styled(textStyles(node, size))}>${text(node["value"])}</label>`;
};

const markdown: Draw = (node, { chat }) => html`<ock-markdown class="ock-w-markdown" .chat=${chat}
	.value=${text(node["value"])} .streaming=${node["streaming"] === true}></ock-markdown>`;

export const texts: Readonly<Record<string, Draw>> = {
	Text: writing,
	Title: title,
	Caption: caption,
	Label: label,
	Markdown: markdown,
};
