// The message that was sent last: it goes to the top, with room below it for the answer.

import type { Layout } from "./layout.ts";
import type { Scroller } from "./scroller.ts";

const SPACE = 12; // pixels above the message
const MOST = 0.6; // of the window, that a long message may take: its end is shown

export class Sent {
	/** The key of its row; null if none was sent here. */
	private key: string | null = null;
	/** It is not where it belongs yet. */
	isGoing = false;

	begin(key: string): void {
		this.key = key;
		this.isGoing = true;
	}

	forget(): void {
		this.key = null;
		this.isGoing = false;
	}

	/** Has the room as high as needed, so that the message can be at the top. */
	makeRoom(box: HTMLElement): void {
		const row = this.row(box);
		const room = box.querySelector<HTMLElement>(".ock-room");
		if (!room || (this.key && !row)) return;
		const below = row ? room.getBoundingClientRect().top - this.top(row, box) : Infinity;
		const height = Math.max(0, box.clientHeight - below);
		if (Math.abs(room.offsetHeight - height) >= 1) room.style.blockSize = `${height}px`;
	}

	/** Scrolls to the message, until its height is known and it is there. */
	show(box: HTMLElement, scroller: Scroller, layout: Layout): void {
		const row = this.row(box);
		if (row) scroller.to(box.scrollTop + this.top(row, box) - box.getBoundingClientRect().top);
		this.isGoing = layout.has(this.key!) && !layout.isMeasured(this.key!);
	}

	private row(box: HTMLElement): HTMLElement | null {
		return this.key ? box.querySelector(`[data-key="${CSS.escape(this.key)}"]`) : null;
	}

	/** Where the view begins, in the window, that shows the message. */
	private top(row: HTMLElement, box: HTMLElement): number {
		const { top, bottom } = row.getBoundingClientRect();
		return Math.max(top - SPACE, bottom - box.clientHeight * MOST);
	}
}
