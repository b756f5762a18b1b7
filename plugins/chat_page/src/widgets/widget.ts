import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import "../markdown/markdown.ts";
import { Refused, randomId } from "../client.ts";
import type { Topic } from "../chat.ts";
import type { ActionConfig, WidgetItem, WidgetNode } from "../protocol.ts";
import { View, define } from "../view.ts";
import type { WidgetContext } from "./context.ts";
import { payloadWith, valuesOf } from "./form-values.ts";
import { components } from "./registry.ts";
import type { Scheme } from "./values.ts";

const DEEPEST = 60; // components inside of each other

/** A widget. `item` is the item that it belongs to, for its actions; previews have none. */
export class Widget extends View {
	static override properties = {
		...View.properties,
		root: { attribute: false },
		item: { attribute: false },
		problem: { state: true },
	};
	declare root: WidgetNode;
	declare item: WidgetItem | undefined;
	declare problem: string | null;
	private readonly busy = new Set<string>();
	private readonly opened = new Set<string>();
	private readonly fieldPrefix = `w${randomId().slice(0, 8)}-`;

	protected override topics(): Topic[] {
		return ["options"];
	}

	override render() {
		const { root } = this;
		if (!root || typeof root !== "object") return nothing;
		const scheme = this.scheme();
		const context = this.context(scheme);
		return html`<div class="ock-widget" data-scheme=${root["theme"] ? scheme : nothing}
			aria-busy=${this.busy.has("*") ? "true" : nothing}>
			${context.draw(root, "0")}
			${this.problem === null || this.problem === undefined ? nothing : html`<p class="ock-w-problem" role="alert">${this.problem}</p>`}
		</div>`;
	}

	override updated(): void {
		this.nameFields();
		const first = this.querySelector<HTMLInputElement>("[data-autofocus]:not([data-was])");
		first?.setAttribute("data-was", "");
		// Only where the user is already: text that is being written elsewhere goes on
		if (first && this.contains(this.activeElement())) first.focus();
	}

	private scheme(): Scheme {
		const { theme } = this.root as { theme?: unknown };
		if (theme === "light" || theme === "dark") return theme;
		const host = (this.getRootNode() as ShadowRoot).host as HTMLElement | undefined;
		return host?.dataset["scheme"] === "dark" ? "dark" : "light";
	}

	private activeElement(): Element | null {
		return (this.getRootNode() as ShadowRoot | Document).activeElement;
	}

	private context(scheme: Scheme): WidgetContext {
		const context: WidgetContext = {
			chat: this.chat,
			scheme,
			prefix: this.fieldPrefix,
			busy: this.busy,
			draw: (node, path) => {
				if (typeof node !== "object" || node === null || depth(path) > DEEPEST) return nothing;
				const draw = Object.hasOwn(components, node.type) ? components[node.type] : undefined;
				// A newer server's component: what is in it may be known
				return draw ? draw(node, context, path) : context.children(node, path);
			},
			children: (node, path) => children(node, path, context),
			act: (action, source, path, container) => void this.act(action, source, path, container),
			isOpen: (path) => this.opened.has(path),
			open: (path) => {
				this.opened.add(path);
				this.requestUpdate();
			},
		};
		return context;
	}

	private async act(
		action: ActionConfig,
		source: Element,
		path: string,
		container = false,
	): Promise<void> {
		if (this.busy.has(path) || this.busy.has("*")) return;
		const { loadingBehavior = "auto" } = action;
		const behavior = loadingBehavior === "auto" ? (container ? "container" : "self") : loadingBehavior;
		const key = behavior === "container" ? "*" : behavior === "self" ? path : `none ${path}`;
		this.busy.add(key).add(behavior === "container" ? path : key);
		this.problem = null;
		this.requestUpdate();
		const sent = { ...action, payload: payloadWith(action.payload, this.values(source)) };
		try {
			await this.chat.act(sent, this.item);
		} catch (error) {
			const words = error instanceof Refused ? error.message : "";
			this.problem = words || this.chat.words.text("widget.failed");
		} finally {
			this.busy.delete(key);
			this.busy.delete(path);
			this.requestUpdate();
		}
	}

	/** The fields of the form around the source; a control on its own has its own value. */
	private values(source: Element): Record<string, unknown> {
		const form = source.closest("form");
		if (form) return valuesOf(form);
		const name = (source as HTMLInputElement).name;
		return name ? valuesOf(wrapped(source)) : {};
	}

	/** Gives names to fields for which the widget has no label. */
	private nameFields(): void {
		for (const field of this.querySelectorAll<HTMLElement>("[data-label]")) {
			const isLabelled =
				field.id && this.querySelector(`label[for="${CSS.escape(field.id)}"]`) !== null;
			if (isLabelled) field.removeAttribute("aria-label");
			else field.setAttribute("aria-label", field.dataset["label"]!);
		}
	}
}

/** A container with copies of a field and, for a radio button, of its choice. */
function wrapped(source: Element): Element {
	const container = document.createElement("div");
	const copy = source.cloneNode(true) as HTMLInputElement;
	copy.value = (source as HTMLInputElement).value;
	copy.checked = (source as HTMLInputElement).checked;
	container.append(copy);
	return container;
}

function depth(path: string): number {
	return path.split(".").length;
}

function children(node: WidgetNode, path: string, context: WidgetContext): unknown {
	const { children: given } = node;
	const all = (Array.isArray(given) ? given : [given]).filter(
		(child): child is WidgetNode => typeof child === "object" && child !== null,
	);
	const seen = new Map<string, number>();
	const keyed = all.map((child, place) => {
		const name = String(child.key ?? child.id ?? `${child.type} ${place}`);
		const times = seen.get(name) ?? 0;
		seen.set(name, times + 1);
		return { child, key: times ? `${name} ${times}` : name };
	});
	return repeat(
		keyed,
		({ key }) => key,
		({ child, key }) => context.draw(child, `${path}.${key.replaceAll(".", "_")}`),
	);
}

define("ock-widget", Widget);
