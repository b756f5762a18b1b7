// Focus, which may not be lost when what has it goes away.

/** Returns what has the focus within an element. */
export function focusedIn(element: Element): Element | null {
	const root = element.getRootNode() as Document | ShadowRoot;
	const focused = root.activeElement;
	return focused && element.contains(focused) ? focused : null;
}
