import { html, nothing } from "lit";
import "../markdown/markdown.ts";
import "../widgets/widget.ts";
import type { Topic } from "../chat.ts";
import { View, define } from "../view.ts";

/** One item of a conversation. Only its own changes render it again. */
export class Item extends View {
	static override properties = { ...View.properties, itemId: { attribute: false } };
	declare itemId: string;

	protected override topics(): Topic[] {
		return [`item:${this.itemId}`, "options"];
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		if (changed.has("itemId") || changed.has("chat")) this.listen();
	}

	override render() {
		const { chat } = this;
		const item = chat.conversation.get(this.itemId);
		switch (item?.type) {
			case "user_message":
				return html`<p>${item.content.map(({ text }) => text).join("")}</p>`;
			case "assistant_message":
				return item.content.map(
					({ text }) => html`<ock-markdown .chat=${chat} .value=${text}></ock-markdown>`,
				);
			case "widget":
				return html`<ock-widget .chat=${chat} .item=${item} .root=${item.widget}></ock-widget>`;
			default:
				return nothing;
		}
	}
}

define("ock-item", Item);
