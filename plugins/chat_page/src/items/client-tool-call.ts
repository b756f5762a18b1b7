import { html } from "lit";
import { icon } from "../icons.ts";
import type { ClientToolCallItem } from "../protocol.ts";
import { View, define } from "../view.ts";

/** A tool that this page runs for the model: a quiet line. */
export class ClientToolCall extends View {
	static override properties = { ...View.properties, item: { attribute: false } };
	declare item: ClientToolCallItem;

	override render() {
		const { name, status } = this.item;
		const isPending = status === "pending";
		return html`<p class="ock-aside" part="client-tool" data-status=${status}>
			${icon(isPending ? "tool" : "check")}
			<span>${this.chat.words.text(isPending ? "tool.pending" : "tool.completed", { name: readable(name) })}</span>
		</p>`;
	}
}

/** Returns the name of a function as words. */
export function readable(name: string): string {
	return String(name ?? "").replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").trim();
}

define("ock-client-tool-call", ClientToolCall);
