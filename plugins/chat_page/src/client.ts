// Requests to a ChatKit server: one POST per operation, answered by JSON or by a stream of events.
//
// Any ChatKit server will do. One that names a turn in `X-Turn-Id` can do more: a stream that breaks
// is resumed there, and Stop reaches the model.

import { createParser } from "eventsource-parser";
import { Network, nextTask, pause, within } from "./network.ts";
import { PATIENCE, type Patience } from "./patience.ts";
import type { StreamEvent } from "./protocol.ts";

/** The server refused a request. The message is for the user. */
export class Refused extends Error {
	override name = "Refused";

	constructor(
		readonly status: number,
		message: string,
	) {
		super(message);
	}
}

/** The rest of an answer cannot be had: neither the stream nor its turn go on. */
export class Lost extends Error {
	override name = "Lost";
}

/** An event, and the id of its line: `TURN:NUMBER`, if the server numbers them. */
export interface Received {
	event: StreamEvent;
	id: string | undefined;
}

/** What `GET …/turns/{id}` says. */
export interface TurnState {
	id: string;
	thread_id: string;
	state: "running" | "completed" | "failed" | "cancelled" | "interrupted";
	events: number | null;
	/** Why it is not complete, with the code if it is not `custom`. */
	error?: string;
	code?: string;
	allow_retry?: boolean | null;
	/** It is an action's, which runs beside the answer of the thread. */
	beside?: boolean;
}

/** What `GET …/threads/{id}/events` says beside ChatKit's events. */
export type ThreadNote =
	| { type: "thread.watched" | "thread.changed" | "thread.removed" }
	| { type: "turn.started" | "turn.ended"; turn: TurnState };

export interface StreamOptions {
	signal: AbortSignal;
	/** Called when the server names the turn. */
	onTurn?: (turn: string) => void;
}

/** Milliseconds for which events are applied at a time. */
const AT_A_TIME = 12;

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ClientOptions {
	url: string;
	fetch: Fetch;
	locale: () => string;
	network: Network;
	patience?: Partial<Patience>;
}

export class Client {
	/** Whether the server has routes for turns; null while that is not known. */
	hasTurns: boolean | null = null;
	/** Whether such a server can also say what happens in a thread: until it has refused to. */
	hasThreadEvents = true;
	/** The server has named a request, as this project's does. */
	private mayHaveTurns = false;
	private readonly frame = randomId();
	private readonly patience: Patience;
	private readonly url: URL;

	constructor(private readonly options: ClientOptions) {
		this.patience = { ...PATIENCE, ...options.patience };
		this.url = new URL(options.url, globalThis.document?.baseURI ?? "http://localhost/");
	}

	/**
	 * Sends an operation that answers JSON; again after a pause if it only reads and the server could
	 * not be reached. Throws `Refused`, or what `fetch` throws.
	 */
	async ask<T>(type: string, params: object, signal?: AbortSignal): Promise<T> {
		const { network } = this.options;
		const most = READS.includes(type) ? this.patience.rereads : 0;
		for (let tries = 0; ; ) {
			try {
				const response = await this.post(operation(type, params), {}, signal);
				if (response.ok) return (await response.json()) as T;
				throw await refusal(response);
			} catch (error) {
				signal?.throwIfAborted();
				const isFinal = error instanceof Refused && error.status < 500;
				if (isFinal || tries >= most) throw this.givenUp(error);
			}
			network.failed();
			tries += await network.wait(pause(this.patience.repeatAfter, tries), signal);
		}
	}

	/**
	 * Sends an operation that answers a stream, and yields its events in batches as they arrive. It
	 * ends when the answer is complete. Throws `Refused`, `Lost`, or what `fetch` throws in the end.
	 */
	async *stream(
		type: string,
		params: object,
		options: StreamOptions,
	): AsyncGenerator<Received[], void> {
		const response = await this.begin(operation(type, params), options.signal);
		const turn = response.headers.get("X-Turn-Id");
		if (!turn) {
			this.hasTurns ??= false;
			return yield* this.readOnce(response, options.signal);
		}
		this.hasTurns = true;
		options.onTurn?.(turn);
		yield* this.readTurn(turn, 0, options.signal, response);
	}

	/** Yields the events of a turn after the number `after`, until the turn has ended. */
	follow(turn: string, after: number, signal: AbortSignal): AsyncGenerator<Received[], void> {
		return this.readTurn(turn, after, signal);
	}

