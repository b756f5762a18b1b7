// The element: options, methods and events of @openai/chatkit, over a controller.

import { LitElement, html } from "lit";
import "./views/shell.ts";
import { Controller } from "./controller.ts";
import type { OpenChatKitOptions } from "./options.ts";
import { styles } from "./styles/index.ts";

export class OpenChatKit extends LitElement {
	static override styles = styles;
	private readonly controller = new Controller((name, detail) =>
		this.dispatchEvent(new CustomEvent(name, { detail })),
	);

	setOptions(options: OpenChatKitOptions): void {
		const first = !this.controller.options.api || !("url" in this.controller.options.api) || !this.controller.options.api.url;
		this.controller.configure(options);
		if (first && options.initialThread) void this.controller.open(options.initialThread);
	}

	async setThreadId(threadId: string | null): Promise<void> {
		await this.controller.open(threadId);
	}

	override render() {
		return html`<ock-shell .chat=${this.controller}></ock-shell>`;
	}
}
