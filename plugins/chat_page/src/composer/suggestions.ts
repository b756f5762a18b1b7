// The list that opens at the caret, for `@` and `/`.

import { type Entry, fits, grouped, step } from "./listbox.ts";
import type { Trigger } from "./trigger.ts";

/** Returns what fits a trigger, or a promise of it. */
export type Search = (trigger: Trigger) => Entry[] | Promise<Entry[]>;

const PAUSE = 150; // milliseconds of quiet before a search; the first one is at once

export class Suggestions {
	trigger: Trigger | null = null;
	entries: readonly Entry[] = [];
	active = -1;
	loading = false;
	failed = false;
	/** The user does not want the list for the trigger at this place. */
	private dismissed: string | null = null;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private searches = 0;

	constructor(
		private readonly search: Search,
		private readonly changed: () => void,
		private readonly report: (error: unknown) => void,
	) {}

	/** Whether there is something to show: entries, or that none fit. */
	get isOpen(): boolean {
		const { trigger } = this;
		if (!trigger) return false;
		if (this.entries.length) return true;
		// A sentence after an @ is no search, and neither is a path
		const isSearch = trigger.kind === "@" && !/\s/.test(trigger.query);
		return isSearch;
	}

	/** The text at the caret is another. */
	update(trigger: Trigger | null): void {
		if (!trigger || placeOf(trigger) !== this.dismissed) this.dismissed = null;
		const wanted = this.dismissed === null ? trigger : null;
		if (!wanted) return this.close();
		const before = this.trigger;
		this.trigger = wanted;
		if (before && same(before, wanted)) return;
		const isFirst = !before || placeOf(before) !== placeOf(wanted);
		// Until the answer comes, what is shown has to fit: Enter picks from it
		this.show(isFirst ? [] : this.entries.filter(({ label }) => fits(label, wanted.query)));
		this.begin(isFirst ? 0 : PAUSE);
	}

	/** Closes the list until another `@` or `/` is written. */
	dismiss(): void {
		this.dismissed = this.trigger && placeOf(this.trigger);
		this.close();
	}

	close(): void {
		if (!this.trigger) return;
		this.searches++;
		clearTimeout(this.timer);
		Object.assign(this, { trigger: null, entries: [], active: -1, loading: false, failed: false });
		this.changed();
	}

	activate(index: number): void {
		this.active = index;
		this.changed();
	}

	private show(entries: readonly Entry[]): void {
		this.entries = entries;
		this.active = step(entries, -1, 1);
	}

	private begin(pause: number): void {
		clearTimeout(this.timer);
		const number = ++this.searches;
		Object.assign(this, { loading: true, failed: false });
		this.timer = setTimeout(() => void this.run(number), pause);
		this.changed();
	}

	private async run(number: number): Promise<void> {
		try {
			const found = await this.search(this.trigger!);
			// A later search has begun: this answer is late
			if (number !== this.searches) return;
			this.show(grouped(found));
		} catch (error) {
			if (number !== this.searches) return;
			this.show([]);
			this.failed = true;
			this.report(error);
		}
		this.loading = false;
		this.changed();
	}
}

function placeOf({ kind, start }: Trigger): string {
	return `${kind}${start}`;
}

function same(a: Trigger, b: Trigger): boolean {
	return placeOf(a) === placeOf(b) && a.query === b.query;
}
