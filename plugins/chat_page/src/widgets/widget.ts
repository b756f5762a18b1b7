import { type PropertyValues, html, nothing } from "lit";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import "../markdown/markdown.ts";
import { Refused, randomId } from "../client.ts";
import type { Topic } from "../chat.ts";
import type { ActionConfig, WidgetItem, WidgetNode } from "../protocol.ts";
import { View, define } from "../view.ts";
import { type WidgetContext, childrenOf } from "./context.ts";
import { type Field, bearerOf, connectFields, fieldsIn, problemOf } from "./fields.ts";
import { payloadWith, valuesOf } from "./form-values.ts";
import { keyed } from "./keys.ts";
import { drawerOf } from "./registry.ts";
import { typing } from "./typing.ts";

const DEEPEST = 60; // components inside of each other
const WHOLE = "*"; // the whole widget, as a place that is busy

/** A widget. `item` is the item that it belongs to, for its actions; previews have none. */
export class Widget extends View {
	static override properties = {
		...View.properties,
		root: { attribute: false },
		item: { attribute: false },
		failure: { state: true },
	};
	declare root: WidgetNode;
	declare item: WidgetItem | undefined;
	/** Why the last action failed. */
	declare failure: string | undefined;
	private readonly busy = new Set<string>();
	private readonly opened = new Set<string>();
	private readonly problems = new Map<string, string>();
	private readonly fieldPrefix = `w${randomId().slice(0, 8)}`;
	private readonly context = this.newContext();
	private hadFocus = false;
	/** Grows with each change of something else than the widget. */
	private version = 0;

	protected override topics(): Topic[] {
		return ["options", "thread"]; // the thread says where images may come from
	}

	override connectedCallback(): void {
		super.connectedCallback();
		typing(this, (field) => this.checkAgain(field));
	}

	override willUpdate(changed: PropertyValues): void {
		super.willUpdate(changed);
		this.context.chat = this.chat;
		const others = [...changed.keys()].filter((name) => name !== "root" && name !== "item");
		if (others.length || !changed.has("root")) this.version++;
		this.hadFocus = this.contains(this.activeElement());
	}

	override render() {
		if (typeof this.root !== "object" || this.root === null) return nothing;
		return html`<div class="ock-widget" tabindex="-1" aria-busy=${this.busy.has(WHOLE) ? "true" : nothing}>
			${repeat(keyed([this.root]), ({ key }) => key, ({ child, key }) => this.context.draw(child, key))}
			${this.failure ? html`<p class="ock-w-problem" role="alert">${this.failure}</p>` : nothing}
		</div>`;
	}

	override updated(): void {
		connectFields(this);
		this.keepFocus();
		this.focusFirst();
	}

	/** Puts the focus on the widget if what had it is gone. */
	private keepFocus(): void {
		if (this.hadFocus && !this.contains(this.activeElement()))
			this.querySelector<HTMLElement>(".ock-widget")?.focus();
	}

	/** Focuses a new field with `autoFocus`, unless the user is busy elsewhere. */
	private focusFirst(): void {
		const first = this.querySelector<HTMLElement>("[data-autofocus]:not([data-was])");
		if (!first) return;
		first.setAttribute("data-was", "");
		const active = this.activeElement();
		const isFree = !active || isEmpty(active);
		if (this.contains(active) || (this.chat.status.answering && isFree)) first.focus();
	}

	private activeElement(): Element | null {
		return (this.getRootNode() as ShadowRoot | Document).activeElement;
	}

	private newContext(): WidgetContext {
		return {
			chat: this.chat,
			busy: this.busy,
			problems: this.problems,
			draw: (node, path) => this.draw(node, path),
			children: (node, path) =>
				repeat(
					keyed(childrenOf(node)),
					({ key }) => key,
					({ child, key }) => this.draw(child, `${path}/${key}`),
				),
			id: (path) => `${this.fieldPrefix}-${path.replace(/[^\w-]/g, (sign) => `_${sign.charCodeAt(0)}_`)}`,
			act: (action, source, path) => void this.act(action, this.fieldsAround(source), path, path),
			submit: (action, form, path) => this.submit(action, form, path),
			isOpen: (path) => this.opened.has(path),
			open: (path, isOpen = true) => this.open(path, isOpen),
		};
	}

