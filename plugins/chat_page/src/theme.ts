// The theme options of the types, as custom properties of the host.

import type { ThemeOption } from "@openai/chatkit";
import { readableAccent, readableOnAccent } from "./contrast.ts";
import type { OpenChatKitOptions } from "./options.ts";

type Properties = Record<`--ock-${string}`, string>;
type Scheme = "light" | "dark";

const RADIUS = { pill: 24, round: 14, soft: 8, sharp: 2 };
const SPACE = { compact: 3, normal: 4, spacious: 5 };

/** Keeps the look of an element as its options say. */
export class Theme {
	private readonly media = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
	private theme: OpenChatKitOptions["theme"];
	private names: string[] = [];
	private fonts: FontFace[] = [];
	private readonly follow = () => this.apply();

	constructor(private readonly host: HTMLElement) {}

	/** Takes the theme of new options. */
	set(theme: OpenChatKitOptions["theme"]): void {
		if (JSON.stringify(theme) === JSON.stringify(this.theme) && this.names.length) return;
		this.theme = theme;
		this.loadFonts(optionsOf(theme).typography?.fontSources ?? []);
		this.apply();
	}

	connect(): void {
		this.media?.addEventListener("change", this.follow);
		this.apply();
	}

	disconnect(): void {
		this.media?.removeEventListener("change", this.follow);
	}

	get scheme(): Scheme {
		const scheme = this.theme === "system" ? "system" : optionsOf(this.theme).colorScheme;
		if (scheme === "system") return this.media?.matches ? "dark" : "light";
		return scheme ?? "light";
	}

	private apply(): void {
		const { host, scheme } = this;
		host.dataset["scheme"] = scheme;
		const { color = {} } = optionsOf(this.theme);
		const properties = propertiesOf(optionsOf(this.theme), scheme);
		host.toggleAttribute("data-own-accent", color.accent !== undefined);
		for (const name of this.names) host.style.removeProperty(name);
		this.names = [];
		this.put(properties);
		// What is mixed of the colours that the scheme, the options and style sheets have made
		if (color.accent) this.put({ "--ock-accent-text": readableOnAccent(host) });
		if (Object.keys(color).length) this.put({ "--ock-link": readableAccent(host) });
	}

	private put(properties: Properties): void {
		for (const [name, value] of Object.entries(properties)) this.host.style.setProperty(name, value);
		this.names = [...this.names, ...Object.keys(properties)];
	}

	private loadFonts(sources: NonNullable<NonNullable<ThemeOption["typography"]>["fontSources"]>) {
		for (const font of this.fonts) document.fonts.delete(font);
		this.fonts = sources.map(({ family, src, weight, style, display, unicodeRange }) => {
			const url = /^\s*(url|local)\(/.test(src) ? src : `url(${JSON.stringify(src)})`;
			return new FontFace(family, url, {
				...(weight ? { weight: String(weight) } : {}),
				...(style ? { style } : {}),
				...(unicodeRange ? { unicodeRange } : {}),
				display: display ?? "swap",
			});
		});
		for (const font of this.fonts) document.fonts.add(font);
	}
}

function optionsOf(theme: OpenChatKitOptions["theme"]): Omit<ThemeOption, "colorScheme"> & {
	colorScheme?: Scheme | "system";
} {
	return typeof theme === "string" ? { colorScheme: theme } : (theme ?? {});
}

/**
 * Returns the custom properties for theme options in a colour scheme. What the page does not set, its
 * style sheet may.
 */
export function propertiesOf(theme: Omit<ThemeOption, "colorScheme">, scheme: Scheme): Properties {
	const { typography = {}, radius, density, color = {} } = theme;
	return {
		...(radius ? rounded(radius) : {}),
		...(density ? { "--ock-space": `${SPACE[density]}px` } : {}),
		...(typography.baseSize ? { "--ock-size": `${typography.baseSize}px` } : {}),
		...(typography.fontFamily ? { "--ock-font": typography.fontFamily } : {}),
		...(typography.fontFamilyMono ? { "--ock-mono": typography.fontFamilyMono } : {}),
		...(color.grayscale ? grays(color.grayscale, scheme) : {}),
		...(color.surface ? surfaces(color.surface) : {}),
		...(color.accent ? accents(color.accent) : {}),
	};
}

function rounded(radius: keyof typeof RADIUS): Properties {
	const size = `${RADIUS[radius]}px`;
	return { "--ock-radius": size, "--ock-radius-control": radius === "pill" ? "999px" : size };
}

type Color = NonNullable<ThemeOption["color"]>;

/** Greys between the two colours, so that quiet text can be read on any background. */
function surfaces({ background, foreground }: NonNullable<Color["surface"]>): Properties {
	const mixed = (share: number) => `color-mix(in srgb, ${foreground} ${share}%, ${background})`;
	return {
		"--ock-surface": background,
		"--ock-surface-raised": mixed(6),
		"--ock-border": mixed(18),
		"--ock-text": foreground,
		"--ock-text-quiet": mixed(75),
	};
}

/** The level is how much of the colour messages of the user have. */
function accents({ primary, level = 0 }: NonNullable<Color["accent"]>): Properties {
	return {
		"--ock-accent": primary,
		"--ock-bubble": `color-mix(in srgb, ${primary} ${5 + 6 * level}%, var(--ock-surface))`,
	};
}

type Gray = NonNullable<NonNullable<ThemeOption["color"]>["grayscale"]>;

/** Grays of a hue. `tint` is how much of it they have, `shade` makes the surfaces darker or lighter. */
function grays({ hue, tint, shade = 0 }: Gray, scheme: Scheme): Properties {
	const gray = (lightness: number) => `hsl(${hue} ${tint * 3}% ${lightness}%)`;
	if (scheme === "dark")
		return {
			"--ock-surface": gray(10 - shade),
			"--ock-surface-raised": gray(15 - shade),
			"--ock-border": gray(25 - shade),
			"--ock-text": gray(94),
			"--ock-text-quiet": gray(70),
		};
	return {
		"--ock-surface": gray(Math.min(100, 99 - shade)),
		"--ock-surface-raised": gray(Math.min(99, 96 - shade)),
		"--ock-border": gray(86 - shade),
		"--ock-text": gray(11),
		// Yellow is light: it can be read on the darkest of the surfaces
		"--ock-text-quiet": gray(33),
	};
}
