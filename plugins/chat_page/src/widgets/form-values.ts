// What the user has filled in, as the payload of an action.

type Values = Record<string, unknown>;

/** The values of the fields in an element. A field named `address.city` is in an object `address`. */
export function valuesOf(container: Element): Values {
	const values: Values = Object.create(null);
	const fields = "input, select, textarea";
	for (const field of container.querySelectorAll<HTMLInputElement>(fields)) {
		if (!field.name || field.disabled) continue;
		if (field.type === "radio" && !field.checked) continue;
		put(values, field.name.split("."), field.type === "checkbox" ? field.checked : field.value);
	}
	return { ...values };
}

function put(values: Values, [name, ...rest]: string[], value: unknown): void {
	if (name === undefined || name === "__proto__") return;
	if (!rest.length) {
		values[name] = value;
		return;
	}
	const inner = Object.hasOwn(values, name) ? values[name] : undefined;
	const next = typeof inner === "object" && inner !== null ? (inner as Values) : Object.create(null);
	values[name] = next;
	put(next, rest, value);
}

/** The payload of an action with the fields around it: what the action says itself wins. */
export function payloadWith(payload: unknown, values: Values): unknown {
	if (!Object.keys(values).length) return payload;
	if (payload === undefined || payload === null) return values;
	if (typeof payload !== "object" || Array.isArray(payload)) return payload;
	return { ...values, ...payload };
}
