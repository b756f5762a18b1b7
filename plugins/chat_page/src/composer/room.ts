// How much room a list has that opens above its button.

const MOST = 360; // pixels
const LEAST = 96;
const GAP = 12;

/** The height, with its unit, of what opens above the composer. */
export function roomAbove(inside: HTMLElement): string {
	const box = inside.closest(".ock-box") ?? inside;
	const host = (inside.getRootNode() as ShadowRoot).host;
	const top = Math.max(host?.getBoundingClientRect().top ?? 0, 0);
	const room = box.getBoundingClientRect().top - top - GAP;
	return `${Math.round(Math.min(Math.max(room, LEAST), MOST))}px`;
}
