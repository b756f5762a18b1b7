// Drives a chat: sends what the user does, and applies what the server says.

import type { Chat, ComposerPart, Message, Status, ThreadList, Topic } from "./chat.ts";
import { Client, Refused } from "./client.ts";
import { ClientTools } from "./client-tools.ts";
import type { Conversation } from "./conversation.ts";
import { Language } from "./language.ts";
import { Network } from "./network.ts";
import type { OpenChatKitOptions } from "./options.ts";
import { type Note, Others } from "./others.ts";
import type {
	ActionConfig,
	Attachment,
	NoticeEvent,
	StreamEvent,
	StructuredAnswer,
	StructuredInputItem,
	Thread,
	ThreadItem,
	WidgetItem,
} from "./protocol.ts";
import { type RunKind, Withdrawn } from "./runs.ts";
import { Session, type SessionEvents } from "./session.ts";
import { Threads } from "./thread-list.ts";
import { Topics } from "./topics.ts";
import type { Words } from "./words.ts";

const APPROVAL = "chatkit_server.approval";

export class Controller implements Chat {
	options: OpenChatKitOptions = { api: { url: "" } };
	historyOpen = false;
	composer: ComposerPart | null = null;
	private readonly topics = new Topics();
	private readonly network = new Network(() => this.tell("status"));
	private readonly language = new Language(
		() => this.tell("options", "status", "thread", "items", "threads", "history"),
		(error) => this.report(error),
	);
	private readonly tools = new ClientTools(
		() => this.options.onClientTool,
		(error) => this.report(error),
	);
	readonly fetch: typeof globalThis.fetch = (...request) => {
		const { api } = this.options;
		const given = "fetch" in api ? api.fetch : undefined;
		return (given ?? globalThis.fetch)(...request);
	};

	private readonly sessionEvents: SessionEvents = {
		changed: (session, topics) => {
			if (session === this.session) this.topics.tell(topics);
		},
		received: (session, event) => this.received(session, event),
		started: (session, kind) => {
			if (kind === "answer") this.emit("chatkit.response.start");
			this.keep(session);
		},
		failed: (error) => this.report(error),
		named: (session, turn, kind) => {
			const { threadId: thread } = session;
			if (thread) this.others.tell({ type: "turn", thread, turn, kind });
		},
		ended: (session, kind, isOwn) => this.ended(session, kind, isOwn),
	};

	/** Conversations whose answers run on, whatever is shown. */
	private readonly busy = new Map<string, Session>();
	private client = this.newClient();
	private others = this.newOthers();
	private list = this.newList();
	private session = this.newSession(null);

	constructor(readonly emit: (name: string, detail?: unknown) => void) {}

	subscribe(topic: Topic, listener: () => void): () => void {
		return this.topics.subscribe(topic, listener);
	}

	/** Takes new options. Another `api.url` is another chat. */
	configure(options: OpenChatKitOptions): void {
		const before = urlOf(this.options);
		this.options = options;
		this.language.set(options);
		if (urlOf(options) !== before) this.connect();
		if (options.history?.enabled === false) this.hideHistory();
		this.tell("options", "status");
	}

	/** Listens to nothing any more: the element has left its page. Answers run on. */
	disconnect(): void {
		this.others.close();
		this.network.close();
	}

	/** Listens again after `disconnect`. */
	reconnect(): void {
		this.others.close();
		this.others = this.newOthers();
		this.network.listen();
		this.others.watch(this.session);
	}

	get words(): Words {
		return this.language.words;
	}

	get conversation(): Conversation {
		return this.session.conversation;
	}

	get threadId(): string | null {
		return this.session.threadId;
	}

	get status(): Status {
		const { conversation, runs, loading, older } = this.session;
		const { progress, error, notices, stoppable } = conversation;
		const { state: connection } = this.network;
		const answering = runs.isAnswering;
		return { loading, answering, stoppable, connection, progress, error, notices, older };
	}

	get threads(): ThreadList {
		return this.list.state;
	}

	async send(message: Message): Promise<void> {
		if (message.newThread) await this.open(null);
		await this.reported(this.session.send(message));
	}

	stop(): void {
		this.session.runs.stop();
	}

	async retry(itemId: string): Promise<void> {
		await this.reported(this.session.retry(itemId));
	}

