import { html, nothing } from "lit";
import { icon } from "../icons.ts";
import type { GeneratedImageItem } from "../protocol.ts";
import { View, define, styled } from "../view.ts";
import { imageOf, openLarge, save } from "./images.ts";
import { safeLink } from "../markdown/urls.ts";
import { imageWord } from "./texts.ts";

/** A picture of the model: blurred while it is being made. */
export class GeneratedImage extends View {
	static override properties = {
		...View.properties,
		item: { attribute: false },
		isOpen: { attribute: false },
		failed: { state: true },
	};
	declare item: GeneratedImageItem;
	declare isOpen: boolean;
	/** The address of an image that could not be loaded. */
	declare failed: string | null;

	constructor() {
		super();
		this.failed = null;
	}

	override render() {
		const { item, chat, isOpen } = this;
		const { image } = item;
		const src = image ? imageOf(image.url, chat) : null;
		const label = chat.words.text(imageWord(isOpen, Boolean(image)));
		if (image && !src) return this.refused(image.url);
		if (!image && !isOpen) return html`<p class="ock-aside" part="image">${icon("image")} ${label}</p>`;
		if (src && src === this.failed)
			return html`<p class="ock-aside" part="image">${icon("image")} ${chat.words.text("image.failed")}</p>`;
		return html`<figure class="ock-image" part="image" ?data-open=${isOpen}>
			${src ? this.picture(src, label) : html`<div class="ock-picture" aria-hidden="true"></div>`}
			${isOpen ? this.progress(label) : this.buttons(src!)}
		</figure>`;
	}

	private picture(src: string, label: string) {
		const { chat, isOpen } = this;
		const image = html`<img
			src=${src}
			alt=${label}
			@error=${() => {
				this.failed = src;
			}}
		/>`;
		if (isOpen) return html`<div class="ock-picture">${image}</div>`;
		const name = chat.words.text("image.larger");
		return html`<button
			class="ock-picture"
			type="button"
			aria-label=${`${label}. ${name}`}
			@click=${(event: Event) => openLarge(event.currentTarget as HTMLElement, src, label, chat)}
		>
			${image}
		</button>`;
	}

	private progress(label: string) {
		const { progress } = this.item;
		const part = typeof progress === "number" ? Math.round(Math.max(0, Math.min(1, progress)) * 100) : null;
		return html`<figcaption>
			<span>${label}${part === null ? nothing : html` <span aria-hidden="true">${part} %</span>`}</span>
			<span
				class="ock-meter"
				role="progressbar"
				aria-label=${label}
				aria-valuemin="0"
				aria-valuemax="100"
				aria-valuenow=${part ?? nothing}
				?data-unknown=${part === null}
			>
				<span ${styled({ "inline-size": part === null ? null : `${part}%` })}></span>
			</span>
		</figcaption>`;
	}

	private buttons(src: string) {
		const { words } = this.chat;
		const name = words.text("image.download");
		return html`<button
			class="ock-icon-button ock-over"
			type="button"
			part="download"
			aria-label=${name}
			title=${name}
			@click=${() => save(src, fileName(this.item.image!.id, src))}
		>
			${icon("download")}
		</button>`;
	}

	/** The conversation may not load it, but the user may look at it. */
	private refused(url: string) {
		const { words } = this.chat;
		const href = safeLink(url);
		return html`<p class="ock-aside" part="image">
			${icon("image")} <span>${words.text("image.refused")}</span>
			${href && /^https?:/.test(href)
				? html`<a href=${href} target="_blank" rel="noopener noreferrer">${words.text("image.open")}</a>`
				: nothing}
		</p>`;
	}
}

/** Returns a name for a picture's file. */
function fileName(id: string, src: string): string {
	const kind = /^data:image\/(\w+)/.exec(src)?.[1] ?? /\.(\w{3,4})(?:[?#]|$)/.exec(src)?.[1] ?? "png";
	return `${id}.${kind.replace("jpeg", "jpg")}`;
}

define("ock-generated-image", GeneratedImage);
