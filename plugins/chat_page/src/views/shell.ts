import { html, nothing } from "lit";
import "../composer/composer.ts";
import "../transcript/transcript.ts";
import "./header.ts";
import "./history.ts";
import "./network-status.ts";
import "./start-screen.ts";
import type { Topic } from "../chat.ts";
import { View, define } from "../view.ts";

/** The frame: header, conversation or start screen, composer; the history above them. */
export class Shell extends View {
	protected override topics(): Topic[] {
		return ["options", "thread", "items", "status", "history"];
	}

	override render() {
		const { chat } = this;
		const { options, historyOpen, conversation, status } = chat;
		const isEmpty = !conversation.thread && !conversation.items.length;
		const isNew = isEmpty && !status.loading && !status.error;
		return html`
			<div class="ock-frame" part="frame" ?inert=${historyOpen}>
				<slot name="header">
					${
						options.header?.enabled === false
							? nothing
							: html`<ock-header .chat=${chat} part="header"></ock-header>`
					}
				</slot>
				<ock-network-status .chat=${chat}></ock-network-status>
				<div class="ock-body" ?data-new=${isNew}>
					${isNew ? html`<ock-start-screen .chat=${chat} part="start"></ock-start-screen>` : nothing}
					<ock-transcript .chat=${chat} part="transcript" ?hidden=${isNew}></ock-transcript>
				</div>
				<ock-composer .chat=${chat} part="composer"></ock-composer>
				<slot name="footer">${this.disclaimer()}</slot>
			</div>
			${
				historyOpen
					? html`<div class="ock-veil" @click=${() => chat.hideHistory()}></div>
							<ock-history .chat=${chat} part="history"></ock-history>`
					: nothing
			}
		`;
	}

	private disclaimer() {
		const { disclaimer } = this.chat.options;
		if (!disclaimer?.text) return nothing;
		return html`<ock-markdown class="ock-disclaimer" part="disclaimer" .chat=${this.chat}
			.value=${disclaimer.text} ?data-contrast=${disclaimer.highContrast}></ock-markdown>`;
	}
}

define("ock-shell", Shell);
