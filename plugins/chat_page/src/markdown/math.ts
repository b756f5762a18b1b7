// Mathematics in TeX. What draws it is only loaded when there is some.

import type { Words } from "../words.ts";
import { whenIdle } from "./frames.ts";

/** More than this is shown as its source: nobody reads it, and it would take too long. */
const LONGEST = 5000;
const DEEPEST = 60;
const FORMULA = /^(\$\$|\\\[|\\\(|\$)/;
const ENDS: Record<string, string> = { $$: "$$", $: "$", "\\[": "\\]", "\\(": "\\)" };
/** "5 apples and 6" between two dollar signs are prices. */
const PRICE = /^\d[\d.,]*(?:\s+[a-z]{2,}|[kKmM]?[^\S\n]*$)/;

type Draw = (tex: string, display: boolean, into: HTMLElement) => void;

let draw: Draw | null = null;
let loading: Promise<void> | null = null;
const waiting = new Set<() => void>();

export interface MathToken {
	type: "math";
	raw: string;
	text: string;
	display: boolean;
}

/** Reads mathematics at the beginning of a text, for marked. */
export function readMath(source: string): MathToken | undefined {
	const begin = source.match(FORMULA)?.[1];
	if (!begin) return undefined;
	const end = endOf(source, begin);
	if (end < 0) return undefined;
	const text = source.slice(begin.length, end);
	if (!text.trim() || (begin === "$" && !isFormula(text, source[end + 1]))) return undefined;
	const raw = source.slice(0, end + begin.length);
	return { type: "math", raw, text, display: begin === "$$" || begin === "\\[" };
}

function endOf(source: string, begin: string): number {
	const end = ENDS[begin]!;
	for (let at = begin.length; at < Math.min(source.length, LONGEST); at++) {
		if (source.startsWith(end, at)) return at;
		if (source[at] === "\\") at++;
	}
	return -1;
}

/** Between single dollar signs is mathematics, and not two prices or two names of variables. */
function isFormula(text: string, after = " "): boolean {
	return !/^\s|\s$/.test(text) && !/[\p{L}\p{N}]/u.test(after) && !PRICE.test(text);
}

/** Returns an element that shows a formula: its source, until the renderer is loaded. */
export function formula(tex: string, display: boolean, words: Words): HTMLElement {
	const element = document.createElement("span");
	element.className = display ? "ock-math ock-math-block" : "ock-math";
	if (display) {
		element.tabIndex = 0;
		element.setAttribute("role", "group");
		element.setAttribute("aria-label", words.text("markdown.formula"));
	}
	const source = element.appendChild(document.createElement("code"));
	source.textContent = tex.trim();
	if (!isModest(tex)) return element;
	if (draw) draw(tex, display, element);
	else {
		waiting.add(() => draw?.(tex, display, element));
		void load();
	}
	return element;
}

function isModest(tex: string): boolean {
	if (tex.length > LONGEST) return false;
	let depth = 0;
	for (const letter of tex) {
		if (letter === "{") depth++;
		else if (letter === "}") depth--;
		if (depth > DEEPEST) return false;
	}
	return true;
}

function load(): Promise<void> {
	loading ??= import("./temml.ts").then(
		(module) => {
			draw = module.draw;
			whenIdle(drawNext);
		},
		() => {
			loading = null; // the next formula tries again
			waiting.clear();
		},
	);
	return loading;
}

/** Draws a formula that waits, and says whether there are more. */
function drawNext(): boolean {
	const [show] = waiting;
	if (!show) return false;
	waiting.delete(show);
	show();
	return waiting.size > 0;
}
