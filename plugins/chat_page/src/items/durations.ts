// How long something took, in the user's language.

import type { Words } from "../words.ts";

const UNITS = [
	["hour", 3600],
	["minute", 60],
	["second", 1],
] as const;

/** Returns a number of seconds in words: “12 sec”, “3 min 5 sec”. Of its units, at most two. */
export function duration(seconds: number, words: Words): string {
	let left = Math.max(0, Math.round(Number.isFinite(seconds) ? seconds : 0));
	const said: string[] = [];
	for (const [unit, size] of UNITS) {
		const count = Math.floor(left / size);
		left -= count * size;
		const isNeeded = count > 0 || (unit === "second" && !said.length);
		if (isNeeded && said.length < 2) said.push(inUnit(count, unit, words));
	}
	return said.join(" ");
}

function inUnit(count: number, unit: string, words: Words): string {
	const style = { style: "unit", unit, unitDisplay: "short" } as const;
	return new Intl.NumberFormat(words.locale, style).format(count);
}

/**
 * Returns since when something runs, in milliseconds. The clock of the server may be another, so it
 * counts only if it makes sense.
 */
export function beginning(created: string, now: number): number {
	const began = new Date(created).valueOf();
	const isSensible = began <= now && now - began < 86_400_000;
	return isSensible ? began : now;
}
