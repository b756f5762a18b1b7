// The colours that a widget names, as CSS values.

import { safe } from "./safe.ts";

const NAMED: Readonly<Record<string, string>> = {
	// text
	primary: "var(--ock-text)",
	prose: "var(--ock-text)",
	emphasis: "var(--ock-text)",
	secondary: "var(--ock-text-quiet)",
	tertiary: "color-mix(in srgb, var(--ock-text-quiet) 90%, var(--ock-surface))",
	accent: "var(--ock-accent)",
	success: "var(--ock-success)",
	danger: "var(--ock-danger)",
	warning: "var(--ock-warning)",
	caution: "var(--ock-warning)",
	info: "var(--ock-info)",
	discovery: "var(--ock-discovery)",
	// borders
	default: "var(--ock-border)",
	subtle: "color-mix(in srgb, var(--ock-border) 55%, transparent)",
	strong: "var(--ock-text-quiet)",
	// backgrounds
	surface: "var(--ock-surface)",
	"surface-secondary": "var(--ock-surface-raised)",
	"surface-tertiary": "color-mix(in srgb, var(--ock-text) 9%, var(--ock-surface))",
	"surface-elevated": "color-mix(in srgb, var(--ock-text) 2%, var(--ock-surface))",
	"surface-elevated-secondary": "color-mix(in srgb, var(--ock-text) 6%, var(--ock-surface))",
};

const HUES: Readonly<Record<string, [hue: number, chroma: number]>> = {
	gray: [265, 0.012],
	red: [25, 0.21],
	pink: [350, 0.21],
	orange: [50, 0.19],
	yellow: [85, 0.17],
	green: [150, 0.18],
	blue: [258, 0.2],
	purple: [300, 0.22],
};

/** What the series of a chart have by turns. */
const SERIES = ["blue", "orange", "green", "purple", "red", "yellow", "pink"];

const SHADE = /^([a-z]+)-(\d{1,4})$/;
const ALPHA = /^alpha-(\d{1,3})$/;

/**
 * Returns a colour: a token, a shade such as `red-500` or `alpha-70`, a CSS colour, or one for each
 * colour scheme. Whatever else is given is undefined.
 */
export function color(value: unknown): string | undefined {
	if (typeof value === "object" && value !== null) return themed(value as Record<string, unknown>);
	if (typeof value !== "string") return undefined;
	const name = value.trim();
	if (Object.hasOwn(NAMED, name)) return NAMED[name];
	return alpha(name) ?? shade(name) ?? safe("color", name);
}

/**
 * The colours of the series of a chart, where the name of a hue is a token. Those without one get
 * what no other has.
 */
export function seriesColors(values: unknown[]): string[] {
	const token = (value: unknown) =>
		typeof value === "string" && Object.hasOwn(HUES, value) ? `${value}-500` : value;
	const free = SERIES.filter((hue) => !values.includes(hue));
	let next = 0;
	return values.map((value) => color(token(value)) ?? shade(`${free[next++ % free.length] ?? "gray"}-500`)!);
}

/**
 * One colour for the light scheme, one for the dark: the one whose custom property has no value at
 * all is taken, so that a change of the scheme needs no drawing.
 */
function themed({ light, dark }: Record<string, unknown>): string | undefined {
	const one = (value: unknown) => (typeof value === "string" ? color(value) : undefined);
	const [day, night] = [one(light), one(dark)];
	if (!day || !night) return day ?? night;
	return `var(--ock-light, ${day}) var(--ock-dark, ${night})`;
}

function alpha(name: string): string | undefined {
	const found = name.match(ALPHA);
	if (!found) return undefined;
	const share = Math.min(Number(found[1]), 100);
	return `color-mix(in srgb, var(--ock-text) ${share}%, transparent)`;
}

function shade(name: string): string | undefined {
	const [, hueName = "", number] = name.match(SHADE) ?? [];
	if (!Object.hasOwn(HUES, hueName)) return undefined;
	const [hue, most] = HUES[hueName]!;
	const depth = Math.min(Number(number), 1000) / 1000;
	const lightness = 1 - 0.72 * depth;
	const chroma = most * Math.max(0, 1 - ((depth - 0.55) / 0.6) ** 2);
	return `oklch(${lightness.toFixed(3)} ${chroma.toFixed(3)} ${hue})`;
}
