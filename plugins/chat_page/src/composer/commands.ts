// What the menu of `/` has: what the composer can do, and the commands of the page.

import type { Command } from "@openai/chatkit";
import type { Chat } from "../chat.ts";
import { type Choices, modelOf, toolOf } from "./choices.ts";
import * as glyphs from "./glyphs.ts";
import { type Entry, fits } from "./listbox.ts";

/** What the composer does for its menus. */
export interface Deeds {
	attach: (() => void) | null;
	mention: (() => void) | null;
	dictate: (() => void) | null;
	chooseTool: (id: string | null) => void;
	chooseModel: (id: string) => void;
}

/** The tools as entries. A chosen one is let go by picking it again. */
export function toolEntries(chat: Chat, choices: Choices, { chooseTool }: Deeds): Entry[] {
	const chosen = toolOf(chat.options, choices);
	return (chat.options.composer?.tools ?? []).map(({ id, label, icon }) => {
		const checked = id === chosen?.id;
		return { id: `tool:${id}`, label, icon, checked, run: () => chooseTool(checked ? null : id) };
	});
}

export function modelEntries(chat: Chat, choices: Choices, { chooseModel }: Deeds): Entry[] {
	const chosen = modelOf(chat.options, choices);
	return (chat.options.composer?.models ?? []).map(({ id, label, description, disabled }) => {
		const checked = id === chosen?.id;
		return { id: `model:${id}`, label, description, disabled, checked, run: () => chooseModel(id) };
	});
}

/** The actions of the composer that fit a query. */
export function builtIns(chat: Chat, choices: Choices, deeds: Deeds, query: string): Entry[] {
	const { words } = chat;
	const action = (id: string, label: string, icon: Entry["icon"], run: (() => void) | null): Entry[] =>
		run ? [{ id, label, icon, run, group: words.text("composer.group.actions") }] : [];
	const within = (group: string) => (entry: Entry) => ({ ...entry, group });
	const all = [
		...action("attach", words.text("composer.attach"), glyphs.attach, deeds.attach),
		...action("mention", words.text("composer.mention"), glyphs.at, deeds.mention),
		...action("dictate", words.text("composer.dictate"), glyphs.microphone, deeds.dictate),
		...action("new", words.text("composer.new"), glyphs.compose, () => void chat.open(null)),
		...toolEntries(chat, choices, deeds).map(within(words.text("composer.tools"))),
		...modelEntries(chat, choices, deeds).map(within(words.text("composer.models"))),
	];
	return all.filter(({ label }) => fits(label, query));
}

/** The commands of the page as entries; `only` are those of a menu that a command has opened. */
export async function pageCommands(
	chat: Chat,
	query: string,
	only: readonly Command[] | null,
	pick: (command: Command) => void,
): Promise<Entry[]> {
	const { onSearch } = chat.options.commands ?? {};
	const found = only ? only.filter(({ label }) => fits(label, query)) : ((await onSearch?.(query)) ?? []);
	return found.map((command) => {
		const { id, label, description, icon, group } = command;
		return { id: `command:${id}`, label, description, icon, group, run: () => pick(command) };
	});
}
