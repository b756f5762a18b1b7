import type { UserContent } from "../protocol.ts";

/** Returns content in paragraphs: its lines, each with its tags. */
export function paragraphs(content: readonly UserContent[]): UserContent[][] {
	const found: UserContent[][] = [[]];
	for (const part of content) {
		if (part.type === "input_tag") {
			found.at(-1)!.push(part);
			continue;
		}
		const [first = "", ...others] = (part.text ?? "").split(/\r?\n/);
		found.at(-1)!.push({ type: "input_text", text: first });
		for (const text of others) found.push([{ type: "input_text", text }]);
	}
	return found;
}
