// What opens at the caret: tags for `@`, commands for `/`.

import type { Command, CommandSelection, Entity } from "@openai/chatkit";
import { html, nothing } from "lit";
import type { Chat } from "../chat.ts";
import { styled } from "../view.ts";
import type { Choices } from "./choices.ts";
import { type Deeds, builtIns, pageCommands } from "./commands.ts";
import type { Field } from "./field.ts";
import { type Entry, activeAfter, listbox, optionId, showActive } from "./listbox.ts";
import { roomAbove } from "./room.ts";
import { Suggestions } from "./suggestions.ts";
import { type Trigger, triggerAt } from "./trigger.ts";

const LIST = "ock-suggestions";

/** What the menu needs of the composer. */
export interface Surroundings {
	readonly chat: Chat;
	readonly field: Field | null;
	readonly choices: Choices;
	readonly deeds: Deeds;
	requestUpdate(): void;
}

export class CaretMenu {
	private readonly suggestions: Suggestions;
	/** The commands of a menu that another command has opened. */
	private submenu: readonly Command[] | null = null;
	/** Enter was pressed before the search had an answer. */
	private isEager = false;

	constructor(private readonly composer: Surroundings) {
		this.suggestions = new Suggestions(
			(trigger) => this.search(trigger),
			() => this.changed(),
			(error) => composer.chat.emit("chatkit.error", { error }),
		);
	}

	get isOpen(): boolean {
		return this.suggestions.isOpen;
	}

	/** The id of the list and of the option that Enter picks; null while there is none. */
	get list(): string | null {
		return this.isOpen && this.suggestions.entries.length ? LIST : null;
	}

	get activeOption(): string | null {
		const { active } = this.suggestions;
		return this.list && active >= 0 ? optionId(LIST, active) : null;
	}

	/** The text or the caret has changed. */
	update(): void {
		const field = this.composer.field!;
		const trigger = field.hasSelection ? null : triggerAt(field.value, field.caret, this.kinds);
		if (trigger?.kind !== "/") this.submenu = null;
		this.isEager = false;
		this.suggestions.update(trigger);
	}

	close(): void {
		this.suggestions.close();
	}

	/** Takes the keys that are for the list. Returns whether it was one. */
	key(event: KeyboardEvent): boolean {
		const { suggestions } = this;
		if (!this.isOpen) return false;
		const { key } = event;
		const entry = suggestions.entries[suggestions.active];
		const isArrow = key === "ArrowDown" || key === "ArrowUp";
		const next = isArrow ? activeAfter(key, suggestions.entries, suggestions.active) : null;
		if (next !== null) suggestions.activate(next);
		else if (key === "Escape") suggestions.dismiss();
		else if (key === "Enter" || (key === "Tab" && !event.shiftKey)) {
			if (entry) this.pick(entry);
			else if (suggestions.loading) this.isEager = true;
			else return false;
		} else return false;
		event.preventDefault();
		// Escape is not for a dialog of the page
		event.stopPropagation();
		return true;
	}

	render() {
		const { suggestions, composer } = this;
		const { words } = composer.chat;
		if (!this.isOpen) return html`<p class="ock-hidden" role="status"></p>`;
		const { entries, active, trigger } = suggestions;
		const count = words.text("composer.found", { count: entries.length });
		return html`<div class="ock-menu ock-wide" part="menu" ?data-loading=${suggestions.loading}
				${styled({ "max-block-size": composer.field ? roomAbove(composer.field) : null })}>
				${listbox({
					id: LIST,
					label: words.text(trigger!.kind === "@" ? "composer.mention" : "composer.commands"),
					entries,
					active,
					empty: this.emptyText,
					onPick: (entry) => this.pick(entry),
					onActive: (index) => suggestions.activate(index),
				})}
			</div>
			<p class="ock-hidden" role="status">${suggestions.loading ? nothing : entries.length ? count : this.emptyText}</p>`;
	}

	/** After the list is drawn: its active option is in view. */
	drawn(root: ParentNode): void {
		if (this.list) showActive(root, LIST, this.suggestions.active);
	}

	private changed(): void {
		const { loading, entries, active } = this.suggestions;
		if (this.isEager && !loading) {
			this.isEager = false;
			if (entries[active]) this.pick(entries[active]);
		}
		this.composer.requestUpdate();
	}

	private get emptyText(): string {
		const { words } = this.composer.chat;
		const { loading, failed } = this.suggestions;
		return words.text(loading ? "composer.searching" : failed ? "composer.search.failed" : "composer.nothing");
	}

	private get kinds(): ReadonlySet<string> {
		const { entities, commands } = this.composer.chat.options;
		return new Set([entities?.onTagSearch ? "@" : "", commands?.enabled ? "/" : ""]);
	}

	private async search({ kind, query }: Trigger): Promise<Entry[]> {
		const { chat, choices, deeds } = this.composer;
		if (kind === "@") {
			const found = (await chat.options.entities?.onTagSearch?.(query)) ?? [];
			return found.map((entity) => this.entityEntry(entity));
		}
		const own = this.submenu ? [] : builtIns(chat, choices, deeds, query);
		const pick = (command: Command) => void this.command(command);
		try {
			return [...(await pageCommands(chat, query, this.submenu, pick)), ...own];
		} catch (error) {
			chat.emit("chatkit.error", { error });
			return own;
		}
	}

	private entityEntry(entity: Entity): Entry {
		const { id, title, icon, group } = entity;
		const run = () => {
			const { field } = this.composer;
			field!.insertTag(field!.caret, field!.caret, entity);
		};
		return { id, label: title, icon, group, run };
	}

	/** Removes what was written to find an entry, and does what it is for. */
	private pick(entry: Entry): void {
		const { trigger } = this.suggestions;
		if (!trigger) return;
		this.close();
		this.composer.field!.replace(trigger.start, trigger.end, { text: "", tags: [] });
		entry.run();
	}

	private async command(command: Command): Promise<void> {
		const { chat, field } = this.composer;
		try {
			const selection = await chat.options.commands?.onSelect?.(command);
			if (selection) this.select(field!, selection);
		} catch (error) {
			chat.emit("chatkit.error", { error });
		}
	}

	private select(field: Field, selection: CommandSelection): void {
		if (selection.type === "entity") return field.insertTag(field.caret, field.caret, selection.entity);
		this.submenu = selection.commands;
		field.replace(field.caret, field.caret, { text: "/", tags: [] });
	}
}
