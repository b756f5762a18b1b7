// Moving from item to item by the keyboard.

/** Where to: a number of rows from here, or the first or last of all. */
export type Move = -1 | 1 | "first" | "last";

/**
 * Returns the move that a key asks for, or null. Arrows move if a row has the focus, elsewhere with
 * Alt: alone, they scroll.
 */
export function moveOf(event: KeyboardEvent, isOnRow: boolean): Move | null {
	if (event.ctrlKey || event.metaKey || event.shiftKey) return null;
	const isMove = event.altKey || isOnRow;
	switch (event.key) {
		case "ArrowUp":
			return isMove ? -1 : null;
		case "ArrowDown":
			return isMove ? 1 : null;
		case "Home":
			return isOnRow ? "first" : null;
		case "End":
			return isOnRow ? "last" : null;
		default:
			return null;
	}
}
