import { html, nothing } from "lit";
import { icon } from "../icons.ts";
import { safeImage, safeLink } from "../markdown/urls.ts";
import { styled } from "../view.ts";
import { type Draw, type WidgetContext, actionOf, oneOf, text } from "./context.ts";
import { block, color, length, radius } from "./values.ts";

const WEIGHT = { normal: "400", medium: "500", semibold: "600", bold: "700" };
const TEXT = { xs: "0.75em", sm: "0.875em", md: "1em", lg: "1.125em", xl: "1.25em" };
const CAPTION = { sm: "0.75em", md: "0.8125em", lg: "0.875em" };
const TITLE = {
	sm: "1em",
	md: "1.125em",
	lg: "1.25em",
	xl: "1.5em",
	"2xl": "1.75em",
	"3xl": "2em",
	"4xl": "2.5em",
	"5xl": "3em",
};
const ICON = {
	xs: "12px",
	sm: "14px",
	md: "16px",
	lg: "20px",
	xl: "24px",
	"2xl": "32px",
	"3xl": "40px",
};

type Node = Record<string, unknown>;

/** What texts of all kinds have in common. */
export function textStyles(node: Node, { scheme }: WidgetContext, size: string | undefined) {
	const lines = (value: unknown) => (typeof value === "number" && value > 0 ? value : undefined);
	const most = node["truncate"] === true ? (lines(node["maxLines"]) ?? 1) : lines(node["maxLines"]);
	const least = lines(node["minLines"]);
	return {
		color: color(node["color"], scheme),
		"font-size": size,
		"font-weight": WEIGHT[node["weight"] as keyof typeof WEIGHT],
		"text-align": oneOf(node["textAlign"], "start", "center", "end"),
		width: length(node["width"]),
		"min-height": least && `${least * 1.5}em`,
		"-webkit-line-clamp": most,
	};
}

const writing: Draw = (node, context, path) => {
	const size = TEXT[oneOf(node["size"], "md", "xs", "sm", "lg", "xl")];
	const styles = {
		...textStyles(node, context, size),
		"font-style": node["italic"] ? "italic" : undefined,
		"text-decoration": node["lineThrough"] ? "line-through" : undefined,
	};
	const { editable } = node;
	if (typeof editable === "object" && editable !== null)
		return editableText(node, editable as Node, styles, context, path);
	return html`<p class="ock-w-text" dir="auto" ?data-clamp=${clamps(node)}
		aria-busy=${node["streaming"] ? "true" : nothing} ${styled(styles)}>${text(node["value"])}</p>`;
};

function clamps(node: Node): boolean {
	return node["truncate"] === true || typeof node["maxLines"] === "number";
}

function editableText(
	node: Node,
	field: Node,
	styles: Record<string, string | number | undefined>,
	{ prefix, chat }: WidgetContext,
	path: string,
) {
	const name = text(field["name"]);
	const placeholder = text(field["placeholder"]);
	return html`<input class="ock-w-editable" name=${name} id=${`${prefix}${name || path}`} dir="auto"
		value=${text(node["value"])} placeholder=${placeholder}
		aria-label=${placeholder || name || chat.words.text("widget.field")}
		pattern=${field["pattern"] ? text(field["pattern"]) : nothing} ?required=${field["required"]}
		autocomplete=${field["autoComplete"] ? text(field["autoComplete"]) : "off"}
		?data-autofocus=${field["autoFocus"]} ?data-autoselect=${field["autoSelect"]} ${styled(styles)} />`;
}

const title: Draw = (node, context) => {
	const size = TITLE[oneOf(node["size"], "md", "sm", "lg", "xl", "2xl", "3xl", "4xl", "5xl")];
	return html`<p class="ock-w-title" role="heading" aria-level="4" dir="auto" ?data-clamp=${clamps(node)}
		${styled(textStyles(node, context, size))}>${text(node["value"])}</p>`;
};

const caption: Draw = (node, context) => {
	const size = CAPTION[oneOf(node["size"], "md", "sm", "lg")];
	return html`<p class="ock-w-caption" dir="auto" ?data-clamp=${clamps(node)}
		${styled(textStyles(node, context, size))}>${text(node["value"])}</p>`;
};

const label: Draw = (node, context) => {
	const size = TEXT[oneOf(node["size"], "sm", "xs", "md", "lg", "xl")];
	return html`<label class="ock-w-label" dir="auto" for=${`${context.prefix}${text(node["fieldName"])}`}
		${styled(textStyles(node, context, size))}>${text(node["value"])}</label>`;
};

