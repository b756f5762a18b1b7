// Badges, icons and pictures.

import { html } from "lit";
import { icon } from "../icons.ts";
import { safeImage, safeLink } from "../markdown/urls.ts";
import { styled } from "../view.ts";
import { color } from "./colors.ts";
import { type Draw, type WidgetContext, oneOf, text } from "./context.ts";
import { block } from "./values.ts";

const ICON = {
	xs: "12px",
	sm: "14px",
	md: "16px",
	lg: "20px",
	xl: "24px",
	"2xl": "32px",
	"3xl": "40px",
};
const POSITION = /^(top|bottom|center)$|^((top|bottom) )?(left|right)$/;

const badge: Draw = (node) => html`<span class="ock-w-badge" dir="auto"
	data-color=${oneOf(node["color"], "secondary", "success", "danger", "warning", "info", "discovery")}
	data-variant=${oneOf(node["variant"], "soft", "solid", "outline")}
	data-size=${oneOf(node["size"], "sm", "md", "lg")}
	?data-pill=${node["pill"] !== false}>${text(node["label"])}</span>`;

const picture: Draw = (node) => {
	const size = ICON[oneOf(node["size"], "md", "xs", "sm", "lg", "xl", "2xl", "3xl")];
	const styles = { color: color(node["color"]), "font-size": size };
	return html`<span class="ock-w-icon" ${styled(styles)}>${icon(text(node["name"]))}</span>`;
};

const image: Draw = (node, { chat }) => {
	const alt = text(node["alt"]);
	const src = imageAddress(chat, node["src"]);
	if (!src) return imageLink(node["src"], alt);
	const position = text(node["position"]);
	const styles = {
		...block(node),
		"object-fit": oneOf(node["fit"], "cover", "contain", "fill", "scale-down", "none"),
		"object-position": POSITION.test(position) ? position : undefined,
		background: color(node["background"]),
	};
	return html`<img class="ock-w-image" part="widget-image" src=${src} alt=${alt} loading="lazy"
		decoding="async" referrerpolicy="no-referrer" ?data-frame=${node["frame"] === true}
		?data-flush=${node["flush"] === true} ${styled(styles)} />`;
};

/** The address of a picture that may be loaded, else null. */
export function imageAddress(chat: WidgetContext["chat"], address: unknown): string | null {
	const { allowedImageDomains = [] } = chat.options;
	const { allowed_image_domains: domains } = chat.conversation.thread ?? {};
	return safeImage(address, [...allowedImageDomains, ...(domains ?? [])]);
}

/** What stands for a picture that is not loaded. */
function imageLink(address: unknown, alt: string) {
	const link = safeLink(address);
	if (!link) return html`<span class="ock-w-caption" dir="auto">${alt}</span>`;
	return html`<a class="ock-w-link" dir="auto" href=${link} target="_blank"
		rel="noopener noreferrer">${alt || link}</a>`;
}

export const content: Readonly<Record<string, Draw>> = { Badge: badge, Icon: picture, Image: image };
