// A ChatKit server in this process, with one thread: its turns say what a test wants.

import type { ThreadNote, TurnState } from "../src/client.ts";
import type { StreamEvent, Thread, ThreadItem, UserMessageItem } from "../src/protocol.ts";

export const URL_ = "https://example.com/api/chat";
export const THREAD: Thread = { id: "thr_1", created_at: "2026-11-27T10:00:00Z", title: "Tea" };

/** What a request asks for. */
export interface Asked {
	type: string;
	params: Record<string, any>;
}

export type Script = (turn: Turn, asked: Asked) => Promise<void> | void;

let ids = 0;

export function answered(text: string, id = `msg_${++ids}`): ThreadItem {
	const content = [{ type: "output_text" as const, text, annotations: [] }];
	return { type: "assistant_message", id, thread_id: THREAD.id, created_at: THREAD.created_at, content };
}

export function said(text: string, id = `usr_${++ids}`): UserMessageItem {
	const content = [{ type: "input_text" as const, text }];
	const base = { id, thread_id: THREAD.id, created_at: THREAD.created_at };
	return { ...base, type: "user_message", content, inference_options: {} };
}

export function delta(item_id: string, text: string): StreamEvent {
	const type = "assistant_message.content_part.text_delta";
	return { type: "thread.item.updated", item_id, update: { type, content_index: 0, delta: text } };
}

/** The log of a turn. */
export class Turn {
	readonly id = `turn_${++ids}`;
	readonly log: StreamEvent[] = [];
	isOver = false;
	isGone = false;
	parts = 0;
	error: string | undefined;
	private waiting: (() => void)[] = [];

	constructor(private readonly server: FakeServer) {}

	emit(...events: StreamEvent[]): void {
		for (const event of events) {
			this.log.push(event);
			this.server.store(event);
		}
		this.wake();
	}

	end(): void {
		this.isOver = true;
		this.wake();
		this.server.tell({ type: "turn.ended", turn: this.state });
	}

	/** Ends the streams that run, and not the turn: as when its user has answered a question. */
	part(): void {
		this.parts++;
		this.wake();
	}

	async more(): Promise<void> {
		await new Promise<void>((go) => this.waiting.push(go));
	}

	get state(): TurnState {
		const state = !this.isOver ? "running" : this.error ? "interrupted" : "completed";
		return { id: this.id, thread_id: THREAD.id, state, events: this.log.length, ...(this.error && { error: this.error }) };
	}

	private wake(): void {
		const { waiting } = this;
		this.waiting = [];
		for (const go of waiting) go();
	}
}

export class FakeServer {
	items: ThreadItem[] = [];
	asked: Asked[] = [];
	paths: string[] = [];
	/** What the next turns do; after these, they say nothing. */
	scripts: Script[] = [];
	/** What the next requests get instead. */
	refusals: Response[] = [];
	/** Whether it is this project's server, which numbers events and knows turns. */
	hasTurns = true;
	/** Whether it says what happens in a thread. */
	hasThreadEvents = true;
	isRemoved = false;
	readonly turns: Turn[] = [];
	/** Those who watch the thread. */
	readonly watching = new Set<ReadableStreamDefaultController<Uint8Array>>();
	private readonly streams = new Set<ReadableStreamDefaultController<Uint8Array>>();

	fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
		const path = String(input).replace(URL_, "");
		this.paths.push(`${init.method} ${path}`);
		const response = await this.answer(path, input, init);
		if (this.hasTurns) response.headers.set("X-Request-Id", "r");
		return response;
	};

	private async answer(path: string, input: string | URL | Request, init: RequestInit): Promise<Response> {
		if (init.method === "POST" && !path) return this.post(JSON.parse(String(init.body)), init);
		if (!this.hasTurns) return Response.json({ detail: "Not Found" }, { status: 404 });
		const turn = this.turns.find(({ id }) => path.includes(id));
		if (path.includes("/events?turns=notes")) return this.watch(init.signal);
		if (path.startsWith("/threads/")) {
			const running = this.turns.findLast(({ isOver }) => !isOver);
			return running ? Response.json(running.state) : new Response(null, { status: 204 });
		}
		if (!turn) return Response.json({ message: "Not found" }, { status: 404 });
		if (path.endsWith("/cancel")) {
			turn.emit({ type: "error", code: "custom", message: "The answer was stopped.", allow_retry: true });
			turn.end();
		} else if (path.includes("/events")) {
			if (turn.isGone) return Response.json({ message: "Gone" }, { status: 410 });
			return this.stream(turn, Number(new URL(String(input)).searchParams.get("after")), init.signal);
		}
		return Response.json(turn.state);
	}

	/** Cuts all streams. */
	drop(): void {
		for (const streams of [this.streams, this.watching]) {
			for (const stream of streams) stream.error(new TypeError("network error"));
			streams.clear();
		}
	}

	/** Tells those who watch the thread. */
	tell(event: StreamEvent | ThreadNote): void {
		for (const stream of this.watching) stream.enqueue(line(event));
	}

	/** Begins a turn that another device has asked for. */
	beginElsewhere(text: string, script: Script): Turn {
		const params = { input: { content: [{ type: "input_text", text }] } };
		this.scripts.unshift(script);
		return this.start({ type: "threads.add_user_message", params });
	}

	store(event: StreamEvent): void {
		if (event.type === "thread.item.removed")
			this.items = this.items.filter(({ id }) => id !== event.item_id);
		if (event.type !== "thread.item.done" && event.type !== "thread.item.replaced") return;
		const place = this.items.findIndex(({ id }) => id === event.item.id);
		if (place < 0) this.items.push(event.item);
		else this.items[place] = event.item;
	}

	private post(asked: Asked, init: RequestInit): Response {
		this.asked.push(asked);
		const refusal = this.refusals.shift();
		if (refusal) return refusal;
		if (this.isRemoved) return Response.json({ message: "Conversation not found." }, { status: 404 });
		const { type } = asked;
		if (type === "threads.get_by_id") return Response.json({ ...THREAD, items: { data: [] } });
		if (type === "items.list")
			return Response.json({ data: [...this.items].reverse(), has_more: false });
		if (type === "threads.list") return Response.json({ data: [THREAD], has_more: false });
		const isTurn = /^threads\.(create|add_|retry_|custom_)/.test(type);
		return isTurn ? this.begin(asked, init) : Response.json({});
	}

	private begin(asked: Asked, init: RequestInit): Response {
		return this.stream(this.start(asked), 0, init.signal);
	}

	private start(asked: Asked): Turn {
		const turn = new Turn(this);
		this.turns.push(turn);
		if (asked.type === "threads.create") turn.emit({ type: "thread.created", thread: THREAD });
		if (asked.params["input"]?.content)
			turn.emit({ type: "thread.item.done", item: said(asked.params["input"].content[0].text) });
		this.tell({ type: "turn.started", turn: turn.state });
		const script = this.scripts.shift() ?? (() => {});
		void Promise.resolve(script(turn, asked)).then(() => turn.end());
		return turn;
	}

	private watch(signal?: AbortSignal | null): Response {
		if (!this.hasThreadEvents || this.isRemoved)
			return Response.json({ message: "Not found" }, { status: 404 });
		const body = new ReadableStream<Uint8Array>({
			start: (controller) => {
				this.watching.add(controller);
				signal?.addEventListener("abort", () => {
					if (this.watching.delete(controller)) controller.error(signal.reason);
				});
				controller.enqueue(line({ type: "thread.watched" }));
				const turn = this.turns.findLast(({ isOver }) => !isOver);
				if (turn) controller.enqueue(line({ type: "turn.started", turn: turn.state }));
			},
		});
		return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
	}

	private stream(turn: Turn, after: number, signal?: AbortSignal | null): Response {
		const { parts } = turn;
		const body = new ReadableStream<Uint8Array>({
			start: async (controller) => {
				this.streams.add(controller);
				signal?.addEventListener("abort", () => {
					this.streams.delete(controller);
					controller.error(signal.reason);
				});
				for (let next = after; ; ) {
					for (; next < turn.log.length && this.streams.has(controller); next++) {
						const id = this.hasTurns ? `id: ${turn.id}:${next + 1}\n` : "";
						controller.enqueue(line(turn.log[next]!, id));
					}
					if (!this.streams.has(controller)) return;
					if (turn.isOver || turn.parts > parts) break;
					await turn.more();
				}
				if (this.hasTurns) controller.enqueue(new TextEncoder().encode(": end\n"));
				this.streams.delete(controller);
				controller.close();
			},
		});
		const headers: Record<string, string> = { "Content-Type": "text/event-stream" };
		if (this.hasTurns) headers["X-Turn-Id"] = turn.id;
		return new Response(body, { headers });
	}
}

function line(event: StreamEvent | ThreadNote, id = ""): Uint8Array {
	return new TextEncoder().encode(`${id}data: ${JSON.stringify(event)}\n\n`);
}
