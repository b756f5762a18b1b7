// What values have to be, and sentences that say what is wrong with one.

/**
 * Says what is wrong with a value at a path; nothing if it is as it should be. What nobody knows goes
 * to `unknown`: it is of a newer version, or misspelled.
 */
export interface Check {
	(value: unknown, path: string, unknown: string[]): string[];
	/**
	 * Says the same as a JSON Schema; null if JSON has no such value. If something else fills what is
	 * left out, then not `isWhole`.
	 */
	schema(isWhole: boolean): Schema | null;
}

export type Schema = Record<string, unknown>;

export const text = must("a text", (value) => typeof value === "string", { type: "string" });
export const flag = must("true or false", (value) => typeof value === "boolean", { type: "boolean" });
export const call = must("a function", (value) => typeof value === "function", null);
export const anything = checked(() => [], () => ({}));

/** A colour as CSS has them. */
export const color = must(
	"a colour, such as \"#2f5bd7\"",
	(value) => typeof value === "string" && (globalThis.CSS?.supports("color", value) ?? true),
	{ type: "string" },
);

export function number(least = -Infinity, most = Infinity): Check {
	const range = Number.isFinite(most) ? ` from ${least} to ${most}` : "";
	const isOne = (value: unknown) =>
		typeof value === "number" && value >= least && value <= most && !Number.isNaN(value);
	const limits = {
		...(Number.isFinite(least) ? { minimum: least } : {}),
		...(Number.isFinite(most) ? { maximum: most } : {}),
	};
	return must(`a number${range}`, isOne, { type: "number", ...limits });
}

export function oneOf(...values: string[]): Check {
	return must(
		listed(values.map((value) => JSON.stringify(value))),
		(value) => values.includes(value as string),
		{ type: "string", enum: values },
	);
}

export function list(each: Check): Check {
	return checked(
		(value, path, unknown) =>
			Array.isArray(value)
				? value.flatMap((one, place) => each(one, `${path}[${place}]`, unknown))
				: [wrong(path, "a list", value)],
		() => ({ type: "array", items: each.schema(true) }),
	);
}

/** An object with any keys. */
export function record(each: Check): Check {
	return checked(
		(value, path, unknown) => {
			if (!isObject(value)) return [wrong(path, "an object", value)];
			return Object.entries(value).flatMap(([key, one]) =>
				each(one, `${path}[${JSON.stringify(key)}]`, unknown),
			);
		},
		() => ({ type: "object", additionalProperties: each.schema(true) }),
	);
}

/** An object with these keys: those of `needed`, and any of `optional`. */
export function shape(optional: Record<string, Check>, needed: Record<string, Check> = {}): Check {
	const checks = { ...optional, ...needed };
	return checked(
		(value, path, unknown) => {
			if (!isObject(value)) return [wrong(path, "an object", value)];
			const at = (key: string) => (path ? `${path}.${key}` : key);
			for (const key of Object.keys(value))
				if (!Object.hasOwn(checks, key)) unknown.push(unknownAt(at(key), key, Object.keys(checks)));
			return Object.entries(checks).flatMap(([key, check]) => {
				if (value[key] !== undefined) return check(value[key], at(key), unknown);
				return key in needed ? [`\`${at(key)}\` is missing`] : [];
			});
		},
		(isWhole) => {
			const all = Object.entries(checks).map(([key, check]) => [key, check.schema(isWhole)] as const);
			if (all.some(([key, schema]) => schema === null && key in needed)) return null;
			const properties = Object.fromEntries(all.filter(([, schema]) => schema !== null));
			const required = isWhole ? Object.keys(needed) : [];
			return {
				type: "object",
				properties,
				...(required.length ? { required } : {}),
				additionalProperties: false,
			};
		},
	);
}

function unknownAt(path: string, key: string, known: string[]): string {
	const meant = known.find((name) => name.toLowerCase() === key.toLowerCase());
	return `\`${path}\` is no option${meant ? `: \`${path.slice(0, -key.length)}${meant}\` is` : ""}`;
}

/** A value of one of two kinds, of which `first` is told by its type. */
export function either(isFirst: (value: unknown) => boolean, first: Check, second: Check): Check {
	return checked(
		(value, path, unknown) => (isFirst(value) ? first : second)(value, path, unknown),
		(isWhole) => ({ anyOf: [first, second].flatMap((check) => check.schema(isWhole) ?? []) }),
	);
}

export const isText = (value: unknown): value is string => typeof value === "string";

export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function must(
	what: string,
	isOne: (value: unknown) => boolean,
	schema: Schema | null,
): Check {
	return checked((value, path) => (isOne(value) ? [] : [wrong(path, what, value)]), () => schema);
}

function checked(
	check: (value: unknown, path: string, unknown: string[]) => string[],
	schema: Check["schema"],
): Check {
	return Object.assign(check, { schema });
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
