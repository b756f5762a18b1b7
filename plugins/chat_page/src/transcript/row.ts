// A row of the transcript: an item with its day, its heading, and what can be done with it.

import { type TemplateResult, html, nothing } from "lit";
import "../items/actions.ts";
import "../items/item.ts";
import type { Chat } from "../chat.ts";
import { styled } from "../view.ts";
import type { Words } from "../words.ts";
import { dayName } from "./days.ts";
import { type Row, isLocal } from "./rows.ts";

export function drawRow(row: Row, chat: Chat): TemplateResult {
	const name = chat.words.text(row.speaker === "user" ? "items.you" : "items.assistant");
	return html`<article
		class="ock-row"
		part="row ${row.speaker}"
		data-key=${row.key}
		data-item=${row.id}
		data-speaker=${row.speaker}
		?data-begins=${row.begins}
		?data-sending=${isLocal(row.id)}
		tabindex="-1"
		aria-label=${name}
	>
		${row.day ? html`<p class="ock-day" part="day">${dayName(row.day, chat.words)}</p>` : nothing}
		${row.begins ? html`<h2 class="ock-hidden">${name}</h2>` : nothing}
		<ock-item .chat=${chat} .itemId=${row.id}></ock-item>
		${actions(row, chat)}
	</article>`;
}

/** Stands for rows that are not in the document. */
export function drawGap(height: number): TemplateResult {
	return html`<div class="ock-gap" ${styled({ "block-size": `${height}px` })}></div>`;
}

/** Loads older items, which scrolling up does too. */
export function drawOlder(hasFailed: boolean, load: () => void, words: Words): TemplateResult {
	return html`<div class="ock-older">
		<button class="ock-link" type="button" part="older" @click=${load}>
			${words.text(hasFailed ? "transcript.olderFailed" : "transcript.older")}
		</button>
	</div>`;
}

/** What a user can do with a message of theirs, or with an answer that is complete. */
function actions({ speaker, id, ends }: Row, chat: Chat) {
	if (speaker === "user") {
		if (isLocal(id)) return nothing;
		return html`<ock-actions .chat=${chat} .own=${true} .itemIds=${[id]}></ock-actions>`;
	}
	if (!ends || ends.isWaiting || (ends.isLast && chat.status.answering)) return nothing;
	return html`<ock-actions
		.chat=${chat}
		.itemIds=${ends.itemIds}
		.userId=${ends.userId}
		.isLast=${ends.isLast}
	></ock-actions>`;
}
