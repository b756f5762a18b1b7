// The transcript without a DOM: rows, their places, and what screen readers are told.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ThreadItem } from "../src/protocol.ts";
import { dayName } from "../src/transcript/days.ts";
import { Layout, type Range, grow, pieces, widened } from "../src/transcript/layout.ts";
import { Keys, rowsOf } from "../src/transcript/rows.ts";
import { Sentences, spoken } from "../src/transcript/sentences.ts";
import { Words } from "../src/words.ts";

const AT = "2026-03-01T12:00:00";

function item(type: string, id: string, created_at = AT, more: object = {}): ThreadItem {
	return { type, id, thread_id: "t", created_at, content: [], ...more } as unknown as ThreadItem;
}

test("rows begin where another speaks, and answers end before the next message", () => {
	const items = [
		item("user_message", "u1"),
		item("workflow", "w1"),
		item("assistant_message", "a1"),
		item("end_of_turn", "e1"),
		item("user_message", "u2"),
		item("structured_input", "s1", AT, { status: "pending" }),
	];
	const rows = rowsOf(items, new Keys(), new Date(AT));
	assert.deepEqual(
		rows.map(({ id, begins }) => [id, begins]),
		[["u1", true], ["w1", true], ["a1", false], ["u2", true], ["s1", true]],
	);
	const [, , a1, , s1] = rows;
	assert.deepEqual(a1!.ends, { itemIds: ["w1", "a1"], userId: "u1", isLast: false, isWaiting: false });
	assert.deepEqual(s1!.ends, { itemIds: ["s1"], userId: "u2", isLast: true, isWaiting: true });
});

test("a row names its day if that is another than the one before", () => {
	const items = [
		item("user_message", "1", "2026-02-28T12:00:00"),
		item("assistant_message", "2", "2026-02-28T23:00:00"),
		item("user_message", "3", "not a time"),
		item("user_message", "4", AT),
	];
	const days = rowsOf(items, new Keys(), new Date(AT)).map(({ day }) => day?.getDate() ?? null);
	assert.deepEqual(days, [28, null, null, 1]);
	assert.ok(rowsOf([item("user_message", "1")], new Keys(), new Date(AT))[0]!.day === null);
});

test("days have names in the user's language", () => {
	const now = new Date(AT);
	const name = (date: string, locale: string) => dayName(new Date(date), new Words(locale), now);
	assert.equal(name("2026-03-01T01:00:00", "en"), "Today");
	assert.equal(name("2026-02-28T23:59:00", "de"), "Gestern");
	assert.match(name("2026-02-20T12:00:00", "en"), /Friday, (20 February|February 20)$/);
	assert.match(name("2025-12-31T12:00:00", "de"), /31\. Dezember 2025/);
});

test("a message keeps its row when the server's own takes its place", () => {
	const keys = new Keys();
	assert.equal(keys.update([item("user_message", "old")]), null);
	const sending = [item("user_message", "old"), item("user_message", "local_1")];
	assert.equal(keys.update(sending), "local_1");
	assert.equal(keys.update([item("user_message", "old"), item("user_message", "new")]), null);
	assert.equal(keys.of("new"), "local_1");
	assert.equal(keys.of("old"), "old");
});

test("a message that could not be sent gives its row to nobody", () => {
	const keys = new Keys();
	keys.update([item("user_message", "local_1")]);
	keys.update([]);
	keys.update([item("user_message", "later")]);
	assert.equal(keys.of("later"), "later");
});

test("places of rows are the sums of the heights above them", () => {
	const heights = fc.array(fc.option(fc.integer({ min: 0, max: 900 })), { minLength: 1, maxLength: 60 });
	fc.assert(
		fc.property(heights, fc.integer({ min: -50, max: 20_000 }), (given, place) => {
			const layout = new Layout();
			layout.setKeys(given.map((_, index) => `k${index}`));
			given.forEach((height, index) => height !== null && layout.measure(`k${index}`, height));
			for (let index = 0; index < given.length; index++) {
				const height = layout.top(index + 1) - layout.top(index);
				assert.equal(height, given[index] ?? 120);
			}
			const at = layout.at(place);
			if (place >= 0 && place < layout.total)
				assert.ok(layout.top(at) <= place && place < layout.top(at + 1));
			else assert.ok(at >= 0 && at < given.length);
		}),
	);
});

