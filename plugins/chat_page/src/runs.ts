// The streams of one conversation: what is asked of the server, and what is followed.

import type { Client, Received } from "./client.ts";
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
	named(turn: string): void;
	/** The rest of an answer did not come. */
	failed(error: unknown): void;
}

/** What a run is for: an action changes nothing of what is said about the running answer. */
export type RunKind = "answer" | "action" | "follow";

interface Run {
	kind: RunKind;
	abort: AbortController;
	turn: string | null;
	stopped: boolean;
}

/** How an answer ends that the user has stopped, whatever the server says of it. */
const STOPPED: ErrorEvent = { type: "error", code: "stopped", allow_retry: true };
const STOPPED_WITHIN = 5000; // milliseconds that a stopped answer has to end itself

export class Runs {
	private readonly runs = new Set<Run>();
	private latest: Run | null = null;

	constructor(
		private readonly conversation: Conversation,
		private readonly client: Client,
		private readonly events: RunEvents,
	) {}

	/** Whether an answer is running; actions do not count. */
	get isAnswering(): boolean {
		return [...this.runs].some(({ kind }) => kind !== "action");
	}

	get isBusy(): boolean {
		return this.runs.size > 0;
	}

	isRunning(turn: string): boolean {
		return [...this.runs].some((run) => run.turn === turn);
	}

	/**
	 * Sends an operation and applies the events of its stream. `accepted` is called with the first:
	 * the server has what was sent. Throws why it has not; what fails later becomes the
	 * conversation's error.
	 */
	async send(kind: RunKind, type: string, params: object, accepted: () => void): Promise<void> {
		const run = this.add(kind);
		let isAccepted = false;
		try {
			const { signal } = run.abort;
			const onTurn = (turn: string) => this.named(run, turn);
			for await (const batch of this.client.stream(type, params, { signal, onTurn })) {
				if (!isAccepted) accepted();
				isAccepted = true;
				this.apply(run, batch);
			}
			accepted();
		} catch (error) {
			this.fail(run, error);
			if (!isAccepted && !run.stopped) throw error;
			if (!run.stopped) this.events.failed(error);
		} finally {
			this.remove(run);
		}
	}

	/** Follows a turn that another request began, from the first event that is missing. */
	async follow(turn: string): Promise<void> {
		if (this.isRunning(turn)) return;
		const run = this.add("follow");
		run.turn = turn;
		try {
			const after = this.conversation.lastEvent(turn);
			for await (const batch of this.client.follow(turn, after, run.abort.signal))
				this.apply(run, batch);
		} catch (error) {
			this.fail(run, error);
			if (!run.stopped) this.events.failed(error);
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
			else setTimeout(() => run.turn || run.abort.abort(), this.client.hasTurns ? 2000 : 0);
		}
	}

	/** Ends all streams here; the turns go on. */
	close(): void {
		for (const run of this.runs) {
			run.stopped = true;
			run.abort.abort();
		}
	}

	private cancel(run: Run, turn: string): void {
		void this.client.cancel(turn);
		setTimeout(() => run.abort.abort(), STOPPED_WITHIN);
	}

	private named(run: Run, turn: string): void {
		run.turn = turn;
		if (run.stopped) this.cancel(run, turn);
		if (run.kind === "answer") this.events.named(turn);
	}

	private add(kind: RunKind): Run {
		const run = { kind, abort: new AbortController(), turn: null, stopped: false };
		this.runs.add(run);
		if (kind !== "action") {
			this.latest = run;
			this.events.changed(this.conversation.begin());
		}
		this.events.started(kind);
		return run;
	}

	private remove(run: Run): void {
		this.runs.delete(run);
		this.events.changed(this.isBusy ? ["status"] : this.conversation.end());
	}

	private apply(run: Run, batch: Received[]): void {
		const changes = new Set<Change>();
		for (const { event, id } of batch) {
			// A newer message has interrupted this answer, which is what the user wanted
			if (event.type === "error" && run.kind !== "action" && run !== this.latest) continue;
			const told = event.type === "error" && run.stopped ? STOPPED : event;
			const changed = this.conversation.apply(told, id);
			if (!changed) continue;
			for (const change of changed) changes.add(change);
			this.events.received(told);
		}
		this.events.changed([...changes]);
	}

	private fail(run: Run, error: unknown): void {
		const event = run.stopped ? STOPPED : errorEvent(error);
		this.events.changed(this.conversation.apply(event) ?? []);
	}
}

/**
 * An error as an event. The codes `lost` (the rest of an answer cannot be had) and `network` (the
 * server cannot be reached) are ours.
 */
export function errorEvent(error: unknown): ErrorEvent {
	if (error instanceof Refused && error.message)
		return { type: "error", code: "custom", message: error.message, allow_retry: false };
	return { type: "error", code: error instanceof Lost ? "lost" : "network", allow_retry: true };
}
