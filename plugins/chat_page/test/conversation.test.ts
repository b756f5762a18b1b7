import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversation } from "../src/conversation.ts";

test("text deltas add up", () => {
	const conversation = new Conversation();
	const item = { id: "msg_1", thread_id: "thr_1", created_at: "", type: "assistant_message" as const, content: [] };
	conversation.apply({ type: "thread.item.added", item });
	for (const delta of ["a", "b"])
		conversation.apply({
			type: "thread.item.updated",
			item_id: "msg_1",
			update: { type: "assistant_message.content_part.text_delta", content_index: 0, delta },
		});
	const [only] = conversation.items;
	assert.equal(only?.type === "assistant_message" && only.content[0]?.text, "ab");
});
