import { html, nothing } from "lit";
import type { WidgetNode } from "../protocol.ts";
import { styled } from "../view.ts";
import { type Draw, type WidgetContext, actionOf, childrenOf, text } from "./context.ts";
import { schemeOf, status, themed } from "./roots.ts";
import { alignment, count, spacing } from "./values.ts";

const AUTO = 5; // items that are shown before the user asks for more, if the limit is `auto`
const NAME = 200; // characters of the name of an item
const DEEP = 20; // components inside of each other whose words are part of it

const list: Draw = (node, context, path) => {
	const items = childrenOf(node);
	const limit = node["limit"] === "auto" ? AUTO : count(node["limit"], 1000);
	const most = context.isOpen(path) ? items.length : (limit ?? items.length);
	const shown = { ...node, children: items.slice(0, most) };
	return html`<div class="ock-w-card ock-w-list" part="widget list" data-scheme=${schemeOf(node) ?? nothing}
		${styled(themed(node, context))}>
		${status(node, context)}
		<ul role="list">${context.children(shown, path)}</ul>
		${most < items.length ? more(context, path, items.length - most) : nothing}
	</div>`;
};

/** Shows the rest. The focus goes to the first item that was not shown, since the button goes. */
function more(context: WidgetContext, path: string, rest: number) {
	const click = async ({ currentTarget }: Event) => {
		const items = (currentTarget as Element).previousElementSibling?.children;
		const first = items?.length ?? 0;
		await context.open(path);
		const item = items?.[first];
		const target = item?.querySelector<HTMLElement>("button, a, input") ?? (item as HTMLElement);
		if (target === item) target?.setAttribute("tabindex", "-1");
		target?.focus();
	};
	return html`<button type="button" class="ock-w-more" aria-expanded="false" @click=${click}>
		${context.chat.words.text("widget.rest", { count: rest })}
	</button>`;
}

const item: Draw = (node, context, path) => {
	const action = actionOf(node["onClickAction"]);
	const styles = { gap: spacing(node["gap"]), "align-items": alignment(node["align"]) };
	// A click anywhere in it counts, but for one on something that acts itself
	const click = ({ target, currentTarget }: Event) => {
		const cover = (currentTarget as Element).querySelector(".ock-w-cover")!;
		const inner = (target as Element).closest("button, a, input, select, textarea, label");
		if (!inner || inner === cover) context.act(action!, cover, path);
	};
	return html`<li class="ock-w-item" ?data-acts=${action !== null} @click=${action ? click : null}
		aria-busy=${context.busy.has(path) ? "true" : nothing}>
		${
			action
				? html`<button type="button" class="ock-w-cover" data-path=${path}
						aria-label=${wordsOf(node).slice(0, NAME)}></button>`
				: nothing
		}
		<div class="ock-w-row" data-way="row" ${styled(styles)}>${context.children(node, path)}</div>
	</li>`;
};

/** All that a component says: the name of what is clicked as a whole. */
function wordsOf(node: WidgetNode, depth = 0): string {
	if (depth > DEEP) return "";
	const own = text(node["value"] ?? node["label"] ?? node["alt"]);
	return [own, ...childrenOf(node).map((child) => wordsOf(child, depth + 1))].filter(Boolean).join(", ");
}

export const lists: Readonly<Record<string, Draw>> = { ListView: list, ListViewItem: item };
