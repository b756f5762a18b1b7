// What values have to be, and sentences that say what is wrong with one.

/**
 * Says what is wrong with a value at a path; nothing if it is as it should be. What nobody knows goes
 * to `unknown`: it is of a newer version, or misspelled.
 */
export type Check = (value: unknown, path: string, unknown: string[]) => string[];

export const text = must("a text", (value) => typeof value === "string");
export const flag = must("true or false", (value) => typeof value === "boolean");
export const call = must("a function", (value) => typeof value === "function");
export const anything: Check = () => [];

/** A colour as CSS has them. */
export const color = must(
	"a colour, such as \"#2f5bd7\"",
	(value) => typeof value === "string" && (globalThis.CSS?.supports("color", value) ?? true),
);

export function number(least = -Infinity, most = Infinity): Check {
	const range = Number.isFinite(most) ? ` from ${least} to ${most}` : "";
	const isOne = (value: unknown) =>
		typeof value === "number" && value >= least && value <= most && !Number.isNaN(value);
	return must(`a number${range}`, isOne);
}

export function oneOf(...values: (string | null)[]): Check {
	return must(listed(values.map((value) => JSON.stringify(value))), (value) =>
		values.includes(value as string | null),
	);
}

export function list(each: Check): Check {
	return (value, path, unknown) =>
		Array.isArray(value)
			? value.flatMap((one, place) => each(one, `${path}[${place}]`, unknown))
			: [wrong(path, "a list", value)];
}

/** An object with any keys. */
export function record(each: Check): Check {
	return (value, path, unknown) => {
		if (!isObject(value)) return [wrong(path, "an object", value)];
		return Object.entries(value).flatMap(([key, one]) =>
			each(one, `${path}[${JSON.stringify(key)}]`, unknown),
		);
	};
}

/** An object with these keys: those of `needed`, and any of `optional`. */
export function shape(optional: Record<string, Check>, needed: Record<string, Check> = {}): Check {
	const checks = { ...optional, ...needed };
	return (value, path, unknown) => {
		if (!isObject(value)) return [wrong(path, "an object", value)];
		const at = (key: string) => (path ? `${path}.${key}` : key);
		for (const key of Object.keys(value))
			if (!Object.hasOwn(checks, key)) unknown.push(unknownAt(at(key), key, Object.keys(checks)));
		return Object.entries(checks).flatMap(([key, check]) => {
			if (value[key] !== undefined) return check(value[key], at(key), unknown);
			return key in needed ? [`\`${at(key)}\` is missing`] : [];
		});
	};
}

function unknownAt(path: string, key: string, known: string[]): string {
	const meant = known.find((name) => name.toLowerCase() === key.toLowerCase());
	return `\`${path}\` is no option${meant ? `: \`${path.slice(0, -key.length)}${meant}\` is` : ""}`;
}

/** A value of one of two kinds, of which `first` is told by its type. */
export function either(isFirst: (value: unknown) => boolean, first: Check, second: Check): Check {
	return (value, path, unknown) => (isFirst(value) ? first : second)(value, path, unknown);
}

export const isText = (value: unknown): value is string => typeof value === "string";

export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function must(what: string, isOne: (value: unknown) => boolean): Check {
	return (value, path) => (isOne(value) ? [] : [wrong(path, what, value)]);
}

function wrong(path: string, what: string, value: unknown): string {
	const given = isText(value) ? JSON.stringify(value.slice(0, 60)) : kindOf(value);
	return `\`${path || "options"}\` has to be ${what}, not ${given}`;
}

function kindOf(value: unknown): string {
	if (value === null || typeof value === "number" || typeof value === "boolean") return String(value);
	if (Array.isArray(value)) return "a list";
	return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function listed(values: string[]): string {
	return values.length < 2 ? String(values[0]) : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}
