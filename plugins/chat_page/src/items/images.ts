// Pictures that somebody else names.

import { html, render } from "lit";
import type { Chat } from "../chat.ts";
import { icon } from "../icons.ts";
import { safeImage } from "../markdown/urls.ts";

/** Returns the address of an image if this conversation may show it, else null. */
export function imageOf(address: unknown, { conversation, options }: Chat): string | null {
	const { allowed_image_domains: domains } = conversation.thread ?? {};
	return safeImage(address, [...(domains ?? []), ...(options.allowedImageDomains ?? [])]);
}

/** Shows a picture as large as the window. The focus comes back to `from`. */
export function openLarge(from: HTMLElement, src: string, alt: string, chat: Chat): void {
	const dialog = document.createElement("dialog");
	dialog.className = "ock-large";
	dialog.setAttribute("part", "lightbox");
	dialog.setAttribute("aria-label", alt);
	dialog.addEventListener("close", () => {
		dialog.remove();
		from.focus();
	});
	dialog.addEventListener("click", () => dialog.close());
	render(
		html`<button class="ock-icon-button" type="button" aria-label=${chat.words.text("items.close")}>
				${icon("close")}
			</button>
			<img src=${src} alt=${alt} />`,
		dialog,
	);
	const root = from.getRootNode();
	(root instanceof ShadowRoot ? root : document.body).append(dialog);
	dialog.showModal();
}

/** Has the browser save something under a name. */
export function save(address: string, name: string): void {
	const link = document.createElement("a");
	link.href = address;
	link.download = name;
	link.click();
}
