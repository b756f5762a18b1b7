// The address of the page names the conversation: `?thread=thr_…`.

import type { OpenChatKit } from "../src/element.ts";

const NAME = "thread";

/** The conversation that the address names, or null. */
export function threadInAddress(): string | null {
	return new URL(location.href).searchParams.get(NAME) || null;
}

/** Keeps the address and the conversation together, also by the browser's Back and Forward. */
export function keepAddress(chat: OpenChatKit): void {
	chat.addEventListener("chatkit.thread.change", ({ detail }) => {
		if (detail.threadId !== threadInAddress()) history.pushState(null, "", addressOf(detail.threadId));
	});
	addEventListener("popstate", () => {
		// A conversation that is gone says so itself
		chat.setThreadId(threadInAddress()).catch(() => {});
	});
}

/** The page's address for a conversation; what else is in it stays. */
export function addressOf(threadId: string | null): string {
	const url = new URL(location.href);
	if (threadId) url.searchParams.set(NAME, threadId);
	else url.searchParams.delete(NAME);
	return url.href;
}
