// The streams of one conversation: what is asked of the server, and what is followed.

import type { Client, Received, TurnState } from "./client.ts";
import { Lost, Refused } from "./client.ts";
import type { Change, Conversation } from "./conversation.ts";
import type { ErrorEvent, StreamEvent } from "./protocol.ts";

/** What the conversation of a run tells of. */
export interface RunEvents {
	changed(changes: Change[]): void;
	/** Something was asked of the server. */
	started(kind: RunKind): void;
	/** An event that came for the first time, for what is done but once. */
	received(event: StreamEvent): void;
	/** A turn has a name: other tabs may follow it. */
	named(turn: string, kind: RunKind): void;
	/** The rest of an answer did not come; its turn may have ended nevertheless. */
	failed(error: unknown, run: { turn: string | null; isOwn: boolean }): void;
}

/** What a run is for: an action changes nothing of what is said about the running answer. */
export type RunKind = "answer" | "action";

/** An operation that answers a stream. */
export interface Operation {
	kind: RunKind;
	type: string;
	params: object;
	/** The message that is shown until the server's own comes. */
	local?: string;
}

/** Whose turn is followed. */
export interface Followed {
	turn: string;
	kind: RunKind;
	/** This page is the one that asked, before it was reloaded: client effects are for it. */
	isOwn: boolean;
}

interface Run {
	kind: RunKind;
	abort: AbortController;
	turn: string | null;
	stopped: boolean;
	accepted: boolean;
	isOwn: boolean;
	local: string | null;
}

const STOPPED_WITHIN = 5000; // milliseconds that a stopped answer has to end itself
const NAMED_WITHIN = 2000; // milliseconds after Stop, until a server has to name the turn

/** How an answer ends that the user has stopped, whatever the server says of it. */
const STOPPED: ErrorEvent = { type: "error", code: "stopped", allow_retry: true };

/** The user has stopped a message before the server had it. */
export class Withdrawn extends Error {
	override name = "Withdrawn";
}

export class Runs {
	private readonly runs = new Set<Run>();
	private latest: Run | null = null;
	private waiting: (() => void)[] = [];
	/** Turns that have been read to their end: to begin them again would clear what they said. */
	private readonly over = new Set<string>();

	constructor(
		private readonly conversation: Conversation,
		private readonly client: Client,
		private readonly events: RunEvents,
	) {}

	/** Whether an answer is running; actions do not count. */
	get isAnswering(): boolean {
		return [...this.runs].some(({ kind }) => kind === "answer");
	}

	get isBusy(): boolean {
		return this.runs.size > 0;
	}

	isRunning(turn: string): boolean {
		return [...this.runs].some((run) => run.turn === turn);
	}

	/** Whether a turn has been read to its end here. */
	isOver(turn: string): boolean {
		return this.over.has(turn);
	}

	/** More of a turn comes, although its stream has ended. */
	goesOn(turn: string): void {
		this.over.delete(turn);
	}

	/** Resolves when the server has named the turns of all that was sent, or will not. */
	async named(): Promise<void> {
		await this.until(() => [...this.runs].every(({ turn, accepted }) => turn || accepted));
	}

	/** Resolves when nothing runs. */
	async idle(): Promise<void> {
		await this.until(() => !this.isBusy);
	}

	/**
	 * Sends an operation and applies the events of its stream, until its end. `accepted` is called
	 * when the server names the turn, or with the first event: it has what was sent. Throws why it has
	 * not; what fails later becomes the conversation's error.
	 */
	async send(operation: Operation, accepted: () => void): Promise<void> {
		const { kind, type, params, local = null } = operation;
		const run = this.add({ kind, local, isOwn: true });
		const { signal } = run.abort;
		const accept = () => {
			if (!run.accepted) accepted();
			run.accepted = true;
			this.wake();
		};
		try {
			const onTurn = (turn: string) => {
				accept();
				this.name(run, turn);
			};
			for await (const batch of this.client.stream(type, params, { signal, onTurn })) {
				accept();
				this.apply(run, batch);
			}
			if (run.turn) this.over.add(run.turn);
			accept();
		} catch (error) {
			if (!run.accepted && run.stopped) throw new Withdrawn();
			this.fail(run, error);
			if (!run.accepted) throw error;
			if (!run.stopped) this.events.failed(error, run);
		} finally {
			this.remove(run);
		}
	}

