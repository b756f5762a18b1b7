/** Whether there is no keyboard but the one on the screen, whose Enter makes a line. */
export function isTouch(): boolean {
	return matchMedia("(pointer: coarse)").matches && !matchMedia("(any-hover: hover)").matches;
}