	async act(action: ActionConfig, item?: WidgetItem): Promise<void> {
		const { type, payload, handler, streaming = true } = action;
		const { session } = this;
		if (handler === "client" && item) return this.reported(this.actInPage(action, item));
		const sent = { type, payload: payload ?? null };
		const params = { ...session.here, item_id: item?.id ?? null, action: sent };
		if (!streaming) return this.reported(this.actAtOnce(session, type, params));
		// A decision goes on with the answer, which can be stopped
		const kind = type === APPROVAL ? "answer" : "action";
		await this.reported(session.runToEnd({ kind, type: "threads.custom_action", params }));
	}

	async answer(
		item: StructuredInputItem,
		answers: Record<string, StructuredAnswer>,
		status: "answered" | "skipped" = "answered",
	): Promise<void> {
		const { session } = this;
		const params = { ...session.here, item_id: item.id, input: { status, answers } };
		const type = "threads.add_structured_input";
		try {
			await this.reported(session.run({ kind: "answer", type, params }));
		} catch (error) {
			// Another tab was first: show its answer
			if (error instanceof Refused && error.status === 409) await session.refresh().catch(() => {});
			throw error;
		}
	}

	async feedback(itemIds: string[], kind: "positive" | "negative"): Promise<void> {
		const params = { ...this.session.here, item_ids: itemIds, kind };
		await this.reported(this.client.ask("items.feedback", params));
	}

	dismissNotice(notice: NoticeEvent): void {
		this.session.changed(this.conversation.dismiss(notice));
	}

	async open(threadId: string | null): Promise<void> {
		if (threadId && threadId === this.session.threadId) return this.loadAgain(threadId);
		const before = this.threadId;
		this.session = (threadId && this.busy.get(threadId)) || this.newSession(threadId);
		this.others.watch(null);
		this.tell("thread", "items", "status");
		if (threadId !== before) this.emit("chatkit.thread.change", { threadId });
		if (threadId) await this.load(this.session, threadId);
	}

	loadOlder(): Promise<void> {
		return this.reported(this.session.loadOlder());
	}

	fetchUpdates(): Promise<void> {
		return this.reported(this.session.sync());
	}

	async rename(threadId: string, title: string): Promise<void> {
		const params = { thread_id: threadId, title };
		const thread = await this.reported(this.client.ask<Thread>("threads.update", params));
		this.list.put(thread);
		if (threadId === this.session.threadId)
			this.session.changed(this.conversation.setThread(thread));
		this.others.tell({ type: "thread", thread: threadId });
	}

	async remove(threadId: string): Promise<void> {
		await this.reported(this.client.ask("threads.delete", { thread_id: threadId }));
		this.others.tell({ type: "removed", thread: threadId });
		await this.removed(threadId);
	}

	async loadThreads(again = false): Promise<void> {
		await this.reported(this.list.load(again));
	}

	showHistory(): void {
		if (this.historyOpen || this.options.history?.enabled === false) return;
		this.historyOpen = true;
		this.tell("history");
		this.emit("chatkit.history.open");
		this.loadThreads(true).catch(() => {});
	}

	hideHistory(): void {
		if (!this.historyOpen) return;
		this.historyOpen = false;
		this.tell("history");
		this.emit("chatkit.history.close");
	}

	createAttachment(name: string, size: number, mimeType: string): Promise<Attachment> {
		return this.client.ask("attachments.create", { name, size, mime_type: mimeType });
	}

	async deleteAttachment(id: string): Promise<void> {
		await this.client.ask("attachments.delete", { attachment_id: id });
	}

	async transcribe(audioBase64: string, mimeType: string): Promise<string> {
		const params = { audio_base64: audioBase64, mime_type: mimeType };
		return (await this.client.ask<{ text: string }>("input.transcribe", params)).text;
	}

	/** Loads the conversation that is shown, if that failed before. */
	private async loadAgain(threadId: string): Promise<void> {
		const { session } = this;
		if (session.isStale && !session.loading) await this.load(session, threadId);
	}

	private async load(session: Session, threadId: string): Promise<void> {
		this.emit("chatkit.thread.load.start", { threadId });
		try {
			await this.reported(session.load());
			if (session === this.session) this.others.watch(session);
			void this.tools.run(session, false);
		} finally {
			this.emit("chatkit.thread.load.end", { threadId });
		}
	}

