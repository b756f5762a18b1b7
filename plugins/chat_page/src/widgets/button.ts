import { html, nothing } from "lit";
import { icon } from "../icons.ts";
import { styled } from "../view.ts";
import { type Draw, type WidgetContext, actionOf, oneOf, text } from "./context.ts";
import type { Props } from "./values.ts";

export const SIZES = ["md", "3xs", "2xs", "xs", "sm", "lg", "xl", "2xl", "3xl"] as const;
const ICON = { sm: "14px", md: "16px", lg: "20px", xl: "24px", "2xl": "32px" };
const COLORS = [
	"secondary",
	"primary",
	"info",
	"discovery",
	"success",
	"caution",
	"warning",
	"danger",
] as const;

const drawn: Draw = (node, context, path) => {
	const action = actionOf(node["onClickAction"]);
	const submits = node["submit"] === true;
	const click = ({ currentTarget }: Event) => {
		const button = currentTarget as HTMLButtonElement;
		// In a form, the browser goes on with `submit`
		if (action && !(submits && button.form)) context.act(action, button, path);
	};
	return button({ node, context, path, submits, click });
};

interface Given {
	node: Props;
	context: WidgetContext;
	path: string;
	submits: boolean;
	click: (event: Event) => void;
}

/** Draws a button by the properties of a `Button`. It can be reached while its action runs. */
export function button({ node, context, path, submits, click }: Given) {
	const isPrimary = node["style"] === "primary";
	const [label, start, end] = [node["label"], node["iconStart"], node["iconEnd"]].map(text);
	const busy = context.busy.has(path);
	return html`<button type=${submits ? "submit" : "button"} class="ock-w-button"
		part="widget-button"
		data-path=${path}
		data-color=${node["color"] ? oneOf(node["color"], ...COLORS) : isPrimary ? "primary" : "secondary"}
		data-variant=${oneOf(node["variant"], isPrimary ? "solid" : "outline", "solid", "soft", "outline", "ghost")}
		data-size=${oneOf(node["size"], ...SIZES)} ?data-pill=${node["pill"] !== false}
		?data-uniform=${node["uniform"] === true} ?data-block=${node["block"] === true}
		?disabled=${node["disabled"] === true} aria-busy=${busy ? "true" : nothing}
		aria-label=${label ? nothing : (start || end || "").replace(/^\w+:/, "").replaceAll("-", " ")}
		@click=${click}>
		${busy ? html`<span class="ock-w-spinner"></span>` : picture(start, node)}
		${label ? html`<span class="ock-w-name" dir="auto">${label}</span>` : nothing}
		${picture(end, node)}
	</button>`;
}

function picture(name: string | undefined, { iconSize }: Props) {
	if (!name) return nothing;
	const size = ICON[oneOf(iconSize, "md", "sm", "lg", "xl", "2xl")];
	return html`<span class="ock-w-icon" ${styled({ "font-size": size })}>${icon(name)}</span>`;
}

export const buttons: Readonly<Record<string, Draw>> = { Button: drawn };
