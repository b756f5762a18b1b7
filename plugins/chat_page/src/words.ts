// The component's words, in the user's language.

import { de } from "./words/de.ts";
import { en } from "./words/en.ts";

export type Word = keyof typeof en;
export type Catalog = Readonly<Record<Word, string>>;

const CATALOGS: Record<string, Catalog> = { en, de };

export class Words {
	private readonly catalog: Catalog;

	constructor(readonly locale: string) {
		this.catalog = CATALOGS[locale.split("-")[0]!.toLowerCase()] ?? en;
	}

	/** Returns the words of a key, with `{name}` replaced by the value of that name. */
	text(key: Word, values: Record<string, string | number> = {}): string {
		return this.catalog[key].replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all));
	}
}
