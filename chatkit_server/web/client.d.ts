// Types of client.js

/** A function for ChatKit's option `api.fetch`. It takes a URL as the global `fetch` does. */
export type ChatFetch = typeof globalThis.fetch;

export interface FetchOptions {
	/**
	 * Returns the header `Authorization`, such as `Bearer …`; nothing leaves it out. It is called for
	 * each request. After a 401 it is called once more, with `true`, and the request is sent again.
	 */
	authorization?: (
		refused: boolean,
	) => string | null | undefined | Promise<string | null | undefined>;
	/** Called with the turn's id when a stream begins. */
	onTurn?: (turn: string) => void;
	/** The function that sends the requests. Default: the page's. */
	fetch?: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
	/**
	 * How many times in a row to resume a stream without getting an event. After that, the stream
	 * breaks. Default: 8.
	 */
	maxRetries?: number;
	/**
	 * Milliseconds: the first pause between attempts is one to two times this. Pauses double up to
	 * 10 s. Default: 250.
	 */
	delay?: number;
	/**
	 * Milliseconds without a byte after which the stream is resumed. More than the server's
	 * `server.keep_alive`. Default: 60000.
	 */
	silence?: number;
}

/**
 * Returns a `fetch` that adds authorization, resumes broken streams, and tells the server of Stop.
 *
 * What it returns throws what the given `fetch` throws. A stream that cannot be resumed fails with an
 * `Error`.
 */
export function createFetch(options?: FetchOptions): ChatFetch;

/** What `watchThread` needs of ChatKit's element. */
export interface WatchedChat extends EventTarget {
	fetchUpdates(): Promise<void>;
	setThreadId(threadId: string | null): Promise<void>;
}

export interface WatchOptions {
	/** The server's address, the same as ChatKit's option `api.url`. */
	url: string | URL;
	/** As in `FetchOptions`. */
	authorization?: FetchOptions["authorization"];
	/** As in `FetchOptions`. */
	fetch?: FetchOptions["fetch"];
	/**
	 * Milliseconds: the first pause before the script reconnects is one to two times this. Pauses
	 * double up to 10 s. Default: 250.
	 */
	delay?: number;
	/**
	 * Milliseconds without a byte after which it reconnects. More than the server's
	 * `server.keep_alive`. Default: 60000.
	 */
	silence?: number;
}

/**
 * Calls `fetchUpdates` of ChatKit's element when another device or the server changes the thread that
 * it shows, and shows a new thread when that one is deleted. Returns a function that ends this.
 *
 * Call it before the element shows a thread. It knows the answers of this page by `createFetch`.
 */
export function watchThread(chatkit: WatchedChat, options: WatchOptions): () => void;
