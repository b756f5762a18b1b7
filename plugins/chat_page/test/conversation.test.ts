import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Conversation } from "../src/conversation.ts";
import type { StreamEvent, ThreadItem, UserMessageItem } from "../src/protocol.ts";
import { events, item } from "./events.ts";

const TURN = "turn_1";

/** Turns as a server sends them: an item begins, changes, and is done; then it may be replaced. */
const turns = events.map((stream) => {
	const open = new Set<string>();
	const done = new Set<string>();
	const kept = stream.filter((event) => {
		if (event.type === "thread.item.added") {
			if (open.has(event.item.id) || done.has(event.item.id)) return false;
			open.add(event.item.id);
		} else if (event.type === "thread.item.done" || event.type === "thread.item.replaced") {
			open.delete(event.item.id);
			done.add(event.item.id);
		} else if (event.type === "thread.item.updated") return open.has(event.item_id);
		else if (event.type === "thread.item.removed") {
			open.delete(event.item_id);
			done.add(event.item_id);
		}
		return true;
	});
	const left = play(kept).items.filter(({ id }) => open.has(id));
	return [...kept, ...left.map((one) => ({ type: "thread.item.done" as const, item: one }))];
});

function removed(stream: StreamEvent[]): Set<string> {
	return new Set(stream.flatMap((event) => event.type === "thread.item.removed" ? [event.item_id] : []));
}

/** What a user sees of a conversation. */
function seen(conversation: Conversation) {
	const { thread, items, error, notices, progress, stoppable } = conversation;
	return JSON.parse(JSON.stringify({ thread, items, error, notices, progress, stoppable }));
}

function play(stream: StreamEvent[], conversation = new Conversation(), after = 0) {
	stream.forEach((event, place) => conversation.apply(event, `${TURN}:${after + place + 1}`));
	return conversation;
}

function message(id: string, text = "", more = {}): ThreadItem {
	const content = [{ type: "output_text" as const, text, annotations: [] }];
	const base = { id, thread_id: "thr_1", created_at: "2026-11-27T10:00:00Z", ...more };
	return { ...base, type: "assistant_message", content };
}

function userMessage(id: string): UserMessageItem {
	const base = { id, thread_id: "thr_1", created_at: "2026-11-27T10:00:00Z" };
	return { ...base, type: "user_message", content: [], inference_options: {} };
}

function ids(conversation: Conversation) {
	return conversation.items.map(({ id }) => id);
}

function texts(conversation: Conversation) {
	return conversation.items.map((one) => one.type === "assistant_message" && one.content[0]?.text);
}

test("a stream leaves the same state however it is cut and resumed", () => {
	fc.assert(
		fc.property(events, fc.array(fc.tuple(fc.nat(60), fc.nat(60))), (stream, cuts) => {
			const cut = new Conversation();
			// Each piece begins at or before what was received, as after a lost connection
			for (const [from, to] of cuts) {
				const start = Math.min(from, cut.lastEvent(TURN));
				play(stream.slice(start, to), cut, start);
			}
			const start = Math.min(cut.lastEvent(TURN), stream.length);
			play(stream.slice(start), cut, start);
			assert.deepEqual(seen(cut), seen(play(stream)));
		}),
	);
});

test("an event that was received before says so, for its effects", () => {
	const conversation = new Conversation();
	const effect: StreamEvent = { type: "client_effect", name: "beep", data: {} };
	assert.deepEqual(conversation.apply(effect, "turn_1:1"), []);
	assert.equal(conversation.apply(effect, "turn_1:1"), null);
	assert.deepEqual(conversation.apply(effect, "turn_2:1"), []);
	assert.deepEqual(conversation.apply(effect), []);
	assert.deepEqual(conversation.apply(effect), []);
});

test("no event changes an item that a view holds, and what did not change stays the same object", () => {
	fc.assert(
		fc.property(events, (stream) => {
			const conversation = new Conversation();
			for (const event of stream) {
				const before = new Map(conversation.items.map((one) => [one.id, one]));
				const copies = JSON.stringify([...before.values()]);
				const changes = conversation.apply(event) ?? [];
				assert.equal(JSON.stringify([...before.values()]), copies);
				for (const one of conversation.items)
					if (before.get(one.id) !== one && before.has(one.id))
						assert.ok(changes.includes(`item:${one.id}`) || changes.includes("items"));
			}
		}),
	);
});

test("every item is found by its id, and only once", () => {
	fc.assert(
		fc.property(events, fc.array(item), fc.boolean(), (stream, page, more) => {
			const conversation = play(stream);
			const once = [...new Map(page.map((one) => [one.id, one])).values()];
			conversation.merge(once, conversation.now, more);
			conversation.prepend(once);
			const all = ids(conversation);
			assert.equal(new Set(all).size, all.length);
			for (const one of conversation.items) assert.equal(conversation.get(one.id), one);
		}),
	);
});

