// The draft of the conversation that is shown.

import type { Chat } from "../chat.ts";
import type { Conversation } from "../conversation.ts";
import { type Draft, Drafts, sessionStore } from "./drafts.ts";
import { Uploads } from "./uploads.ts";

export class Writing {
	draft!: Draft;
	private drafts: Drafts | null = null;
	private api: string | null = null;
	private shown: { conversation: Conversation; threadId: string | null } | null = null;

	constructor(private readonly changed: () => void) {}

	/** Takes the draft of what the chat shows now. Returns whether it is another one. */
	follow(chat: Chat): boolean {
		const { conversation, threadId } = chat;
		const drafts = this.draftsOf(chat);
		const before = this.shown;
		if (before?.conversation === conversation && before.threadId === threadId) return false;
		this.shown = { conversation, threadId };
		if (before?.conversation === conversation && threadId) {
			drafts.becomes(threadId);
			return false;
		}
		drafts.flush();
		this.draft = drafts.of(threadId);
		return true;
	}

	save(): void {
		this.drafts?.save();
	}

	flush(): void {
		this.drafts?.flush();
	}

	private draftsOf(chat: Chat): Drafts {
		const { api } = chat.options;
		const url = "url" in api ? api.url : "";
		if (this.drafts && url === this.api) return this.drafts;
		this.drafts?.flush();
		this.api = url;
		this.shown = null;
		this.drafts = new Drafts(url, () => new Uploads(chat, this.changed), sessionStore());
		return this.drafts;
	}
}
