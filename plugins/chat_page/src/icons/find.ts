// Finds the picture of an icon by its name: ChatKit's names, and `lucide:NAME` for all of Lucide's.

import letters from "lucide-letters";
import { type IconNode, own } from "./own.ts";

const LUCIDE = "lucide:";
const known = new Map<string, IconNode>(Object.entries(own));

/** What a name that nobody knows shows: also all names of `vendor:`. */
const unknown: IconNode = own.dot;

/** Returns an icon that is there already. */
export function ready(name: string): IconNode | undefined {
	return known.get(name);
}

/** Loads an icon. It never rejects: where a file cannot be loaded, there is a dot. */
export async function load(name: string): Promise<IconNode> {
	try {
		const found = (await search(name)) ?? unknown;
		known.set(name, found);
		return found;
	} catch {
		return unknown; // and the next one who asks tries again
	}
}

async function search(name: string): Promise<IconNode | undefined> {
	if (name.startsWith(LUCIDE)) return ofLucide(name.slice(LUCIDE.length).toLowerCase());
	if (name.startsWith("vendor:")) return undefined;
	const found = get((await import("./named.ts")).default, name);
	return typeof found === "string" ? ready(found) : found;
}

async function ofLucide(name: string): Promise<IconNode | undefined> {
	const loader = get(letters, name.slice(0, 1));
	const found = loader && get((await loader()).default, name);
	return typeof found === "string" ? ofLucide(found) : found;
}

/** What a name of a stranger leads to: not to `constructor`. */
function get<T>(of: Readonly<Record<string, T>>, name: string): T | undefined {
	return Object.hasOwn(of, name) ? of[name] : undefined;
}
