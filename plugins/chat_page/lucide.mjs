// A plugin of esbuild's for the icons of Lucide. `lucide/icons/NAME` is one of them. `lucide-letters`
// has all, in modules by the first letter of the name: a page loads the letters that it shows.
import * as lucide from "lucide";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NAMESPACE = "lucide";
const HERE = dirname(fileURLToPath(import.meta.url));
const MODULES = join(HERE, "node_modules/lucide/dist/esm");

export const lucideIcons = {
	name: "lucide-icons",
	setup(build) {
		const letters = byLetter();
		const loader = (letter) => `${letter}:()=>import("lucide-letters/${letter}")`;
		build.onResolve({ filter: /^lucide\/icons\// }, ({ path }) => ({
			path: join(MODULES, "icons", `${path.replace("lucide/icons/", "")}.mjs`),
			sideEffects: false,
		}));
		build.onResolve({ filter: /^lucide-letters(\/[a-z])?$/ }, ({ path }) => ({
			path: path.replace("lucide-letters/", "icons-"),
			namespace: NAMESPACE,
		}));
		build.onLoad({ filter: /^lucide-letters$/, namespace: NAMESPACE }, () => ({
			contents: `export default {${[...letters.keys()].map(loader).join(",")}}`,
		}));
		build.onLoad({ filter: /^icons-[a-z]$/, namespace: NAMESPACE }, ({ path }) => ({
			contents: `export default ${JSON.stringify(letters.get(path.at(-1)))}`,
		}));
	},
};

/** The icons of each letter by name; of a former name, the name that the icon has now. */
function byLetter() {
	const letters = new Map();
	for (const [name, icon] of [...named()].sort(([a], [b]) => (a < b ? -1 : 1))) {
		const letter = name[0];
		letters.set(letter, { ...letters.get(letter), [name]: icon });
	}
	return letters;
}

/** Names are those of the files; whatever else an icon is exported as is a former name. */
function named() {
	const icons = new Map();
	const index = readFileSync(join(MODULES, "iconsAndAliases.mjs"), "utf8");
	const lines = index.matchAll(/\{ (.+) \} from '.+\/(.+)\.mjs'/g);
	for (const [, exports, name] of lines) {
		const [first, ...others] = exports.split(", ").map((each) => each.replace("default as ", ""));
		for (const former of [first, ...others].map(dashed))
			if (!icons.has(former)) icons.set(former, name);
		icons.set(name, lucide[first]);
	}
	return icons;
}

function dashed(name) {
	return name
		.replace(/([a-z0-9])([A-Z])/g, "$1-$2")
		.replace(/([A-Z])([A-Z][a-z])/g, "$1-$2")
		.replace(/([a-z])([0-9]+)$/, "$1-$2")
		.toLowerCase();
}
