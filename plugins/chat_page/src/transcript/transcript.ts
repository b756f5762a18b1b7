import { html } from "lit";
import { repeat } from "lit/directives/repeat.js";
import "../items/item.ts";
import type { Topic } from "../chat.ts";
import { View, define } from "../view.ts";

/** The items of a conversation. */
export class Transcript extends View {
	protected override topics(): Topic[] {
		return ["items", "status", "options"];
	}

	override render() {
		const { chat } = this;
		const { items } = chat.conversation;
		return html`<div role="log" aria-label=${chat.words.text("transcript.label")}>
			${repeat(
				items,
				({ id }) => id,
				({ id }) => html`<ock-item .chat=${chat} .itemId=${id}></ock-item>`,
			)}
		</div>`;
	}
}

define("ock-transcript", Transcript);
