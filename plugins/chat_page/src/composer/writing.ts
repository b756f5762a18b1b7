// The draft of the conversation that is shown.

import type { Chat } from "../chat.ts";
import type { Conversation } from "../conversation.ts";
import type { Choices } from "./choices.ts";
import { type Draft, Drafts, sessionStore } from "./drafts.ts";
import { Uploads } from "./uploads.ts";

const NONE: Choices = { toolId: null, modelId: null };

export class Writing {
	draft!: Draft;
	/** The tool and the model that were chosen, also before a reload. */
	choices: Choices = NONE;
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

	/** Remembers what was chosen. */
	keep(choices: Choices): void {
		this.choices = choices;
		try {
			sessionStore()?.setItem(this.name, JSON.stringify(choices));
		} catch {
			// It is full: the choice is in the page still
		}
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
		this.choices = this.readChoices();
		this.drafts = new Drafts(url, () => new Uploads(chat, this.changed), sessionStore());
		return this.drafts;
	}
	private readChoices(): Choices {
		try {
			return { ...NONE, ...JSON.parse(sessionStore()?.getItem(this.name) ?? "{}") };
		} catch {
			return NONE;
		}
	}

	private get name(): string {
		return `open-chatkit:choices:${this.api}`;
	}
}
