import assert from "node:assert/strict";
import { test } from "node:test";
import { Controller } from "../src/controller.ts";
import type { StreamEvent, ThreadItem } from "../src/protocol.ts";
import type { Session } from "../src/session.ts";
import { FakeServer, THREAD, type Turn, URL_, answered, delta, said } from "./fake-server.ts";

interface Told {
	name: string;
	detail: any;
}

function open(server: FakeServer, more: object = {}) {
	const told: Told[] = [];
	const controller = new Controller((name, detail) => told.push({ name, detail }));
	controller.configure({ api: { url: URL_, fetch: server.fetch, domainKey: "" }, ...more } as never);
	return { controller, told };
}

function message(text: string) {
	return { content: [{ type: "input_text" as const, text }] };
}

function texts({ conversation }: Controller): string[] {
	return conversation.items.map((item) => {
		if (item.type === "user_message") return `> ${item.content[0]?.text}`;
		return item.type === "assistant_message" ? item.content.map(({ text }) => text).join() : item.type;
	});
}

function names(told: Told[]): string[] {
	return told.map(({ name }) => name.replace("chatkit.", ""));
}

async function until(isTrue: () => unknown): Promise<void> {
	const deadline = Date.now() + 5000;
	while (!isTrue()) {
		assert.ok(Date.now() < deadline, `not within 5 s: ${isTrue}`);
		await new Promise((go) => setTimeout(go, 5));
	}
}

function gate() {
	let open!: () => void;
	const opened = new Promise<void>((go) => {
		open = go;
	});
	return { open, opened };
}

/** Says a text in two pieces, and waits between them. */
function inPieces(first: string, second: string, between: Promise<void>, id = "msg_pieces") {
	return async (turn: Turn) => {
		const begun: StreamEvent = { type: "thread.item.added", item: answered("", id) };
		turn.emit({ type: "client_effect", name: "began", data: {} }, begun, delta(id, first));
		await between;
		turn.emit(delta(id, second), { type: "thread.item.done", item: answered(first + second, id) });
	};
}

function saying(item: ThreadItem) {
	return (turn: Turn) => turn.emit({ type: "thread.item.done", item });
}

test("a message is shown at once, and in its place when the server has it", async () => {
	const server = new FakeServer();
	const { controller, told } = open(server);
	server.scripts = [saying(answered("Hello"))];
	const sent = controller.send(message("Hi"));
	assert.deepEqual(texts(controller), ["> Hi"]);
	await sent;
	await until(() => !controller.status.answering);
	assert.deepEqual(texts(controller), ["> Hi", "Hello"]);
	assert.deepEqual(names(told), ["response.start", "thread.change", "response.end"]);
	assert.equal(controller.threadId, THREAD.id);
});

test("a refused message is not shown as sent, and the answer before it cannot be asked for by mistake", async () => {
	const server = new FakeServer();
	const { controller, told } = open(server);
	server.refusals = [Response.json({ message: "The conversation is locked." }, { status: 409 })];
	await assert.rejects(controller.send(message("Hi")), { message: "The conversation is locked." });
	assert.deepEqual(texts(controller), []);
	assert.equal(controller.status.error?.allow_retry, false);
	assert.equal(controller.status.answering, false);
	assert.ok(names(told).includes("error"));
});

test("an answer goes on over lost connections", async () => {
	const server = new FakeServer();
	const { controller, told } = open(server);
	const { open: go, opened } = gate();
	server.scripts = [inPieces("One, ", "two.", opened)];
	await controller.send(message("Count"));
	await until(() => texts(controller)[1] === "One, ");
	server.drop();
	go();
	await until(() => !controller.status.answering);
	assert.deepEqual(texts(controller), ["> Count", "One, two."]);
	assert.equal(controller.status.error, null);
	assert.equal(names(told).filter((name) => name === "effect").length, 1);
});

