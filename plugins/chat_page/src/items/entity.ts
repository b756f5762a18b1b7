import type { Entity } from "@openai/chatkit";
import { html, nothing } from "lit";
import "../widgets/widget.ts";
import type { Chat } from "../chat.ts";
import { icon } from "../icons.ts";
import type { WidgetNode } from "../protocol.ts";
import { View, define } from "../view.ts";
import { hoverCard } from "./card.ts";

/** Something of the page's, such as a person: of a tag in a message, or of a source. */
export interface Thing {
	id?: string | undefined;
	title: string;
	icon?: string | null | undefined;
	label?: string | null | undefined;
	description?: string | null | undefined;
	group?: string | null | undefined;
	data?: Record<string, unknown> | undefined;
	interactive?: boolean | undefined;
}

/** Returns a thing as the page's own functions get it. */
export function entityOf({ id, title, icon, group, data, interactive }: Thing): Entity {
	return {
		id: id ?? "",
		title,
		...(icon ? { icon } : {}),
		...(group ? { group } : {}),
		interactive: interactive ?? false,
		data: (data ?? {}) as Record<string, string>,
	};
}

/** A thing that the page may say more about, and that may be clicked. */
export class EntityView extends View {
	static override properties = {
		...View.properties,
		entity: { attribute: false },
		label: { attribute: false },
		number: { attribute: false },
		isLong: { attribute: false },
	};
	declare entity: Thing;
	/** What is shown; without it, the icon or the number. */
	declare label: string;
	declare number: number | undefined;
	/** In a list of sources, with its number. */
	declare isLong: boolean | undefined;

	override render() {
		const { chat, entity, label, number } = this;
		const shown = label ? label : entity.icon ? icon(entity.icon) : number;
		const name = number && !this.isLong ? chat.words.text("sources.one", { number, title: entity.title }) : undefined;
		const face = html`${this.isLong ? html`<span class="ock-number">${number}</span>` : nothing}
			${label && entity.icon ? icon(entity.icon) : nothing}<span dir="auto">${shown}</span>`;
		const { onClick, onRequestPreview } = chat.options.entities ?? {};
		const isActive = Boolean(entity.interactive && (onClick || onRequestPreview));
		// Sources have a card in any case; a tag that does nothing is text
		if (!isActive && !number) return html`<span class="ock-entity">${face}</span>`;
		return html`<button
			class="ock-entity"
			type="button"
			aria-label=${name ?? nothing}
			@click=${() => entity.interactive && onClick?.(entityOf(entity))}
			${hoverCard(() => card(entity, chat))}
		>
			${face}
		</button>`;
	}
}

/** What the card of a thing shows: the page's preview, or what is known. */
async function card(entity: Thing, chat: Chat) {
	const preview = await previewOf(entity, chat).catch(() => null);
	if (preview) return html`<ock-widget .chat=${chat} .root=${preview}></ock-widget>`;
	if (!entity.label && !entity.icon && !entity.description && !entity.group) return null;
	return html`
		<div class="ock-card-head">${icon(entity.icon)}
			<span dir="auto">${[entity.label, entity.group].filter(Boolean).join(" · ")}</span>
		</div>
		<strong dir="auto">${entity.title}</strong>
		${entity.description ? html`<p dir="auto">${entity.description}</p>` : nothing}
	`;
}

const previews = new WeakMap<object, Map<string, Promise<WidgetNode | null>>>();

/** Asks the page for a preview, once for each thing. */
async function previewOf(entity: Thing, chat: Chat): Promise<WidgetNode | null> {
	const { onRequestPreview } = chat.options.entities ?? {};
	if (!entity.interactive || !onRequestPreview) return null;
	const known = previews.get(onRequestPreview) ?? new Map<string, Promise<WidgetNode | null>>();
	previews.set(onRequestPreview, known);
	const key = entity.id ?? entity.title;
	if (!known.has(key)) {
		const asked = Promise.resolve(onRequestPreview(entityOf(entity)));
		known.set(
			key,
			asked.then((answer) => (answer?.preview ?? null) as WidgetNode | null),
		);
		asked.catch(() => known.delete(key));
	}
	return known.get(key)!;
}

define("ock-entity", EntityView);
