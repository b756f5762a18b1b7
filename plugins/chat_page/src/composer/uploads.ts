// The files of one draft: on their way to the server, or there.

import type { Chat } from "../chat.ts";
import { Refused } from "../client.ts";
import type { Attachment } from "../protocol.ts";
import { transfer } from "./transfer.ts";

const AT_ONCE = 3;
/** Statuses of what is wrong with the file itself. */
const FINAL = [400, 413, 415, 422];
const PICTURES = /^image\/(png|jpeg|gif|webp|avif|bmp)$/;

export interface Upload {
	readonly key: number;
	readonly name: string;
	/** Bytes; null for what was uploaded by the page. */
	readonly size: number | null;
	readonly type: string;
	/** Where its picture is, for images. */
	readonly preview: string | null;
	state: "waiting" | "sending" | "done" | "failed";
	/** From 0 to 1 while it is sent; null if that is not known. */
	progress: number | null;
	/** Why it failed, from the server; empty if that did not say. */
	error: string;
	/** It may succeed when it is sent again. */
	canRetry: boolean;
	attachment: Attachment | null;
}

interface Entry extends Upload {
	file: File | null;
	abort: AbortController;
	id: string | null;
}

let keys = 0;

export class Uploads {
	private entries: Entry[] = [];
	private waiters: (() => void)[] = [];

	constructor(
		private readonly chat: Chat,
		private readonly changed: () => void,
	) {}

	get list(): readonly Upload[] {
		return this.entries;
	}

	get isBusy(): boolean {
		return this.entries.some(({ state }) => state === "waiting" || state === "sending");
	}

	get hasFailed(): boolean {
		return this.entries.some(({ state }) => state === "failed");
	}

	get attachments(): Attachment[] {
		return this.entries.flatMap(({ attachment }) => attachment ?? []);
	}

	add(file: File): void {
		const { name, size, type } = file;
		const preview = PICTURES.test(type) ? URL.createObjectURL(file) : null;
		this.entries.push({ ...fresh(), name, size, type, preview, file, state: "waiting" });
		this.next();
	}

	/** Adds what is on the server already. */
	put(attachment: Attachment): void {
		if (this.entries.some(({ id }) => id === attachment.id)) return;
		const { id, name, mime_type: type, preview_url: preview } = attachment;
		const shown = preview && this.isOwn(preview) ? preview : null;
		this.entries.push({ ...fresh(), id, name, type, preview: shown, state: "done", attachment });
		this.tell();
	}

	retry(upload: Upload): void {
		const entry = this.entryOf(upload);
		if (!entry?.file) return;
		this.forget(entry);
		Object.assign(entry, { state: "waiting", error: "", progress: null });
		this.next();
	}

	/** Takes a file away, also from the server. */
	remove(upload: Upload): void {
		const entry = this.entryOf(upload);
		if (!entry) return;
		this.entries = this.entries.filter((other) => other !== entry);
		entry.abort.abort();
		this.forget(entry);
		release(entry);
		this.next();
	}

	/** Empties the list: a message has these now. `giveBack` puts them into it again. */
	take(): Upload[] {
		const taken = this.entries;
		this.entries = [];
		this.tell();
		return taken;
	}

	giveBack(taken: readonly Upload[]): void {
		this.entries = [...(taken as Entry[]), ...this.entries];
		this.tell();
	}

	/** Resolves when nothing is on its way any more. */
	async settled(): Promise<void> {
		while (this.isBusy) await new Promise<void>((done) => this.waiters.push(done));
	}

	private next(): void {
		this.tell();
		const sending = this.entries.filter(({ state }) => state === "sending").length;
		const waiting = this.entries.filter(({ state }) => state === "waiting");
		for (const entry of waiting.slice(0, Math.max(0, AT_ONCE - sending))) void this.send(entry);
	}

	private async send(entry: Entry): Promise<void> {
		const abort = new AbortController();
		Object.assign(entry, { state: "sending", abort, progress: 0 });
		const { signal } = abort;
		try {
			entry.attachment = await transfer(this.chat, entry.file!, {
				signal,
				onProgress: (share) => this.set(entry, { progress: share }),
				onId: (id) => {
					entry.id = id;
					if (signal.aborted) this.forget(entry);
				},
			});
			this.set(entry, { state: "done", progress: 1 });
		} catch (error) {
			if (signal.aborted) return;
			const [reason, status] = error instanceof Refused ? [error.message, error.status] : ["", 0];
			this.set(entry, { state: "failed", error: reason, canRetry: !FINAL.includes(status) });
			this.chat.emit("chatkit.error", { error });
		}
		this.next();
	}

	/** Deletes what the server has of a file. It removes the rest itself after a while. */
	private forget(entry: Entry): void {
		const { id } = entry;
		entry.id = entry.attachment = null;
		if (id) this.chat.deleteAttachment(id).catch(() => {});
	}

	private set(entry: Entry, values: Partial<Upload>): void {
		Object.assign(entry, values);
		this.tell();
	}

	private tell(): void {
		if (!this.isBusy) this.waiters.splice(0).forEach((done) => done());
		this.changed();
	}

	private entryOf(upload: Upload): Entry | undefined {
		return this.entries.find(({ key }) => key === upload.key);
	}

	/** Pictures of other hosts are not loaded here. */
	private isOwn(url: string): boolean {
		const { api } = this.chat.options;
		const at = (relative: string) => new URL(relative, document.baseURI).origin;
		return url.startsWith("data:image/") || at(url) === at("url" in api ? api.url : "");
	}
}

/** Lets go of the picture of a file that is shown no more. */
export function release({ preview }: Upload): void {
	if (preview?.startsWith("blob:")) URL.revokeObjectURL(preview);
}

function fresh(): Entry {
	const upload = { key: ++keys, name: "", size: null, type: "", preview: null, error: "", canRetry: true };
	const server = { state: "waiting" as const, progress: null, attachment: null, id: null };
	return { ...upload, ...server, file: null, abort: new AbortController() };
}