test("an answer that is over is not begun again when it is seen as running late", async () => {
	const server = new FakeServer();
	const { controller, told } = open(server);
	let id = "";
	server.scripts = [
		(turn) => {
			id = turn.id;
			turn.emit({ type: "notice", level: "info", message: "Low" }, { type: "error", code: "custom", message: "No" });
		},
	];
	await controller.send(message("Hi"));
	await until(() => !controller.status.answering);
	const { session } = controller as unknown as { session: Session };
	await session.follow({ turn: id, kind: "answer", isOwn: false });
	assert.equal(controller.status.error?.message, "No");
	assert.equal(controller.status.notices.length, 1);
	assert.equal(names(told).filter((name) => name === "response.start").length, 1);
	assert.equal(names(told).filter((name) => name === "response.end").length, 1);
});

test("a page that is loaded in the middle of an answer follows it, without its effects again", async () => {
	const server = new FakeServer();
	const { open: go, opened } = gate();
	server.scripts = [inPieces("One, ", "two.", opened)];
	await open(server).controller.send(message("Count"));
	const { controller, told } = open(server);
	await controller.open(THREAD.id);
	await until(() => texts(controller)[1] === "One, ");
	assert.equal(controller.status.answering, true);
	go();
	await until(() => !controller.status.answering);
	assert.deepEqual(texts(controller), ["> Count", "One, two."]);
	assert.deepEqual(
		names(told).filter((name) => name.startsWith("response") || name === "effect"),
		["response.start", "response.end"],
	);
});

test("an answer whose events are gone comes from the conversation", async () => {
	const server = new FakeServer();
	const { controller } = open(server);
	const { open: go, opened } = gate();
	server.scripts = [inPieces("One, ", "two.", opened)];
	await controller.send(message("Count"));
	await until(() => texts(controller)[1] === "One, ");
	go();
	server.turns[0]!.isGone = true;
	server.drop();
	await until(() => texts(controller)[1] === "One, two." && !controller.status.error);
	assert.equal(controller.status.answering, false);
});

test("a newer message's answer stands as it is when an older one is lost", async () => {
	const server = new FakeServer();
	const { controller } = open(server);
	server.scripts = [inPieces("One, ", "two.", gate().opened, "msg_old")];
	await controller.send(message("Count"));
	await until(() => texts(controller)[1] === "One, ");
	await controller.send(message("Stop counting"));
	// As after a restart of the server
	server.turns.length = 0;
	server.drop();
	await until(() => !controller.status.answering);
	assert.equal(controller.status.error, null);
});

test("an answer that a server lost with its process says so", async () => {
	const server = new FakeServer();
	const { controller } = open(server);
	server.scripts = [() => new Promise(() => {})];
	await controller.send(message("Count"));
	const [turn] = server.turns;
	Object.assign(turn!, { isGone: true, isOver: true, error: "The server stopped." });
	server.drop();
	await until(() => controller.status.error?.message === "The server stopped.");
	assert.equal(controller.status.error?.allow_retry, true);
	assert.equal(controller.status.answering, false);
});

test("Stop before the response reaches the model too", async () => {
	const server = new FakeServer();
	const { open: go, opened } = gate();
	const slow: typeof server.fetch = async (input, init) => {
		const response = await server.fetch(input, init);
		if (!String(input).includes("/turns/")) await opened;
		return response;
	};
	const { controller } = open(server, { api: { url: URL_, fetch: slow, domainKey: "" } });
	server.scripts = [() => new Promise(() => {})];
	const sent = controller.send(message("Count"));
	await until(() => server.turns.length);
	controller.stop();
	go();
	await sent;
	await until(() => !controller.status.answering);
	assert.ok(server.paths.includes(`POST /turns/${server.turns[0]!.id}/cancel`));
	assert.equal(controller.status.error?.code, "stopped");
	assert.deepEqual(texts(controller), ["> Count"]);
});

test("an answer that is given again replaces the old one, or leaves it if it fails", async () => {
	const server = new FakeServer();
	const question = said("Hi", "usr_hi");
	server.items = [question, answered("Old")];
	const { controller } = open(server);
	await controller.open(THREAD.id);
	server.scripts = [
		(turn) => turn.emit({ type: "error", code: "custom", message: "Busy", allow_retry: true }),
		(turn) => {
			server.items = [question];
			saying(answered("New"))(turn);
		},
	];
	await controller.retry(question.id);
	await until(() => !controller.status.answering && texts(controller).length === 2);
	assert.deepEqual(texts(controller), ["> Hi", "Old"]);
	await controller.retry(question.id);
	await until(() => !controller.status.answering);
	assert.deepEqual(texts(controller), ["> Hi", "New"]);
});

