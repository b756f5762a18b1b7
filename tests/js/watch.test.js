// What the script has ChatKit load when others change the thread that it shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.js";

const { createFetch, watchThread } = await load();

const API = "https://example.com/api/chat";
const NOTES = `GET ${API}/threads/thr_1/events?turns=notes`;
const page = Object.assign(new EventTarget(), { hidden: false });
globalThis.document = page;

/** ChatKit's element, as far as the script knows it. */
class ChatKit extends EventTarget {
  updates = 0;
  threads = [];
  fetchUpdates = async () => { this.updates++; };
  setThreadId = async (id) => { this.threads.push(id); };

  tell(name, detail) {
    this.dispatchEvent(Object.assign(new Event(`chatkit.${name}`), { detail }));
  }
}

/** A server that says in the thread what the test wants. */
class Server {
  requests = [];
  watching = new Set();
  refuse = () => null;

  fetch = async (url, init) => {
    this.requests.push(`${init.method ?? "GET"} ${url}`);
    const refusal = this.refuse(this.requests.length);
    if (refusal) return refusal;
    const headers = { "Content-Type": "text/event-stream" };
    if (init.method === "POST")
      return new Response(": end\n", { headers: { ...headers, "X-Turn-Id": "turn_own" } });
    const body = new ReadableStream({
      start: (controller) => {
        this.watching.add(controller);
        init.signal.addEventListener("abort", () => {
          if (this.watching.delete(controller)) controller.error(init.signal.reason);
        });
        say(controller, "thread.watched");
      },
      cancel: () => this.watching.clear(),
    });
    return new Response(body, { headers });
  };

  tell(type, id) {
    for (const each of this.watching) say(each, type, id);
  }

  cut() {
    for (const each of this.watching) each.error(new TypeError("network error"));
    this.watching.clear();
  }
}

function say(stream, type, id) {
  const note = JSON.stringify({ type, ...(id && { turn: { id } }) });
  const bytes = new TextEncoder().encode(`: keep-alive\ndata: ${note}\n\n`);
  for (const byte of bytes) stream.enqueue(Uint8Array.of(byte));
}

async function until(isTrue) {
  const deadline = Date.now() + 10000;
  while (!isTrue()) {
    assert.ok(Date.now() < deadline, `not within 10 s: ${isTrue}`);
    await new Promise((go) => setTimeout(go, 1));
  }
}

/** Watches the thread that ChatKit shows. */
async function watching(context, options = {}) {
  const [server, chatkit] = [new Server(), new ChatKit()];
  const end = watchThread(chatkit, { url: API, fetch: server.fetch, delay: 1, ...options });
  context.after(end);
  chatkit.tell("thread.change", { threadId: "thr_1" });
  await until(() => server.watching.size === 1);
  return { server, chatkit, end };
}

/** Has the script hear all that was said, and one thing more that it loads. */
async function heard(server, chatkit) {
  const { updates } = chatkit;
  server.tell("turn.ended", "turn_sentinel");
  await until(() => chatkit.updates > updates);
  return chatkit.updates - 1;
}

test("what others do is loaded, and what this page does is not", async (context) => {
  const { server, chatkit } = await watching(context);
  assert.deepEqual(server.requests, [NOTES]);
  assert.equal(await heard(server, chatkit), 0);
  for (const type of ["thread.changed", "thread.item.done", "thread.updated"]) {
    const { updates } = chatkit;
    server.tell(type);
    await until(() => chatkit.updates === updates + 1);
  }
  const fetch = createFetch({ fetch: server.fetch });
  const { updates } = chatkit;
  chatkit.tell("response.start");
  await (await fetch(API, { method: "POST", body: '{"type":"threads.create"}' })).text();
  server.tell("turn.started", "turn_own");
  server.tell("thread.updated");
  chatkit.tell("response.end");
  server.tell("turn.ended", "turn_own");
  // The change of the thread may be heard when the answer is over
  assert.ok((await heard(server, chatkit)) <= updates + 1);
});

