// Conversations by when they began.

import type { Thread } from "../protocol.ts";
import type { Words } from "../words.ts";

export interface Group {
	label: string;
	threads: Thread[];
}

const DAY = 86_400_000; // milliseconds

/** Groups threads, newest first, by day, week and month as the user's clock has them. */
export function groupThreads(threads: readonly Thread[], words: Words, now = new Date()): Group[] {
	const groups: Group[] = [];
	for (const thread of threads) {
		const label = labelOf(new Date(thread.created_at), words, now);
		const last = groups.at(-1);
		if (last?.label === label) last.threads.push(thread);
		else groups.push({ label, threads: [thread] });
	}
	return groups;
}

function labelOf(date: Date, words: Words, now: Date): string {
	const days = Math.round((midnight(now) - midnight(date)) / DAY);
	if (Number.isNaN(days)) return words.text("history.older");
	if (days <= 1) return words.days(Math.max(days, 0));
	if (days <= 7) return words.text("history.week");
	return words.date(date, { month: "long", year: "numeric" });
}

function midnight(date: Date): number {
	return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
