// Requests to a ChatKit server: one POST per operation, answered by JSON or a stream of events.

import { EventSourceParserStream } from "eventsource-parser/stream";
import type { StreamEvent } from "./protocol.ts";

/** The server refused a request. `message` is for the user. */
export class Refused extends Error {
	constructor(
		readonly status: number,
		message: string,
	) {
		super(message);
	}
}

export class Client {
	constructor(
		readonly url: string,
		readonly fetch: typeof globalThis.fetch,
		readonly locale: () => string,
	) {}

	/** Sends an operation that answers JSON. */
	async ask<T>(type: string, params: object): Promise<T> {
		const response = await this.post(type, params);
		return (await response.json()) as T;
	}

	/** Sends an operation that answers a stream, and yields its events. */
	async *stream(type: string, params: object, signal: AbortSignal): AsyncGenerator<StreamEvent> {
		const response = await this.post(type, params, signal);
		const events = response.body!
			.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, BufferSource>)
			.pipeThrough(new EventSourceParserStream());
		const reader = events.getReader();
		for (;;) {
			const { value, done } = await reader.read();
			if (done) return;
			yield JSON.parse(value.data) as StreamEvent;
		}
	}

	private async post(type: string, params: object, signal?: AbortSignal): Promise<Response> {
		const response = await this.fetch(this.url, {
			method: "POST",
			headers: { "Content-Type": "application/json", "Accept-Language": this.locale() },
			body: JSON.stringify({ type, params }),
			...(signal ? { signal } : {}),
		});
		if (response.ok) return response;
		const { message = response.statusText } = await response.json().catch(() => ({}));
		throw new Refused(response.status, message);
	}
}
