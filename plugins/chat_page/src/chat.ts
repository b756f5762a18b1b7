// What the views know of the chat: its state, and what a user can do.
//
// The controller implements it; views get it as their property `chat`.

import type { Conversation } from "./conversation.ts";
import type { OpenChatKitOptions } from "./options.ts";
import type {
	ActionConfig,
	Attachment,
	ErrorEvent,
	InferenceOptions,
	NoticeEvent,
	StructuredAnswer,
	StructuredInputItem,
	Thread,
	UserContent,
	WidgetItem,
} from "./protocol.ts";
import type { Words } from "./words.ts";

/**
 * What views listen to. `item:ID` is for changes inside of one item; `items` is for items that are
 * added or removed.
 */
export type Topic =
	| "options"
	| "thread"
	| "items"
	| "status"
	| "threads"
	| "history"
	| `item:${string}`;

export type Connection = "online" | "reconnecting" | "offline";

/** What is going on in the conversation that is shown. */
export interface Status {
	/** The conversation is being loaded. */
	loading: boolean;
	/** An answer is running; the composer offers Stop if `stoppable`. */
	answering: boolean;
	stoppable: boolean;
	connection: Connection;
	/** What the server says that it does just now. */
	progress: { text: string; icon?: string | null } | null;
	/** Why the last answer failed, or the conversation could not be loaded. */
	error: ErrorEvent | null;
	notices: readonly NoticeEvent[];
	/** There are older items than those which are loaded. */
	older: boolean;
}

/** A message as the composer gives it. */
export interface Message {
	content: UserContent[];
	attachments?: Attachment[];
	quotedText?: string | null;
	inferenceOptions?: InferenceOptions;
	newThread?: boolean;
}

/** What the page put into the composer by `setComposerValue`. */
export interface ComposerValue {
	text?: string;
	content?: UserContent[];
	reply?: string;
	attachments?: Attachment[];
	files?: File[];
	selectedToolId?: string | null;
	selectedModelId?: string;
}

/** What the composer does for the page. It puts itself into `chat.composer` while it is there. */
export interface ComposerPart {
	focus(): void;
	/** Returns the chosen tool and model for a message that is sent elsewhere, as if sent here. */
	takeInferenceOptions(): InferenceOptions;
	/** Resolves when the files, if there are any, have been uploaded. */
	set(value: ComposerValue): Promise<void>;
}

/** The conversations of the user, newest first, as far as they are loaded. */
export interface ThreadList {
	threads: readonly Thread[];
	more: boolean;
	loading: boolean;
	error: string | null;
}

export interface Chat {
	readonly options: OpenChatKitOptions;
	readonly words: Words;
	readonly conversation: Conversation;
	/** The thread that is shown; null for a new one, until the server has made it. */
	readonly threadId: string | null;
	readonly status: Status;
	readonly threads: ThreadList;
	readonly historyOpen: boolean;
	composer: ComposerPart | null;

	/** Calls `listener` after each change of a topic. Returns a function that ends it. */
	subscribe(topic: Topic, listener: () => void): () => void;
	/** Dispatches an event of the element, such as `chatkit.log`. */
	emit(name: string, detail?: unknown): void;

	/** Sends a message. Rejects if it could not be sent: the composer then keeps it. */
	send(message: Message): Promise<void>;
	stop(): void;
	/** Asks for the answer to this message of the user again. */
	retry(itemId: string): Promise<void>;
	act(action: ActionConfig, item?: WidgetItem): Promise<void>;
	answer(
		item: StructuredInputItem,
		answers: Record<string, StructuredAnswer>,
		status?: "answered" | "skipped",
	): Promise<void>;
	feedback(itemIds: string[], kind: "positive" | "negative"): Promise<void>;
	dismissNotice(notice: NoticeEvent): void;

	/** Shows a conversation; null begins a new one. */
	open(threadId: string | null): Promise<void>;
	loadOlder(): Promise<void>;
	fetchUpdates(): Promise<void>;
	rename(threadId: string, title: string): Promise<void>;
	remove(threadId: string): Promise<void>;
	/** Loads the next page of the list of conversations; `again` begins with the newest. */
	loadThreads(again?: boolean): Promise<void>;
	showHistory(): void;
	hideHistory(): void;

	createAttachment(name: string, size: number, mimeType: string): Promise<Attachment>;
	deleteAttachment(id: string): Promise<void>;
	/** The page's `api.fetch`, or the browser's: uploads go through it too. */
	readonly fetch: typeof globalThis.fetch;
	transcribe(audioBase64: string, mimeType: string): Promise<string>;
}
