// The conversation that is shown, while other devices and the server change it.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Controller } from "../src/controller.ts";
import type { StreamEvent } from "../src/protocol.ts";
import { FakeServer, THREAD, type Turn, URL_, answered, delta, said } from "./fake-server.ts";

const page = Object.assign(new EventTarget(), { hidden: false });
Object.defineProperty(globalThis, "document", { value: page, configurable: true });
// Another tab of this browser would be told of everything by the page itself
Object.defineProperty(globalThis, "BroadcastChannel", { value: undefined, configurable: true });

function show(isVisible: boolean): void {
	page.hidden = !isVisible;
	page.dispatchEvent(new Event("visibilitychange"));
}

async function until(isTrue: () => unknown): Promise<void> {
	const deadline = Date.now() + 10_000;
	while (!isTrue()) {
		assert.ok(Date.now() < deadline, `not within 10 s: ${isTrue}`);
		await new Promise((go) => setTimeout(go, 5));
	}
}

function texts({ conversation }: Controller): string[] {
	return conversation.items.map((item) => {
		if (item.type === "user_message") return `> ${item.content[0]?.text}`;
		return item.type === "assistant_message" ? item.content.map(({ text }) => text).join() : item.type;
	});
}

/** Opens the thread in a page that watches it. */
async function watching(context: TestContext, server: FakeServer) {
	const names: string[] = [];
	const controller = new Controller((name) => names.push(name.replace("chatkit.", "")));
	context.after(() => controller.disconnect());
	controller.configure({ api: { url: URL_, fetch: server.fetch, domainKey: "" } } as never);
	await controller.open(THREAD.id);
	if (server.hasThreadEvents) await until(() => server.watching.size === 1);
	return { controller, names, asked: () => server.asked.map(({ type }) => type) };
}

/** Says a text in two pieces, and goes on when the test says so. */
function inPieces(first: string, second: string, id = "msg_pieces") {
	let open!: () => void;
	const opened = new Promise<void>((go) => {
		open = go;
	});
	const script = async (turn: Turn) => {
		const begun: StreamEvent = { type: "thread.item.added", item: answered("", id) };
		turn.emit({ type: "client_effect", name: "began", data: {} }, begun, delta(id, first));
		await opened;
		turn.emit(delta(id, second), { type: "thread.item.done", item: answered(first + second, id) });
	};
	return { script, open };
}

function count(names: string[], name: string): number {
	return names.filter((each) => each === name).length;
}

test("an answer to another device is followed from its beginning", async (context) => {
	const server = new FakeServer();
	server.items = [said("Before?"), answered("Before.")];
	const { controller, names } = await watching(context, server);
	const { script, open } = inPieces("One, ", "two.");
	server.beginElsewhere("Count", script);
	await until(() => texts(controller).at(-1) === "One, ");
	assert.equal(controller.status.answering, true);
	open();
	await until(() => !controller.status.answering);
	assert.deepEqual(texts(controller), ["> Before?", "Before.", "> Count", "One, two."]);
	assert.equal(count(names, "response.start"), 1);
	assert.equal(count(names, "effect"), 0);
	assert.ok(!server.paths.some((path) => path.includes("wait=25")));
});

test("the page's own answers are read once, and nothing is loaded for them", async (context) => {
	const server = new FakeServer();
	const { controller, names, asked } = await watching(context, server);
	const before = asked().length;
	server.scripts = [(turn) => turn.emit({ type: "thread.item.done", item: answered("Hello") })];
	await controller.send({ content: [{ type: "input_text", text: "Hi" }] });
	await until(() => !controller.status.answering);
	server.tell({ type: "turn.ended", turn: server.turns[0]!.state });
	// What comes last is heard last
	server.tell({ type: "thread.updated", thread: { ...THREAD, title: "Greetings" } });
	await until(() => controller.conversation.thread?.title === "Greetings");
	assert.deepEqual(texts(controller), ["> Hi", "Hello"]);
	assert.equal(count(names, "response.start"), 1);
	assert.equal(count(names, "response.end"), 1);
	assert.deepEqual(asked().slice(before), ["threads.add_user_message"]);
	assert.ok(!server.paths.some((path) => path.startsWith("GET /turns/")));
});

