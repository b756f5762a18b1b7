// What a widget says about sizes and places, as CSS values.

import type { WidgetNode } from "../protocol.ts";
import type { Styles } from "../view.ts";
import { color } from "./colors.ts";
import { safe } from "./safe.ts";

const LONGEST = 4000; // pixels of a length
const NUMBER = /^-?\d+(\.\d+)?$/;

/** Any properties of a component: whatever a model has written. */
export type Props = Readonly<Record<string, unknown>>;

/** Returns the properties of an object, and none for anything else. */
export function nodeOf(value: unknown): Props {
	return typeof value === "object" && value !== null ? (value as Props) : {};
}

/** A number, also one that is written as a text. */
export function number(value: unknown): number | undefined {
	const given = typeof value === "string" && NUMBER.test(value) ? Number(value) : value;
	return typeof given === "number" && Number.isFinite(given) ? given : undefined;
}

/** A number of things, at least 1. */
export function count(value: unknown, most = 100): number | undefined {
	const given = number(value);
	return given !== undefined && given >= 1 ? Math.min(Math.floor(given), most) : undefined;
}

/** A length: a number is pixels. */
export function length(value: unknown, property = "width"): string | undefined {
	const pixels = number(value);
	if (pixels === undefined) return safe(property, value);
	return pixels >= 0 ? `${Math.min(pixels, LONGEST)}px` : undefined;
}

/** A distance: a number counts units of 4 pixels, or as the density of the theme says. */
export function spacing(value: unknown): string | undefined {
	const units = number(value);
	if (units !== undefined)
		return units >= 0 ? `calc(var(--ock-space) * ${Math.min(units, LONGEST / 4)})` : undefined;
	return safe("padding-top", value);
}

/** `padding` or `margin`: one value, one for each side, or up to four in a text. */
export function sides(property: "padding" | "margin", value: unknown): Styles {
	if (typeof value === "object" && value !== null) {
		const { top, right, bottom, left, x, y } = value as Props;
		return {
			[`${property}-block-start`]: spacing(top ?? y),
			[`${property}-block-end`]: spacing(bottom ?? y),
			[`${property}-inline-start`]: spacing(left ?? x),
			[`${property}-inline-end`]: spacing(right ?? x),
		};
	}
	return { [property]: spacing(value) ?? positive(safe(property, value)) };
}

/** No text with a minus sign: a negative margin would cover what is around. */
function positive(value: string | undefined): string | undefined {
	return value && !/(^|[\s(])-/.test(value) ? value : undefined;
}

const RADIUS: Readonly<Record<string, string>> = {
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
	return typeof value === "string" && Object.hasOwn(RADIUS, value) ? RADIUS[value] : undefined;
}

const LINES = "solid dashed dotted double groove ridge inset outset".split(" ");
const THICKEST = 32; // pixels of a border

function edge(value: unknown): string | undefined {
	const { size, color: given, style } = typeof value === "object" ? nodeOf(value) : { size: value };
	const pixels = number(size);
	if (pixels === undefined || pixels < 0 || pixels > THICKEST) return undefined;
	const line = LINES.includes(String(style)) ? style : "solid";
	return `${pixels}px ${line} ${color(given) ?? "var(--ock-border)"}`;
}

/** A border: one for all sides, or one for each. */
export function border(value: unknown): Styles {
	const all = edge(value);
	if (all) return { border: all };
	const { top, right, bottom, left, x, y } = nodeOf(value);
	return {
		"border-block-start": edge(top ?? y),
		"border-block-end": edge(bottom ?? y),
		"border-inline-start": edge(left ?? x),
		"border-inline-end": edge(right ?? x),
	};
}

const ALIGN: Readonly<Record<string, string>> = {
	start: "flex-start",
	center: "center",
	end: "flex-end",
	baseline: "baseline",
	stretch: "stretch",
};

const JUSTIFY: Readonly<Record<string, string>> = {
	...ALIGN,
	between: "space-between",
	around: "space-around",
	evenly: "space-evenly",
};

export function alignment(value: unknown): string | undefined {
	return typeof value === "string" && Object.hasOwn(ALIGN, value) ? ALIGN[value] : undefined;
}

/** The styles of what has a size, a margin and a place in its container. */
export function block(node: Props): Styles {
	const { size, minSize, maxSize, aspectRatio: ratio, flex } = node;
	return {
		width: length(node["width"] ?? size),
		height: length(node["height"] ?? size, "height"),
		"min-width": length(node["minWidth"] ?? minSize, "min-width"),
		"min-height": length(node["minHeight"] ?? minSize, "min-height"),
		"max-width": length(node["maxWidth"] ?? maxSize, "max-width"),
		"max-height": length(node["maxHeight"] ?? maxSize, "max-height"),
		"aspect-ratio": safe("aspect-ratio", written(ratio)),
		flex: safe("flex", written(flex)),
		"border-radius": radius(node["radius"]),
		...sides("margin", node["margin"]),
	};
}

function written(value: unknown): unknown {
	return typeof value === "number" ? String(value) : value;
}

/** The styles of a container. */
export function box(node: WidgetNode, direction: "row" | "col"): Styles {
	const { justify } = node;
	return {
		...block(node),
		"flex-direction": direction === "row" ? "row" : "column",
		"align-items": alignment(node["align"]),
		"justify-content":
			typeof justify === "string" && Object.hasOwn(JUSTIFY, justify) ? JUSTIFY[justify] : undefined,
		"flex-wrap": safe("flex-wrap", node["wrap"]),
		gap: spacing(node["gap"]),
		background: color(node["background"]),
		overflow: radius(node["radius"]) ? "hidden" : undefined,
		...sides("padding", node["padding"]),
		...border(node["border"]),
	};
}
