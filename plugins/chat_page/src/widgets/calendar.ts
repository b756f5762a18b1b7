// Days as texts such as `2026-01-31`, which sort as days do. Never as times: they have no zone.

const DATE = /^(\d{4})-(\d{2})-(\d{2})/;

export type Day = string;

/** The day of an ISO date or datetime, or none. */
export function dayOf(value: unknown): Day | undefined {
	const found = typeof value === "string" ? value.match(DATE) : null;
	if (!found) return undefined;
	const [day] = found;
	return dayAt(timeOf(day)) === day ? day : undefined;
}

export function today(): Day {
	const now = new Date();
	return dayAt(Date.UTC(now.getFullYear(), now.getMonth(), now.getDate()));
}

/** The day so many days later. */
export function plusDays(day: Day, days: number): Day {
	const date = new Date(timeOf(day));
	date.setUTCDate(date.getUTCDate() + days);
	return dayAt(date.getTime());
}

/** The same day in another month, or the last one there. */
export function plusMonths(day: Day, months: number): Day {
	const date = new Date(timeOf(day));
	const wanted = date.getUTCDate();
	date.setUTCDate(1);
	date.setUTCMonth(date.getUTCMonth() + months);
	const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
	date.setUTCDate(Math.min(wanted, last));
	return dayAt(date.getTime());
}

/** The weeks of the month of a day, with the days of other months that fill them up. */
export function weeksOf(day: Day, firstWeekday: number): Day[][] {
	const first = `${day.slice(0, 8)}01`;
	const before = (weekday(first) - firstWeekday + 7) % 7;
	const start = plusDays(first, -before);
	const month = day.slice(0, 7);
	const weeks: Day[][] = [];
	for (let week = start; weeks.length === 0 || week.slice(0, 7) === month; week = plusDays(week, 7))
		weeks.push(Array.from({ length: 7 }, (_, at) => plusDays(week, at)));
	return weeks;
}

/** From 0, which is Sunday. */
export function weekday(day: Day): number {
	return new Date(timeOf(day)).getUTCDay();
}

/** The weekday that weeks begin with in a locale. */
export function firstWeekday(locale: string): number {
	type Info = { firstDay: number };
	const known = new Intl.Locale(locale) as { getWeekInfo?: () => Info; weekInfo?: Info };
	const info = known.getWeekInfo?.() ?? known.weekInfo;
	return (info?.firstDay ?? 1) % 7;
}

export function timeOf(day: Day): number {
	const [, year, month, date] = day.match(DATE) ?? [];
	return Date.UTC(Number(year), Number(month) - 1, Number(date));
}

function dayAt(time: number): Day {
	const date = new Date(time);
	return Number.isNaN(time) ? "" : date.toISOString().slice(0, 10);
}
