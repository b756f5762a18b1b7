// What a widget may say about its look, as CSS values. Widgets are written by models and tools: only
// what is named here reaches the page, and nothing that could load anything.

import type { Styles } from "../view.ts";

export type Scheme = "light" | "dark";

const UNIT = 4; // pixels: numbers of spacing count these
const LONGEST = 100; // characters of a value
const FORBIDDEN = /url|image|attr|element|paint|env|var|expression|[\\;{}@<>"']|\/\*/i;

/** Returns a text if it is a value of the CSS property and harmless, else undefined. */
export function safe(property: string, value: unknown): string | undefined {
	if (typeof value !== "string" || value.length > LONGEST || FORBIDDEN.test(value)) return undefined;
	return CSS.supports(property, value) ? value : undefined;
}

/** A length: a number is pixels. */
export function length(value: unknown, property = "width"): string | undefined {
	if (typeof value === "number") return Number.isFinite(value) ? `${value}px` : undefined;
	return safe(property, value);
}

/** A distance: a number counts units of 4 pixels. Distances are never negative. */
export function spacing(value: unknown): string | undefined {
	const given = typeof value === "number" ? `${value * UNIT}px` : safe("padding-top", value);
	return given && !/^\s*-/.test(given) && CSS.supports("padding-top", given) ? given : undefined;
}

/** `padding` or `margin` of one value, or of one for each side. */
export function sides(property: "padding" | "margin", value: unknown): Styles {
	if (typeof value !== "object" || value === null) {
		const parts = typeof value === "string" ? value.split(/\s+/) : [value];
		const all = parts.map(spacing);
		return all.every(Boolean) ? { [property]: all.join(" ") } : {};
	}
	const { top, right, bottom, left, x, y } = value as Record<string, unknown>;
	return {
		[`${property}-block-start`]: spacing(top ?? y),
		[`${property}-block-end`]: spacing(bottom ?? y),
		[`${property}-inline-start`]: spacing(left ?? x),
		[`${property}-inline-end`]: spacing(right ?? x),
	};
}

const RADIUS: Record<string, string> = {
	none: "0",
	"2xs": "2px",
	xs: "4px",
	sm: "6px",
	md: "8px",
	lg: "10px",
	xl: "12px",
	"2xl": "16px",
	"3xl": "20px",
	"4xl": "24px",
	full: "9999px",
	"100%": "100%",
};

export function radius(value: unknown): string | undefined {
	return typeof value === "string" ? RADIUS[value] : undefined;
}

const NAMED: Record<string, string> = {
	primary: "var(--ock-text)",
	prose: "var(--ock-text)",
	default: "var(--ock-text)",
	emphasis: "var(--ock-text)",
	secondary: "var(--ock-text-quiet)",
	tertiary: "var(--ock-text-quiet)",
	accent: "var(--ock-accent)",
	success: "var(--ock-success)",
	danger: "var(--ock-danger)",
	warning: "var(--ock-warning)",
	caution: "var(--ock-warning)",
	info: "var(--ock-info)",
	discovery: "var(--ock-discovery)",
	surface: "var(--ock-surface)",
	"surface-secondary": "var(--ock-surface-raised)",
	"surface-tertiary": "var(--ock-surface-raised)",
	"surface-elevated": "var(--ock-surface)",
	"surface-elevated-secondary": "var(--ock-surface-raised)",
	subtle: "var(--ock-border)",
	strong: "var(--ock-text-quiet)",
};

const HUES: Record<string, [hue: number, saturation: number]> = {
	gray: [240, 6],
	red: [2, 75],
	pink: [330, 75],
	orange: [26, 88],
	yellow: [45, 90],
	green: [145, 60],
	blue: [217, 85],
	purple: [265, 70],
};
const SHADE = /^(gray|red|pink|orange|yellow|green|blue|purple)-(\d{1,4})$/;
const ALPHA = /^alpha-(\d{1,2})$/;

/** A colour: a token, a shade such as `red-500`, a CSS colour, or one for each colour scheme. */
export function color(value: unknown, scheme: Scheme): string | undefined {
	if (typeof value === "object" && value !== null)
		return color((value as Record<string, unknown>)[scheme], scheme);
	if (typeof value !== "string") return undefined;
	const name = value.trim();
	if (Object.hasOwn(NAMED, name)) return NAMED[name];
	const alpha = name.match(ALPHA);
	if (alpha) return `color-mix(in srgb, var(--ock-text) ${alpha[1]}%, transparent)`;
	const shade = name.match(SHADE);
	if (shade) {
		const [hue, saturation] = HUES[shade[1]!]!;
		const lightness = Math.max(4, 98 - Math.min(Number(shade[2]), 1000) * 0.088);
		return `hsl(${hue} ${saturation}% ${lightness}%)`;
	}
	return safe("color", name);
}

interface Edge {
	size?: unknown;
	color?: unknown;
	style?: unknown;
}

const LINES = "solid dashed dotted double groove ridge inset outset".split(" ");

function edge(value: unknown, scheme: Scheme): string | undefined {
	if (typeof value === "number") return edge({ size: value }, scheme);
	if (typeof value !== "object" || value === null) return undefined;
	const { size, color: given, style } = value as Edge;
	if (typeof size !== "number" || !(size >= 0) || size > 32) return undefined;
	const line = LINES.includes(String(style)) ? style : "solid";
	return `${size}px ${line} ${color(given, scheme) ?? "var(--ock-border)"}`;
}

/** A border: one for all sides, or one for each. */
export function border(value: unknown, scheme: Scheme): Styles {
	const all = edge(value, scheme);
	if (all) return { border: all };
	if (typeof value !== "object" || value === null) return {};
	const { top, right, bottom, left, x, y } = value as Record<string, unknown>;
	return {
		"border-block-start": edge(top ?? y, scheme),
		"border-block-end": edge(bottom ?? y, scheme),
		"border-inline-start": edge(left ?? x, scheme),
		"border-inline-end": edge(right ?? x, scheme),
	};
}

const JUSTIFY: Record<string, string> = {
	between: "space-between",
	around: "space-around",
	evenly: "space-evenly",
	start: "flex-start",
	end: "flex-end",
	center: "center",
	stretch: "stretch",
};

type Node = Record<string, unknown>;

/** The styles of what has a size, a margin and a place in its container. */
export function block(node: Node): Styles {
	const { flex, aspectRatio } = node;
	return {
		width: length(node["width"] ?? node["size"]),
		height: length(node["height"] ?? node["size"], "height"),
		"min-width": length(node["minWidth"] ?? node["minSize"], "min-width"),
		"min-height": length(node["minHeight"] ?? node["minSize"], "min-height"),
		"max-width": length(node["maxWidth"] ?? node["maxSize"], "max-width"),
		"max-height": length(node["maxHeight"] ?? node["maxSize"], "max-height"),
		"aspect-ratio": safe("aspect-ratio", aspectRatio === undefined ? undefined : String(aspectRatio)),
		flex: safe("flex", flex === undefined || flex === null ? undefined : String(flex)),
		"border-radius": radius(node["radius"]),
		...sides("margin", node["margin"]),
	};
}

/** The styles of a container. */
export function box(node: Node, scheme: Scheme, direction: "row" | "col"): Styles {
	const { align, justify, wrap } = node;
	return {
		...block(node),
		"flex-direction": direction === "row" ? "row" : "column",
		"align-items": safe("align-items", align === "start" || align === "end" ? `flex-${align}` : align),
		"justify-content": typeof justify === "string" ? JUSTIFY[justify] : undefined,
		"flex-wrap": safe("flex-wrap", wrap),
		gap: spacing(node["gap"]),
		background: color(node["background"], scheme),
		...sides("padding", node["padding"]),
		...border(node["border"], scheme),
	};
}
