import { html, nothing } from "lit";
import { icon } from "../icons.ts";
import type { Attachment } from "../protocol.ts";
import { View, define } from "../view.ts";
import { imageOf, openLarge, save } from "./images.ts";

/** A file that came with a message: a picture with its preview, anything else with its name. */
export class AttachmentView extends View {
	static override properties = {
		...View.properties,
		attachment: { attribute: false },
		state: { state: true },
	};
	declare attachment: Attachment;
	declare state: "idle" | "loading" | "failed";

	constructor() {
		super();
		this.state = "idle";
	}

	override render() {
		const { chat, attachment, state } = this;
		const { name } = attachment;
		const { words } = chat;
		const preview = attachment.type === "image" ? imageOf(attachment.preview_url, chat) : null;
		return html`<div class="ock-attachment" part="attachment" ?data-image=${preview}>
			${preview
				? html`<button
						class="ock-thumb"
						type="button"
						aria-label=${words.text("items.larger", { name })}
						@click=${this.enlarge}
					>
						<img src=${preview} alt=${name} loading="lazy" />
					</button>`
				: html`${icon(attachment.type === "image" ? "image" : "document")}
						<span class="ock-file-label"><bdi class="ock-name">${name}</bdi><small>${kindOf(attachment)}</small></span>`}
			<button
				class="ock-icon-button"
				type="button"
				part="download"
				aria-label=${words.text("items.download", { name })}
				title=${words.text("items.download", { name })}
				aria-busy=${state === "loading"}
				@click=${this.download}
			>
				${icon("download")}
			</button>
			<span class="ock-failed" role="status">${state === "failed" ? words.text("items.downloadFailed") : nothing}</span>
		</div>`;
	}

	private enlarge(event: Event): void {
		const src = imageOf(this.attachment.preview_url, this.chat);
		if (src) openLarge(event.currentTarget as HTMLElement, src, this.attachment.name, this.chat);
	}

	/** The server sends a file to its owner, with the page's own credentials. */
	private async download(): Promise<void> {
		if (this.state === "loading") return;
		this.state = "loading";
		try {
			const response = await this.chat.fetch(this.address());
			if (!response.ok) throw Error(String(response.status));
			const address = URL.createObjectURL(await response.blob());
			save(address, this.attachment.name);
			setTimeout(() => URL.revokeObjectURL(address), 60_000);
			this.state = "idle";
		} catch {
			this.state = "failed";
		}
	}

	private address(): string {
		const { api } = this.chat.options;
		const url = "url" in api ? api.url : "";
		const { uploadStrategy: strategy } = api as { uploadStrategy?: { uploadUrl?: string } };
		const folder = new URL(strategy?.uploadUrl ?? url, document.baseURI);
		if (!strategy?.uploadUrl) folder.pathname = `${folder.pathname.replace(/\/$/, "")}/attachments`;
		folder.pathname = `${folder.pathname.replace(/\/$/, "")}/${encodeURIComponent(this.attachment.id)}`;
		return folder.href;
	}
}

/** Returns what kind of file it is, in short: `PDF`. */
function kindOf({ name, mime_type: type }: Attachment): string {
	const ending = /\.([a-z0-9]{1,5})$/i.exec(name ?? "")?.[1];
	return (ending ?? type?.split("/")[1] ?? "").toUpperCase();
}

define("ock-attachment", AttachmentView);
