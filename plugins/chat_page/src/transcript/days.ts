// Names of days and times, in the user's language.

import type { Words } from "../words.ts";

const DAY = 86_400_000; // milliseconds

/** Returns the name of a day: “Today”, “Yesterday”, or its date. */
export function dayName(date: Date, words: Words, now = new Date()): string {
	const days = Math.round((midnight(date) - midnight(now)) / DAY);
	if (days === 0 || days === -1) {
		const relative = new Intl.RelativeTimeFormat(words.locale, { numeric: "auto" });
		const name = relative.format(days, "day");
		return name.charAt(0).toLocaleUpperCase(words.locale) + name.slice(1);
	}
	const isThisYear = date.getFullYear() === now.getFullYear();
	const year = isThisYear ? {} : ({ year: "numeric" } as const);
	const format = { weekday: "long", month: "long", day: "numeric", ...year } as const;
	return new Intl.DateTimeFormat(words.locale, format).format(date);
}

/** Returns the time of day of an item, or null if it has none. */
export function timeOf(created: string, words: Words): { short: string; long: string } | null {
	const date = new Date(created);
	if (Number.isNaN(date.valueOf())) return null;
	const format = (style: Intl.DateTimeFormatOptions) =>
		new Intl.DateTimeFormat(words.locale, style).format(date);
	return {
		short: format({ timeStyle: "short" }),
		long: format({ dateStyle: "full", timeStyle: "short" }),
	};
}

function midnight(date: Date): number {
	return new Date(date.getFullYear(), date.getMonth(), date.getDate()).valueOf();
}
