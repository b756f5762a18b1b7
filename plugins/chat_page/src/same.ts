// Compares options by what they say. Functions, and objects of classes, are the same if identical.

export function isSame(one: unknown, other: unknown): boolean {
	if (Object.is(one, other)) return true;
	if (!isPlain(one) || !isPlain(other) || Array.isArray(one) !== Array.isArray(other)) return false;
	const [keys, others] = [namesOf(one), namesOf(other)];
	return (
		keys.length === others.length &&
		keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]))
	);
}

/** Returns a copy of plain objects and lists, to compare with them later. */
export function copied(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(copied);
	if (!isPlain(value)) return value;
	return Object.fromEntries(namesOf(value).map((key) => [key, copied(value[key])]));
}

/** What is undefined is left out. */
function namesOf(value: Record<string, unknown>): string[] {
	return Object.keys(value).filter((key) => value[key] !== undefined);
}

function isPlain(value: unknown): value is Record<string, unknown> {
	if (typeof value !== "object" || value === null) return false;
	const prototype = Object.getPrototypeOf(value) as object | null;
	// Also one of another frame
	return Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null;
}
