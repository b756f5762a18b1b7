// A list of entries to pick from: the pattern "listbox" of WAI-ARIA, for all menus of the composer.

import { type TemplateResult, html, nothing } from "lit";
import { icon } from "../icons.ts";
import * as glyphs from "./glyphs.ts";

export interface Entry {
	id: string;
	label: string;
	description?: string | undefined;
	/** A name, as the page gives it, or a picture of ours. */
	icon?: string | TemplateResult | undefined;
	group?: string | undefined;
	disabled?: boolean | undefined;
	/** Whether it is chosen; undefined where nothing is. */
	checked?: boolean | undefined;
	run: () => void;
}

export interface Listbox {
	id: string;
	label: string;
	entries: readonly Entry[];
	active: number;
	/** What is said in place of entries. */
	empty?: string;
	onPick: (entry: Entry) => void;
	onActive: (index: number) => void;
}

/** Puts the entries of a group together, in the order in which the groups come first. */
export function grouped(entries: readonly Entry[]): Entry[] {
	const groups = new Map<string, Entry[]>();
	for (const entry of entries) {
		const name = entry.group ?? "";
		groups.set(name, [...(groups.get(name) ?? []), entry]);
	}
	return [...groups.values()].flat();
}

/** The next entry that can be picked, round the ends; -1 if none can. */
export function step(entries: readonly Entry[], from: number, by: 1 | -1): number {
	const count = entries.length;
	for (let tries = 1; tries <= count; tries++) {
		const index = (((from + by * tries) % count) + count) % count;
		if (!entries[index]!.disabled) return index;
	}
	return -1;
}

/** What a key does in a list: another active entry, or null if the key is for something else. */
export function activeAfter(key: string, entries: readonly Entry[], active: number): number | null {
	if (key === "ArrowDown") return step(entries, active, 1);
	if (key === "ArrowUp") return step(entries, active < 0 ? 0 : active, -1);
	if (key === "Home") return step(entries, -1, 1);
	if (key === "End") return step(entries, 0, -1);
	return null;
}

/** The first entry after the active one whose label begins with a character, as in native lists. */
export function typedAhead(key: string, entries: readonly Entry[], active: number): number | null {
	if ([...key].length !== 1 || key === " ") return null;
	const count = entries.length;
	const order = entries.map((_, index) => (active + 1 + index + count) % count);
	const begins = (text: string) => text.toLocaleLowerCase().startsWith(key.toLocaleLowerCase());
	return order.find((at) => !entries[at]!.disabled && begins(entries[at]!.label)) ?? null;
}

/** Whether a word of the label begins like the query. */
export function fits(label: string, query: string): boolean {
	const [text, wanted] = [label.toLocaleLowerCase(), query.toLocaleLowerCase()];
	return text.startsWith(wanted) || text.split(/[\s\-/(]+/).some((word) => word.startsWith(wanted));
}

export function optionId(list: string, index: number): string {
	return `${list}-${index}`;
}

export function listbox(list: Listbox): TemplateResult {
	const { id, label, entries, active, empty } = list;
	if (!entries.length) return html`<p class="ock-menu-empty">${empty}</p>`;
	return html`<div id=${id} class="ock-options" role="listbox" tabindex="0" aria-label=${label}
		aria-activedescendant=${active < 0 ? nothing : optionId(id, active)}
		@mousedown=${(event: Event) => event.preventDefault()}>
		${groupsOf(entries).map(([name, members]) =>
			name
				? html`<div role="group" aria-label=${name}>
						<div class="ock-group" aria-hidden="true">${name}</div>
						${members.map((index) => option(list, index))}
					</div>`
				: members.map((index) => option(list, index)),
		)}
	</div>`;
}

/** Scrolls the active entry into the visible part of its list. */
export function showActive(root: ParentNode, list: string, active: number): void {
	if (active >= 0) root.querySelector(`#${optionId(list, active)}`)?.scrollIntoView({ block: "nearest" });
}

function groupsOf(entries: readonly Entry[]): [string, number[]][] {
	const groups = new Map<string, number[]>();
	entries.forEach(({ group = "" }, index) => groups.set(group, [...(groups.get(group) ?? []), index]));
	return [...groups];
}

function option({ id, entries, active, onPick, onActive }: Listbox, index: number): TemplateResult {
	const entry = entries[index]!;
	const { checked, disabled } = entry;
	return html`<div id=${optionId(id, index)} class="ock-option" role="option" part="menu-option"
		?data-active=${index === active}
		aria-selected=${String(checked ?? index === active)}
		aria-disabled=${disabled ? "true" : nothing}
		@pointermove=${() => !disabled && index !== active && onActive(index)}
		@click=${() => !disabled && onPick(entry)}>
		${typeof entry.icon === "string" ? icon(entry.icon) : (entry.icon ?? nothing)}
		<span class="ock-option-text">
			<span><bdi>${entry.label}</bdi></span>
			${
				entry.description
					? html`<span class="ock-hint"><bdi>${entry.description}</bdi></span>`
					: nothing
			}
		</span>
		${checked ? glyphs.check : nothing}
	</div>`;
}
