// What the script says to a server, and what it makes of the answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.js";

const { createFetch } = await load();

const API = "https://example.com/api/chat";
const BODY = JSON.stringify({ type: "threads.create", params: {} });
const TURN = "turn_1";
const FRAMES = ["Grüße", "日本", "🎈", "end"].map((text, index) =>
  `id: ${TURN}:${index + 1}\ndata: {"text":"${text}"}\n\n`);
const WHOLE = FRAMES.join("");
const bytes = (text) => new TextEncoder().encode(text);

/** A turn of four events, on a wire that is cut as the test says. */
class Server {
  requests = [];
  cuts = []; // for each stream: [bytes, clean], or nothing
  comments = "";
  pieces = (data) => [data];
  frames = FRAMES;
  refuse = () => null;

  fetch = async (url, init = {}) => {
    const headers = new Headers(init.headers);
    const { method = "GET" } = init;
    init.signal?.throwIfAborted();
    this.requests.push({ ...init, method, url: String(url), headers });
    const refusal = this.refuse(this.requests.at(-1), this.requests.length);
    if (refusal) return refusal;
    if (String(url).endsWith("/cancel")) return Response.json({ state: "cancelled" });
    const after = Number((headers.get("Last-Event-ID") ?? ":0").split(":")[1]);
    return this.stream(bytes(this.comments + this.frames.slice(after).join("") + ": end\n"), init.signal);
  };

  stream(data, signal) {
    const [cut = data.length, clean = true] = this.cuts.shift() ?? [];
    const { pieces } = this;
    const body = new ReadableStream({
      start(controller) {
        signal?.addEventListener("abort", () => controller.error(signal.reason));
        if (cut > 0) for (const piece of pieces(data.slice(0, cut))) controller.enqueue(piece);
        if (clean === "open") return;
        if (clean) controller.close();
        else setTimeout(() => controller.error(new TypeError("network error")));
      },
    });
    const headers = { "Content-Type": "text/event-stream", "X-Turn-Id": TURN };
    return new Response(body, { headers });
  }

  /** The requests to this path, as `METHOD path`. */
  get said() {
    return this.requests.map(({ method, url }) => `${method} ${url.replace(API, "")}`.trim());
  }
}

const post = (server, options = {}, init = {}) =>
  createFetch({ fetch: server.fetch, delay: 1, ...options })(API, {
    method: "POST",
    body: BODY,
    ...init,
  });
const later = (ms = 5) => new Promise((go) => setTimeout(go, ms));
const until = async (server, times) => {
  while (server.requests.length < times) await later(1);
};

test("a whole stream takes one request", async () => {
  const server = new Server();
  const turns = [];
  const response = await post(server, { onTurn: (id) => turns.push(id) });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("Content-Type"), "text/event-stream");
  assert.equal(await response.text(), WHOLE);
  assert.deepEqual(server.said, ["POST"]);
  assert.deepEqual(turns, [TURN]);
});

test("a stream that is cut after any byte arrives whole", async () => {
  for (const clean of [true, false]) {
    for (let cut = 0; cut <= bytes(WHOLE).length; cut++) {
      const server = new Server();
      server.cuts = [[cut, clean]];
      assert.equal(await (await post(server)).text(), WHOLE, `cut after ${cut}`);
      assert.deepEqual(server.said, ["POST", `GET /turns/${TURN}/events`]);
      const seen = new TextDecoder().decode(bytes(WHOLE).slice(0, cut)).split("\n\n").length - 1;
      assert.equal(server.requests[1].headers.get("Last-Event-ID"), `${TURN}:${seen}`);
    }
  }
});

test("a stream that is cut again and again arrives whole", async () => {
  const server = new Server();
  server.cuts = FRAMES.map((frame) => [bytes(frame).length + 7, false]);
  assert.equal(await (await post(server, { maxRetries: 1 })).text(), WHOLE);
  assert.equal(server.requests.length, FRAMES.length);
});

