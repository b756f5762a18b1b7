// One conversation that is open: its items, its streams, and its pages.

import type { Message, Topic } from "./chat.ts";
import { type Client, Refused, type ThreadNote, type TurnState, randomId } from "./client.ts";
import { type Change, Conversation } from "./conversation.ts";
import type { Page, StreamEvent, Thread, ThreadItem, UserMessageItem } from "./protocol.ts";
import { type Followed, type Operation, type RunKind, Runs, errorEvent, followed } from "./runs.ts";

const PAGE = 20; // items

export interface SessionEvents {
	changed(session: Session, topics: Iterable<Topic>): void;
	received(session: Session, event: StreamEvent): void;
	/** A stream has come to an end; `isOwn` says that this page asked for it. */
	ended(session: Session, kind: RunKind, isOwn: boolean): void;
	started(session: Session, kind: RunKind): void;
	named(session: Session, turn: string, kind: RunKind): void;
	failed(error: unknown): void;
}

const SOON = 500; // milliseconds

export class Session {
	readonly conversation = new Conversation();
	readonly runs: Runs;
	loading = false;
	/** There are older items on the server. */
	older = false;
	/** Whether something may be missing that the server has. */
	isStale = true;
	private cursor: string | null = null;
	/** Where the answer broke off that was recovered last. */
	private recovered: string | null = null;
	/** The turn whose rest did not come. */
	private lost: string | null = null;
	/** Turns of which the server has said that they have ended. */
	private readonly endedTurns = new Set<string>();
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
			named: (turn, kind) => events.named(this, turn, kind),
			failed: (error, { turn, isOwn }) => this.failed(error, turn, isOwn),
			received: (event) => {
				if (event.type === "thread.created") this.created(event.thread);
				events.received(this, event);
			},
		});
	}

	/** Loads the thread and its newest items, and follows the answer that is running. */
	async load(): Promise<void> {
		this.setLoading(true);
		try {
			await this.sync();
		} catch (error) {
			this.changed(this.conversation.apply(errorEvent(error)) ?? []);
			throw error;
		} finally {
			this.setLoading(false);
		}
	}

	/** Gets what the server has now, and follows the answer that is running. */
	async sync(isOwn = true): Promise<void> {
		const { threadId } = this;
		if (!threadId) return;
		const turn = await this.runningTurn(threadId);
		await this.refresh(turn);
		if (turn) void this.follow(followed(turn, isOwn));
		else await this.forgive();
	}

	/** Takes back that an answer was lost, if it is complete now; or says what the server knows. */
	private async forgive(): Promise<void> {
		const { conversation, lost } = this;
		if (!lost || conversation.error?.code !== "lost") return;
		const state = await this.client.turnState(lost);
		if (state?.state === "completed") this.changed(conversation.clearError());
		if (!state?.error) return;
		const { error: message, code = "custom", allow_retry } = state;
		const error = { type: "error" as const, code, message, allow_retry: allow_retry ?? true };
		this.changed(conversation.apply(error) ?? []);
	}

	/** Gets what the server has now. `turn` is what ran there before that. */
	async refresh(turn: TurnState | null = null): Promise<void> {
		const thread_id = this.threadId;
		if (!thread_id) return;
		const asked = this.conversation.now;
		const [thread, page] = await Promise.all([
			this.client.ask<Thread>("threads.get_by_id", { thread_id }),
			this.client.ask<Page<ThreadItem>>("items.list", { thread_id, limit: PAGE, order: "desc" }),
		]);
		const { conversation } = this;
		const oldest = conversation.items[0]?.id;
		const changes = conversation.setThread(thread);
		changes.push(...conversation.merge([...page.data].reverse(), asked, page.has_more));
		const isReplayed = turn !== null && !this.runs.isRunning(turn.id);
		if (isReplayed) conversation.loadedAfter(turn.id, turn.events ?? 0);
		// Older pages that were loaded before have been kept, or not
		if (!oldest || conversation.items[0]?.id !== oldest) this.setOlder(page);
		if (this.isStale && conversation.error?.code === "network") changes.push(...conversation.clearError());
		this.isStale = false;
		this.changed([...changes, "status"]);
	}

	/** Applies what the server says of the thread, and loads what it does not say. */
	async hear(event: StreamEvent | ThreadNote): Promise<void> {
		switch (event.type) {
			case "turn.started":
				void this.follow(followed(event.turn));
				break;
			case "turn.ended":
				void this.turnEnded(event.turn.id).catch(() => {});
				break;
			case "thread.changed":
				this.isStale = true;
				break;
			case "thread.watched":
			case "thread.removed":
				break;
			default:
				this.changed(this.conversation.apply(event) ?? []);
				this.events.received(this, event);
		}
		if (this.isStale) await this.sync(false);
	}

	/** Loads what a turn has left, unless it was read here. */
	private async turnEnded(turn: string): Promise<void> {
		this.endedTurns.add(turn);
		await this.runs.named();
		if (this.runs.isRunning(turn) || this.runs.isOver(turn)) return;
		this.isStale = true;
		await this.sync(false);
	}

	/**
	 * Waits for a turn that is running on the server and follows it to its end. Returns whether that
	 * brought anything.
	 */
	async followNext(signal: AbortSignal, wait: number): Promise<boolean> {
		if (!this.threadId) return false;
		if (this.isStale) await this.sync(false);
		const turn = await this.client.runningTurn(this.threadId, signal, wait);
		if (turn === null) return false;
		if (!this.runs.isOver(turn.id)) return this.follow(followed(turn));
		// Its stream has ended, and the server is about to end it: the next one may come soon
		await soon();
		return true;
	}

	/**
	 * Follows a turn to its end; one that this page runs already, it waits for. Returns whether there
	 * was more of it to come.
	 */
	async follow(turn: Followed): Promise<boolean> {
		await this.runs.named();
		if (this.runs.isOver(turn.turn)) return false;
		const { conversation } = this;
		const before = conversation.lastEvent(turn.turn);
		const isRunning = this.runs.isRunning(turn.turn);
		await (isRunning ? this.runs.idle() : this.runs.follow(turn));
		const isNews = conversation.lastEvent(turn.turn) > before;
		if (isRunning) return isNews;
		this.events.ended(this, turn.kind, turn.isOwn);
		// An answer that is given again, and a tool's output, change items of which no event tells
		if (isNews && !turn.isOwn) await this.refresh().catch(() => {});
		if (isNews && (await this.goesOn(turn.turn))) await this.follow(turn);
		return isNews;
	}

	/** Whether more of a turn comes: its stream ends when its user answers a question, too. */
	private async goesOn(turn: string): Promise<boolean> {
		await soon();
		if (this.endedTurns.has(turn) || this.runs.isRunning(turn)) return false;
		const state = await this.client.turnState(turn).catch(() => null);
		if (state?.state !== "running") return false;
		this.runs.goesOn(turn);
		return true;
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
			content: message.content.map(complete),
			attachments: (message.attachments ?? []).map(({ id }) => id),
			quoted_text: message.quotedText ?? null,
			inference_options: message.inferenceOptions ?? {},
		};
		const operation = threadId
			? { type: "threads.add_user_message", params: { thread_id: threadId, input } }
			: { type: "threads.create", params: { input } };
		try {
			await this.run({ kind: "answer", local: local.id, ...operation });
		} catch (error) {
			this.changed(conversation.removeLocal(local.id));
			throw error;
		}
	}

	/** Asks for the answer to a message again: the server replaces what came after it. */
	async retry(itemId: string): Promise<void> {
		const params = { ...this.here, item_id: itemId };
		await this.run({ kind: "answer", type: "threads.retry_after_item", params }, () =>
			this.changed(this.conversation.cutAfter(itemId)),
		);
	}

	/**
	 * Sends an operation that answers a stream. Resolves when the server has accepted it, after
	 * `accepted`.
	 */
	run(operation: Operation, accepted = () => {}): Promise<void> {
		return new Promise((resolve, reject) => {
			const accept = () => {
				accepted();
				resolve();
			};
			this.runToEnd(operation, accept).catch(reject);
		});
	}

	/** The same, until the end of the stream. */
	async runToEnd(operation: Operation, accepted = () => {}): Promise<void> {
		const { local } = operation;
		try {
			await this.runs.send(operation, accepted);
		} finally {
			this.events.ended(this, operation.kind, true);
		}
		// A server that has not sent the message back has stored it
		const isShown = local !== undefined && this.conversation.get(local) !== undefined;
		if (isShown) this.changed(this.conversation.removeLocal(local));
		// Without an answer, what it was to replace may still be there
		if (isShown || this.conversation.error) await this.refresh().catch(() => {});
	}

	/** The thread, for the params of an operation. Throws while there is none. */
	get here(): { thread_id: string } {
		if (!this.threadId) throw new Refused(0, "There is no conversation yet");
		return { thread_id: this.threadId };
	}

	changed(changes: Iterable<Change | Topic>): void {
		this.events.changed(this, changes);
	}

	private created(thread: Thread): void {
		this.threadId = thread.id;
		this.isStale = false;
	}

	private async runningTurn(threadId: string): Promise<TurnState | null> {
		const { signal } = new AbortController();
		return this.client.runningTurn(threadId, signal).catch(() => null);
	}

	/** The rest of an answer did not come: the server may have it. */
	private failed(error: unknown, turn: string | null, isOwn: boolean): void {
		this.events.failed(error);
		this.isStale = true;
		const place = `${turn}:${turn && this.conversation.lastEvent(turn)}`;
		// It did not help before
		if (place === this.recovered) return;
		this.recovered = place;
		this.lost = turn;
		void this.sync(isOwn).catch(() => {});
	}

	private async loadOlderPage(): Promise<void> {
		const first = this.conversation.items.find(({ id }) => !id.startsWith(LOCAL));
		if (!this.older || !first) return;
		const params = { ...this.here, after: this.cursor ?? first.id, limit: PAGE, order: "desc" };
		const page = await this.client.ask<Page<ThreadItem>>("items.list", params);
		this.setOlder(page);
		this.changed([...this.conversation.prepend([...page.data].reverse()), "status"]);
	}

	/** Notes where the next older page begins. */
	private setOlder(page: Page<ThreadItem>): void {
		this.older = page.has_more && page.data.length > 0;
		this.cursor = page.after ?? page.data.at(-1)?.id ?? null;
	}

	private setLoading(loading: boolean): void {
		this.loading = loading;
		this.changed(["status"]);
	}
}

function soon(): Promise<void> {
	return new Promise((go) => setTimeout(go, SOON));
}

const LOCAL = "local_";

/** Servers refuse a tag without `data`, which the options may leave out. */
function complete(part: Message["content"][number]): Message["content"][number] {
	return part.type === "input_tag" ? { ...part, data: part.data ?? {} } : part;
}

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
