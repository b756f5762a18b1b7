// What the user wrote, and what came with it.

import { type TemplateResult, html, nothing } from "lit";
import "./attachment.ts";
import "./entity.ts";
import type { Chat } from "../chat.ts";
import type { TagContent, UserContent, UserMessageItem } from "../protocol.ts";
import { paragraphs } from "./paragraphs.ts";

export function userMessage(item: UserMessageItem, chat: Chat): TemplateResult {
	const { words } = chat;
	const { quoted_text: quoted, attachments = [], content } = item;
	return html`
		${quoted
			? html`<blockquote class="ock-quoted" part="quote" aria-label=${words.text("items.quoted")} dir="auto"
					>${quoted}</blockquote
				>`
			: nothing}
		${attachments?.length
			? html`<ul class="ock-attachments" part="attachments" aria-label=${words.text("items.attachments")}>
					${attachments.map(
						(attachment) =>
							html`<li><ock-attachment .chat=${chat} .attachment=${attachment}></ock-attachment></li>`,
					)}
				</ul>`
			: nothing}
		${content.some(({ text }) => text)
			? html`<div class="ock-bubble" part="message user">
					${paragraphs(content).map((parts) => paragraph(parts, chat))}
				</div>`
			: nothing}
		${choices(item, chat)}
	`;
}

/** Each paragraph has its own direction of writing. */
function paragraph(parts: UserContent[], chat: Chat): TemplateResult {
	// Without spaces around the parts: they are kept
	return html`<p dir="auto">${parts.map((part) => (part.type === "input_tag" ? tag(part, chat) : part.text))}</p>`;
}

function tag({ id, text, group, data, interactive }: TagContent, chat: Chat): TemplateResult {
	const entity = { id, title: text, group, data, interactive };
	return html`<ock-entity class="ock-tagged" part="tag" .chat=${chat} .entity=${entity} .label=${text}></ock-entity>`;
}

/** The tool and the model that were chosen for the message. */
function choices({ inference_options: options }: UserMessageItem, chat: Chat) {
	const { tools = [], models = [] } = chat.options.composer ?? {};
	const tool = options?.tool_choice?.id;
	const { id: usual } = models.find((each) => each.default) ?? models[0] ?? {};
	// The usual one is not worth a word
	const model = options?.model === usual ? null : options?.model;
	if (!tool && !model) return nothing;
	const label = (id: string, list: readonly { id: string; label: string }[]) =>
		list.find((one) => one.id === id)?.label ?? id;
	return html`<p class="ock-choices" part="choices">
		${tool ? html`<span>${chat.words.text("items.tool", { name: label(tool, tools) })}</span>` : nothing}
		${model ? html`<span>${chat.words.text("items.model", { name: label(model, models) })}</span>` : nothing}
	</p>`;
}