test("only whole events are passed on, however the bytes come", async () => {
  for (const size of [1, 2, 7, 50, 1000]) {
    const server = new Server();
    server.comments = ": keep-alive\n";
    server.pieces = (data) =>
      Array.from({ length: Math.ceil(data.length / size) }, (_, n) =>
        data.slice(n * size, (n + 1) * size));
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let text = "";
    for await (const piece of (await post(server)).body) {
      assert.match(decoder.decode(piece), /^(: keep-alive\n)?(id: .*\ndata: .*\n\n)+$/);
      text += decoder.decode(piece);
    }
    assert.equal(text, ": keep-alive\n" + WHOLE);
  }
});

test("events without an id are passed on with the next one that has it", async () => {
  const told = `data: {"n":1}\n\ndata: {"n":2}\n\nid: ${TURN}:5\ndata: {"n":3}\n\n`;
  for (let cut = 0; cut < told.length; cut += 1) {
    const asked = [];
    const server = new Server();
    server.cuts = [[cut, false]];
    server.fetch = async (url, { headers }) => {
      asked.push(new Headers(headers).get("Last-Event-ID"));
      return server.stream(bytes(`${told}: end\n`));
    };
    assert.equal(await (await post(server)).text(), told, `cut after ${cut}`);
    assert.deepEqual(asked, [null, `${TURN}:0`]);
  }
});

test("what is no stream of a turn is passed through as it is", async () => {
  const answer = Response.json({ data: [] });
  const given = [];
  const fetch = createFetch({ fetch: async (...all) => (given.push(all), answer) });
  const init = { method: "POST", body: '{"type": "items.list"}', credentials: "include" };
  assert.equal(await fetch(API, init), answer);
  const [url, { headers, ...rest }] = given[0];
  assert.equal(url, API);
  assert.deepEqual(rest, init);
  assert.deepEqual([...headers], []);
  assert.equal(await fetch(API), answer);
});

test("a request that begins no turn is not repeated and has no key", async () => {
  const server = new Server();
  server.refuse = () => { throw new TypeError("network error"); };
  const body = '{"type": "items.feedback"}';
  await assert.rejects(post(server, {}, { body }), /network error/);
  assert.deepEqual(server.said, ["POST"]);
  assert.equal(server.requests[0].headers.get("Idempotency-Key"), null);
});

test("a post without an answer is repeated with its key", async () => {
  for (const type of ["create", "add_user_message", "retry_after_item", "custom_action"]) {
    const server = new Server();
    server.refuse = (_, count) => { if (count < 3) throw new TypeError("network error"); };
    const body = JSON.stringify({ type: `threads.${type}` });
    assert.equal(await (await post(server, {}, { body })).text(), WHOLE);
    assert.deepEqual(server.said, ["POST", "POST", "POST"]);
    const keys = new Set(server.requests.map(({ headers }) => headers.get("Idempotency-Key")));
    assert.equal(keys.size, 1);
    assert.ok([...keys][0].length > 15);
  }
});

test("what ChatKit sends again has the same key, and a new message another", async () => {
  const server = new Server();
  let answer = () => { throw new TypeError("network error"); };
  server.refuse = () => answer();
  await assert.rejects(post(server), /network error/);
  answer = () => new Response("", { status: 502 });
  assert.equal((await post(server)).status, 502);
  answer = () => null;
  await (await post(server)).text();
  const repeated = server.requests.map(({ headers }) => headers.get("Idempotency-Key"));
  assert.equal(new Set(repeated).size, 1);
  await (await post(server)).text();
  assert.notEqual(server.requests.at(-1).headers.get("Idempotency-Key"), repeated[0]);
});

test("every request is signed anew, and once more after a 401", async () => {
  const server = new Server();
  const asked = [];
  const authorization = async (refused) => `Bearer ${asked.push(refused)}`;
  server.cuts = [[0, false]];
  server.refuse = ({ headers }) =>
    /[13]$/.test(headers.get("Authorization")) ? new Response("", { status: 401 }) : null;
  assert.equal(await (await post(server, { authorization })).text(), WHOLE);
  assert.deepEqual(asked, [false, true, false, true]);
  server.refuse = () => new Response("", { status: 401 });
  assert.equal((await post(server, { authorization })).status, 401);
  assert.equal(asked.length, 6);
});

