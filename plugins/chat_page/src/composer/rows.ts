// What is above the field now and then: a quotation, and why nothing can be written.

import { type TemplateResult, html, nothing } from "lit";
import type { Chat } from "../chat.ts";
import type { Words } from "../words.ts";
import * as glyphs from "./glyphs.ts";

export const CLOSED_NOTE = "ock-closed";

/** Whether nothing can be written in the conversation, for now or for ever. */
export function isClosed({ conversation }: Chat): boolean {
	const { type } = conversation.thread?.status ?? {};
	return type === "locked" || type === "closed";
}

export function closedNote(chat: Chat): TemplateResult | typeof nothing {
	if (!isClosed(chat)) return nothing;
	const { words, conversation } = chat;
	const { type, reason } = conversation.thread!.status!;
	const isOver = type === "closed";
	return html`<div class="ock-closed" part="composer-closed">
		<p id=${CLOSED_NOTE} dir="auto">${reason || words.text(isOver ? "composer.closed" : "composer.locked")}</p>
		${
			isOver
				? html`<button type="button" class="ock-plain" @click=${() => begin(chat)}>
						${words.text("composer.new")}
					</button>`
				: nothing
		}
	</div>`;
}

function begin(chat: Chat): void {
	void chat.open(null);
	chat.composer?.focus();
}

export function quoteRow(
	quote: string | null,
	words: Words,
	remove: () => void,
): TemplateResult | typeof nothing {
	if (!quote) return nothing;
	const label = words.text("composer.quote.remove");
	return html`<div class="ock-quote" part="composer-quote">
		<blockquote dir="auto" aria-label=${words.text("composer.quote")}>${quote}</blockquote>
		<button type="button" class="ock-tool" @click=${remove} aria-label=${label} title=${label}
			>${glyphs.close}</button>
	</div>`;
}

export function dropOverlay(isDropping: boolean, words: Words): TemplateResult | typeof nothing {
	if (!isDropping) return nothing;
	return html`<div class="ock-drop" part="drop">
		<p>${glyphs.attach} ${words.text("composer.drop")}</p>
	</div>`;
}