test("a client tool's error is its output, and a call is made once", async () => {
	const server = new FakeServer();
	const calls: string[] = [];
	const onClientTool = ({ name }: { name: string }) => {
		calls.push(name);
		if (name === "bad") throw new Error("No kettle");
		return { name };
	};
	const { controller } = open(server, { onClientTool });
	const call = (name: string): ThreadItem => ({
		...{ id: `ctc_${name}`, thread_id: THREAD.id, created_at: THREAD.created_at },
		...{ type: "client_tool_call", status: "pending", call_id: name, name, arguments: {} },
	});
	server.scripts = [
		(turn) => {
			for (const name of ["good", "bad"]) saying(call(name))(turn);
		},
		() => {},
		saying(answered("Done")),
	];
	await controller.send(message("Use tools"));
	await until(() => texts(controller).includes("Done"));
	const outputs = server.asked.filter(({ type }) => type === "threads.add_client_tool_output");
	assert.deepEqual(
		outputs.map(({ params }) => params["result"]),
		[{ name: "good" }, { error: "No kettle" }],
	);
	assert.deepEqual(calls, ["good", "bad"]);
	for (const item of controller.conversation.items)
		if (item.type === "client_tool_call") assert.equal(item.status, "completed");
	// The user has written something instead
	server.items = [call("old"), said("Never mind")];
	const later = open(server, { onClientTool });
	await later.controller.open(THREAD.id);
	await new Promise((go) => setTimeout(go, 20));
	assert.deepEqual(calls, ["good", "bad"]);
});

test("a decision can be stopped like an answer; other actions run beside it", async () => {
	const server = new FakeServer();
	const { controller } = open(server);
	await controller.send(message("Hi"));
	await until(() => !controller.status.answering);
	for (const [type, answering] of [["chatkit_server.approval", true], ["shop.buy", false]] as const) {
		const { open: go, opened } = gate();
		server.scripts = [() => opened];
		const done = controller.act({ type });
		await until(() => server.asked.at(-1)?.type === "threads.custom_action");
		assert.equal(controller.status.answering, answering);
		go();
		await done;
	}
});

test("another ChatKit server is asked for nothing that it does not know", async () => {
	const server = new FakeServer();
	server.hasTurns = false;
	server.items = [said("Hi"), answered("Hello")];
	const { controller } = open(server);
	await controller.open(THREAD.id);
	assert.deepEqual(texts(controller), ["> Hi", "Hello"]);
	server.scripts = [saying(answered("Fine"))];
	await controller.send(message("How are you?"));
	await until(() => !controller.status.answering);
	assert.deepEqual(texts(controller).slice(2), ["> How are you?", "Fine"]);
	await controller.fetchUpdates();
	assert.equal(texts(controller).length, 4);
	assert.deepEqual(new Set(server.paths), new Set(["POST "]));
});

test("the page is told of a thread once, and of none when none was there", async () => {
	const server = new FakeServer();
	const { controller, told } = open(server);
	await controller.open(null);
	await controller.send({ ...message("Hi"), newThread: true });
	await until(() => !controller.status.answering);
	await controller.open(null);
	await controller.open(null);
	const changes = told.filter(({ name }) => name === "chatkit.thread.change");
	assert.deepEqual(changes.map(({ detail }) => detail.threadId), [THREAD.id, null]);
	await assert.rejects(controller.act({ type: "buy" }), /no conversation yet/);
});

test("tags have data, which servers ask for", async () => {
	const server = new FakeServer();
	const { controller } = open(server);
	const content = [{ type: "input_text" as const, text: "See " }, { type: "input_tag" as const, id: "e", text: "Tea" }];
	await controller.send({ content });
	assert.deepEqual(server.asked[0]!.params["input"].content[1], { ...content[1], data: {} });
});