test("credentials, headers and the address's query are kept", async () => {
  const server = new Server();
  server.cuts = [[0, false], [30, "open"]];
  const stop = new AbortController();
  const fetch = createFetch({ fetch: server.fetch, delay: 1 });
  const response = await fetch(`${API}?team=a`, {
    method: "POST",
    body: BODY,
    credentials: "include",
    headers: { "X-Team": "a" },
    signal: stop.signal,
  });
  const read = response.text();
  await until(server, 2);
  await later();
  stop.abort();
  await assert.rejects(read, { name: "AbortError" });
  await until(server, 3);
  assert.deepEqual(server.said, [
    "POST ?team=a",
    `GET /turns/${TURN}/events?team=a`,
    `POST /turns/${TURN}/cancel?team=a`,
  ]);
  for (const { credentials, headers } of server.requests) {
    assert.equal(credentials, "include");
    assert.equal(headers.get("X-Team"), "a");
  }
});

async function stopped(server, init, requests, hidden = false) {
  server.cuts = [[bytes(FRAMES[0]).length, "open"]];
  const stop = new AbortController();
  const response = await post(server, init, { signal: stop.signal });
  const reader = response.body.getReader();
  await reader.read();
  const next = reader.read();
  globalThis.document = { hidden };
  stop.abort();
  await assert.rejects(next, { name: "AbortError" });
  await until(server, requests);
  await later(20);
  delete globalThis.document;
}

test("Stop is told to the server, signed, and outlives the page", async () => {
  const server = new Server();
  await stopped(server, { authorization: async () => "Bearer me" }, 2);
  assert.deepEqual(server.said, ["POST", `POST /turns/${TURN}/cancel`]);
  const { headers, keepalive, body, signal } = server.requests[1];
  assert.equal(headers.get("Authorization"), "Bearer me");
  assert.equal(keepalive, true);
  assert.ok(!body);
  assert.ok(!signal);
});

test("Stop is told again where the network fails", async () => {
  const server = new Server();
  server.refuse = (_, count) => { if (count === 2) throw new TypeError("network error"); };
  await stopped(server, {}, 3);
  assert.deepEqual(server.said.slice(1), Array(2).fill(`POST /turns/${TURN}/cancel`));
});

test("a page that is hidden has not pressed Stop", async () => {
  const server = new Server();
  await stopped(server, {}, 1, true);
  assert.deepEqual(server.said, ["POST"]);
});

test("to abort after the end says nothing", async () => {
  const server = new Server();
  const stop = new AbortController();
  const response = await post(server, {}, { signal: stop.signal });
  assert.equal(await response.text(), WHOLE);
  stop.abort();
  await later();
  assert.deepEqual(server.said, ["POST"]);
});

test("to abort before the answer is an AbortError at once", async () => {
  const server = new Server();
  const stop = new AbortController();
  server.refuse = () => { throw new TypeError("network error"); };
  const answer = post(server, { delay: 200 }, { signal: stop.signal });
  await later();
  stop.abort();
  await assert.rejects(answer);
  assert.ok(server.requests.length <= 2);
  await later();
  assert.ok(server.said.every((line) => line === "POST"));
});

test("Stop while the connection is lost ends the attempts", async () => {
  const server = new Server();
  server.cuts = [[0, false]];
  server.refuse = ({ method }) => { if (method === "GET") throw new TypeError("network error"); };
  const stop = new AbortController();
  const response = await post(server, { delay: 200 }, { signal: stop.signal });
  const read = response.text();
  await later();
  stop.abort();
  await assert.rejects(read, { name: "AbortError" });
  await until(server, 2);
  assert.deepEqual(server.said, ["POST", `POST /turns/${TURN}/cancel`]);
});

test("attempts without an event come to an end", async () => {
  const server = new Server();
  server.cuts = Array(100).fill([bytes(FRAMES[0]).length - 1, true]);
  const response = await post(server, { maxRetries: 3 });
  await assert.rejects(response.text(), /cut off/);
  assert.equal(server.requests.length, 1 + 3);
});

