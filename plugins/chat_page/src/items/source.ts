import { html, nothing } from "lit";
import "./entity.ts";
import { icon } from "../icons.ts";
import type { Source } from "../protocol.ts";
import { View, define } from "../view.ts";
import type { Words } from "../words.ts";
import { hoverCard } from "./card.ts";
import { linkOf, originOf } from "./sources.ts";

const ICONS: Record<Source["type"], string> = { url: "globe", file: "document", entity: "info" };

/** A source: as a mark in the text, or with its title (`isLong`) in a list. */
export class SourceView extends View {
	static override properties = {
		...View.properties,
		source: { attribute: false },
		number: { attribute: false },
		isLong: { attribute: false },
	};
	declare source: Source;
	declare number: number;
	declare isLong: boolean | undefined;

	override render() {
		const { chat, source, isLong } = this;
		if (source.type === "entity")
			return html`<ock-entity
				.chat=${chat}
				.entity=${source}
				.label=${isLong ? source.title : (source.inline_label ?? "")}
				.number=${this.number}
				.isLong=${isLong}
			></ock-entity>`;
		const href = linkOf(source);
		// A mark is a number only; in a list its words say what it is
		const name = isLong ? nothing : chat.words.text("sources.one", { number: this.number, title: source.title });
		const card = hoverCard(() => this.card());
		if (href)
			return html`<a
				class="ock-source"
				href=${href}
				target="_blank"
				rel="noopener noreferrer"
				aria-label=${name}
				${card}
				>${this.face()}</a
			>`;
		return html`<button class="ock-source" type="button" aria-label=${name} ${card}>${this.face()}</button>`;
	}

	private face() {
		const { source, number, isLong } = this;
		if (!isLong) return number;
		return html`<span class="ock-number">${number}</span>
			${icon(ICONS[source.type] ?? "info")}
			<span class="ock-name" dir="auto">${source.title}</span>
			<span class="ock-origin" dir="auto">${originOf(source)}</span>`;
	}

	private card() {
		const { title, description, timestamp, type, group } = this.source;
		const from = [originOf(this.source), group].filter(Boolean).join(" · ");
		return html`<div class="ock-card-head">${icon(ICONS[type] ?? "info")} <span dir="auto">${from}</span></div>
			<strong dir="auto">${title}</strong>
			${description ? html`<p dir="auto">${description}</p>` : nothing}
			${timestamp ? html`<p class="ock-origin">${dated(timestamp, this.chat.words)}</p>` : nothing}`;
	}
}

/** A time as people write it, if it is one: a source may have any text there. */
function dated(timestamp: string, words: Words): string {
	const isDate = /^\d{4}-\d\d-\d\d/.test(timestamp) && !Number.isNaN(Date.parse(timestamp));
	return isDate ? words.date(timestamp, { dateStyle: "long" }) : timestamp;
}

define("ock-source", SourceView);
