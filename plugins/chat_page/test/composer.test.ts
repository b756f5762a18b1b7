import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { afterSending, inferenceOptions, modelOf } from "../src/composer/choices.ts";
import { acceptAttribute, bytes, isAccepted, maxSize, refusalOf } from "../src/composer/limits.ts";
import { type Entry, activeAfter, grouped, step, typedAhead } from "../src/composer/listbox.ts";
import { type RichText, adjusted, fromContent, pieces, sliced, toContent } from "../src/composer/rich-text.ts";
import { Suggestions } from "../src/composer/suggestions.ts";
import { type Trigger, triggerAt } from "../src/composer/trigger.ts";
import type { OpenChatKitOptions } from "../src/options.ts";
import type { UserContent } from "../src/protocol.ts";

const ANN: UserContent = { type: "input_tag", id: "p1", text: "Ann Lee", data: {}, interactive: true };
const BOTH = new Set(["@", "/"]);

function text(value: string): UserContent {
	return { type: "input_text", text: value };
}

function entry(label: string, more: Partial<Entry> = {}): Entry {
	return { id: label, label, run: () => {}, ...more };
}

test("a message with tags is the same after it was in the field", () => {
	const content = [text("Ask "), ANN, text(" and "), { ...ANN, id: "p2", group: "People" }];
	const rich = fromContent(content);
	assert.equal(rich.text, "Ask @Ann Lee and @Ann Lee");
	assert.deepEqual(toContent(rich), content);
});

test("white space around a message is not sent", () => {
	assert.deepEqual(toContent(fromContent([text("  "), ANN, text(" \n")])), [ANN]);
	assert.deepEqual(toContent({ text: " \n ", tags: [] }), []);
	assert.deepEqual(toContent({ text: " a b ", tags: [] }), [text("a b")]);
});

test("a tag outlives edits around it, and becomes text when it is touched", () => {
	const rich = fromContent([text("Hi "), ANN, text(" there")]);
	const after = (value: string, caret: number) =>
		adjusted(rich, value, caret).map(({ start, end }) => value.slice(start, end));
	assert.deepEqual(after("Oh, Hi @Ann Lee there", 4), ["@Ann Lee"]);
	assert.deepEqual(after("Hi @Ann Lee over there", 17), ["@Ann Lee"]);
	assert.deepEqual(after("Hi @Ann Le there", 10), []);
	assert.deepEqual(after("", 0), []);
});

test("where the same text is written before a tag, the tag is the later one", () => {
	const rich = fromContent([ANN]);
	const [tag] = adjusted(rich, "@Ann Lee@Ann Lee", 8);
	assert.equal(tag!.start, 8);
});

test("any edit leaves tags that are where they say", () => {
	const part = fc.oneof(fc.string({ maxLength: 8 }).map(text), fc.constant(ANN));
	fc.assert(
		fc.property(fc.array(part, { maxLength: 6 }), fc.nat(), fc.nat(), fc.string({ maxLength: 5 }), (content, a, b, added) => {
			const rich = fromContent(content);
			const size = rich.text.length + 1;
			const [from, to] = [Math.min(a % size, b % size), Math.max(a % size, b % size)];
			const now = rich.text.slice(0, from) + added + rich.text.slice(to);
			const tags = adjusted(rich, now, from + added.length);
			for (const { start, end } of tags) assert.equal(now.slice(start, end), "@Ann Lee");
			for (const [place, tag] of tags.entries()) assert.ok(place === 0 || tags[place - 1]!.end <= tag.start);
			const untouched = rich.tags.filter(({ start, end }) => end <= from || start >= to);
			assert.ok(tags.length >= untouched.length);
			assert.equal(pieces({ text: now, tags }).map((piece) => piece.text).join(""), now);
		}),
	);
});

test("a part of a text has the tags that are whole in it", () => {
	const rich = fromContent([text("a "), ANN, text(" b")]);
	assert.deepEqual(sliced(rich, 2, 10).tags.map(({ start, end }) => [start, end]), [[0, 8]]);
	assert.deepEqual(sliced(rich, 3, 10).tags, []);
});

test("@ and / begin a search where a word may begin", () => {
	const at = (value: string, tags: RichText["tags"] = []) => {
		const found = triggerAt({ text: value, tags }, value.length, BOTH);
		return found && `${found.kind}${found.query}`;
	};
	assert.equal(at("@"), "@");
	assert.equal(at("Hello @an"), "@an");
	assert.equal(at("(@an"), "@an");
	assert.equal(at("@Ann Lee"), "@Ann Lee");
	assert.equal(at("me@example.com"), null);
	assert.equal(at("@ann\nhello"), null);
	assert.equal(at("@ x"), null);
	assert.equal(at("@a b c d e f"), null);
	assert.equal(at("/sum"), "/sum");
	assert.equal(at("and /sum"), "/sum");
	assert.equal(at("/usr/bin"), null);
	assert.equal(at("1/2"), null);
	assert.equal(at("/sum it"), null);
	const rich = fromContent([ANN, text(" hello")]);
	assert.equal(at(rich.text, rich.tags), null);
	assert.equal(triggerAt({ text: "@a", tags: [] }, 2, new Set(["/"])), null);
});

