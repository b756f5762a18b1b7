// The roots of widgets: cards, lists and plain ones.

import { html, nothing } from "lit";
import { icon } from "../icons.ts";
import type { WidgetNode } from "../protocol.ts";
import { type Styles, styled } from "../view.ts";
import { propertiesOf } from "../theme.ts";
import { button } from "./button.ts";
import { color } from "./colors.ts";
import { imageAddress } from "./content.ts";
import { type Draw, type WidgetContext, actionOf, oneOf, text } from "./context.ts";
import { submits } from "./layout.ts";
import { type Props, border, box, nodeOf, sides } from "./values.ts";

function status(node: Props, { chat }: WidgetContext) {
	const { text: words, icon: name, favicon, frame } = nodeOf(node["status"]);
	if (!words && !name) return nothing;
	const src = favicon ? imageAddress(chat, favicon) : null;
	const picture = src
		? html`<img src=${src} alt="" ?data-frame=${frame === true} referrerpolicy="no-referrer" />`
		: icon(text(name) || (favicon ? "globe" : ""));
	return html`<p class="ock-w-status">${picture}<span dir="auto">${text(words)}</span></p>`;
}

/** The scheme that a root is always drawn in, if it says so. */
function schemeOf({ theme }: Props): "light" | "dark" | undefined {
	return theme === "light" || theme === "dark" ? theme : undefined;
}

/** The page's own colours in the scheme of a root. Its surfaces are for the page's scheme alone. */
function themed(node: Props, { chat }: WidgetContext): Styles {
	const { theme } = chat.options;
	const scheme = schemeOf(node);
	if (!scheme || typeof theme !== "object") return {};
	const { surface: _, ...color } = theme.color ?? {};
	return color.grayscale ? propertiesOf({ color: { grayscale: color.grayscale } }, scheme) : {};
}

const card: Draw = (node, context, path) => {
	const confirm = cardAction(node["confirm"]);
	const attributes = styled({
		...themed(node, context),
		background: color(node["background"]),
		...border(node["border"]),
		...paddings(node["padding"]),
	});
	const isFolded = node["collapsed"] === true && !context.isOpen(path);
	const inside = html`${status(node, context)}
		${isFolded ? nothing : html`<div class="ock-w-body">${context.children(node, path)}</div>`}
		${isFolded ? nothing : buttons(node, context, path)}
		${node["collapsed"] === true ? folder(context, path) : nothing}`;
	const size = oneOf(node["size"], "md", "sm", "lg", "full");
	if (node["asForm"] !== true)
		return html`<div class="ock-w-card" part="widget card" data-size=${size}
			data-scheme=${schemeOf(node) ?? nothing} ${attributes}>${inside}</div>`;
	const submit = (form: HTMLFormElement) =>
		context.submit(confirm?.action ?? null, form, `${path}.confirm`);
	return html`<form class="ock-w-card" part="widget card" data-size=${size} novalidate
		data-scheme=${schemeOf(node) ?? nothing} @submit=${submits(submit)} ${attributes}>${inside}</form>`;
};

/** Paddings, by properties that what is flush with the edges can use too. */
function paddings(value: unknown): Styles {
	const all = sides("padding", value);
	const [top, right = top, bottom = top, left = right] = parts(all["padding"]);
	return {
		"--w-block-start": all["padding-block-start"] ?? top,
		"--w-block-end": all["padding-block-end"] ?? bottom,
		"--w-inline-start": all["padding-inline-start"] ?? left,
		"--w-inline-end": all["padding-inline-end"] ?? right,
	};
}

/** The parts of `4px calc(1em + 2px)`. */
function parts(value: unknown): string[] {
	return typeof value === "string" ? value.split(/\s+(?![^(]*\))/) : [];
}

/** Opens and closes a card that is folded. */
function folder(context: WidgetContext, path: string) {
	const isOpen = context.isOpen(path);
	return html`<button type="button" class="ock-w-more" aria-expanded=${isOpen ? "true" : "false"}
		@click=${() => context.open(path, !isOpen)}>
		${context.chat.words.text(isOpen ? "widget.less" : "widget.more")}
	</button>`;
}

function cardAction(value: unknown) {
	const { action, label } = nodeOf(value);
	const given = actionOf(action);
	return given ? { label: text(label), action: given } : null;
}

function buttons(node: WidgetNode, context: WidgetContext, path: string) {
	const [confirm, cancel] = [cardAction(node["confirm"]), cardAction(node["cancel"])];
	if (!confirm && !cancel) return nothing;
	const draw = (given: NonNullable<typeof confirm>, place: string, style: string, submits: boolean) => {
		const key = `${path}.${place}`;
		const click = ({ currentTarget }: Event) => {
			if (!submits) context.act(given.action, currentTarget as Element, key);
		};
		return button({ node: { label: given.label, style }, context, path: key, submits, click });
	};
	return html`<div class="ock-w-buttons">
		${cancel ? draw(cancel, "cancel", "secondary", false) : nothing}
		${confirm ? draw(confirm, "confirm", "primary", node["asForm"] === true) : nothing}
	</div>`;
}

const basic: Draw = (node, context, path) => {
	const way = oneOf(node["direction"], "col", "row");
	return html`<div class="ock-w-box" data-type="basic" data-way=${way} part="widget basic"
		data-scheme=${schemeOf(node) ?? nothing}
		${styled({ ...themed(node, context), ...box(node, way) })}>${context.children(node, path)}</div>`;
};

export const roots: Readonly<Record<string, Draw>> = { Card: card, Basic: basic };
export { schemeOf, status, themed };
