// The component's words, in the user's language.

import { de } from "./words/de.ts";
import { en } from "./words/en.ts";

export type Word = keyof typeof en;
export type Catalog = Readonly<Record<Word, string>>;

const CATALOGS: Record<string, Catalog> = { en, de };
const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|he|ks|ku-arab|nqo|ps|sd|syr|ug|ur|yi)(-|$)/i;

export type Values = Record<string, string | number>;

/**
 * The words of a locale: those given by the page, else those of its language, else English.
 *
 * A text has `{name}` for a value. With `{count}`, the forms of plurals are separated by ` | `: one,
 * then the others, as `Intl.PluralRules` orders them.
 */
export class Words {
	readonly locale: string;
	private readonly catalog: Partial<Catalog>;

	constructor(locale: string, more: Partial<Catalog> = {}) {
		this.locale = valid(locale);
		const language = this.locale.split("-")[0]!.toLowerCase();
		this.catalog = { ...(CATALOGS[language] ?? en), ...more };
	}

	get direction(): "ltr" | "rtl" {
		return RIGHT_TO_LEFT.test(this.locale) ? "rtl" : "ltr";
	}

	/** The language of the words, which may be another than that of dates. */
	get language(): string {
		const language = this.locale.split("-")[0]!.toLowerCase();
		return language in CATALOGS ? this.locale : "en";
	}

	text(key: Word, values: Values = {}): string {
		const text = this.catalog[key] ?? en[key];
		const form = "count" in values ? this.plural(text, Number(values["count"])) : text;
		return form.replace(/\{(\w+)\}/g, (all, name) => {
			const value = values[name];
			return typeof value === "number" ? this.number(value) : (value ?? all);
		});
	}

	number(value: number): string {
		return new Intl.NumberFormat(this.locale).format(value);
	}

	date(value: string | Date, options: Intl.DateTimeFormatOptions): string {
		const date = new Date(value);
		if (Number.isNaN(date.getTime())) return "";
		return new Intl.DateTimeFormat(this.locale, options).format(date);
	}

	/** How long ago a day was: `today`, `yesterday`, in the words of the locale. */
	days(ago: number): string {
		return new Intl.RelativeTimeFormat(this.locale, { numeric: "auto" }).format(-ago, "day");
	}

	private plural(text: string, count: number): string {
		const forms = text.split(" | ");
		if (forms.length === 1) return text;
		const { pluralCategories } = new Intl.PluralRules(this.locale).resolvedOptions();
		const category = new Intl.PluralRules(this.locale).select(count);
		const order = ["zero", "one", "two", "few", "many", "other"];
		const categories = [...pluralCategories].sort((a, b) => order.indexOf(a) - order.indexOf(b));
		return forms[categories.indexOf(category)] ?? forms.at(-1)!;
	}
}

/** The locale as browsers write it; one that is none is English. */
function valid(locale: string): string {
	try {
		return Intl.getCanonicalLocales(locale)[0] ?? "en";
	} catch {
		return "en";
	}
}