test("a page that is loaded at any time in a stream leaves what the whole stream leaves", () => {
	const finished = (stream: StreamEvent[]) => [
		...stream,
		// A server ends what it has begun
		...play(stream).items.map((one) => ({ type: "thread.item.done" as const, item: one })),
	];
	const inOrder = (conversation: Conversation) =>
		[...conversation.items].sort((one, other) => (one.id < other.id ? -1 : 1));
	fc.assert(
		fc.property(events.map(finished), fc.nat(60), fc.nat(60), fc.nat(60), (stream, ...times) => {
			const [asked, read, arrives] = times.sort((one, other) => one - other);
			// The server reads the page after it was asked, and it arrives later still
			const page = [...play(stream.slice(0, read)).items];
			const conversation = play(stream.slice(0, asked));
			const before = conversation.now;
			play(stream.slice(asked, arrives), conversation, Math.min(asked!, stream.length));
			conversation.merge(page, before, false);
			play(stream.slice(arrives), conversation, Math.min(arrives!, stream.length));
			assert.deepEqual(inOrder(conversation), inOrder(play(stream)));
		}),
	);
});

test("a widget's streamed text reaches the component, and the rest stays as it was", () => {
	const conversation = new Conversation();
	const other = { type: "Row", children: [{ type: "Text", id: "b", value: "b" }] };
	const widget = { type: "Card", children: [other, { type: "Text", id: "a", value: "", streaming: true }] };
	const base = { id: "w", thread_id: "thr_1", created_at: "" };
	conversation.apply({ type: "thread.item.added", item: { ...base, type: "widget", widget } });
	for (const [delta, done] of [["Hel", false], ["lo", true]] as const)
		conversation.apply({
			type: "thread.item.updated",
			item_id: "w",
			update: { type: "widget.streaming_text.value_delta", component_id: "a", delta, done },
		});
	const item = conversation.get("w");
	assert.ok(item?.type === "widget" && Array.isArray(item.widget.children));
	assert.equal(item.widget.children[0], other);
	assert.deepEqual(item.widget.children[1], { type: "Text", id: "a", value: "Hello", streaming: false });
});

test("a message that is being sent stays in its place when the server has it", () => {
	const conversation = new Conversation();
	conversation.addLocal(userMessage("local_1"));
	conversation.addLocal(userMessage("local_2"));
	// A page that is loaded meanwhile takes neither away
	conversation.merge([message("1")], conversation.now, false);
	conversation.replaceLocal("local_1", userMessage("msg_1"));
	conversation.apply({ type: "thread.item.done", item: userMessage("msg_1") });
	assert.deepEqual(ids(conversation), ["1", "msg_1", "local_2"]);
	// Another stream or a page has brought it
	conversation.apply({ type: "thread.item.done", item: userMessage("msg_2") });
	conversation.replaceLocal("local_2", userMessage("msg_2"));
	conversation.removeLocal("local_2");
	assert.deepEqual(ids(conversation), ["1", "msg_1", "msg_2"]);
});

test("a page of the newest items brings what other devices did", () => {
	const conversation = new Conversation();
	conversation.merge(["1", "2", "3", "4"].map((id) => message(id)), 0, true);
	conversation.prepend([message("0")]);
	const asked = conversation.now;
	conversation.apply({ type: "thread.item.done", item: message("6") });
	conversation.apply({ type: "thread.item.removed", item_id: "4" });
	conversation.merge([message("2"), message("4"), message("5")], asked, true);
	assert.deepEqual(ids(conversation), ["0", "1", "2", "5", "6"]);
	// Nothing of the page is known: what lies between is not known, either
	conversation.merge([message("8"), message("9")], conversation.now, true);
	assert.deepEqual(ids(conversation), ["8", "9"]);
	// The page is the whole thread
	conversation.merge([message("9")], conversation.now, false);
	assert.deepEqual(ids(conversation), ["9"]);
});

test("a page does not take back the text of an answer that is being written", () => {
	const conversation = new Conversation();
	const update = { type: "assistant_message.content_part.text_delta", content_index: 0, delta: "Hello" } as const;
	conversation.apply({ type: "thread.item.added", item: message("1") });
	conversation.apply({ type: "thread.item.updated", item_id: "1", update });
	conversation.merge([message("1", "Hel")], conversation.now, false);
	assert.deepEqual(texts(conversation), ["Hello"]);
	conversation.end();
	conversation.merge([message("1", "Hello!")], conversation.now, false);
	assert.deepEqual(texts(conversation), ["Hello!"]);
});

