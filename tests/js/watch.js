// A page that watches a thread, in Node: the job comes in the first line, and what to do in the next.
//
// job: {url, thread}; then {say: body} for each message of this page. It writes a line for each call
// of ChatKit's element, and "said" when an answer is complete.
import { createInterface } from "node:readline";
import { load } from "./load.js";

class ChatKit extends EventTarget {
  fetchUpdates = async () => console.log("fetchUpdates");
  setThreadId = async (id) => console.log(`setThreadId ${id}`);

  tell(name, detail) {
    this.dispatchEvent(Object.assign(new Event(`chatkit.${name}`), { detail }));
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { url, thread } = JSON.parse((await lines.next()).value);
const { createFetch, watchThread } = await load(await (await fetch(`${url}/client.js`)).text());
const chatkit = new ChatKit();
const end = watchThread(chatkit, { url, delay: 1 });
chatkit.tell("thread.change", { threadId: thread });
const send = createFetch();
for await (const line of lines) {
  const { say } = JSON.parse(line);
  chatkit.tell("response.start");
  const headers = { "Content-Type": "application/json" };
  await (await send(url, { method: "POST", headers, body: JSON.stringify(say) })).text();
  chatkit.tell("response.end");
  console.log("said");
}
end();
