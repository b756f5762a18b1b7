import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFetch } from "../../../chatkit_server/web/client.js";
import { Client, Lost, type Received, Refused } from "../src/client.ts";
import { Network } from "../src/network.ts";
import type { Patience } from "../src/patience.ts";

const URL_ = "https://example.com/api/chat";
const TURN = "turn_1";
const TEXTS = ["Grüße", "日本", "🎈", "\n\n", "data: x", "end"];
const QUICK: Partial<Patience> = { repeatAfter: 1, resumeAfter: 1 };

type Answer = Response | Error | ((request: Request) => Response | Promise<Response>);

/** A server with one turn, whose streams are cut as the test says. */
class Server {
	requests: Request[] = [];
	/** For each stream, the bytes after which it is cut; the rest are whole. */
	cuts: number[] = [];
	clean = false;
	answers: Answer[] = [];

	fetch = async (url: string, init: RequestInit): Promise<Response> => {
		const request = new Request(url, init);
		this.requests.push(request);
		init.signal?.throwIfAborted();
		const answer = this.answers.shift();
		if (answer instanceof Error) throw answer;
		if (answer) return typeof answer === "function" ? answer(request) : answer;
		if (request.url.endsWith(`/turns/${TURN}`))
			return Response.json({ id: TURN, state: "completed", events: TEXTS.length });
		if (request.url.endsWith("/cancel")) return Response.json({ state: "cancelled" });
		return this.stream(Number(new URL(url).searchParams.get("after") ?? 0), init.signal);
	};

	stream(after: number, signal?: AbortSignal | null, more = ": end\n"): Response {
		const frames = TEXTS.map(
			(text, place) =>
				`id: ${TURN}:${place + 1}\ndata: ${JSON.stringify({ type: "progress_update", text })}\n\n`,
		);
		const bytes = new TextEncoder().encode(`: keep-alive\n${frames.slice(after).join("")}${more}`);
		const cut = this.cuts.shift() ?? bytes.length;
		const { clean } = this;
		const body = new ReadableStream<Uint8Array>({
			start(controller) {
				signal?.addEventListener("abort", () => controller.error(signal.reason));
				if (cut) controller.enqueue(bytes.slice(0, cut));
				if (clean || cut >= bytes.length) controller.close();
				else setTimeout(() => controller.error(new TypeError("network error")));
			},
		});
		const headers = { "Content-Type": "text/event-stream", "X-Turn-Id": TURN };
		return new Response(body, { headers });
	}

	client(patience: Partial<Patience> = QUICK, fetch: typeof this.fetch = this.fetch): Client {
		const network = new Network();
		return new Client({ url: URL_, fetch, locale: () => "de", network, patience });
	}

	get said(): string[] {
		return this.requests.map(({ method, url }) => `${method} ${url.replace(URL_, "")}`.trim());
	}
}

async function texts(stream: AsyncIterable<Received[]>): Promise<string[]> {
	const all: string[] = [];
	for await (const batch of stream)
		for (const { event } of batch) all.push("text" in event ? event.text : event.type);
	return all;
}

function ask(client: Client, signal = new AbortController().signal) {
	return client.stream("threads.create", {}, { signal });
}

test("a stream that is cut at any byte arrives whole, and each event once", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(fc.nat(500), { maxLength: 5 }), fc.boolean(), async (cuts, clean) => {
			const server = new Server();
			Object.assign(server, { cuts, clean });
			assert.deepEqual(await texts(ask(server.client())), TEXTS);
		}),
		{ numRuns: 60 },
	);
});

test("each byte is a place to cut", async () => {
	for (let cut = 0; cut < 420; cut += 1) {
		const server = new Server();
		server.cuts = [cut];
		assert.deepEqual(await texts(ask(server.client({ ...QUICK, resumeAfter: 0 }))), TEXTS, `${cut}`);
	}
});

test("the request begins a turn, and the others resume it after the last event", async () => {
	const server = new Server();
	server.cuts = [110];
	await texts(ask(server.client()));
	assert.deepEqual(server.said, ["POST", `GET /turns/${TURN}/events?after=1`]);
	const [post] = server.requests;
	assert.equal(post!.headers.get("Accept-Language"), "de");
	assert.ok(post!.headers.get("chatkit-frame-instance-id"));
	assert.deepEqual(await post!.json(), { type: "threads.create", params: {} });
});

test("without an answer the same request is sent again, up to five times", async () => {
	const server = new Server();
	const busy = () => Response.json({ message: "Full" }, { status: 503 });
	server.answers = [new TypeError("fetch failed"), busy, Response.json({}), busy];
	const client = server.client();
	assert.deepEqual(await texts(ask(client)), TEXTS);
	assert.equal(server.requests.length, 5);
	const bodies = await Promise.all(server.requests.map((request) => request.text()));
	assert.equal(new Set(bodies).size, 1);

	server.answers = Array.from({ length: 9 }, () => busy);
	server.requests = [];
	await assert.rejects(texts(ask(client)), new Refused(503, "Full"));
	assert.equal(server.requests.length, 6);
	// Now it is known that the server takes the header
	const keys = server.requests.map(({ headers }) => headers.get("Idempotency-Key"));
	assert.ok(keys[0]);
	assert.equal(new Set(keys).size, 1);
});