	private async actInPage({ type, payload }: ActionConfig, item: WidgetItem): Promise<void> {
		const { onAction } = this.options.widgets ?? {};
		await onAction?.(
			{ type, payload: payload as Record<string, unknown> },
			{ id: item.id, widget: item.widget as never },
		);
	}

	private async actAtOnce(session: Session, type: string, params: object): Promise<void> {
		type Answer = { updated_item?: ThreadItem | null };
		const answer = await this.client.ask<Answer>("threads.sync_custom_action", params);
		const { updated_item: item } = answer;
		if (item)
			session.changed(session.conversation.apply({ type: "thread.item.replaced", item }) ?? []);
		// What follows a decision has been saved by now, and no event tells of it
		if (type === APPROVAL) await session.refresh();
		if (session.threadId) this.others.tell({ type: "thread", thread: session.threadId });
	}

	private connect(): void {
		this.others.close();
		for (const session of this.busy.values()) session.runs.close();
		this.busy.clear();
		this.client = this.newClient();
		this.others = this.newOthers();
		this.list = this.newList();
		const { threadId } = this.session;
		this.session = this.newSession(null);
		this.tell("thread", "items", "status", "threads");
		if (threadId) this.emit("chatkit.thread.change", { threadId: null });
	}

	private newClient(): Client {
		return new Client({
			url: urlOf(this.options),
			fetch: this.fetch,
			locale: () => this.words.locale,
			network: this.network,
		});
	}

	private newOthers(): Others {
		const url = urlOf(this.options);
		return new Others(this.client, this.network, url, (note) => this.heard(note));
	}

	private newList(): Threads {
		return new Threads(this.client, () => this.tell("threads"));
	}

	private newSession(threadId: string | null): Session {
		return new Session(threadId, this.client, this.sessionEvents);
	}

	private received(session: Session, event: StreamEvent): void {
		switch (event.type) {
			case "client_effect":
				this.emit("chatkit.effect", { name: event.name, data: event.data });
				break;
			case "error":
				if (event.code !== "stopped") this.report(new Error(event.message ?? event.code));
				break;
			case "thread.created":
				this.keep(session);
				if (session === this.session) {
					this.emit("chatkit.thread.change", { threadId: event.thread.id });
					this.others.watch(session);
				}
				this.list.put(event.thread);
				break;
			case "thread.updated":
				this.list.put(event.thread);
				break;
		}
	}

	private keep(session: Session): void {
		if (session.threadId && session.runs.isBusy) this.busy.set(session.threadId, session);
	}

	private ended(session: Session, kind: RunKind, isOwn: boolean): void {
		if (session.threadId && !session.runs.isBusy) this.busy.delete(session.threadId);
		if (kind === "answer") this.emit("chatkit.response.end");
		void this.tools.run(session, isOwn);
	}

	private heard(note: Note): void {
		const isShown = note.thread === this.session.threadId;
		if (note.type === "turn" && isShown) void this.session.follow({ ...note, isOwn: false });
		if (note.type === "thread" && isShown) void this.session.refresh().catch(() => {});
		if (note.type === "removed") void this.removed(note.thread);
		else if (this.historyOpen) this.loadThreads(true).catch(() => {});
	}

	private async removed(threadId: string): Promise<void> {
		this.list.remove(threadId);
		this.busy.get(threadId)?.runs.close();
		if (threadId === this.session.threadId) await this.open(null);
	}

	/** Tells the page of what goes wrong, and leaves it to the caller. */
	private async reported<T>(work: Promise<T>): Promise<T> {
		try {
			return await work;
		} catch (error) {
			if (!(error instanceof Withdrawn)) this.report(error);
			throw error;
		}
	}

	private report(error: unknown): void {
		const isError = error instanceof Error;
		this.emit("chatkit.error", { error: isError ? error : new Error(String(error)) });
		if (error instanceof Refused)
			this.emit("chatkit.log", { name: "refused", data: { status: error.status } });
	}

	private tell(...topics: Topic[]): void {
		this.topics.tell(topics);
	}
}

function urlOf({ api }: OpenChatKitOptions): string {
	return "url" in api ? api.url : "";
}
