import { html } from "lit";
import "../composer/composer.ts";
import "../transcript/transcript.ts";
import type { Topic } from "../chat.ts";
import { View, define } from "../view.ts";

/** The frame: header, conversation or start screen, composer. */
export class Shell extends View {
	protected override topics(): Topic[] {
		return ["options", "thread", "items", "history"];
	}

	override render() {
		const { chat } = this;
		return html`
			<slot name="header"></slot>
			<ock-transcript .chat=${chat} part="transcript"></ock-transcript>
			<ock-composer .chat=${chat} part="composer"></ock-composer>
		`;
	}
}

define("ock-shell", Shell);
