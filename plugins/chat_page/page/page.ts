// The chat page: gives the element the server's options, signs the user in, and keeps the address.

import type { OpenChatKit } from "../src/element.ts";
import type { OpenChatKitOptions } from "../src/options.ts";
import { Words } from "../src/words.ts";
import { keepAddress, threadInAddress } from "./address.ts";
import { followLook } from "./look.ts";
import { SignInDialog } from "./sign-in.ts";
import { type Refusal, SignedFetch } from "./signed-fetch.ts";
import { keepTitle } from "./title.ts";
import { Tokens, forget } from "./tokens.ts";

interface Settings {
	options: OpenChatKitOptions & { api: { url: string } };
	signIn: string | null;
	signOut: string | null;
}

const settings = JSON.parse(document.body.dataset["settings"]!) as Settings;
const { options } = settings;
const api = new URL(options.api.url, document.baseURI);
const tokens = new Tokens(`open-chatkit:token:${api.pathname}`);
const words = wordsOf(options);
const signed = new SignedFetch(api, tokens, signIn);
const chat = document.querySelector("open-chatkit") as OpenChatKit;
let dialog: SignInDialog | null = null;

await customElements.whenDefined("open-chatkit");
chat.addEventListener("chatkit.error", ({ detail }) => {
	// `options` of the settings are wrong: without any, the element would show nothing
	if (chat.options === null) show(detail.error.message);
});
keepAddress(chat);
keepTitle(chat);
followLook(chat);
tokens.whenGone(signOut);
await update();
await greet();

/** Sets the options, with Sign out for users who are known by a token or may be by a cookie. */
async function update(): Promise<void> {
	const said = await words;
	const initialThread = threadInAddress() ?? options.initialThread ?? null;
	const canLeave = tokens.get() !== null || settings.signOut !== null;
	const label = said.text("page.signOut");
	const rightAction = { icon: "lucide:log-out" as never, label, onClick: signOut };
	chat.setOptions({
		...options,
		api: { ...options.api, fetch: signed.fetch, headers: () => signed.headers() },
		initialThread,
		header: { ...options.header, ...(canLeave ? { rightAction } : {}) },
		widgets: { onAction: act },
	});
	document.documentElement.lang = said.language;
}

/** Has users sign in at once if the server does not know them, and not when they have written. */
async function greet(): Promise<void> {
	const refusal = await signed.check().catch(() => null);
	if (refusal && (refusal.status === 401 || refusal.status === 403 || refusal.redirected))
		await signed.ask(refusal);
}

async function signIn(refusal: Refusal): Promise<boolean> {
	dialog ??= new SignInDialog({
		words: await words,
		page: settings.signIn,
		check: (token) => signed.check(token),
		keep: (token, stay) => tokens.set(token, stay),
	});
	const signedIn = await dialog.open(refusal);
	if (!signedIn) return false;
	await update();
	// What was there before the dialog has it back, if anything had it
	if (document.activeElement === document.body) await chat.focusComposer();
	return true;
}

/** What buttons for the page itself can do: say something for the user. */
async function act({ type, payload }: { type: string; payload?: Record<string, unknown> }) {
	if (type === "say") await chat.sendUserMessage({ text: String(payload?.["text"] ?? "") });
}

/** Tells whoever has set up the server what is wrong, in place of the chat. */
function show(problem: string): void {
	const text = document.createElement("p");
	text.setAttribute("role", "alert");
	text.textContent = problem;
	chat.replaceWith(text);
}

/** Forgets the token, and what is stored of the user: drafts. */
function signOut(): void {
	// It saves what is being written
	chat.remove();
	tokens.clear();
	forget();
	location.replace(settings.signOut ?? location.pathname);
}

/** The element's words. Those of a file come later than its first picture. */
async function wordsOf({ locale = navigator.language, words: more }: OpenChatKitOptions): Promise<Words> {
	if (typeof more !== "string") return new Words(locale, more);
	const response = await fetch(more).catch(() => null);
	const found = await response?.json().catch(() => null);
	return new Words(locale, found ?? {});
}
