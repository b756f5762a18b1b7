// The component's words, in the user's language.

import { de } from "./words/de.ts";
import { en } from "./words/en.ts";

export type Word = keyof typeof en;
export type Catalog = Readonly<Record<Word, string>>;

const CATALOGS: Record<string, Catalog> = { en, de };
const RIGHT_TO_LEFT = ["Adlm", "Arab", "Armi", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"];

export type Values = Record<string, string | number>;

/**
 * The words of a locale: those given by the page, else those of its language, else English.
 *
 * A text has `{name}` for a value. With `{count}`, the forms of plurals are separated by ` | `: one,
 * then the others, as `Intl.PluralRules` orders them.
 */
export class Words {
	readonly locale: string;
	/** The language of the words, which may be another than that of dates. */
	readonly language: string;
	private readonly given: ReadonlyMap<string, string>;
	private readonly own: Catalog;
	private numbers: Intl.NumberFormat | undefined;

	constructor(locale: string, more: Partial<Catalog> = {}) {
		this.locale = valid(locale);
		const own = CATALOGS[this.locale.split("-")[0]!.toLowerCase()];
		// What is no text, in a file that somebody wrote, is as if it were not there
		this.given = new Map(Object.entries(more).filter(([, text]) => typeof text === "string"));
		this.own = own ?? en;
		this.language = own || this.given.size ? this.locale : "en";
	}

	get direction(): "ltr" | "rtl" {
		const { script } = new Intl.Locale(this.locale).maximize();
		return RIGHT_TO_LEFT.includes(script ?? "") ? "rtl" : "ltr";
	}

	text(key: Word, values: Values = {}): string {
		const given = this.given.get(key);
		const text = given ?? this.own[key];
		// English words have the plurals of English, whatever the locale is
		const language = given === undefined && this.own === en ? "en" : this.locale;
		const form = "count" in values ? plural(text, Number(values["count"]), language) : text;
		return form.replace(/\{(\w+)\}/g, (all, name: string) => {
			const value = Object.hasOwn(values, name) ? values[name] : undefined;
			return typeof value === "number" ? this.number(value) : (value ?? all);
		});
	}

	number(value: number): string {
		this.numbers ??= new Intl.NumberFormat(this.locale);
		return this.numbers.format(value);
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
}

function plural(text: string, count: number, locale: string): string {
	const forms = text.split(" | ");
	if (forms.length === 1) return text;
	const rules = new Intl.PluralRules(locale);
	const { pluralCategories } = rules.resolvedOptions();
	const order = ["zero", "one", "two", "few", "many", "other"];
	const categories = [...pluralCategories].sort((a, b) => order.indexOf(a) - order.indexOf(b));
	return forms[categories.indexOf(rules.select(count))] ?? forms.at(-1)!;
}

/** The locale as browsers write it, also if it is given as `de_DE`; one that is none is English. */
function valid(locale: string): string {
	try {
		return Intl.getCanonicalLocales(locale.replaceAll("_", "-"))[0] ?? "en";
	} catch {
		return "en";
	}
}
