// Tools that the page runs for the model.

import { Refused } from "./client.ts";
import type { OpenChatKitOptions } from "./options.ts";
import type { ClientToolCallItem, ThreadItem } from "./protocol.ts";
import type { Session } from "./session.ts";

const FOLLOWER_WAITS = 2000; // milliseconds: the tab that asked comes first

/** The calls of a conversation that wait for the page. After a message of the user, none does. */
export function pendingCalls({ conversation: { items } }: Session): ClientToolCallItem[] {
	const asked = items.findLastIndex(({ type }) => type === "user_message");
	return items.slice(asked + 1).filter(isPending);
}

function isPending(item: ThreadItem | undefined): item is ClientToolCallItem {
	return item?.type === "client_tool_call" && item.status === "pending";
}

export class ClientTools {
	private readonly begun = new Set<string>();
	/** What calls have returned whose output could not be sent. */
	private readonly outputs = new Map<string, unknown>();

	constructor(
		private readonly handler: () => OpenChatKitOptions["onClientTool"],
		private readonly failed: (error: unknown) => void,
	) {}

	/**
	 * Runs the calls that wait, each once, whatever tabs are open. `own` says that this page asked the
	 * model; others look first whether that page has answered.
	 */
	async run(session: Session, own: boolean): Promise<void> {
		if (!this.handler()) return;
		for (const call of pendingCalls(session)) {
			if (this.begun.has(call.id)) continue;
			this.begun.add(call.id);
			try {
				if (own) await this.alone(call, () => this.answer(session, call));
				else await this.later(session, call);
			} catch (error) {
				this.begun.delete(call.id);
				this.failed(error);
			}
		}
	}

	private async later(session: Session, call: ClientToolCallItem): Promise<void> {
		await new Promise((go) => setTimeout(go, FOLLOWER_WAITS));
		await this.alone(call, async () => {
			await session.refresh();
			if (isPending(session.conversation.get(call.id))) await this.answer(session, call);
		});
	}

	/** Holds a lock of the browser, which pages have that came over TLS or from this machine. */
	private async alone(call: ClientToolCallItem, work: () => Promise<void>): Promise<void> {
		const { locks } = globalThis.navigator ?? {};
		if (locks) await locks.request(`open-chatkit ${call.id}`, work);
		else await work();
	}

	private async answer(session: Session, call: ClientToolCallItem): Promise<void> {
		const output = this.outputs.get(call.id) ?? (await this.result(call));
		this.outputs.set(call.id, output);
		const params = { ...session.here, result: output };
		try {
			await session.run({ kind: "answer", type: "threads.add_client_tool_output", params }, () => {
				// The server tells nobody that the call has its output
				const item: ClientToolCallItem = { ...call, status: "completed", output };
				session.changed(session.conversation.apply({ type: "thread.item.replaced", item }) ?? []);
			});
			this.outputs.delete(call.id);
		} catch (error) {
			// The user has written a message instead, or another page was first
			if (!(error instanceof Refused && error.status === 409)) throw error;
			session.changed(session.conversation.clearError());
			await session.refresh();
		}
	}

	/** What the page's function returns; an error is told to the model. */
	private async result({ name, arguments: params }: ClientToolCallItem): Promise<unknown> {
		try {
			return (await this.handler()!({ name, params })) ?? {};
		} catch (error) {
			this.failed(error);
			return { error: error instanceof Error ? error.message : String(error) };
		}
	}
}
