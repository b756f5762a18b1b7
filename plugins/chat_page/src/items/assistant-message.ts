// What the assistant wrote, with its sources.

import { type TemplateResult, html, nothing } from "lit";
import "../markdown/markdown.ts";
import "./source.ts";
import type { Chat } from "../chat.ts";
import type { AssistantMessageItem } from "../protocol.ts";
import { type Cited, Sources } from "./sources.ts";

export function assistantMessage(
	item: AssistantMessageItem,
	chat: Chat,
	isOpen: boolean,
): TemplateResult {
	const { content } = item;
	const sources = new Sources(content);
	return html`
		${content.map(({ text, annotations }, place) => {
			const marks = sources.marks(annotations, text ?? "");
			return html`<ock-markdown
				part="message assistant"
				.chat=${chat}
				.value=${text ?? ""}
				.streaming=${isOpen && place === content.length - 1}
				.marks=${marks.map(({ index, ...cited }) => ({ index, content: mark(cited, chat) }))}
			></ock-markdown>`;
		})}
		${sources.all.length ? list(sources.all, chat) : nothing}
	`;
}

function mark(cited: Cited, chat: Chat): TemplateResult {
	return html`<ock-source class="ock-mark" part="citation" .chat=${chat} .source=${cited.source} .number=${cited.number}></ock-source>`;
}

function list(all: readonly Cited[], chat: Chat): TemplateResult {
	return html`<ol class="ock-sources" part="sources" aria-label=${chat.words.text("sources.label")}>
		${all.map(
			({ number, source }) =>
				html`<li>
					<ock-source part="source" .chat=${chat} .source=${source} .number=${number} .isLong=${true}></ock-source>
				</li>`,
		)}
	</ol>`;
}