	/** Follows a turn that another request began, from the first event that is missing. */
	async follow({ turn, kind, isOwn }: Followed): Promise<void> {
		if (this.isRunning(turn) || this.over.has(turn)) return;
		const run = this.add({ kind, isOwn, turn, accepted: true });
		try {
			const after = this.conversation.lastEvent(turn);
			for await (const batch of this.client.follow(turn, after, run.abort.signal))
				this.apply(run, batch);
			this.over.add(turn);
		} catch (error) {
			this.fail(run, error);
			if (!run.stopped) this.events.failed(error, run);
		} finally {
			this.remove(run);
		}
	}

	/** Stops the answers that run. The server ends their streams, with what is saved of them. */
	stop(): void {
		for (const run of this.runs) {
			if (run.kind === "action" || run.stopped) continue;
			run.stopped = true;
			// Without a turn, a closed connection is all that tells the server
			if (run.turn) this.cancel(run, run.turn);
			else setTimeout(() => run.turn || run.abort.abort(), this.mayName(run) ? NAMED_WITHIN : 0);
		}
	}

	/** Ends all streams here; the turns go on. */
	close(): void {
		for (const run of this.runs) {
			run.stopped = true;
			run.abort.abort();
		}
	}

	/** Whether the server may still say which turn it is, so that it can be stopped. */
	private mayName({ accepted }: Run): boolean {
		return !accepted && this.client.hasTurns !== false;
	}

	private cancel(run: Run, turn: string): void {
		void this.client.cancel(turn);
		setTimeout(() => run.abort.abort(), STOPPED_WITHIN);
	}

	private name(run: Run, turn: string): void {
		run.turn = turn;
		if (run.stopped) this.cancel(run, turn);
		this.events.named(turn, run.kind);
		this.wake();
	}

	private add(given: Partial<Run> & { kind: RunKind }): Run {
		const fresh = { turn: null, stopped: false, accepted: false, isOwn: false, local: null };
		const run: Run = { abort: new AbortController(), ...fresh, ...given };
		this.runs.add(run);
		if (run.kind === "answer") {
			this.latest = run;
			// What a turn has said already stays, when the rest of it is followed
			const goesOn = run.turn !== null && this.conversation.lastEvent(run.turn) > 0;
			if (!goesOn) this.events.changed(this.conversation.begin());
		}
		this.events.started(run.kind);
		return run;
	}

	private remove(run: Run): void {
		this.runs.delete(run);
		this.events.changed(this.isBusy ? ["status"] : this.conversation.end());
		this.wake();
	}

	private apply(run: Run, batch: Received[]): void {
		const changes = new Set<Change>();
		for (const { event, id } of batch) {
			if (event.type === "error" && this.isInterrupted(run)) continue;
			for (const change of this.settle(run, event)) changes.add(change);
			const told = event.type === "error" && run.stopped ? STOPPED : event;
			const changed = this.conversation.apply(told, id);
			if (!changed) continue;
			for (const change of changed) changes.add(change);
			if (told.type !== "client_effect" || run.isOwn) this.events.received(told);
		}
		this.events.changed([...changes]);
	}

	/** Lets the server's message take the place of the one that was shown while it was sent. */
	private settle(run: Run, event: StreamEvent): Change[] {
		if (run.local === null || event.type !== "thread.item.done") return [];
		if (event.item?.type !== "user_message") return [];
		const { local } = run;
		run.local = null;
		return this.conversation.replaceLocal(local, event.item);
	}

	/** Whether a newer message has interrupted this answer, which is what the user wanted. */
	private isInterrupted(run: Run): boolean {
		return run.kind === "answer" && run.accepted && run !== this.latest;
	}

	private fail(run: Run, error: unknown): void {
		if (this.isInterrupted(run)) return;
		const event = run.stopped ? STOPPED : errorEvent(error, run.accepted);
		this.events.changed(this.conversation.apply(event) ?? []);
	}

	private async until(isTrue: () => boolean): Promise<void> {
		while (!isTrue()) await new Promise<void>((go) => this.waiting.push(go));
	}

	private wake(): void {
		const { waiting } = this;
		this.waiting = [];
		for (const go of waiting) go();
	}
}

/**
 * An error as an event. The codes `lost` (the rest of an answer cannot be had) and `network` (the
 * server cannot be reached) are ours. What the server does not have cannot be answered again.
 */
export function errorEvent(error: unknown, isAnswer = true): ErrorEvent {
	if (error instanceof Refused && error.message)
		return { type: "error", code: "custom", message: error.message, allow_retry: false };
	const code = error instanceof Lost ? "lost" : "network";
	return { type: "error", code, allow_retry: isAnswer };
}

/** The run that follows a turn as the server describes it. */
export function followed({ id, beside }: TurnState, isOwn = false): Followed {
	return { turn: id, kind: beside ? "action" : "answer", isOwn };
}
