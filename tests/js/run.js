// Runs a scenario in Node: the job comes on standard input, the result goes to standard output.
import { text } from "node:stream/consumers";
import parser from "@microsoft/fetch-event-source";
import { load } from "./load.js";
import { run } from "./scenario.js";

globalThis.window = globalThis; // the parser is made for browsers
globalThis.document = { addEventListener() {}, removeEventListener() {} };

const job = JSON.parse(await text(process.stdin));
const served = await (await fetch(`${job.url}/client.js`)).text();
const { createFetch } = await load(served);
console.log(JSON.stringify(await run({ createFetch, ...parser }, job)));