test("files are accepted by type or by the end of their name", () => {
	const file = (name: string, type: string) => ({ name, type, size: 1 });
	const accept = { "image/*": [".png"], "application/pdf": [".pdf"], "text/x": [".MD"] };
	assert.ok(isAccepted(file("a.webp", "image/webp"), accept));
	assert.ok(isAccepted(file("a.PDF", ""), accept));
	assert.ok(isAccepted(file("notes.md", ""), accept));
	assert.ok(!isAccepted(file("a.exe", "application/x-dosexec"), accept));
	assert.ok(!isAccepted(file("image", "imagery/png"), accept));
	assert.ok(isAccepted(file("a.exe", ""), undefined));
	assert.ok(isAccepted(file("a.exe", ""), { "*/*": [] }));
	assert.equal(acceptAttribute(accept), "image/*,.png,application/pdf,.pdf,text/x,.MD");
});

test("the limit is that of the closest pattern", () => {
	const limit = (type: string, sizes: Record<string, number> | number) =>
		maxSize({ name: "a", type, size: 1 }, { enabled: true, maxSize: sizes });
	const sizes = { "image/*": 10, "image/png": 5, "": 7 };
	assert.equal(limit("image/png", sizes), 5);
	assert.equal(limit("image/jpeg", sizes), 10);
	assert.equal(limit("text/plain", sizes), 7);
	assert.equal(limit("text/plain", { "*": 8 }), 8);
	assert.equal(limit("text/plain", { "image/*": 10 }), 100 * 1024 * 1024);
	assert.equal(limit("text/plain", 3), 3);
});

test("a refusal says what is wrong", () => {
	const refused = (size: number, count = 0) =>
		refusalOf({ name: "a", type: "text/plain", size }, count, { enabled: true, maxSize: 2048, maxCount: 2 }, "en")?.key;
	assert.equal(refused(10), undefined);
	assert.equal(refused(0), "composer.file.empty");
	assert.equal(refused(4096), "composer.file.size");
	assert.equal(refused(10, 2), "composer.file.count");
	assert.equal(bytes(1500, "de"), "1,5 kB");
	assert.equal(bytes(25_000_000, "en"), "25 MB");
});

test("what is chosen goes with the message", () => {
	const options: OpenChatKitOptions = {
		api: { url: "/" },
		composer: {
			tools: [{ id: "a", label: "A", icon: "search" }, { id: "b", label: "B", icon: "search", persistent: true }],
			models: [{ id: "off", label: "Off", disabled: true }, { id: "x", label: "X" }, { id: "y", label: "Y", default: true }],
		},
	};
	const chosen = (toolId: string | null, modelId: string | null) => ({ toolId, modelId });
	assert.deepEqual(inferenceOptions(options, chosen("a", "x")), { tool_choice: { id: "a" }, model: "x" });
	assert.deepEqual(inferenceOptions(options, chosen("gone", "off")), { model: "y" });
	assert.deepEqual(inferenceOptions({ api: { url: "/" } }, chosen("a", "x")), {});
	assert.equal(afterSending(options, chosen("a", null)).toolId, null);
	assert.equal(afterSending(options, chosen("b", null)).toolId, "b");
	assert.equal(modelOf({ api: { url: "/" } }, chosen(null, "x")), null);
});

test("keys go over entries that cannot be picked, and round the ends", () => {
	const entries = [entry("a", { disabled: true }), entry("b"), entry("c", { disabled: true }), entry("d")];
	assert.equal(step(entries, -1, 1), 1);
	assert.equal(activeAfter("ArrowDown", entries, 1), 3);
	assert.equal(activeAfter("ArrowDown", entries, 3), 1);
	assert.equal(activeAfter("ArrowUp", entries, 1), 3);
	assert.equal(activeAfter("End", entries, 1), 3);
	assert.equal(activeAfter("x", entries, 1), null);
	assert.equal(step([entry("a", { disabled: true })], 0, 1), -1);
	assert.equal(typedAhead("D", entries, 1), 3);
	assert.equal(typedAhead("c", entries, 1), null);
	assert.deepEqual(
		grouped([entry("a", { group: "x" }), entry("b"), entry("c", { group: "x" })]).map(({ id }) => id),
		["a", "c", "b"],
	);
});

test("a late answer of a search is ignored, and a quick writer asks but twice", async () => {
	const asked: string[] = [];
	const answers = new Map<string, (entries: Entry[]) => void>();
	const search = ({ query }: Trigger) => {
		asked.push(query);
		return new Promise<Entry[]>((answer) => answers.set(query, answer));
	};
	const suggestions = new Suggestions(search, () => {}, () => assert.fail());
	const type = (query: string) =>
		suggestions.update({ kind: "@", start: 0, end: query.length + 1, query });
	type("");
	await new Promise((done) => setTimeout(done, 5));
	for (const query of ["a", "an", "ann"]) type(query);
	await new Promise((done) => setTimeout(done, 200));
	assert.deepEqual(asked, ["", "ann"]);
	answers.get("ann")!([entry("Ann")]);
	answers.get("")!([entry("Bob")]);
	await Promise.resolve();
	await Promise.resolve();
	assert.deepEqual(suggestions.entries.map(({ label }) => label), ["Ann"]);
	suggestions.dismiss();
	type("ann l");
	assert.ok(!suggestions.isOpen);
});
