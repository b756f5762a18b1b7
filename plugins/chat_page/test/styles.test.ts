// One shadow tree has all styles: a class name belongs to one part of the chat.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const SHARED = new Set(["ock-icon", "ock-button", "ock-hidden"]);

/** Style sheets of the same part, by the beginning of their names. */
function partOf(file: string): string {
	if (file.startsWith("composer")) return "composer";
	if (["base", "frame"].some((name) => file.startsWith(name))) return "frame";
	if (["markdown", "widgets"].some((name) => file.startsWith(name))) return file;
	return "items";
}

test("no class of one part is styled by another", () => {
	const parts = new Map<string, Set<string>>();
	const folder = "src/styles";
	for (const file of readdirSync(folder)) {
		for (const [, name] of readFileSync(`${folder}/${file}`, "utf8").matchAll(/\.(ock-[a-z-]+)/g)) {
			const found = parts.get(name!) ?? new Set();
			parts.set(name!, found.add(partOf(file)));
		}
	}
	assert.ok(parts.size > 100);
	const twice = [...parts].filter(([name, found]) => found.size > 1 && !SHARED.has(name));
	assert.deepEqual(twice.map(([name, found]) => `${name}: ${[...found]}`), []);
});