	/** A component that has not changed is not drawn again: most of a widget, while it streams. */
	private draw(node: WidgetNode, path: string): unknown {
		if (path.split("/").length > DEEPEST) return nothing;
		return guard([node, this.version], () => this.drawNow(node, path));
	}

	/** Of a component that only a newer server knows, what is in it is drawn. */
	private drawNow(node: WidgetNode, path: string): unknown {
		const draw = drawerOf(node.type);
		try {
			return draw ? draw(node, this.context, path) : this.context.children(node, path);
		} catch (error) {
			this.chat.emit("chatkit.log", { name: "widget.component", data: { error: String(error) } });
			return nothing;
		}
	}

	private open(path: string, isOpen: boolean): Promise<unknown> {
		if (isOpen) this.opened.add(path);
		else this.opened.delete(path);
		this.requestUpdate();
		return this.updateComplete;
	}

	/** The fields of the form around something; a control without one is on its own. */
	private fieldsAround(source: Element): Field[] {
		const form = source.closest("form");
		if (form) return fieldsIn(form);
		return source.matches("input, select, textarea") ? [source as Field] : fieldsIn(source);
	}

	private submit(action: ActionConfig | null, form: HTMLFormElement, path: string): void {
		const fields = fieldsIn(form);
		const wrong = fields.filter((field) => this.check(field));
		this.requestUpdate();
		if (wrong[0]) wrong[0].focus();
		else if (action) void this.act(action, fields, path, WHOLE);
	}

	/** Notes whether something is wrong with a field. */
	private check(field: Field): boolean {
		const words = problemOf(field, this.chat.words);
		const { id } = bearerOf(field);
		if (words) this.problems.set(id, words);
		else this.problems.delete(id);
		return words !== null;
	}

	/** What was wrong may be right now; what is being typed is not wrong before it is sent. */
	private checkAgain(field: Field): void {
		if (!this.problems.has(bearerOf(field).id)) return;
		this.check(field);
		this.requestUpdate();
	}

	/** Runs an action. `auto` is the place that shows it if the action does not say. */
	private async act(action: ActionConfig, fields: Field[], path: string, auto: string): Promise<void> {
		const { loadingBehavior: behavior = "auto" } = action;
		const places = { auto: [auto, path], self: [path], container: [WHOLE, path], none: [] }[behavior] ?? [];
		if (this.busy.has(WHOLE) || (behavior !== "none" && this.busy.has(path))) return;
		this.failure = undefined;
		this.mark(places, true);
		try {
			const payload = payloadWith(action.payload, valuesOf(fields));
			await this.chat.act({ ...action, payload }, this.item ?? this.preview(action));
		} catch (error) {
			const said = error instanceof Refused ? error.message : "";
			this.failure = said || this.chat.words.text("widget.failed");
		} finally {
			this.mark(places, false);
		}
	}

	/** The page hears of its actions in previews too, which belong to no item. */
	private preview({ handler }: ActionConfig): WidgetItem | undefined {
		if (handler !== "client") return undefined;
		return { type: "widget", id: "", thread_id: "", created_at: "", widget: this.root };
	}

	private mark(places: string[], isBusy: boolean): void {
		for (const place of places) {
			if (isBusy) this.busy.add(place);
			else this.busy.delete(place);
		}
		this.requestUpdate();
	}
}

/** Whether there is nothing in a field that has the focus. */
function isEmpty(element: Element): boolean {
	const { value, isContentEditable, textContent } = element as HTMLTextAreaElement;
	return value === "" || (isContentEditable && !textContent?.trim());
}

define("ock-widget", Widget);