	/**
	 * Returns the turn that is running in a thread, or null. With `wait`, a server that knows it
	 * answers when a turn begins, or after so many seconds; the turn may have ended by then.
	 */
	async runningTurn(thread: string, signal: AbortSignal, wait = 0): Promise<TurnState | null> {
		// Browsers log an error for a route that is not there: another answer tells first whether it is
		if (this.hasTurns === null && !this.mayHaveTurns)
			await this.post(operation("threads.get_by_id", { thread_id: thread }), {}, signal);
		if (this.hasTurns === false) return null;
		const path = `threads/${encodeURIComponent(thread)}/turn`;
		const response = await this.get(path, signal, { wait: String(wait) });
		const body = await response.json().catch(() => null);
		const isTurn = response.ok && typeof body?.id === "string";
		// 204: no turn is running. Another ChatKit server has no such route
		if (isTurn || response.status === 204) this.hasTurns = true;
		else if (response.status < 500) this.hasTurns ??= typeof body?.message === "string";
		return isTurn ? body : null;
	}

	/**
	 * Yields what happens in a thread from now on, without what turns say, as long as the connection
	 * holds. The first is `thread.watched`. Throws `Refused`, or what `fetch` throws.
	 */
	async *watch(
		thread: string,
		signal: AbortSignal,
	): AsyncGenerator<StreamEvent | ThreadNote, void> {
		const path = `threads/${encodeURIComponent(thread)}/events`;
		const response = await this.get(path, signal, { turns: "notes" });
		if (!isStream(response)) throw await refusal(response);
		try {
			for await (const { batch } of this.read(response, this.patience.silence))
				for (const { event } of batch) yield event;
		} catch {
			signal.throwIfAborted();
		}
	}

	/** Returns the state of a turn, running or not; null if the server does not know it. */
	async turnState(turn: string, signal?: AbortSignal): Promise<TurnState | null> {
		const response = await this.get(`turns/${encodeURIComponent(turn)}`, signal);
		const body = await response.json().catch(() => null);
		return response.ok && typeof body?.state === "string" ? body : null;
	}

	/** Has the server stop a turn. Tries again, also while the page goes away. */
	async cancel(turn: string): Promise<void> {
		const path = `turns/${encodeURIComponent(turn)}/cancel`;
		for (let tries = 0; tries < 4; tries++) {
			try {
				const response = await this.send(this.at(path), { method: "POST", keepalive: true });
				if (response.status < 500) return;
			} catch {
				this.options.network.failed();
			}
			await this.options.network.wait(pause(this.patience.resumeAfter, tries));
		}
	}

	/** Sends the request until a stream begins. */
	private async begin(body: string, signal: AbortSignal): Promise<Response> {
		const { network } = this.options;
		const { repeats, repeatAfter } = this.patience;
		const headers: Record<string, string> = {};
		// Another site's server may not allow pages to send it
		if (this.isOwnOrigin || this.hasTurns) headers["Idempotency-Key"] = randomId();
		for (let tries = 0; ; ) {
			let after = pause(repeatAfter, tries);
			try {
				const response = await this.post(body, headers, signal);
				if (isStream(response)) return response;
				const problem = await refusal(response);
				const isFinal = response.status >= 400 && response.status < 500;
				if (isFinal || tries >= repeats) throw problem;
				after = Math.max(after, retryAfter(response));
			} catch (error) {
				signal.throwIfAborted();
				if (error instanceof Refused || tries >= repeats) throw this.givenUp(error);
			}
			network.failed();
			tries += await network.wait(after, signal);
		}
	}

	/** Reads a turn until its end, over as many connections as that takes. */
	private async *readTurn(
		turn: string,
		after: number,
		signal: AbortSignal,
		first?: Response,
	): AsyncGenerator<Received[], void> {
		const { network } = this.options;
		let [response, last, tries] = [first, after, 0];
		for (;;) {
			try {
				response ??= await this.resume(turn, last, signal);
				for await (const { batch, ended } of this.read(response, this.patience.silence)) {
					const fresh = batch.filter(({ id }) => !id || numberOf(id) > last);
					last = fresh.reduce((most, { id }) => Math.max(most, id ? numberOf(id) : 0), last);
					network.answered();
					if (fresh.length) {
						tries = 0;
						yield fresh;
					}
					if (ended) return;
				}
				// Another `api.fetch` may leave out the server's last line, which is a comment
				if (await this.isOver(turn, last, signal)) return;
			} catch (error) {
				signal.throwIfAborted();
				if (error instanceof Lost) throw error;
			}
			signal.throwIfAborted();
			response = undefined;
			if (tries >= this.patience.resumes) throw this.givenUp(new Lost());
			network.failed();
			tries += await network.wait(pause(this.patience.resumeAfter, tries), signal);
		}
	}

	private async isOver(turn: string, last: number, signal: AbortSignal): Promise<boolean> {
		const state = await this.turnState(turn, signal);
		return state !== null && state.state !== "running" && (state.events ?? last) <= last;
	}

