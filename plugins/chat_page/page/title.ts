// The title of the tab, and of what the browser remembers, is that of the conversation.

import type { OpenChatKit } from "../src/element.ts";

/** Keeps the document's title: the conversation's, before the one that the page has. */
export function keepTitle({ controller }: OpenChatKit): void {
	const own = document.title;
	controller.subscribe("thread", () => {
		const title = controller.conversation.thread?.title;
		document.title = title ? `${title} · ${own}` : own;
	});
}