const markdown: Draw = (node, { chat }) =>
	html`<ock-markdown .chat=${chat} .value=${text(node["value"])} .streaming=${node["streaming"] === true}></ock-markdown>`;

const badge: Draw = (node) => {
	const kind = oneOf(node["color"], "secondary", "success", "danger", "warning", "info", "discovery");
	return html`<span class="ock-w-badge" dir="auto" data-color=${kind}
		data-variant=${oneOf(node["variant"], "soft", "solid", "outline")}
		data-size=${oneOf(node["size"], "sm", "md", "lg")} ?data-pill=${node["pill"] !== false}>${text(node["label"])}</span>`;
};

const picture: Draw = (node, { scheme }) => {
	const size = ICON[oneOf(node["size"], "md", "xs", "sm", "lg", "xl", "2xl", "3xl")];
	return html`<span class="ock-w-icon" ${styled({
		color: color(node["color"], scheme),
		"font-size": size,
	})}>${icon(text(node["name"]))}</span>`;
};

const image: Draw = (node, { chat, scheme }) => {
	const alt = text(node["alt"]);
	const src = imageAddress(chat, node["src"]);
	if (!src) return imageLink(node["src"], alt);
	const styles = {
		...block(node),
		"object-fit": oneOf(node["fit"], "cover", "contain", "fill", "scale-down", "none"),
		"object-position": position(node["position"]),
		background: color(node["background"], scheme),
		"border-radius": radius(node["radius"]),
	};
	return html`<img class="ock-w-image" src=${src} alt=${alt} loading="lazy" decoding="async"
		referrerpolicy="no-referrer" ?data-frame=${node["frame"]} ?data-flush=${node["flush"]} ${styled(styles)} />`;
};

function position(value: unknown): string | undefined {
	return typeof value === "string" && /^[a-z]+( [a-z]+)?$/.test(value) ? value : undefined;
}

/** The address of a picture that may be loaded, else null. */
export function imageAddress(chat: WidgetContext["chat"], address: unknown): string | null {
	const { allowedImageDomains = [] } = chat.options;
	const { allowed_image_domains: domains } = chat.conversation.thread ?? {};
	return safeImage(address, [...allowedImageDomains, ...(domains ?? [])]);
}

/** What stands for a picture that is not loaded. */
function imageLink(address: unknown, alt: string) {
	const link = safeLink(address);
	if (!link) return html`<span class="ock-w-caption">${alt}</span>`;
	return html`<a class="ock-w-link" href=${link} target="_blank" rel="noopener noreferrer">${alt || link}</a>`;
}

const button: Draw = (node, context, path) => {
	const action = actionOf(node["onClickAction"]);
	const isPrimary = node["style"] === "primary";
	const name = text(node["label"]);
	const busy = context.busy.has(path);
	const iconSize = { "font-size": ICON[oneOf(node["iconSize"], "md", "sm", "lg", "xl", "2xl")] };
	const click = (event: Event) => {
		if (!action || node["submit"] === true) return;
		context.act(action, event.currentTarget as Element, path);
	};
	const start = text(node["iconStart"]);
	const end = text(node["iconEnd"]);
	return html`<button type=${node["submit"] === true ? "submit" : "button"} class="ock-w-button" dir="auto"
		data-color=${oneOf(node["color"], isPrimary ? "primary" : "secondary", "primary", "secondary", "info", "discovery", "success", "caution", "warning", "danger")}
		data-variant=${oneOf(node["variant"], isPrimary ? "solid" : "outline", "solid", "soft", "outline", "ghost")}
		data-size=${oneOf(node["size"], "md", "3xs", "2xs", "xs", "sm", "lg", "xl", "2xl", "3xl")}
		?data-pill=${node["pill"] !== false} ?data-uniform=${node["uniform"]} ?data-block=${node["block"]}
		?disabled=${node["disabled"] === true} aria-busy=${busy ? "true" : nothing}
		aria-label=${name ? nothing : (start || end).replaceAll("-", " ")} @click=${click}>
		${start ? html`<span ${styled(iconSize)}>${icon(start)}</span>` : nothing}
		${name ? html`<span class="ock-w-name">${name}</span>` : nothing}
		${end ? html`<span ${styled(iconSize)}>${icon(end)}</span>` : nothing}
	</button>`;
};

export const content: Record<string, Draw> = {
	Text: writing,
	Title: title,
	Caption: caption,
	Label: label,
	Markdown: markdown,
	Badge: badge,
	Icon: picture,
	Image: image,
	Button: button,
};
