// Names of days and times, in the user's language.

import type { Words } from "../words.ts";

const DAY = 86_400_000; // milliseconds
/** Making one takes a millisecond, which each row would pay. */
const formats = new Map<string, Intl.DateTimeFormat>();

const TIME: Intl.DateTimeFormatOptions = { timeStyle: "short" };
const MOMENT: Intl.DateTimeFormatOptions = { dateStyle: "full", timeStyle: "short" };
const DAY_OF_YEAR: Intl.DateTimeFormatOptions = { weekday: "long", month: "long", day: "numeric" };

/** Makes the formats one by one: the first ones take 10 ms each, too much for a frame that has rows. */
export function prepareFormats({ locale }: Words): void {
	[TIME, MOMENT, DAY_OF_YEAR].forEach((style, place) =>
		setTimeout(() => format(new Date(), locale, style), 20 * place),
	);
}

function format(date: Date, locale: string, style: Intl.DateTimeFormatOptions): string {
	const key = `${locale} ${JSON.stringify(style)}`;
	const known = formats.get(key) ?? new Intl.DateTimeFormat(locale, style);
	formats.set(key, known);
	return known.format(date);
}

/** Returns the name of a day: “Today”, “Yesterday”, or its date. */
export function dayName(date: Date, words: Words, now = new Date()): string {
	const days = Math.round((midnight(date) - midnight(now)) / DAY);
	if (days === 0 || days === -1) {
		const relative = new Intl.RelativeTimeFormat(words.locale, { numeric: "auto" });
		const name = relative.format(days, "day");
		return name.charAt(0).toLocaleUpperCase(words.locale) + name.slice(1);
	}
	const isThisYear = date.getFullYear() === now.getFullYear();
	const style = isThisYear ? DAY_OF_YEAR : { ...DAY_OF_YEAR, year: "numeric" as const };
	return format(date, words.locale, style);
}

/** Returns the time of day of an item, or null if it has none. */
export function timeOf(created: string, words: Words): { short: string; long: string } | null {
	const date = new Date(created);
	if (Number.isNaN(date.valueOf())) return null;
	return {
		short: format(date, words.locale, TIME),
		long: format(date, words.locale, MOMENT),
	};
}

function midnight(date: Date): number {
	return new Date(date.getFullYear(), date.getMonth(), date.getDate()).valueOf();
}
