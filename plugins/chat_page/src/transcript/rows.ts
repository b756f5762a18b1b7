// What the transcript shows of a conversation: a row for each item, and where turns and days begin.

import type { ThreadItem } from "../protocol.ts";

/** An answer: the items between two messages of the user. */
export interface Turn {
	itemIds: readonly string[];
	/** The message that is answered; null if it is not loaded. */
	userId: string | null;
	/** Nothing comes after it. */
	isLast: boolean;
	/** It goes on when the user, or the page, has answered. */
	isWaiting: boolean;
}

export type Speaker = "user" | "assistant";

export interface Row {
	/** Names the row for ever: a message keeps it when the server gives it another id. */
	key: string;
	id: string;
	speaker: Speaker;
	/** The speaker begins here. */
	begins: boolean;
	/** The first of a day, which is this one. */
	day: Date | null;
	/** The answer that ends here. */
	ends: Turn | null;
}

const LOCAL = "local_";

/** Whether a message is shown that the server does not have yet. */
export function isLocal(id: string): boolean {
	return id.startsWith(LOCAL);
}

/** Items that only say something about the others. */
function isDrawn({ type }: ThreadItem): boolean {
	return type !== "end_of_turn";
}

/** Returns the rows of items. `now` decides whether the first day has to be named. */
export function rowsOf(
	items: readonly ThreadItem[],
	keys: { of(id: string): string },
	now = new Date(),
): Row[] {
	const rows: Row[] = [];
	let [userId, day]: [string | null, string] = [null, now.toDateString()];
	let [answer, isWaiting]: [string[], boolean] = [[], false];
	const end = (isLast: boolean) => {
		const last = rows.at(-1);
		if (answer.length && last) last.ends = { itemIds: answer, userId, isLast, isWaiting };
		answer = [];
	};
	for (const item of items) {
		if (!isDrawn(item)) continue;
		const { id } = item;
		const speaker = item.type === "user_message" ? "user" : "assistant";
		if (speaker === "user") {
			end(false);
			userId = id;
		} else answer.push(id);
		isWaiting = "status" in item && item.status === "pending";
		const date = new Date(item.created_at);
		const isNewDay = !Number.isNaN(date.valueOf()) && date.toDateString() !== day;
		if (isNewDay) day = date.toDateString();
		const begins = speaker !== rows.at(-1)?.speaker;
		const key = keys.of(id);
		rows.push({ key, id, speaker, begins, day: isNewDay ? date : null, ends: null });
	}
	end(true);
	return rows;
}

/** The keys of rows. When the server's own message takes the place of a local one, it stays. */
export class Keys {
	private readonly keys = new Map<string, string>();
	private known = new Set<string>();

	of(id: string): string {
		return this.keys.get(id) ?? id;
	}

	/** Takes the items as they are now. Returns the local message that has come new, if any. */
	update(items: readonly ThreadItem[]): string | null {
		const ids = new Set(items.map(({ id }) => id));
		const gone = [...this.known].filter((id) => isLocal(id) && !ids.has(id));
		const fresh = items.filter(({ id }) => !this.known.has(id));
		const accepted = fresh.filter(({ id, type }) => type === "user_message" && !isLocal(id));
		if (this.known.size)
			for (const [place, local] of gone.entries()) {
				const item = accepted[place];
				if (item) this.keys.set(item.id, this.of(local));
			}
		this.known = ids;
		return fresh.findLast(({ id }) => isLocal(id))?.id ?? null;
	}
}