test("a turn whose beginning was not told is loaded when it has ended", async (context) => {
	const server = new FakeServer();
	const { controller } = await watching(context, server);
	server.items.push(said("Hi"), answered("Hello"));
	const turn = { id: "turn_missed", thread_id: THREAD.id, state: "completed" as const, events: null };
	server.tell({ type: "turn.ended", turn });
	await until(() => texts(controller).at(-1) === "Hello");
});

test("what the server says by itself is applied at once", async (context) => {
	const server = new FakeServer();
	const { controller, asked } = await watching(context, server);
	const before = asked().length;
	server.tell({ type: "thread.item.done", item: answered("Your parcel has arrived.") });
	server.tell({ type: "thread.updated", thread: { ...THREAD, title: "Parcel" } });
	await until(() => controller.conversation.thread?.title === "Parcel");
	assert.deepEqual(texts(controller), ["Your parcel has arrived."]);
	assert.equal(controller.threads.threads[0]?.title, "Parcel");
	assert.equal(asked().length, before);
});

test("what may have been missed is loaded", async (context) => {
	const server = new FakeServer();
	const { controller } = await watching(context, server);
	server.items.push(answered("Missed"));
	server.tell({ type: "thread.changed" });
	await until(() => texts(controller).includes("Missed"));
});

test("a stream that was cut is made anew, and the page lacks nothing", async (context) => {
	const server = new FakeServer();
	const { controller } = await watching(context, server);
	server.drop();
	server.items.push(answered("Missed"));
	await until(() => texts(controller).includes("Missed"));
	assert.equal(server.watching.size, 1);
	assert.equal(controller.status.connection, "online");
});

test("a hidden page watches nothing, and loads what it missed when it is seen", async (context) => {
	const server = new FakeServer();
	const { controller } = await watching(context, server);
	show(false);
	await until(() => server.watching.size === 0);
	server.items.push(answered("Missed"));
	show(true);
	await until(() => texts(controller).includes("Missed") && server.watching.size === 1);
});

test("one connection watches the conversation that is shown, and no other", async (context) => {
	const server = new FakeServer();
	const { controller } = await watching(context, server);
	await controller.open(null);
	await until(() => server.watching.size === 0);
	await controller.open(THREAD.id);
	await controller.open(THREAD.id);
	await until(() => server.watching.size === 1);
	controller.disconnect();
	await until(() => server.watching.size === 0);
});

test("a conversation that is deleted becomes the start screen", async (context) => {
	const server = new FakeServer();
	const { controller, names } = await watching(context, server);
	server.tell({ type: "thread.removed" });
	await until(() => controller.threadId === null);
	assert.equal(count(names, "error"), 0);
});

test("one that was deleted while nobody heard becomes it too", async (context) => {
	const server = new FakeServer();
	const { controller } = await watching(context, server);
	server.isRemoved = true;
	server.drop();
	await until(() => controller.threadId === null);
});

test("a turn goes on after its user has answered a question elsewhere", async (context) => {
	const server = new FakeServer();
	const { controller } = await watching(context, server);
	const { script, open } = inPieces("Which size? ", "M, then.");
	const turn = server.beginElsewhere("A shirt", script);
	await until(() => texts(controller).at(-1) === "Which size? ");
	turn.part();
	await until(() => !controller.status.answering);
	await until(() => controller.status.answering);
	open();
	await until(() => texts(controller).at(-1) === "Which size? M, then.");
	await until(() => !controller.status.answering);
});

test("a server without the route is asked for it once, and polled", async (context) => {
	const server = new FakeServer();
	server.hasThreadEvents = false;
	const { controller } = await watching(context, server);
	await until(() => server.paths.some((path) => path.includes("wait=25")));
	const { script, open } = inPieces("One, ", "two.");
	show(false);
	server.beginElsewhere("Count", script);
	show(true);
	await until(() => texts(controller).at(-1) === "One, ");
	open();
	await until(() => texts(controller).at(-1) === "One, two.");
	assert.equal(server.paths.filter((path) => path.includes("turns=notes")).length, 1);
});
