import { html, nothing } from "lit";
import { type Mark, type MarkdownOptions } from "../markdown/markdown.ts";
import "./source.ts";
import type { AssistantMessageItem, OutputText } from "../protocol.ts";
import { View, define } from "../view.ts";
import type { SourceView } from "./source.ts";
import { type Cited, Sources } from "./sources.ts";

/** What the assistant wrote, with marks for its sources, and a list of them. */
export class AssistantMessage extends View {
	static override properties = {
		...View.properties,
		item: { attribute: false },
		isOpen: { attribute: false },
	};
	declare item: AssistantMessageItem;
	declare isOpen: boolean;
	/** The marks so far: the same mark is the same element. */
	private readonly marks = new Map<string, Mark & { node: SourceView }>();

	override render() {
		const { chat, isOpen } = this;
		const { content } = this.item;
		const sources = new Sources(content);
		return html`
			${content.map(
				(part, place) => html`<ock-markdown
					part="message assistant"
					.chat=${chat}
					.value=${part.text ?? ""}
					.streaming=${isOpen && place === content.length - 1}
					.options=${this.options(part, place, sources)}
				></ock-markdown>`,
			)}
			${sources.all.length ? this.list(sources.all) : nothing}
		`;
	}

	private options({ annotations, text }: OutputText, part: number, sources: Sources): MarkdownOptions {
		const marks = sources.marks(annotations, text ?? "");
		return { marks: marks.map(({ index, ...cited }) => this.mark(part, index, cited)) };
	}

	private mark(part: number, index: number, { number, source }: Cited): Mark {
		const key = `${part} ${index} ${number}`;
		const mark = this.marks.get(key) ?? { index, node: document.createElement("ock-source") as SourceView };
		this.marks.set(key, mark);
		mark.node.className = "ock-mark";
		mark.node.setAttribute("part", "citation");
		Object.assign(mark.node, { chat: this.chat, source, number });
		return mark;
	}

	private list(all: readonly Cited[]) {
		const { chat } = this;
		return html`<ol class="ock-sources" part="sources" aria-label=${chat.words.text("sources.label")}>
			${all.map(
				({ number, source }) => html`<li>
					<ock-source
						part="source"
						.chat=${chat}
						.source=${source}
						.number=${number}
						.isLong=${true}
					></ock-source>
				</li>`,
			)}
		</ol>`;
	}
}

define("ock-assistant-message", AssistantMessage);
