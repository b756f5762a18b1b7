import { type TemplateResult, html, nothing } from "lit";
import "../widgets/widget.ts";
import "./assistant-message.ts";
import "./client-tool-call.ts";
import "./generated-image.ts";
import "./structured-input.ts";
import "./task.ts";
import "./workflow.ts";
import type { Chat, Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import type { ThreadItem } from "../protocol.ts";
import { isLocal } from "../transcript/rows.ts";
import { View, define } from "../view.ts";
import { isWhole } from "./shape.ts";
import { userMessage } from "./user-message.ts";

/** One item of a conversation. Only its own changes render it again. */
export class Item extends View {
	static override properties = { ...View.properties, itemId: { attribute: false } };
	declare itemId: string;
	/** The item that the page knows of. */
	private told: string | null = null;

	protected override topics(): Topic[] {
		return [`item:${this.itemId}`, "options"];
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		if (changed.has("itemId") || changed.has("chat")) this.listen();
	}

	override render() {
		const { chat, itemId } = this;
		const item = chat.conversation.get(itemId);
		if (!item) return nothing;
		this.dataset["type"] = item.type;
		// Elements of the page before, after or in place of the item
		return html`<slot name="before-${itemId}"></slot
			><slot name="item-${itemId}">${
				isWhole(item) ? draw(item, chat, chat.conversation.isOpen(itemId)) : unknown(item, chat)
			}</slot
			><slot name="after-${itemId}"></slot>`;
	}

	override updated(): void {
		const { chat, itemId } = this;
		const item = chat.conversation.get(itemId);
		// A message that the server does not have yet is about to get another id
		if (!item || itemId === this.told || isLocal(itemId)) return;
		this.told = itemId;
		chat.emit("open-chatkit.item", { id: itemId, type: item.type });
	}
}

function draw(item: ThreadItem, chat: Chat, isOpen: boolean): TemplateResult | typeof nothing {
	switch (item.type) {
		case "user_message":
			return userMessage(item, chat);
		case "assistant_message":
			return html`<ock-assistant-message
				.chat=${chat}
				.item=${item}
				.isOpen=${isOpen}
			></ock-assistant-message>`;
		case "widget":
			return html`<ock-widget
				part="widget"
				.chat=${chat}
				.item=${item}
				.root=${item.widget}
			></ock-widget>`;
		case "generated_image":
			return html`<ock-generated-image
				.chat=${chat}
				.item=${item}
				.isOpen=${isOpen}
			></ock-generated-image>`;
		case "structured_input":
			return html`<ock-structured-input .chat=${chat} .item=${item}></ock-structured-input>`;
		case "client_tool_call":
			return html`<ock-client-tool-call .chat=${chat} .item=${item}></ock-client-tool-call>`;
		case "task":
			return html`<ock-task .chat=${chat} .task=${item.task} .isRunning=${isOpen}></ock-task>`;
		case "workflow":
			return html`<ock-workflow .chat=${chat} .item=${item} .isRunning=${isOpen}></ock-workflow>`;
		case "end_of_turn":
			return nothing;
		default:
			return unknown(item, chat);
	}
}

/** A newer server may send what this page cannot draw. */
function unknown({ type }: { type: string }, chat: Chat): TemplateResult {
	return html`<p class="ock-aside" part="unknown">
		${icon("circle-question")} ${chat.words.text("items.unknown", { type: String(type) })}
	</p>`;
}

define("ock-item", Item);
