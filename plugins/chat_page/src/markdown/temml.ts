// Draws TeX as MathML, which needs no fonts. Nothing is trusted: commands that make links, load
// images or set attributes are errors, and an error leaves the source as it is.

import DOMPurify from "dompurify";
import Temml from "temml";

const LIMITS = { maxSize: [20, 40] as [number, number], maxExpand: 200 };
const MOST_ELEMENTS = 3000;
const CLEAN = {
	IN_PLACE: true,
	USE_PROFILES: { mathMl: true },
	ADD_TAGS: ["span"],
	ADD_ATTR: ["style"], // set by the CSSOM, property by property
	FORBID_ATTR: ["href", "id", "name", "src"],
	ALLOW_DATA_ATTR: false,
};

/** What Temml's trees are made of, as far as it matters here. */
interface Node {
	attributes?: Record<string, string>;
	style?: Record<string, string>;
	children?: Node[];
}

/** Draws a formula into an element, unless it has errors. */
export function draw(tex: string, display: boolean, into: HTMLElement): void {
	const drawn = document.createElement("span");
	try {
		const how = { displayMode: display, throwOnError: true, trust: false, ...LIMITS };
		const tree = Temml.__renderToMathMLTree(tex, how);
		if (styleByObject(tree) > MOST_ELEMENTS) return;
		drawn.append(tree.toNode());
		DOMPurify.sanitize(drawn, CLEAN);
	} catch {
		return;
	}
	into.replaceChildren(...drawn.childNodes);
}

/**
 * Moves styles from attributes, which the Content-Security-Policy forbids, to where Temml sets them
 * by the CSSOM. Returns how many nodes there are.
 */
function styleByObject(node: Node): number {
	const { attributes, children = [] } = node;
	if (attributes?.style) {
		const rules = attributes.style.split(";").map((rule) => rule.split(":"));
		for (const [name, value] of rules)
			if (name?.trim() && value) (node.style ??= {})[name.trim()] = value.trim();
		delete attributes.style;
	}
	return children.reduce((sum, child) => sum + styleByObject(child), 1);
}
