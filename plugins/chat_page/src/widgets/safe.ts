// Widgets are written by models and tools, so only harmless values reach the page's CSS: nothing that
// could load anything, or cover what is not the widget's.

const LONGEST = 100; // characters of a value
const CHARACTERS = /^[\w\s.,%#()+\-*/]+$/;
const CALL = /([a-z-]*)\(/gi;
const COMMENT = /\/\*|\*\//;

const FUNCTIONS = new Set(
	"calc min max clamp fit-content rgb rgba hsl hsla hwb lab lch oklab oklch color color-mix".split(" "),
);

/** Returns a text if it is a value of the CSS property, and of known functions, else undefined. */
export function safe(property: string, value: unknown): string | undefined {
	if (typeof value !== "string" || value.length > LONGEST) return undefined;
	if (!CHARACTERS.test(value) || COMMENT.test(value)) return undefined;
	for (const [, name = ""] of value.matchAll(CALL))
		if (name && !FUNCTIONS.has(name.toLowerCase())) return undefined;
	return CSS.supports(property, value) ? value : undefined;
}
