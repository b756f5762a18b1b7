// Takes files into the draft: picked, dropped, pasted, or given by the page.

import type { Chat } from "../chat.ts";
import type { Draft } from "./drafts.ts";
import { filesOf } from "./dropping.ts";
import { type AttachmentOptions, refusalOf } from "./limits.ts";
import { isClosed } from "./rows.ts";

/** What it needs of the composer. */
export interface Taking {
	readonly chat: Chat;
	readonly draft: Draft;
	/** Says something to the user in place of what was said before. */
	say(notes: readonly string[]): void;
	refocus(): void;
}

export class Intake {
	constructor(private readonly composer: Taking) {}

	/** The page's options; null if it takes no files. */
	get options(): AttachmentOptions | null {
		const { attachments } = this.composer.chat.options.composer ?? {};
		return attachments?.enabled ? attachments : null;
	}

	/** Whether files may come just now. */
	get isOpen(): boolean {
		return this.options !== null && !isClosed(this.composer.chat);
	}

	/** Adds files, and says why some cannot be. */
	add(files: readonly File[], notes: string[] = []): void {
		const { draft, chat } = this.composer;
		const { words } = chat;
		const options = this.options ?? { enabled: true };
		for (const file of files) {
			const refusal = refusalOf(file, draft.uploads.list.length, options, words.locale);
			if (refusal) notes.push(words.text(refusal.key, refusal.values));
			else draft.uploads.add(file);
		}
		this.composer.say(notes);
	}

	/** Adds the files of a drop or a paste. Returns whether it has any. */
	take(data: DataTransfer | null): boolean {
		const { files, folders } = filesOf(data);
		const { words } = this.composer.chat;
		const notes = folders.map((name) => words.text("composer.file.folder", { name }));
		if (!files.length && !notes.length) return false;
		this.add(files, notes);
		return true;
	}

	readonly picked = (event: Event): void => {
		const input = event.target as HTMLInputElement;
		this.add([...(input.files ?? [])]);
		// The same file may be picked again
		input.value = "";
		this.composer.refocus();
	};

	readonly pasted = (event: ClipboardEvent): void => {
		const types = event.clipboardData?.types ?? [];
		// Text of an office program comes with a picture of itself; files come with their names
		const isText = types.includes("text/plain") && types.includes("text/html");
		if (!isText && this.isOpen && this.take(event.clipboardData)) event.preventDefault();
	};
}