test("a turn that is gone is not asked for again", async () => {
  for (const status of [404, 410, 401, 400]) {
    const server = new Server();
    server.cuts = [[bytes(FRAMES[0]).length, false]];
    server.refuse = ({ method }) => method === "GET" && new Response("", { status });
    const response = await post(server);
    await assert.rejects(response.text(), /lost/);
    assert.equal(server.requests.length, 2);
  }
});

test("an answer from elsewhere is not taken for the stream", async () => {
  const server = new Server();
  server.cuts = [[0, false]];
  server.refuse = (_, count) =>
    count < 4 && count > 1 && new Response("<p>Sign in to this network", { status: 200 });
  assert.equal(await (await post(server)).text(), WHOLE);
  assert.equal(server.requests.length, 4);
});

test("a server that is busy is asked again", async () => {
  const server = new Server();
  server.cuts = [[0, false]];
  server.refuse = (_, count) => count === 2 && new Response("", { status: 503 });
  assert.equal(await (await post(server)).text(), WHOLE);
  assert.equal(server.requests.length, 3);
});

test("what is told anew arrives whole: events without an id wait for the one that has it", async () => {
  const anew = [...FRAMES.slice(0, 3).map((frame) => frame.replace(/^id: .*\n/, "")), FRAMES[3]];
  const size = bytes(anew.join("")).length;
  for (let cut = 1; cut < size; cut++) {
    const server = new Server();
    server.frames = anew;
    server.cuts = [[cut, false]];
    assert.equal(await (await post(server)).text(), anew.join(""), `cut after ${cut}`);
    assert.equal(server.requests[1].headers.get("Last-Event-ID"), `${TURN}:0`);
  }
  const server = new Server();
  server.frames = anew.slice(0, 3);
  assert.equal(await (await post(server)).text(), anew.slice(0, 3).join(""));
});

test("a connection that says nothing is made anew", async () => {
  const server = new Server();
  server.cuts = [[bytes(FRAMES[0]).length + 3, "open"]];
  assert.equal(await (await post(server, { silence: 10 })).text(), WHOLE);
  assert.ok(server.requests.length >= 2);
});

test("a request object goes through with its headers, and its stream is resumed", async () => {
  const server = new Server();
  server.cuts = [[bytes(FRAMES[0]).length, false]];
  const options = { fetch: server.fetch, delay: 0, authorization: () => "Bearer a" };
  const given = new Request(API, { method: "POST", body: BODY, headers: { "X-Page": "p" } });
  const response = await createFetch(options)(given);
  assert.equal(await response.text(), WHOLE);
  assert.deepEqual(server.requests.map(({ headers }) => headers.get("X-Page")), ["p", "p"]);
  assert.equal(server.requests[1].url, `${API}/turns/${TURN}/events`);
});

test("who stops reading closes the connection, and ends nothing", async () => {
  const server = new Server();
  server.cuts = [[bytes(FRAMES[0]).length, "open"]];
  const response = await post(server);
  const reader = response.body.getReader();
  await reader.read();
  await reader.cancel();
  await later();
  assert.deepEqual(server.said, ["POST"]);
});

test("a repetition goes on after the last event that it names", async () => {
  const server = new Server();
  server.cuts = [[0, false]];
  const response = await post(server, {}, { headers: { "last-event-id": `${TURN}:2` } });
  assert.equal(await response.text(), FRAMES.slice(2).join(""));
  assert.equal(server.requests[1].headers.get("Last-Event-ID"), `${TURN}:2`);
});

test("pauses grow, up to ten seconds", async (context) => {
  const pauses = [];
  context.mock.method(globalThis, "setTimeout", (go, ms) => {
    pauses.push(ms);
    queueMicrotask(go);
  });
  const server = new Server();
  server.refuse = ({ method }) => { if (method === "GET") throw new TypeError("network error"); };
  server.cuts = [[0, true]];
  const response = await post(server, { delay: undefined, silence: 1e9 });
  await assert.rejects(response.text());
  const waits = pauses.filter((ms) => ms < 1e9 && ms > 1);
  assert.equal(waits.length, 8);
  waits.forEach((ms, index) => {
    const most = Math.min(500 * 2 ** index, 10000);
    assert.ok(ms >= most / 2 && ms <= most, `${index}: ${ms}`);
  });
});
