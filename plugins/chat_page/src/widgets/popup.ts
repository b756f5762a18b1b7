// What opens beside a control: in the top layer, so that nothing cuts it off.

export type Side = "top" | "bottom" | "left" | "right";
export type Align = "start" | "center" | "end";

const GAP = 4; // pixels between the two, and to the edge of the window

/** Places what is open beside its control: on the side that is asked for, if it fits there. */
export function place(popup: HTMLElement, anchor: Element, side: Side, align: Align): void {
	const from = anchor.getBoundingClientRect();
	const { offsetWidth: width, offsetHeight: height } = popup;
	const isUpright = side === "top" || side === "bottom";
	const isRtl = getComputedStyle(anchor).direction === "rtl";
	const start = isUpright && isRtl ? end(from.right, width) : from.left;
	const along = isUpright
		? { start, center: from.left + (from.width - width) / 2, end: isRtl ? from.left : end(from.right, width) }
		: { start: from.top, center: from.top + (from.height - height) / 2, end: end(from.bottom, height) };
	const x = isUpright ? along[align] : beside(from.left, from.right, width, innerWidth, side === "left");
	const y = isUpright ? beside(from.top, from.bottom, height, innerHeight, side === "top") : along[align];
	popup.style.setProperty("left", `${within(x, width, innerWidth)}px`);
	popup.style.setProperty("top", `${within(y, height, innerHeight)}px`);
}

function end(edge: number, size: number): number {
	return edge - size;
}

/** Before or after the control: on the other side if there is more room, and too little here. */
function beside(from: number, to: number, size: number, room: number, isBefore: boolean): number {
	const [before, after] = [from - GAP - size, to + GAP];
	const fitsBefore = before >= 0;
	const fitsAfter = after + size <= room;
	if (isBefore) return fitsBefore || !fitsAfter ? before : after;
	return fitsAfter || !fitsBefore ? after : before;
}

function within(place: number, size: number, room: number): number {
	return Math.max(GAP, Math.min(place, room - size - GAP));
}
