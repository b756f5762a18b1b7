// What widgets compute: days, keys, payloads.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dayOf, plusDays, plusMonths, weekday, weeksOf } from "../src/widgets/calendar.ts";
import { payloadWith } from "../src/widgets/form-values.ts";
import { keyed } from "../src/widgets/keys.ts";

const days = fc
	.integer({ min: 0, max: 60_000 })
	.map((number) => new Date(number * 86_400_000).toISOString().slice(0, 10));

test("a month has all of its days once, in weeks from the first weekday", () => {
	fc.assert(
		fc.property(days, fc.integer({ min: 0, max: 6 }), (day, first) => {
			const weeks = weeksOf(day, first);
			const all = weeks.flat();
			assert.ok(weeks.every((week) => week.length === 7 && weekday(week[0]!) === first));
			assert.deepEqual(all, all.map((_, at) => plusDays(all[0]!, at)));
			const own = all.filter((each) => each.slice(0, 7) === day.slice(0, 7));
			assert.equal(own[0]!.slice(8), "01");
			assert.equal(plusDays(own.at(-1)!, 1).slice(8), "01");
			assert.ok(own.includes(day));
		}),
	);
});

test("a month later is the same day, or the last one of that month", () => {
	assert.equal(plusMonths("2026-01-31", 1), "2026-02-28");
	assert.equal(plusMonths("2028-01-31", 1), "2028-02-29");
	assert.equal(plusMonths("2026-03-31", -1), "2026-02-28");
	assert.equal(plusMonths("2026-12-05", 1), "2027-01-05");
});

test("what is no day is none", () => {
	assert.equal(dayOf("2026-02-28T23:00:00Z"), "2026-02-28");
	for (const value of ["2026-02-30", "2026-13-01", "tomorrow", "", 5, null]) assert.equal(dayOf(value), undefined);
});

test("the fields are in the payload, and what the action says wins", () => {
	assert.deepEqual(payloadWith(undefined, { a: "1" }), { a: "1" });
	assert.deepEqual(payloadWith({ a: 2, b: { c: 3 } }, { a: "1", b: { d: "4" } }), { a: 2, b: { c: 3, d: "4" } });
	assert.deepEqual(payloadWith({ a: 1 }, {}), { a: 1 });
	assert.equal(payloadWith("text", { a: "1" }), "text");
});

test("a component keeps its key while others come and go", () => {
	const field = { type: "Row", children: [{ type: "Input", name: "mail" }] };
	const texts = [{ type: "Text" }, { type: "Text" }];
	const keyOf = (children: { type: string }[]) => keyed(children).find(({ child }) => child === field)?.key;
	assert.equal(keyOf([field]), keyOf([{ type: "Row" }, ...texts, field, { type: "Row" }]));
});

test("keys are different", () => {
	const names = fc.constantFrom("a", "b", "a-1", undefined);
	const child = fc.record({ type: fc.constantFrom("Text", "Input"), key: names, name: names });
	fc.assert(
		fc.property(fc.array(child), (children) => {
			const keys = keyed(children.map((each) => ({ ...each, key: each.key ?? null }))).map(({ key }) => key);
			assert.equal(new Set(keys).size, keys.length);
		}),
	);
});
