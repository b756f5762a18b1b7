// Tools that the page runs for the model.

import type { OpenChatKitOptions } from "./options.ts";
import type { ClientToolCallItem } from "./protocol.ts";
import type { Session } from "./session.ts";

const FOLLOWER_WAITS = 2000; // milliseconds: the tab that asked comes first

/** The calls of a conversation that wait for the page. */
export function pendingCalls(session: Session): ClientToolCallItem[] {
	return session.conversation.items.filter(
		(item): item is ClientToolCallItem =>
			item.type === "client_tool_call" && item.status === "pending",
	);
}

export class ClientTools {
	private readonly begun = new Set<string>();

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
			const item = session.conversation.get(call.id);
			if (item?.type === "client_tool_call" && item.status === "pending")
				await this.answer(session, call);
		});
	}

	/** Holds a lock of the browser, which pages have that came over TLS or from this machine. */
	private async alone(call: ClientToolCallItem, work: () => Promise<void>): Promise<void> {
		const { locks } = globalThis.navigator ?? {};
		if (locks) await locks.request(`open-chatkit ${call.id}`, work);
		else await work();
	}

	private async answer(session: Session, call: ClientToolCallItem): Promise<void> {
		const result = await this.result(call);
		await session.run("answer", "threads.add_client_tool_output", { ...session.here, result });
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