test("after a reload in a turn, what the page has does not begin again", () => {
	const delta = (text: string) => ({
		type: "assistant_message.content_part.text_delta" as const,
		content_index: 0,
		delta: text,
	});
	const update = (text: string): StreamEvent => ({
		type: "thread.item.updated",
		item_id: "1",
		update: delta(text),
	});
	const stream: StreamEvent[] = [
		{ type: "client_effect", name: "beep", data: {} },
		{ type: "thread.item.added", item: message("1") },
		update("Hel"),
		update("lo"),
		{ type: "thread.item.done", item: message("1", "Hello") },
		{ type: "client_effect", name: "boop", data: {} },
	];
	// The page was asked for after the third event, and read after the fifth
	const conversation = new Conversation();
	conversation.merge([message("0"), message("1", "Hello")], 0, false);
	conversation.loadedAfter(TURN, 3);
	const effects = stream.flatMap((event, place) => {
		const changes = conversation.apply(event, `${TURN}:${place + 1}`);
		assert.deepEqual(texts(conversation), ["", "Hello"]);
		return changes && event.type === "client_effect" ? [event.name] : [];
	});
	assert.deepEqual(effects, ["boop"]);
	assert.equal(conversation.isOpen("1"), false);
});

test("a reload at any time in a turn shows what the whole stream leaves, and never less", () => {
	fc.assert(
		fc.property(turns, fc.nat(60), fc.nat(60), (stream, first, second) => {
			const [known, read] = [Math.min(first, second), Math.max(first, second)];
			// What is saved: the items that are done
			const server = play(stream.slice(0, read));
			const page = server.items.filter(({ id }) => !server.isOpen(id));
			const conversation = new Conversation();
			conversation.merge(page, 0, false);
			conversation.loadedAfter(TURN, Math.min(known, stream.length));
			stream.forEach((event, place) => {
				conversation.apply(event, `${TURN}:${place + 1}`);
				// Until the stream is where the page was, items of the page stay as they are
				if (place < Math.min(known, read))
					for (const one of page.filter(({ id }) => !removed(stream).has(id)))
						assert.deepEqual(conversation.get(one.id), one);
			});
			assert.deepEqual(new Set(seen(conversation).items.map(JSON.stringify as never)),
				new Set(seen(play(stream)).items.map(JSON.stringify as never)));
		}),
	);
});

test("what comes after a message is taken away when it is answered again", () => {
	const conversation = new Conversation();
	conversation.merge(["1", "2", "3"].map((id) => message(id)), 0, false);
	conversation.addLocal(userMessage("local_1"));
	const asked = conversation.now;
	conversation.cutAfter("1");
	assert.deepEqual(ids(conversation), ["1", "local_1"]);
	// Not even by a page that was on its way
	conversation.merge(["1", "2", "3"].map((id) => message(id)), asked, false);
	assert.deepEqual(ids(conversation), ["1", "local_1"]);
});

test("what a page lacks comes where its time says, if the page brings later items", () => {
	const conversation = new Conversation();
	const at = (second: number) => ({ created_at: `2026-11-27T10:00:0${second}Z` });
	conversation.apply({ type: "thread.item.added", item: message("open", "", at(2)) });
	conversation.merge([message("a", "", at(1)), message("b", "", at(3))], conversation.now, false);
	assert.deepEqual(ids(conversation), ["a", "open", "b"]);
});

test("nonsense changes nothing", () => {
	const conversation = new Conversation();
	conversation.merge([message("1", "Hello")], 0, false);
	const nonsense = [
		{ type: "thread.updated" },
		{ type: "thread.item.added" },
		{ type: "thread.item.done", item: null },
		{ type: "thread.item.updated", item_id: "1" },
		...[-1, 1e9, "x", null].map((content_index) => ({
			type: "thread.item.updated",
			item_id: "1",
			update: { type: "assistant_message.content_part.text_delta", content_index, delta: "!" },
		})),
		{},
	];
	for (const event of nonsense) conversation.apply(event as StreamEvent, "no number");
	assert.deepEqual(texts(conversation), ["Hello"]);
});

test("a text delta costs the same with 5,000 items", () => {
	const conversation = new Conversation();
	const items = Array.from({ length: 5000 }, (_, number) => message(`m${number}`));
	conversation.merge(items, 0, false);
	const before = conversation.items;
	const update = { type: "assistant_message.content_part.text_delta", content_index: 0, delta: "x" } as const;
	conversation.apply({ type: "thread.item.updated", item_id: "m17", update });
	assert.equal(conversation.items, before, "the list is not copied");
});
