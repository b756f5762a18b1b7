// What is around the element looks like the element: its colours, its language.

import type { OpenChatKit } from "../src/element.ts";

const SURFACE = "--ock-surface";

/** Gives the page the element's background and colour scheme, now and when they change. */
export function followLook(chat: OpenChatKit): void {
	const { style } = document.documentElement;
	const apply = () => {
		const surface = getComputedStyle(chat).getPropertyValue(SURFACE).trim();
		style.colorScheme = chat.dataset["scheme"] ?? "light dark";
		style.backgroundColor = surface;
		document.querySelector('meta[name="theme-color"]')?.setAttribute("content", surface);
	};
	const attributeFilter = ["data-scheme", "style"];
	new MutationObserver(apply).observe(chat, { attributes: true, attributeFilter });
	apply();
}
