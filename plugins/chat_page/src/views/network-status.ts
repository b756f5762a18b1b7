import { html, nothing } from "lit";
import type { Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import { View, define } from "../view.ts";

/** Says that the server cannot be reached, while that is so. */
export class NetworkStatus extends View {
	protected override topics(): Topic[] {
		return ["status", "options"];
	}

	override render() {
		const { status, words } = this.chat;
		const { connection } = status;
		return html`<div role="status" part="network">${
			connection === "online"
				? nothing
				: html`<p class="ock-network">${icon("offline")}
						${words.text(`network.${connection}`)}</p>`
		}</div>`;
	}
}

define("ock-network-status", NetworkStatus);
