// What is being written, for each conversation. It outlives a reload.

import type { Attachment } from "../protocol.ts";
import { EMPTY, type RichText, joined } from "./rich-text.ts";
import type { Upload, Uploads } from "./uploads.ts";

export interface Draft {
	rich: RichText;
	/** Text of an answer that the message is about. */
	quote: string | null;
	uploads: Uploads;
	/** Messages that the server has not accepted yet. */
	sending: Set<Sending>;
}

/** What a message was made of, to have it again if it cannot be sent. */
export interface Sending {
	rich: RichText;
	quote: string | null;
	uploads: Upload[];
}

interface Stored {
	rich: RichText;
	quote: string | null;
	attachments: Attachment[];
}

const NEW = "new";
const PAUSE = 250; // milliseconds between a change and its saving

export class Drafts {
	private readonly drafts = new Map<string, Draft>();
	private timer: ReturnType<typeof setTimeout> | undefined;

	constructor(
		private readonly api: string,
		private readonly newUploads: () => Uploads,
		private readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null,
	) {}

	/** Returns the draft of a conversation; null is a new one. */
	of(threadId: string | null): Draft {
		const key = threadId ?? NEW;
		const known = this.drafts.get(key);
		if (known) return known;
		const stored = this.read(key);
		const uploads = this.newUploads();
		const draft = { rich: stored.rich, quote: stored.quote, uploads, sending: new Set<Sending>() };
		this.drafts.set(key, draft);
		stored.attachments.forEach((attachment) => uploads.put(attachment));
		return draft;
	}

	/** The new conversation has become this thread. */
	becomes(threadId: string): void {
		const draft = this.drafts.get(NEW);
		if (!draft) return;
		this.drafts.delete(NEW);
		this.drafts.set(threadId, draft);
		this.write(NEW);
		this.save();
	}

	/** Saves soon what has changed. */
	save(): void {
		this.timer ??= setTimeout(() => this.flush(), PAUSE);
	}

	/** Saves now: the page may go away. */
	flush(): void {
		clearTimeout(this.timer);
		this.timer = undefined;
		for (const key of this.drafts.keys()) this.write(key);
	}

	private read(key: string): Stored {
		try {
			const found = JSON.parse(this.storage?.getItem(this.name(key)) ?? "null") as Stored | null;
			if (found && Array.isArray(found.rich?.tags) && Array.isArray(found.attachments)) return found;
		} catch {
			// Of another version, or no storage is allowed
		}
		return { rich: EMPTY, quote: null, attachments: [] };
	}

	private write(key: string): void {
		const draft = this.drafts.get(key);
		const stored = draft && storedOf(draft);
		try {
			if (stored && (stored.rich.text || stored.quote || stored.attachments.length))
				this.storage?.setItem(this.name(key), JSON.stringify(stored));
			else this.storage?.removeItem(this.name(key));
		} catch {
			// It is full: the draft is in the page still
		}
	}

	private name(key: string): string {
		return `open-chatkit:draft:${this.api}:${key}`;
	}
}

/** Puts a message that could not be sent before what was written since. */
export function giveBack(draft: Draft, sending: Sending): void {
	draft.sending.delete(sending);
	draft.rich = together(sending.rich, draft.rich);
	draft.quote = sending.quote ?? draft.quote;
	draft.uploads.giveBack(sending.uploads);
}

function together(first: RichText, second: RichText): RichText {
	if (!second.text.trim()) return first;
	return first.text ? joined(first, "\n", second) : second;
}

/** What has not been accepted yet counts as written: a reload may lose its request. */
function storedOf({ rich, quote, uploads, sending }: Draft): Stored {
	const pending = [...sending];
	return {
		rich: pending.reduceRight((text, message) => together(message.rich, text), rich),
		quote: quote ?? pending.find((message) => message.quote)?.quote ?? null,
		attachments: [
			...pending.flatMap((message) => message.uploads.flatMap(({ attachment }) => attachment ?? [])),
			...uploads.attachments,
		],
	};
}

/** The storage of this tab, or null where the browser allows none. */
export function sessionStore(): Storage | null {
	try {
		return globalThis.sessionStorage ?? null;
	} catch {
		return null;
	}
}
