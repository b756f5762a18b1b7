// The page around the element: gives it the server's options, knows who the user is, and keeps the
// address of the conversation.

import type { OpenChatKit } from "../src/element.ts";
import type { OpenChatKitOptions } from "../src/options.ts";
import { SignIn } from "./sign-in.ts";
import { words as wordsOf } from "./words.ts";

interface Settings {
	options: OpenChatKitOptions;
	signIn: string | null;
}

const settings = JSON.parse(document.body.dataset["settings"]!) as Settings;
const locale = settings.options.locale ?? navigator.language;
const words = wordsOf(locale);
const chat = document.querySelector("open-chatkit") as OpenChatKit;
const signIn = new SignIn(words, settings.signIn, configure);
let wentBack = false;

document.documentElement.lang = locale;
await customElements.whenDefined("open-chatkit");
chat.addEventListener("chatkit.thread.change", ({ detail }) => note(detail.threadId));
addEventListener("popstate", goBack);
configure();

/** Sets the options, with what the page does itself. */
function configure(): void {
	const { options } = settings;
	chat.setOptions({
		...options,
		initialThread: threadOfAddress() ?? options.initialThread ?? null,
		api: { ...options.api, fetch: signIn.fetch },
		header: {
			...options.header,
			...(signIn.isSignedIn
				? {
						rightAction: {
							icon: "lucide:log-out" as never,
							label: words.signOut,
							onClick: () => signIn.signOut(),
						},
					}
				: {}),
		},
		widgets: { onAction: act },
	});
}

/** What buttons for the page itself can do: say something for the user. */
async function act({ type, payload }: { type: string; payload?: Record<string, unknown> }) {
	if (type === "say") await chat.sendUserMessage({ text: String(payload?.["text"] ?? "") });
}

function threadOfAddress(): string | null {
	return new URL(location.href).searchParams.get("thread");
}

/** Keeps the conversation in the address, so that it can be linked, reloaded, and left by Back. */
function note(threadId: string | null): void {
	if (wentBack || threadId === threadOfAddress()) return;
	const address = new URL(location.href);
	if (threadId) address.searchParams.set("thread", threadId);
	else address.searchParams.delete("thread");
	history.pushState(null, "", address);
}

async function goBack(): Promise<void> {
	wentBack = true;
	try {
		await chat.setThreadId(threadOfAddress());
	} catch {
		// The element shows what is wrong
	} finally {
		wentBack = false;
	}
}
