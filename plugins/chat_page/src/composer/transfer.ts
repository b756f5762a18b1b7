// Sends a file to the server, by the strategy that the page has chosen.

import type { Chat } from "../chat.ts";
import { Refused } from "../client.ts";
import type { Attachment } from "../protocol.ts";

export interface TransferEvents {
	signal: AbortSignal;
	/** From 0 to 1; null if that cannot be known. */
	onProgress: (share: number | null) => void;
	/** The server knows the file by this id. */
	onId: (id: string) => void;
}

/** Uploads a file. Rejects with `Refused`, whose message is for the user, or a network error. */
export async function transfer(
	chat: Chat,
	file: File,
	events: TransferEvents,
): Promise<Attachment> {
	const { api } = chat.options;
	const strategy = "url" in api ? api.uploadStrategy : undefined;
	const sent =
		strategy?.type === "direct"
			? await sendDirectly(chat, file, strategy.uploadUrl, events)
			: await sendInTwoPhases(chat, file, events);
	events.signal.throwIfAborted();
	return sent;
}

/** One form, answered by the attachment. */
async function sendDirectly(
	chat: Chat,
	file: File,
	uploadUrl: string,
	events: TransferEvents,
): Promise<Attachment> {
	const body = new FormData();
	body.append("file", file, file.name);
	const url = resolved(uploadUrl);
	const headers = isOwnServer(chat, url) ? ownHeaders(chat) : null;
	const request: Request_ = { method: "POST", url, headers: headers ?? {}, body };
	// Perhaps only the page's own `fetch` knows its token
	const sent =
		hasOwnFetch(chat) && !headers
			? await byFetch(chat, request, events)
			: await sendBytes(chat, request, events);
	const attachment = attachmentIn(sent);
	if (!attachment) throw new Refused(sent.status, "");
	events.onId(attachment.id);
	return attachment;
}

/** The file is announced; its bytes go where the answer says. */
async function sendInTwoPhases(
	chat: Chat,
	file: File,
	events: TransferEvents,
): Promise<Attachment> {
	const type = file.type || "application/octet-stream";
	const attachment = await chat.createAttachment(file.name, file.size, type);
	events.onId(attachment.id);
	events.signal.throwIfAborted();
	const { upload_descriptor: target, ...rest } = attachment;
	if (!target) return attachment;
	const { method, headers = {} } = target;
	const request = { method, url: resolved(target.url), headers, body: file };
	const answer = await sendBytes(chat, request, events);
	const updated = attachmentIn(answer);
	return updated?.id === attachment.id ? { ...rest, ...updated } : rest;
}

/**
 * Sends bytes with what the address needs: nothing if it is signed. If the server, or a proxy before
 * it, wants the user's credentials, the page's `fetch` has them; never for another host, which would
 * get them.
 */
async function sendBytes(chat: Chat, request: Request_, events: TransferEvents): Promise<Answer> {
	try {
		return await byXhr(chat, request, events);
	} catch (error) {
		const isRefused = error instanceof Refused && error.status === 401;
		if (!isRefused || !hasOwnFetch(chat) || !isOwnServer(chat, request.url)) throw error;
		return byFetch(chat, request, events);
	}
}

interface Request_ {
	method: string;
	url: string;
	headers: Record<string, string>;
	body: File | FormData;
}

interface Answer {
	status: number;
	body: unknown;
}

/** `fetch` cannot tell how much was sent. */
async function byFetch(chat: Chat, request: Request_, events: TransferEvents): Promise<Answer> {
	const { url, method, body } = request;
	events.onProgress(null);
	const headers = { "Accept-Language": chat.words.locale, ...request.headers };
	const response = await chat.fetch(url, { method, headers, body, signal: events.signal });
	return answerOf(response.status, await response.text());
}

function byXhr(chat: Chat, request: Request_, { signal, onProgress }: TransferEvents): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const xhr = new XMLHttpRequest();
		xhr.open(request.method, request.url);
		const headers = { "Accept-Language": chat.words.locale, ...request.headers };
		for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
		xhr.upload.onprogress = ({ lengthComputable, loaded, total }) =>
			onProgress(lengthComputable && total ? loaded / total : null);
		xhr.onload = () => {
			try {
				resolve(answerOf(xhr.status, xhr.responseText));
			} catch (error) {
				reject(error as Error);
			}
		};
		xhr.onerror = () => reject(new TypeError("The server cannot be reached"));
		xhr.onabort = () => reject(signal.reason as Error);
		signal.addEventListener("abort", () => xhr.abort(), { once: true });
		xhr.send(request.body);
	});
}

function answerOf(status: number, text: string): Answer {
	let body: unknown = null;
	try {
		body = JSON.parse(text);
	} catch {
		// Storage services answer XML, or nothing
	}
	if (status >= 200 && status < 300) return { status, body };
	const { message } = (body ?? {}) as { message?: unknown };
	throw new Refused(status, typeof message === "string" ? message : "");
}

function attachmentIn({ body }: Answer): Attachment | null {
	const found = body as Partial<Attachment> | null;
	const isAttachment = typeof found?.id === "string" && typeof found.name === "string";
	return isAttachment ? (found as Attachment) : null;
}

function hasOwnFetch({ options: { api } }: Chat): boolean {
	return "fetch" in api && typeof api.fetch === "function";
}

function ownHeaders({ options: { api } }: Chat): Record<string, string> | null {
	return ("headers" in api && api.headers?.()) || null;
}

function isOwnServer({ options: { api } }: Chat, url: string): boolean {
	return "url" in api && new URL(url).origin === new URL(resolved(api.url)).origin;
}

function resolved(url: string): string {
	const found = new URL(url, document.baseURI);
	if (!/^https?:$/.test(found.protocol)) throw new Refused(0, "");
	return found.href;
}
