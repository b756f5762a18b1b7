import { html, nothing } from "lit";
import { icon } from "../icons.ts";
import type { WidgetNode } from "../protocol.ts";
import { styled } from "../view.ts";
import { imageAddress } from "./content.ts";
import { type Draw, type WidgetContext, actionOf, oneOf, text } from "./context.ts";
import { border, box, color, sides, spacing } from "./values.ts";

type Node = Record<string, unknown>;

const AUTO = 5; // items of a list that are shown before the user asks for more

function status(node: Node, { chat }: WidgetContext) {
	const given = node["status"];
	if (typeof given !== "object" || given === null) return nothing;
	const { text: words, icon: name, favicon } = given as Node;
	const src = favicon ? imageAddress(chat, favicon) : null;
	return html`<p class="ock-w-status">
		${src ? html`<img src=${src} alt="" width="16" height="16" />` : icon(text(name))}
		<span dir="auto">${text(words)}</span>
	</p>`;
}

const card: Draw = (node, context, path) => {
	const styles = {
		background: color(node["background"], context.scheme),
		...border(node["border"], context.scheme),
		...sides("padding", node["padding"]),
	};
	const inside = html`${status(node, context)}
		${node["collapsed"] === true && !context.isOpen(path) ? folded(context, path) : body(node, context, path)}`;
	const size = oneOf(node["size"], "md", "sm", "lg", "full");
	if (node["asForm"] !== true)
		return html`<div class="ock-w-card" part="widget card" data-size=${size} ${styled(styles)}>${inside}</div>`;
	const confirm = cardAction(node["confirm"]);
	const submit = (event: SubmitEvent) => {
		event.preventDefault();
		if (confirm) context.act(confirm.action, event.target as Element, `${path}.confirm`, true);
	};
	return html`<form class="ock-w-card" part="widget card" data-size=${size} @submit=${submit}
		${styled(styles)}>${inside}</form>`;
};

function folded(context: WidgetContext, path: string) {
	return html`<button type="button" class="ock-w-more" aria-expanded="false" @click=${() => context.open(path)}>
		${context.chat.words.text("widget.more")}
	</button>`;
}

function body(node: WidgetNode, context: WidgetContext, path: string) {
	return html`<div class="ock-w-body">${context.children(node, path)}</div>${buttons(node, context, path)}`;
}

function cardAction(value: unknown) {
	if (typeof value !== "object" || value === null) return null;
	const action = actionOf((value as Node)["action"]);
	return action ? { label: text((value as Node)["label"]), action } : null;
}

function buttons(node: WidgetNode, context: WidgetContext, path: string) {
	const confirm = cardAction(node["confirm"]);
	const cancel = cardAction(node["cancel"]);
	if (!confirm && !cancel) return nothing;
	const isForm = node["asForm"] === true;
	const draw = (given: NonNullable<typeof confirm>, place: string, kind: string) => {
		const key = `${path}.${place}`;
		const submits = isForm && place === "confirm";
		return html`<button type=${submits ? "submit" : "button"} class="ock-w-button" data-color=${kind}
			data-variant=${kind === "primary" ? "solid" : "outline"} data-size="md" data-pill
			aria-busy=${context.busy.has(key) ? "true" : nothing}
			@click=${(event: Event) => submits || context.act(given.action, event.currentTarget as Element, key)}>
			<span class="ock-w-name">${given.label}</span>
		</button>`;
	};
	return html`<div class="ock-w-buttons">
		${cancel ? draw(cancel, "cancel", "secondary") : nothing}
		${confirm ? draw(confirm, "confirm", "primary") : nothing}
	</div>`;
}

const list: Draw = (node, context, path) => {
	const items = (Array.isArray(node.children) ? node.children : []).filter(Boolean);
	const limit = node["limit"] === "auto" ? AUTO : Number(node["limit"] ?? Infinity);
	const most = context.isOpen(path) || !(limit > 0) ? Infinity : limit;
	const shown = { ...node, children: items.slice(0, most) };
	const more = items.length - most;
	return html`<div class="ock-w-card ock-w-list" part="widget list">
		${status(node, context)}
		<ul>${context.children(shown, path)}</ul>
		${
			more > 0
				? html`<button type="button" class="ock-w-more" aria-expanded="false" @click=${() => context.open(path)}>
						${context.chat.words.text("widget.rest", { count: more })}
					</button>`
				: nothing
		}
	</div>`;
};

const listItem: Draw = (node, context, path) => {
	const action = actionOf(node["onClickAction"]);
	const align = oneOf(node["align"], "center", "start", "end", "baseline", "stretch");
	const styles = {
		gap: spacing(node["gap"]),
		"align-items": align === "start" || align === "end" ? `flex-${align}` : align,
	};
	return html`<li class="ock-w-item" ?data-acts=${action !== null} aria-busy=${context.busy.has(path) ? "true" : nothing}>
		${
			action
				? html`<button type="button" class="ock-w-cover" aria-label=${wordsOf(node).slice(0, 200)}
						@click=${(event: Event) => context.act(action, event.currentTarget as Element, path)}></button>`
				: nothing
		}
		<div class="ock-w-row" ${styled(styles)}>${context.children(node, path)}</div>
	</li>`;
};

/** All that a component says: the name of what is clicked as a whole. */
function wordsOf(node: WidgetNode): string {
	const { children } = node;
	const inner = Array.isArray(children) ? children : children ? [children] : [];
	const own = text(node["value"] ?? node["label"]);
	return [own, ...inner.filter(Boolean).map(wordsOf)].filter(Boolean).join(", ");
}

const basic: Draw = (node, context, path) => {
	const direction = oneOf(node["direction"], "col", "row");
	return html`<div class="ock-w-box ock-w-basic" part="widget basic" ${styled(box(node, context.scheme, direction))}>
		${context.children(node, path)}
	</div>`;
};

export const roots: Record<string, Draw> = {
	Card: card,
	ListView: list,
	ListViewItem: listItem,
	Basic: basic,
};
