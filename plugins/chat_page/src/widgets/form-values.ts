// What the user has filled in, as the payload of an action.

import { type Field, nameOf } from "./fields.ts";

type Values = Record<string, unknown>;

/** The values of fields by name. A field named `address.city` is in an object `address`. */
export function valuesOf(fields: Iterable<Field>): Values {
	const values: Values = {};
	for (const field of fields) {
		const isOut = field.type === "radio" && !(field as HTMLInputElement).checked;
		if (nameOf(field) && !field.disabled && !isOut) put(values, nameOf(field).split("."), valueOf(field));
	}
	return values;
}

function valueOf(field: Field): string | boolean {
	return field.type === "checkbox" ? (field as HTMLInputElement).checked : field.value;
}

function put(values: Values, [name, ...rest]: string[], value: unknown): void {
	if (name === undefined || name === "__proto__") return;
	if (!rest.length) values[name] = value;
	else {
		if (!isObject(own(values, name))) values[name] = {};
		put(values[name] as Values, rest, value);
	}
}

/** The payload of an action with the fields around it: what the action says itself wins. */
export function payloadWith(payload: unknown, values: Values): unknown {
	if (!Object.keys(values).length) return payload;
	if (payload === undefined || payload === null) return values;
	return isObject(payload) ? merged(values, payload) : payload;
}

function merged(values: Values, payload: Values): Values {
	const all: Values = { ...values };
	for (const [name, value] of Object.entries(payload)) {
		const filled = own(values, name);
		all[name] = isObject(filled) && isObject(value) ? merged(filled, value) : value;
	}
	return all;
}

function own(values: Values, name: string): unknown {
	return Object.hasOwn(values, name) ? values[name] : undefined;
}

function isObject(value: unknown): value is Values {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
