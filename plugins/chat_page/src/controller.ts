// Drives a chat: sends what the user does, and applies what the server says.

import type { Chat, Message, Status, ThreadList, Topic } from "./chat.ts";
import { Client } from "./client.ts";
import { Conversation } from "./conversation.ts";
import type { OpenChatKitOptions } from "./options.ts";
import type {
	ActionConfig,
	Attachment,
	NoticeEvent,
	Page,
	StreamEvent,
	StructuredAnswer,
	StructuredInputItem,
	Thread,
	ThreadItem,
	WidgetItem,
} from "./protocol.ts";
import { Words } from "./words.ts";

const IDLE: Status = {
	loading: false,
	answering: false,
	stoppable: true,
	connection: "online",
	progress: null,
	error: null,
	notices: [],
	older: false,
};

export class Controller implements Chat {
	options: OpenChatKitOptions = { api: { url: "" } };
	words = new Words("en");
	conversation = new Conversation();
	status: Status = IDLE;
	threads: ThreadList = { threads: [], more: true, loading: false, error: null };
	historyOpen = false;
	private listeners = new Map<Topic, Set<() => void>>();
	private running: AbortController | null = null;

	constructor(readonly emit: (name: string, detail?: unknown) => void) {}

	subscribe(topic: Topic, listener: () => void): () => void {
		const listeners = this.listeners.get(topic) ?? new Set();
		this.listeners.set(topic, listeners.add(listener));
		return () => listeners.delete(listener);
	}

	/** Takes new options. */
	configure(options: OpenChatKitOptions): void {
		this.options = options;
		this.words = new Words(options.locale ?? globalThis.navigator?.language ?? "en");
		this.tell("options");
	}

	get fetch(): typeof globalThis.fetch {
		const { api } = this.options;
		return ("fetch" in api && api.fetch) || globalThis.fetch.bind(globalThis);
	}

	async send(message: Message): Promise<void> {
		const input = {
			content: message.content,
			attachments: (message.attachments ?? []).map(({ id }) => id),
			quoted_text: message.quotedText ?? null,
			inference_options: message.inferenceOptions ?? {},
		};
		if (message.newThread) await this.open(null);
		const { thread } = this.conversation;
		if (thread) await this.run("threads.add_user_message", { thread_id: thread.id, input });
		else await this.run("threads.create", { input });
	}

	stop(): void {
		this.running?.abort();
	}

	async retry(itemId: string): Promise<void> {
		await this.run("threads.retry_after_item", { ...this.here(), item_id: itemId });
	}

	async act(action: ActionConfig, item?: WidgetItem): Promise<void> {
		const { type, payload } = action;
		const params = { ...this.here(), item_id: item?.id ?? null, action: { type, payload } };
		await this.run("threads.custom_action", params);
	}

	async answer(
		item: StructuredInputItem,
		answers: Record<string, StructuredAnswer>,
		status: "answered" | "skipped" = "answered",
	): Promise<void> {
		const params = { ...this.here(), item_id: item.id, input: { status, answers } };
		await this.run("threads.add_structured_input", params);
	}

	async feedback(itemIds: string[], kind: "positive" | "negative"): Promise<void> {
		await this.client().ask("items.feedback", { ...this.here(), item_ids: itemIds, kind });
	}

	dismissNotice(notice: NoticeEvent): void {
		this.set({ notices: this.status.notices.filter((other) => other !== notice) });
	}

	async open(threadId: string | null): Promise<void> {
		this.conversation = new Conversation();
		this.set({ ...IDLE });
		this.tell("thread");
		this.tell("items");
		this.emit("chatkit.thread.change", { threadId });
		if (threadId) await this.load(threadId);
	}

	async loadOlder(): Promise<void> {
		const after = this.conversation.items[0]?.id;
		const params = { ...this.here(), after, order: "desc" };
		const page = await this.client().ask<Page<ThreadItem>>("items.list", params);
		this.conversation.prepend(page.data.reverse());
		this.set({ older: page.has_more });
		this.tell("items");
	}

	async fetchUpdates(): Promise<void> {
		const { thread } = this.conversation;
		if (thread) await this.load(thread.id);
	}

	async rename(threadId: string, title: string): Promise<void> {
		await this.client().ask("threads.update", { thread_id: threadId, title });
	}

	async remove(threadId: string): Promise<void> {
		await this.client().ask("threads.delete", { thread_id: threadId });
	}

	async loadThreads(): Promise<void> {
		const page = await this.client().ask<Page<Thread>>("threads.list", {});
		this.threads = { threads: page.data, more: page.has_more, loading: false, error: null };
		this.tell("threads");
	}

	showHistory(): void {
		this.historyOpen = true;
		this.tell("history");
	}

	hideHistory(): void {
		this.historyOpen = false;
		this.tell("history");
	}

	createAttachment(name: string, size: number, mimeType: string): Promise<Attachment> {
		return this.client().ask("attachments.create", { name, size, mime_type: mimeType });
	}

	async deleteAttachment(id: string): Promise<void> {
		await this.client().ask("attachments.delete", { attachment_id: id });
	}

	async transcribe(audioBase64: string, mimeType: string): Promise<string> {
		const params = { audio_base64: audioBase64, mime_type: mimeType };
		const { text } = await this.client().ask<{ text: string }>("input.transcribe", params);
		return text;
	}

	private async load(threadId: string): Promise<void> {
		this.set({ loading: true });
		const thread = await this.client().ask<Thread>("threads.get_by_id", { thread_id: threadId });
		const page = thread.items?.data ?? [];
		this.conversation.merge(page, this.conversation.now, thread.items?.has_more ?? false);
		this.apply({ type: "thread.updated", thread });
		this.set({ loading: false, older: thread.items?.has_more ?? false });
		this.tell("items");
	}

	private async run(type: string, params: object): Promise<void> {
		const running = new AbortController();
		this.running = running;
		this.set({ answering: true, error: null });
		this.emit("chatkit.response.start");
		try {
			for await (const event of this.client().stream(type, params, running.signal))
				this.apply(event);
		} catch (error) {
			if (!running.signal.aborted) throw error;
		} finally {
			this.running = null;
			this.set({ answering: false, progress: null });
			this.emit("chatkit.response.end");
		}
	}

	private apply(event: StreamEvent): void {
		for (const change of this.conversation.apply(event) ?? []) this.tell(change);
		switch (event.type) {
			case "progress_update":
				this.set({ progress: event });
				break;
			case "error":
				this.set({ error: event });
				break;
			case "notice":
				this.set({ notices: [...this.status.notices, event] });
				break;
			case "client_effect":
				this.emit("chatkit.effect", { name: event.name, data: event.data });
				break;
			case "stream_options":
				this.set({ stoppable: event.stream_options.allow_cancel });
				break;
			case "thread.created":
				this.emit("chatkit.thread.change", { threadId: event.thread.id });
				break;
		}
	}

	private here(): { thread_id: string } {
		return { thread_id: this.conversation.thread?.id ?? "" };
	}

	private client(): Client {
		const { api } = this.options;
		return new Client("url" in api ? api.url : "", this.fetch, () => this.words.locale);
	}

	private set(change: Partial<Status>): void {
		this.status = { ...this.status, ...change };
		this.tell("status");
	}

	private tell(topic: Topic): void {
		for (const listener of this.listeners.get(topic) ?? []) listener();
	}
}
