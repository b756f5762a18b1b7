// The options of the element: those of @openai/chatkit, and some of our own.

import type { ChatKitOptions, HeaderOption, ThemeOption } from "@openai/chatkit";
import type { Catalog } from "./words.ts";

type Api = ChatKitOptions["api"];

/** `domainKey` is accepted and not used: no domain has to be registered. */
type OwnApi = Omit<Extract<Api, { url: string }>, "domainKey"> & {
	domainKey?: string;
	/** What `fetch` adds, such as a token, for uploads whose progress `fetch` cannot tell. */
	headers?: () => Record<string, string>;
};

export interface OpenChatKitOptions
	extends Omit<ChatKitOptions, "api" | "header" | "locale" | "theme"> {
	api: OwnApi | Exclude<Api, { url: string }>;
	/** A BCP 47 tag, such as `de-AT`. The default is the browser's language. */
	locale?: string;
	/** `system` follows the user's setting. */
	theme?:
		| ChatKitOptions["theme"]
		| "system"
		| (Omit<ThemeOption, "colorScheme"> & { colorScheme?: "light" | "dark" | "system" });
	/** As in @openai/chatkit; a button may have a `label`, which screen readers read. */
	header?: Omit<HeaderOption, "leftAction" | "rightAction"> & {
		leftAction?: NonNullable<HeaderOption["leftAction"]> & { label?: string };
		rightAction?: NonNullable<HeaderOption["rightAction"]> & { label?: string };
	};
	/**
	 * The component's words in another language, or other words: by key, as in a JSON file that is
	 * given by its address. What it lacks is in English.
	 */
	words?: Partial<Catalog> | string;
	/** Hosts whose images are shown, such as `images.example.com` or `*.example.com`. */
	allowedImageDomains?: string[];
}
