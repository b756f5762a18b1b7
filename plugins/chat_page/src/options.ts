// The options of the element: those of @openai/chatkit, and some of our own.

import type { ChatKitOptions } from "@openai/chatkit";

type Api = ChatKitOptions["api"];

/** `domainKey` is accepted and not used: no domain has to be registered. */
type OwnApi = Omit<Extract<Api, { url: string }>, "domainKey"> & { domainKey?: string };

export interface OpenChatKitOptions
	extends Omit<ChatKitOptions, "api" | "locale" | "theme"> {
	api: OwnApi | Exclude<Api, { url: string }>;
	/** A BCP 47 tag, such as `de-AT`. The default is the browser's language. */
	locale?: string;
	/** `system` follows the user's setting. */
	theme?: ChatKitOptions["theme"] | "system";
	/** Hosts whose images are shown, such as `images.example.com` or `*.example.com`. */
	allowedImageDomains?: string[];
}
