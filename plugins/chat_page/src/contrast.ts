// Colours that can be read, made of those that an element has as custom properties.

/** The contrast that WCAG asks of text is 4.5; colours are rounded when they are drawn. */
const READABLE = 4.6;
/** What is behind it: the chat, and the marks in a message of the user. */
const GROUNDS = ["var(--ock-surface)", "color-mix(in srgb, var(--ock-accent) 9%, var(--ock-bubble))"];
const STEP = 5; // percent of the text's colour that are mixed into the accent at a time

/** Returns black or white, whichever is easier to read on the accent. */
export function readableOnAccent(host: HTMLElement): string {
	const accent = luminanceOf("var(--ock-accent)", host);
	return contrast(accent, 0) > contrast(accent, 1) ? "#000" : "#fff";
}

/** Returns the accent, with as much of the text's colour as it needs to be read as text. */
export function readableAccent(host: HTMLElement): string {
	const grounds = GROUNDS.map((color) => luminanceOf(color, host));
	for (let share = 100; share > 0; share -= STEP) {
		const color = `color-mix(in srgb, var(--ock-accent) ${share}%, var(--ock-text))`;
		const luminance = luminanceOf(color, host);
		if (grounds.every((ground) => contrast(luminance, ground) >= READABLE)) return color;
	}
	return "var(--ock-text)";
}

/** The contrast of two luminances, from 1 to 21, as WCAG has it. */
function contrast(one: number, other: number): number {
	return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

/** The luminance of a colour in an element, from 0 to 1, as WCAG has it. */
function luminanceOf(color: string, host: HTMLElement): number {
	const probe = document.createElement("span");
	// Mixed with itself, a colour of any notation is `color(srgb RED GREEN BLUE)`
	probe.style.color = `color-mix(in srgb, ${color}, ${color})`;
	host.shadowRoot?.append(probe);
	const [red = 0, green = 0, blue = 0] =
		getComputedStyle(probe).color.match(/-?[\d.]+(e-?\d+)?/g)?.map(Number) ?? [];
	probe.remove();
	return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function linear(channel: number): number {
	const value = Math.min(1, Math.max(0, channel));
	return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}
