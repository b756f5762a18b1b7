// Which addresses may be used that a model, a tool, a widget or a user gave.

const LINKS = new Set(["http:", "https:", "mailto:", "tel:", "chatkit-link:"]);
const IMAGE_DATA = /^data:image\/(?:png|jpeg|gif|webp)[;,]/i;

/** Where relative addresses start from; there is no document in tests. */
const base = (): string => globalThis.document?.baseURI ?? "https://chat.invalid/";

function parse(address: unknown): URL | null {
	if (typeof address !== "string") return null;
	try {
		return new URL(address, base());
	} catch {
		return null;
	}
}

/** Returns the address of a link, or null for one that must not be followed. */
export function safeLink(address: unknown): string | null {
	const url = parse(address);
	return url && LINKS.has(url.protocol) ? url.href : null;
}

/**
 * Returns the address of an image, or null for one that must not be loaded. `domains` are hosts that
 * images may come from: `images.example.com`, or `*.example.com` for all below that one.
 */
export function safeImage(address: unknown, domains: readonly string[] = []): string | null {
	const url = parse(address);
	if (!url) return null;
	if (url.protocol === "data:") return IMAGE_DATA.test(url.href) ? url.href : null;
	const own = url.origin === new URL(base()).origin;
	if (url.protocol === "blob:") return own ? url.href : null;
	if (url.protocol !== "http:" && url.protocol !== "https:") return null;
	if (url.username || url.password) return null;
	if (own) return url.href;
	return domains.some((domain) => covers(domain, url)) ? url.href : null;
}

function covers(domain: string, { host, hostname }: URL): boolean {
	const name = domain.trim().toLowerCase().replace(/^https?:\/\//, "");
	if (name.startsWith("*.")) return hostname.endsWith(name.slice(1));
	return name !== "" && (name === host || name === hostname);
}

/**
 * Returns the host that a link really goes to, if its text or its address would let the reader
 * believe another: `[bank.example](https://evil.example)`, or `https://bank.example@evil.example`.
 */
export function misleadingHost(text: string, href: string): string | null {
	const url = parse(href);
	if (!url || !/^https?:$/.test(url.protocol)) return null;
	if (url.username || url.hostname.includes("xn--")) return url.host;
	const said = text.trim().match(/^(?:https?:\/\/)?((?:[\p{L}\p{N}_-]{1,63}\.)+\p{L}{2,63})(?![\p{L}\p{N}])/u);
	if (!said) return null;
	const bare = (host: string) => host.toLowerCase().replace(/^www\./, "");
	return bare(said[1]!) === bare(url.hostname) ? null : url.host;
}

/** What a `chatkit-link://name?key=value` says to the page. */
export function deepLink(href: string): { name: string; data: Record<string, unknown> } | null {
	const found = href.match(/^chatkit-link:\/*([^/?#]*)[^?#]*(?:\?([^#]*))?/i);
	if (!found) return null;
	const data: Record<string, unknown> = Object.fromEntries(new URLSearchParams(found[2] ?? ""));
	return { name: decode(found[1]!), data };
}

function decode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}