test("while the page answers, nothing is loaded; then it is, once", async (context) => {
  const { server, chatkit } = await watching(context);
  chatkit.tell("response.start");
  for (const turn of ["turn_1", "turn_2", "turn_3"]) server.tell("turn.ended", turn);
  server.tell("thread.removed");
  await until(() => chatkit.threads.length);
  assert.equal(chatkit.updates, 0);
  chatkit.tell("response.end");
  await until(() => chatkit.updates);
  assert.equal(await heard(server, chatkit), 1);
});

test("what comes while ChatKit loads is loaded once more, and what it refuses later", async (context) => {
  const { server, chatkit } = await watching(context);
  let loaded;
  chatkit.fetchUpdates = () => {
    chatkit.updates++;
    return new Promise((go, fail) => { loaded = { go, fail }; });
  };
  server.tell("thread.changed");
  await until(() => chatkit.updates === 1);
  for (const type of ["thread.changed", "thread.item.done", "thread.removed"]) server.tell(type);
  await until(() => chatkit.threads.length);
  loaded.go();
  await until(() => chatkit.updates === 2);
  loaded.fail(new Error("busy"));
  await new Promise((go) => setTimeout(go));
  chatkit.tell("thread.load.end", { threadId: "thr_1" });
  await until(() => chatkit.updates === 3);
  loaded.go();
});

test("a stream that was cut is made anew, and what was missed is loaded", async (context) => {
  const { server, chatkit } = await watching(context);
  server.refuse = (count) => (count < 5 ? new Response("", { status: 503 }) : null);
  server.cut();
  await until(() => chatkit.updates === 1 && server.watching.size === 1);
  assert.equal(server.requests.length, 5);
});

test("silence is a cut", async (context) => {
  const { server, chatkit } = await watching(context, { silence: 10 });
  await until(() => chatkit.updates);
  assert.ok(server.requests.length > 1);
});

test("a server without the route is asked once", async (context) => {
  const { server, chatkit } = await watching(context);
  server.refuse = () => new Response("", { status: 404 });
  server.cut();
  await until(() => server.requests.length === 2);
  await new Promise((go) => setTimeout(go, 20));
  assert.equal(server.requests.length, 2);
  assert.equal(chatkit.updates, 0);
});

test("a deleted thread is left", async (context) => {
  const { server, chatkit } = await watching(context);
  server.tell("thread.removed");
  await until(() => chatkit.threads.length);
  assert.deepEqual(chatkit.threads, [null]);
});

test("one connection, for the thread that is shown in a page that is seen", async (context) => {
  const { server, chatkit, end } = await watching(context);
  chatkit.tell("thread.load.start", { threadId: "thr_1" });
  assert.equal(server.requests.length, 1);
  chatkit.tell("thread.change", { threadId: "thr_2" });
  await until(() => server.requests.length === 2 && server.watching.size === 1);
  chatkit.tell("thread.change", { threadId: null });
  await until(() => server.watching.size === 0);
  chatkit.tell("thread.change", { threadId: "thr_1" });
  await until(() => server.watching.size === 1);
  page.hidden = true;
  page.dispatchEvent(new Event("visibilitychange"));
  await until(() => server.watching.size === 0);
  page.hidden = false;
  page.dispatchEvent(new Event("visibilitychange"));
  await until(() => server.watching.size === 1 && chatkit.updates === 1);
  end();
  await until(() => server.watching.size === 0);
  chatkit.tell("thread.change", { threadId: "thr_3" });
  assert.equal(server.requests.length, 4);
});

test("each request is signed", async (context) => {
  const asked = [];
  const authorization = async (refused) => `Bearer ${asked.push(refused)}`;
  const { server } = await watching(context, { authorization });
  server.refuse = (count) => (count === 2 ? new Response("", { status: 401 }) : null);
  server.cut();
  await until(() => server.watching.size === 1);
  assert.deepEqual(asked, [false, false, true]);
});
