// Keeps what is read where it is. Browsers have scroll anchoring, but not all of them, and none at
// the very top, where older items come in.

const NEAR = 40; // pixels from the end that count as there
const HELD = 500; // milliseconds after a click in which nothing moves what was clicked

interface Anchor {
	node: Element;
	/** Where it was, from the upper edge of the box. */
	top: number;
}

export class Scroller {
	/** The reader is at the end. */
	atEnd = true;
	/** What is at the upper edge, and its row, if that is all that remains. */
	private anchors: Anchor[] = [];
	private last = 0;
	private held: { anchor: Anchor; until: number } | null = null;

	/**
	 * `box` scrolls, `content` has the rows as `.ock-row`, and `room` is the empty space at its end.
	 */
	constructor(
		private readonly box: HTMLElement,
		private readonly room: HTMLElement,
	) {}

	/** How far the end is below what is seen. */
	get distance(): number {
		const { box, room } = this;
		return room.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight;
	}

	/** The user scrolls, or the browser does. */
	scrolled(): void {
		const { scrollTop } = this.box;
		// The event of a move of our own, after which more may have been drawn
		if (scrollTop === this.last) return;
		// Any step up leaves the end: a wheel that glides begins with less than a pixel
		this.atEnd = this.distance <= (scrollTop < this.last ? 0 : NEAR);
		this.note();
	}

	/** The user does something with this: it is what may not move. */
	hold(node: Element): void {
		this.held = { anchor: { node, top: this.topOf(node) }, until: performance.now() + HELD };
	}

	/** After changes: goes to the end if `follow` and the reader was there, else moves nothing. */
	keep(follow: boolean): void {
		const held = this.held && performance.now() < this.held.until ? this.held.anchor : null;
		if (!held && follow && this.atEnd) return this.toEnd();
		const anchor = [held, ...this.anchors].find((one) => one?.node.isConnected);
		if (anchor) {
			const moved = this.topOf(anchor.node) - anchor.top;
			if (Math.abs(moved) >= 0.5) this.box.scrollTop += moved;
		}
		this.atEnd &&= this.distance <= NEAR;
		this.note();
	}

	toEnd(): void {
		this.atEnd = true;
		this.box.scrollTop = this.box.scrollHeight;
		this.note();
	}

	to(top: number): void {
		this.box.scrollTop = top;
		this.atEnd = this.distance <= NEAR;
		this.note();
	}

	/** Remembers what is at the upper edge. */
	private note(): void {
		this.last = this.box.scrollTop;
		const edge = this.box.getBoundingClientRect().top;
		const node = anchorBelow(edge, this.box);
		const nodes = [node, node?.closest(".ock-row")];
		this.anchors = nodes.flatMap((node) => (node ? [{ node, top: this.topOf(node) }] : []));
	}

	private topOf(node: Element): number {
		return node.getBoundingClientRect().top - this.box.getBoundingClientRect().top;
	}
}

/** Returns the deepest element that begins below an edge, or goes across it and has no such part. */
function anchorBelow(edge: number, box: Element): Element | null {
	const rows = [...box.querySelectorAll(".ock-row")];
	let node = firstBelow(rows, edge);
	for (let depth = 0; node && depth < 12; depth++) {
		if (node.getBoundingClientRect().top >= edge) return node;
		const inner = firstBelow(node.children, edge);
		if (!inner) return node;
		node = inner;
	}
	return node;
}

/** Returns the first that ends below an edge, of elements that are one below the other. */
function firstBelow(elements: ArrayLike<Element>, edge: number): Element | null {
	let [low, high] = [0, elements.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (elements[middle]!.getBoundingClientRect().bottom > edge) high = middle;
		else low = middle + 1;
	}
	return elements[low] ?? null;
}
