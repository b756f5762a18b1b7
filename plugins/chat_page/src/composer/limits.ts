// Which files may be attached. The server checks again.

import type { ComposerOption } from "@openai/chatkit";

export type AttachmentOptions = NonNullable<ComposerOption["attachments"]>;

const SIZE = 100 * 1024 * 1024; // bytes
const COUNT = 10;

/** What is wrong with a file: a key of the words, and their values. */
export interface Refusal {
	key: "composer.file.type" | "composer.file.size" | "composer.file.empty" | "composer.file.count";
	values: Record<string, string | number>;
}

type FileLike = Pick<File, "name" | "size" | "type">;

/** Says why a file cannot be attached beside so many others, or returns null. */
export function refusalOf(
	file: FileLike,
	count: number,
	options: AttachmentOptions,
	locale: string,
): Refusal | null {
	const { name } = file;
	const [most, limit] = [options.maxCount ?? COUNT, maxSize(file, options)];
	if (count >= most) return { key: "composer.file.count", values: { name, count: most } };
	if (!isAccepted(file, options.accept)) {
		const types = typesOf(options.accept!);
		return { key: "composer.file.type", values: { name, types } };
	}
	if (!file.size) return { key: "composer.file.empty", values: { name } };
	if (file.size > limit)
		return { key: "composer.file.size", values: { name, size: bytes(limit, locale) } };
	return null;
}

/** The bytes that a file may have: of the pattern that names its type best. */
export function maxSize(file: FileLike, { maxSize: given }: AttachmentOptions): number {
	if (typeof given === "number") return given;
	const type = mimeOf(file);
	const names = [type, `${type.split("/")[0]}/*`, "*/*", "*", ""];
	const found = names.find((name) => given && Object.hasOwn(given, name));
	return found === undefined ? SIZE : given![found]!;
}

export function isAccepted(file: FileLike, accept: AttachmentOptions["accept"]): boolean {
	if (!accept || !Object.keys(accept).length) return true;
	const [type, name] = [mimeOf(file), file.name.toLowerCase()];
	return Object.entries(accept).some(
		([pattern, endings]) =>
			isOfType(type, pattern) || endings.some((end) => name.endsWith(end.toLowerCase())),
	);
}

/** The value of the attribute `accept` of a file input. */
export function acceptAttribute(accept: AttachmentOptions["accept"]): string {
	return Object.entries(accept ?? {})
		.flatMap(([pattern, endings]) => [pattern, ...endings])
		.join(",");
}

/** In powers of 1000, as the server's settings have them: a limit of 25MB is “25 MB”. */
export function bytes(count: number, locale: string): string {
	const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
	let [value, unit] = [count, 0];
	while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
	const unitDisplay = unit ? "short" : "long";
	const options = { style: "unit", unit: units[unit]!, unitDisplay } as const;
	const maximumFractionDigits = unit && value < 10 ? 1 : 0;
	return new Intl.NumberFormat(locale, { ...options, maximumFractionDigits }).format(value);
}

function mimeOf({ type }: FileLike): string {
	return type.split(";")[0]!.trim().toLowerCase() || "application/octet-stream";
}

function isOfType(type: string, pattern: string): boolean {
	const wanted = pattern.toLowerCase();
	if (wanted === "*" || wanted === "*/*") return true;
	return wanted.endsWith("/*") ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}

/** The file name endings that users know, or else the types. */
function typesOf(accept: NonNullable<AttachmentOptions["accept"]>): string {
	const named = Object.entries(accept).flatMap(([pattern, endings]) =>
		endings.length ? endings : [pattern],
	);
	return [...new Set(named)].join(", ");
}