test("the server's script for pages may be the page's fetch", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(fc.nat(500), { maxLength: 4 }), fc.boolean(), async (cuts, clean) => {
			const server = new Server();
			Object.assign(server, { cuts, clean });
			const fetch = createFetch({ fetch: server.fetch as typeof globalThis.fetch, delay: 1 });
			assert.deepEqual(await texts(ask(server.client(QUICK, fetch as never))), TEXTS);
		}),
		{ numRuns: 30 },
	);
});

test("a page is asked for again, and what changes something is not", async () => {
	const server = new Server();
	const busy = () => Response.json({ message: "Full" }, { status: 503 });
	server.answers = [busy, new TypeError("fetch failed"), Response.json({ data: [] })];
	assert.deepEqual(await server.client().ask("threads.list", {}), { data: [] });
	server.answers = [busy];
	await assert.rejects(server.client().ask("threads.update", {}), new Refused(503, "Full"));
});

test("a refusal is final, with the server's words", async () => {
	const server = new Server();
	server.answers = [Response.json({ message: "The conversation is locked." }, { status: 409 })];
	await assert.rejects(texts(ask(server.client())), new Refused(409, "The conversation is locked."));
	server.answers = [new Response("<html>", { status: 404 })];
	await assert.rejects(server.client().ask("threads.list", {}), new Refused(404, ""));
});

test("another ChatKit server's stream ends with its connection, and is not asked for twice", async () => {
	const server = new Server();
	const foreign = (body: BodyInit) =>
		new Response(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
	server.answers = [foreign('data: {"type":"progress_update","text":"a"}\n\ndata: nonsense\n\n')];
	assert.deepEqual(await texts(ask(server.client())), ["a"]);
	const broken = new ReadableStream({
		pull(controller) {
			controller.error(new TypeError("network error"));
		},
	});
	server.answers = [foreign(broken)];
	await assert.rejects(texts(ask(server.client())), Lost);
	assert.deepEqual(server.said, ["POST", "POST"]);
});

test("an answer that is gone is lost; a server that is busy may have it", async () => {
	const server = new Server();
	const busy = () => Response.json({ message: "Full" }, { status: 503 });
	server.cuts = [10];
	server.answers = [() => server.stream(0), busy, busy];
	assert.deepEqual(await texts(ask(server.client())), TEXTS);
	const gone = Response.json({ message: "" }, { status: 410 });
	server.cuts = [10];
	server.answers = [() => server.stream(0), gone];
	await assert.rejects(texts(ask(server.client())), Lost);
	server.cuts = Array.from({ length: 20 }, () => 5);
	server.requests = [];
	await assert.rejects(texts(ask(server.client({ ...QUICK, resumes: 3 }))), Lost);
	assert.equal(server.requests.length, 4);
});

test("a silent stream is resumed", async () => {
	const server = new Server();
	const silent = new Response(new ReadableStream(), {
		headers: { "Content-Type": "text/event-stream", "X-Turn-Id": TURN },
	});
	server.answers = [silent];
	assert.deepEqual(await texts(ask(server.client({ ...QUICK, silence: 5 }))), TEXTS);
});

test("an aborted request ends at once, also in a pause", async () => {
	const server = new Server();
	server.answers = [new TypeError("fetch failed")];
	const abort = new AbortController();
	const asked = texts(ask(server.client({ repeatAfter: 60_000 }), abort.signal));
	await new Promise((go) => setTimeout(go));
	abort.abort(new Error("stopped"));
	await assert.rejects(asked, { message: "stopped" });
});

test("a server says whether it knows turns", async () => {
	const { signal } = new AbortController();
	const server = new Server();
	const client = server.client();
	const running = { id: TURN, thread_id: "thr_1", state: "running", events: 4 };
	const headers = { "X-Request-Id": "r" };
	server.answers = [Response.json({}, { headers }), Response.json(running)];
	server.answers.push(new Response(null, { status: 204 }));
	assert.deepEqual(await client.runningTurn("thr_1", signal), running);
	assert.equal(await client.runningTurn("thr_1", signal, 25), null);
	const asked = ["GET /threads/thr_1/turn?wait=0", "GET /threads/thr_1/turn?wait=25"];
	assert.deepEqual(server.said.slice(1), asked);
});

test("another server is not asked for a route that it does not have", async () => {
	const { signal } = new AbortController();
	const server = new Server();
	const missing = Response.json({ detail: "Not Found" }, { status: 404 });
	const named = Response.json({}, { headers: { "X-Request-Id": "r" } });
	for (const [answers, requests] of [[[Response.json({})], 1], [[named, missing], 2]] as const) {
		const client = server.client();
		server.requests = [];
		server.answers = [...answers];
		assert.equal(await client.runningTurn("thr_1", signal), null);
		assert.equal(client.hasTurns, false);
		assert.equal(await client.runningTurn("thr_1", signal), null);
		assert.equal(server.requests.length, requests);
	}
});
