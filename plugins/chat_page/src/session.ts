// One conversation that is open: its items, its streams, and its pages.

import type { Message, Topic } from "./chat.ts";
import { type Client, Refused, randomId } from "./client.ts";
import { type Change, Conversation } from "./conversation.ts";
import type { Page, StreamEvent, Thread, ThreadItem, UserMessageItem } from "./protocol.ts";
import { type RunKind, Runs, errorEvent } from "./runs.ts";

const PAGE = 20; // items

export interface SessionEvents {
	changed(session: Session, topics: Iterable<Topic>): void;
	received(session: Session, event: StreamEvent): void;
	/** The streams of what was sent have come to an end. */
	ended(session: Session, kind: RunKind): void;
	started(session: Session, kind: RunKind): void;
	named(session: Session, turn: string): void;
	failed(error: unknown): void;
}

export class Session {
	readonly conversation = new Conversation();
	readonly runs: Runs;
	loading = false;
	/** There are older items on the server. */
	older = false;
	private olderPage: Promise<void> | null = null;

	constructor(
		/** Null until the server has made the thread. */
		public threadId: string | null,
		private readonly client: Client,
		private readonly events: SessionEvents,
	) {
		this.runs = new Runs(this.conversation, client, {
			changed: (changes) => this.changed(changes),
			started: (kind) => events.started(this, kind),
			named: (turn) => events.named(this, turn),
			failed: events.failed,
			received: (event) => {
				if (event.type === "thread.created") this.threadId = event.thread.id;
				events.received(this, event);
			},
		});
	}

	/** Loads the thread and its newest items, and follows the answer that is running. */
	async load(): Promise<void> {
		this.setLoading(true);
		try {
			await this.refresh();
		} catch (error) {
			this.changed(this.conversation.apply(errorEvent(error)) ?? []);
			throw error;
		} finally {
			this.setLoading(false);
		}
		await this.followRunning().catch(() => {});
	}

	/** Gets what the server has now. */
	async refresh(): Promise<void> {
		const thread_id = this.threadId;
		if (!thread_id) return;
		const asked = this.conversation.now;
		const [thread, page] = await Promise.all([
			this.client.ask<Thread>("threads.get_by_id", { thread_id }),
			this.client.ask<Page<ThreadItem>>("items.list", { thread_id, limit: PAGE, order: "desc" }),
		]);
		const changes = this.conversation.setThread(thread);
		changes.push(...this.conversation.merge([...page.data].reverse(), asked, page.has_more));
		this.older = page.has_more;
		this.changed([...changes, "status"]);
	}

	/** Follows the turn that is running on the server, if there is one that this page does not run. */
	async followRunning(signal = new AbortController().signal, wait = 0): Promise<boolean> {
		if (!this.threadId) return false;
		const turn = await this.client.runningTurn(this.threadId, signal, wait);
		if (!turn || this.runs.isRunning(turn.id)) return turn !== null;
		void this.follow(turn.id);
		return true;
	}

	async follow(turn: string): Promise<void> {
		if (this.runs.isRunning(turn)) return;
		await this.runs.follow(turn);
		this.events.ended(this, "follow");
	}

	loadOlder(): Promise<void> {
		this.olderPage ??= this.loadOlderPage().finally(() => {
			this.olderPage = null;
		});
		return this.olderPage;
	}

	/** Sends a message, and shows it at once. Resolves when the server has it. */
	async send(message: Message): Promise<void> {
		const { conversation, threadId } = this;
		const local = shown(message, threadId);
		this.changed(conversation.addLocal(local));
		const input = {
			content: message.content,
			attachments: (message.attachments ?? []).map(({ id }) => id),
			quoted_text: message.quotedText ?? null,
			inference_options: message.inferenceOptions ?? {},
		};
		try {
			await (threadId
				? this.run("answer", "threads.add_user_message", { thread_id: threadId, input })
				: this.run("answer", "threads.create", { input }));
		} catch (error) {
			this.changed(conversation.removeLocal(local.id));
			throw error;
		}
	}

	/** Sends an operation that answers a stream. Resolves when the server has accepted it. */
	run(kind: RunKind, type: string, params: object): Promise<void> {
		return new Promise((accepted, refused) => {
			this.runs
				.send(kind, type, params, accepted)
				.then(() => this.events.ended(this, kind), refused);
		});
	}

	/** The thread, for the params of an operation. Throws while there is none. */
	get here(): { thread_id: string } {
		if (!this.threadId) throw new Refused(0, "");
		return { thread_id: this.threadId };
	}

	changed(changes: Iterable<Change | Topic>): void {
		this.events.changed(this, changes);
	}

	private async loadOlderPage(): Promise<void> {
		const first = this.conversation.items.find(({ id }) => !id.startsWith(LOCAL));
		if (!this.older || !first) return;
		const params = { ...this.here, after: first.id, limit: PAGE, order: "desc" };
		const page = await this.client.ask<Page<ThreadItem>>("items.list", params);
		this.older = page.has_more && page.data.length > 0;
		this.changed([...this.conversation.prepend([...page.data].reverse()), "status"]);
	}

	private setLoading(loading: boolean): void {
		this.loading = loading;
		this.changed(["status"]);
	}
}

const LOCAL = "local_";

/** A message as it is shown until the server's own comes. */
function shown(message: Message, threadId: string | null): UserMessageItem {
	return {
		type: "user_message",
		id: `${LOCAL}${randomId()}`,
		thread_id: threadId ?? "",
		created_at: new Date().toISOString(),
		content: message.content,
		attachments: message.attachments ?? [],
		quoted_text: message.quotedText ?? null,
		inference_options: message.inferenceOptions ?? {},
	};
}