test("a guess stays until the row is measured, so that nothing moves without need", () => {
	const layout = new Layout();
	layout.setKeys(["a", "b", "c"]);
	layout.measure("c", 20);
	assert.equal(layout.top(2), 240);
	layout.setKeys(["new", "a", "b", "c"]);
	assert.equal(layout.top(1), 20);
	assert.equal(layout.measure("c", 20), false);
});

const range = fc
	.tuple(fc.nat(100), fc.nat(100))
	.map(([a, b]): Range => ({ from: Math.min(a, b), to: Math.max(a, b) }));

test("the window grows over what is seen, and then to what is wanted, step by step", () => {
	fc.assert(
		fc.property(range, range, fc.nat(30), fc.boolean(), (before, seen, around, fromEnd) => {
			const wanted = widened(seen, around, 100);
			const missing = (now: Range) => {
				const drawn = Math.min(now.to, seen.to) - Math.max(now.from, seen.from);
				return seen.to - seen.from - Math.max(0, drawn);
			};
			let now = before;
			for (let steps = 0; steps < 60; steps++) {
				const next = grow(now, seen, wanted, { step: 4, fromEnd });
				assert.ok(next.from >= wanted.from && next.to <= wanted.to);
				const isAnew = next.from > now.to || next.to < now.from;
				const old = isAnew ? 0 : Math.max(0, now.to - now.from);
				assert.ok(next.to - next.from <= old + 4);
				if (steps > 0) assert.ok(missing(next) <= Math.max(0, missing(now) - 4));
				now = next;
			}
			assert.deepEqual(now, wanted);
		}),
	);
});

test("a window that begins at the end grows upwards", () => {
	const seen = { from: 80, to: 100 };
	const step = { step: 4, fromEnd: true };
	assert.deepEqual(grow({ from: 0, to: 0 }, seen, seen, step), { from: 96, to: 100 });
});

test("pieces are all rows once, in their order, drawn or in a gap", () => {
	fc.assert(
		fc.property(range, fc.array(fc.integer({ min: -1, max: 110 })), (drawn, keep) => {
			const rows = pieces(drawn, keep, 100).flatMap((piece) =>
				"row" in piece
					? [piece.row]
					: Array.from({ length: piece.gap.to - piece.gap.from }, (_, i) => piece.gap.from + i),
			);
			assert.deepEqual(rows, Array.from({ length: 100 }, (_, i) => i));
		}),
	);
});

test("a text is told in whole sentences, however it arrives", () => {
	const text = "Green tea is nice. Is it? Yes:\n\n- hot\n- cold, at 1.5 degrees\n\nThe end";
	fc.assert(
		fc.property(fc.array(fc.nat(text.length)), (cuts) => {
			const sentences = new Sentences();
			const told = cuts.sort((a, b) => a - b).map((cut) => sentences.next(text.slice(0, cut), false));
			for (const part of told.filter(Boolean)) assert.match(part, /[.?:]$|hot$|degrees$/);
			const whole = [...told, sentences.next(text, true)].filter(Boolean).join(" ");
			assert.equal(whole, "Green tea is nice. Is it? Yes: hot cold, at 1.5 degrees The end");
		}),
	);
});

test("what was there already is not told", () => {
	const sentences = new Sentences();
	sentences.skip("Old. ");
	assert.equal(sentences.next("Old. New. ", true), "New.");
	assert.equal(sentences.next("Other.", true), "Other.");
});

test("markdown is told without its signs", () => {
	assert.equal(spoken("## A **bold** [link](https://a.example)\n```js\nlet x = 1\n```"), "A bold link let x = 1");
	assert.equal(spoken("| a | b |\n|---|---|\n| 1 | 2 |"), "a, b 1, 2");
});
