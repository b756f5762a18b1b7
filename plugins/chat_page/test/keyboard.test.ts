// Which keys move from item to item.

import assert from "node:assert/strict";
import { test } from "node:test";
import { moveOf } from "../src/transcript/keyboard.ts";

const key = (name: string, more: object = {}) => ({ key: name, ...more }) as KeyboardEvent;

test("arrows move on a row; elsewhere they scroll, and move with Alt", () => {
	assert.equal(moveOf(key("ArrowDown"), true), 1);
	assert.equal(moveOf(key("ArrowUp"), false), null);
	assert.equal(moveOf(key("ArrowUp", { altKey: true }), false), -1);
	assert.equal(moveOf(key("End"), true), "last");
	assert.equal(moveOf(key("Home"), false), null);
	assert.equal(moveOf(key("ArrowDown", { ctrlKey: true }), true), null);
	assert.equal(moveOf(key("x"), true), null);
});
