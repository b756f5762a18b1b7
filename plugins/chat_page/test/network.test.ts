import assert from "node:assert/strict";
import { test } from "node:test";
import { Network } from "../src/network.ts";

const browser = new EventTarget();
const navigator = { onLine: true };
Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
globalThis.addEventListener = browser.addEventListener.bind(browser);

function go(onLine: boolean): void {
	navigator.onLine = onLine;
	browser.dispatchEvent(new Event(onLine ? "online" : "offline"));
}

test("views are told of what is tried again, and of a browser without a network", () => {
	const states: string[] = [];
	const network = new Network(() => states.push(network.state));
	network.failed();
	go(false);
	go(true);
	network.answered();
	network.close();
	go(false);
	assert.deepEqual(states, ["reconnecting", "offline", "reconnecting", "online"]);
	go(true);
});

test("a server on this machine answers without a network", async () => {
	navigator.onLine = false;
	const network = new Network();
	assert.equal(network.state, "online");
	go(false);
	assert.equal(network.state, "offline");
	network.answered();
	assert.equal(network.state, "online");
	network.close();
	navigator.onLine = true;
});

test("without a network attempts don't count, and begin when it is back", async () => {
	const network = new Network();
	assert.equal(await network.wait(1), 1);
	go(false);
	const waiting = network.wait(1);
	setTimeout(() => go(true), 5);
	assert.equal(await waiting, 0);
	const { signal } = new AbortController();
	assert.equal(await network.wait(0, signal), 1);
	await assert.rejects(network.wait(0, AbortSignal.abort(new Error("stopped"))), { message: "stopped" });
	network.close();
});
