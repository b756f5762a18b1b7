// The words of a chat as its options say: built in, given, or from a file.

import type { OpenChatKitOptions } from "./options.ts";
import { isObject } from "./checks.ts";
import { type Catalog, Words } from "./words.ts";

type Given = Pick<OpenChatKitOptions, "locale" | "words">;

export class Language {
	words = new Words("en");
	private readonly files = new Map<string, Partial<Catalog>>();
	private wanted: Given = {};

	constructor(
		/** Words of a file have come. */
		private readonly changed: () => void,
		private readonly failed: (error: unknown) => void,
	) {}

	/** Takes new options. While a file is being loaded, the words are the built-in ones. */
	set({ locale, words }: Given): void {
		this.wanted = { ...(locale ? { locale } : {}), ...(words ? { words } : {}) };
		const known = typeof words === "string" ? this.files.get(words) : words;
		this.words = new Words(locale || globalThis.navigator?.language || "en", known);
		if (typeof words === "string" && !known) void this.load(words);
	}

	private async load(url: string): Promise<void> {
		try {
			this.files.set(url, await wordsOf(url));
		} catch (error) {
			if (this.wanted.words === url) this.failed(error);
			return;
		}
		if (this.wanted.words !== url) return;
		this.set(this.wanted);
		this.changed();
	}
}

/** Fetches a file of words. */
async function wordsOf(url: string): Promise<Partial<Catalog>> {
	const response = await globalThis.fetch(url);
	if (!response.ok) throw new Error(`${url}: HTTP ${response.status}, no words`);
	const found: unknown = await response.json().catch(() => null);
	if (!isObject(found)) throw new Error(`${url}: a JSON object of words was expected`);
	return found as Partial<Catalog>;
}
