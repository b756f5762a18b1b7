// Items without a DOM: sources, answers to questions, texts, durations.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY, answersOf, chosen, missing, valuesOf, written } from "../src/items/answers.ts";
import { beginning, duration } from "../src/items/durations.ts";
import { isWhole } from "../src/items/shape.ts";
import { Sources, linkOf, originOf } from "../src/items/sources.ts";
import { copyText } from "../src/items/texts.ts";
import { paragraphs } from "../src/items/paragraphs.ts";
import type { Annotation, Source, StructuredQuestion, ThreadItem } from "../src/protocol.ts";
import { Words } from "../src/words.ts";

const page = (url: string): Source => ({ type: "url", title: url, url });
const cited = (source: Source, index?: number | null): Annotation => ({ type: "annotation", source, index: index ?? null });

test("a source has one number, by where it is cited first", () => {
	const [a, b] = [page("https://a.example"), page("https://b.example")];
	const annotations = [cited(b, 9), cited(a, 4), cited(b, 2), cited(a, 4), cited(page("https://c.example"))];
	const sources = new Sources([{ annotations }]);
	assert.deepEqual(
		sources.all.map(({ number, source }) => [number, source.title]),
		[[1, "https://b.example"], [2, "https://a.example"], [3, "https://c.example"]],
	);
	const marks = sources.marks(annotations, "0123456789");
	assert.deepEqual(marks.map(({ index, number }) => [index, number]), [[2, 1], [4, 2], [9, 1]]);
});

test("marks stay within the text, whatever the server says", () => {
	const annotations = [cited(page("https://a.example"), 99), cited(page("https://b.example"), -3), null, {}];
	const sources = new Sources([{ annotations: annotations as Annotation[] }]);
	const marks = sources.marks(annotations as Annotation[], "abc");
	assert.deepEqual(marks.map(({ index }) => index), [0, 3]);
});

test("only addresses that may be followed are links", () => {
	assert.equal(linkOf(page("https://a.example/x")), "https://a.example/x");
	assert.equal(linkOf(page("javascript:alert(1)")), null);
	assert.equal(linkOf({ type: "file", title: "f", url: "https://a.example" }), null);
	assert.equal(originOf(page("https://www.a.example/x")), "a.example");
	assert.equal(originOf(page("nonsense")), "");
	assert.equal(originOf({ type: "file", title: "f", filename: "f.pdf" }), "f.pdf");
});

const one: StructuredQuestion = {
	id: "one",
	type: "multiple_choice",
	question: "?",
	options: [{ value: "a" }, { value: "b" }],
};
const many: StructuredQuestion = { ...one, id: "many", multiple: true };
const free: StructuredQuestion = { id: "free", type: "freeform", question: "?" };

test("of a single choice one value remains: own words or a choice, whichever came last", () => {
	let draft = chosen(one, EMPTY, "a", true);
	draft = chosen(one, draft, "b", true);
	assert.deepEqual(valuesOf(one, draft), ["b"]);
	draft = written(one, draft, " own ");
	assert.deepEqual(valuesOf(one, draft), ["own"]);
	assert.deepEqual(valuesOf(one, chosen(one, draft, "a", true)), ["a"]);
});

test("of several choices all remain, each once, and own words too", () => {
	let draft = chosen(many, EMPTY, "a", true);
	draft = chosen(many, draft, "b", true);
	draft = written(many, draft, "a");
	assert.deepEqual(valuesOf(many, draft), ["a", "b"]);
	assert.deepEqual(valuesOf(many, chosen(many, draft, "b", false)), ["a"]);
});

test("a question is answered or skipped before answers are sent", () => {
	const drafts = new Map([
		["one", chosen(one, EMPTY, "a", true)],
		["free", written(free, EMPTY, "  ")],
		["many", { ...EMPTY, isSkipped: true }],
	]);
	assert.deepEqual(missing([one, many, free], drafts), ["free"]);
	drafts.set("free", written(free, EMPTY, "x\ny"));
	assert.deepEqual(missing([one, many, free], drafts), []);
	assert.deepEqual(answersOf([one, many, free], drafts), {
		one: { values: ["a"], skipped: false },
		many: { values: [], skipped: true },
		free: { values: ["x\ny"], skipped: false },
	});
});

test("durations have at most two units", () => {
	const words = new Words("en");
	assert.equal(duration(12, words), "12 sec");
	assert.equal(duration(65.4, words), "1 min 5 sec");
	assert.equal(duration(3600, words), "1 hr");
	assert.equal(duration(0, words), "0 sec");
	assert.equal(duration(Number.NaN, words), "0 sec");
});

test("a clock that is wrong does not count", () => {
	const now = Date.parse("2026-03-01T12:00:10Z");
	assert.equal(beginning("2026-03-01T12:00:00Z", now), now - 10_000);
	assert.equal(beginning("2027-03-01T12:00:00Z", now), now);
	assert.equal(beginning("2020-03-01T12:00:00Z", now), now);
	assert.equal(beginning("nonsense", now), now);
});

test("what is copied is the text, as it was written", () => {
	const base = { id: "1", thread_id: "t", created_at: "" };
	const text = (item: object) => copyText({ ...base, ...item } as ThreadItem);
	const part = (value: string) => ({ type: "output_text", text: value, annotations: [] });
	assert.equal(text({ type: "assistant_message", content: [part("**a**"), part("b")] }), "**a**\n\nb");
	assert.equal(text({ type: "widget", widget: {}, copy_text: "card" }), "card");
	assert.equal(text({ type: "task", task: {} }), "");
});

test("lines of a message are paragraphs, with their tags", () => {
	const tag = { type: "input_tag" as const, id: "1", text: "Ann" };
	const lines = paragraphs([{ type: "input_text", text: "Ask " }, tag, { type: "input_text", text: " now\r\nبسم" }]);
	assert.deepEqual(lines.map((parts) => parts.map(({ text }) => text)), [["Ask ", "Ann", " now"], ["بسم"]]);
});

test("items that lack what their type has are not drawn as such", () => {
	const base = { id: "1", thread_id: "t", created_at: "" };
	const whole = (item: object) => isWhole({ ...base, ...item } as ThreadItem);
	assert.ok(whole({ type: "assistant_message", content: [] }));
	assert.ok(whole({ type: "workflow", workflow: { type: "new", tasks: [{}] } }));
	for (const content of [null, "text", [null]]) assert.ok(!whole({ type: "user_message", content }));
	assert.ok(!whole({ type: "workflow", workflow: { type: "custom" } }));
	assert.ok(!whole({ type: "widget" }));
	assert.ok(!whole({ type: "hologram" }));
});