	private async resume(turn: string, last: number, signal: AbortSignal): Promise<Response> {
		const path = `turns/${encodeURIComponent(turn)}/events`;
		const response = await this.get(path, signal, { after: String(last) });
		if (isStream(response)) return response;
		const isFinal = response.status < 500 && response.status !== 429;
		throw isFinal ? new Lost() : await refusal(response);
	}

	/** Reads a stream that cannot be resumed: its end is that of the connection. */
	private async *readOnce(
		response: Response,
		signal: AbortSignal,
	): AsyncGenerator<Received[], void> {
		this.options.network.answered();
		try {
			for await (const { batch } of this.read(response)) if (batch.length) yield batch;
		} catch (error) {
			signal.throwIfAborted();
			throw new Lost(String(error));
		}
	}

	private async *read(
		response: Response,
		silence = 0,
	): AsyncGenerator<{ batch: Received[]; ended: boolean }, void> {
		let [batch, ended]: [Received[], boolean] = [[], false];
		const parser = createParser({
			onEvent: ({ data, id }) => {
				const event = parse(data);
				if (event) batch.push({ event, id });
			},
			onComment: (comment) => {
				ended ||= comment.trim() === "end";
			},
		});
		const decoder = new TextDecoder();
		const reader = response.body!.getReader();
		let began = performance.now();
		try {
			for (;;) {
				const { value, done } = await within(silence, reader.read());
				if (done) return;
				parser.feed(decoder.decode(value, { stream: true }));
				yield { batch, ended };
				batch = [];
				if (performance.now() - began < AT_A_TIME) continue;
				// A long answer that is there already would keep the page from all else
				await nextTask();
				began = performance.now();
			}
		} finally {
			reader.cancel().catch(() => {});
		}
	}

	private post(
		body: string,
		headers: Record<string, string>,
		signal?: AbortSignal,
	): Promise<Response> {
		const own = { "Content-Type": "application/json", "chatkit-frame-instance-id": this.frame };
		return this.send(this.url, { method: "POST", body, headers: { ...own, ...headers }, signal });
	}

	private get(
		path: string,
		signal?: AbortSignal,
		query: Record<string, string> = {},
	): Promise<Response> {
		const url = this.at(path);
		for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
		return this.send(url, { method: "GET", cache: "no-store", signal });
	}

	private async send(
		url: URL,
		{ signal, ...init }: Omit<RequestInit, "signal"> & { signal?: AbortSignal | undefined },
	): Promise<Response> {
		const { fetch, locale, network } = this.options;
		const headers = { ...(init.headers as object), "Accept-Language": locale() };
		const response = await fetch(url.href, { ...init, headers, ...(signal ? { signal } : {}) });
		if (response.status < 500) network.answered();
		this.mayHaveTurns ||= response.headers.has("X-Request-Id");
		if (response.ok && !this.mayHaveTurns) this.hasTurns ??= false;
		return response;
	}

	private at(path: string): URL {
		const url = new URL(this.url);
		url.pathname = `${url.pathname.replace(/\/$/, "")}/${path}`;
		return url;
	}

	/** Nothing is sent again: nobody is to be told that it is. */
	private givenUp(error: unknown): unknown {
		this.options.network.answered();
		return error;
	}

	private get isOwnOrigin(): boolean {
		return this.url.origin === globalThis.location?.origin;
	}
}

function operation(type: string, params: object): string {
	return JSON.stringify({ type, params });
}

const READS = ["threads.get_by_id", "threads.list", "items.list"];

function isStream(response: Response): boolean {
	const type = response.headers.get("Content-Type") ?? "";
	return response.ok && type.startsWith("text/event-stream") && response.body !== null;
}

/** What the server says of its refusal, in words for the user if it has any. */
async function refusal(response: Response): Promise<Refused> {
	const body = await response.json().catch(() => null);
	const message = typeof body?.message === "string" ? body.message : "";
	return new Refused(response.status, message);
}

/** The seconds of `Retry-After` in milliseconds; at most a minute. */
function retryAfter(response: Response): number {
	const seconds = Number(response.headers.get("Retry-After"));
	return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 60) * 1000 : 0;
}

function parse(data: string): StreamEvent | null {
	try {
		const event: unknown = JSON.parse(data);
		const isEvent = typeof event === "object" && event !== null && "type" in event;
		return isEvent ? (event as StreamEvent) : null;
	} catch {
		return null;
	}
}

/** The number in the id of an event, `TURN:NUMBER`. */
function numberOf(id: string): number {
	return Number(id.slice(id.lastIndexOf(":") + 1)) || 0;
}

/** Random letters and digits; also in pages without TLS, which have no `randomUUID`. */
export function randomId(): string {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
