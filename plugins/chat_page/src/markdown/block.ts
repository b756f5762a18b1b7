// A block of markdown, such as a paragraph or a list.

import type { Align } from "./lines.ts";

export type BlockType =
	| "document"
	| "quote"
	| "list"
	| "item"
	| "details"
	| "footnote"
	| "summary"
	| "paragraph"
	| "heading"
	| "code"
	| "math"
	| "rule"
	| "table"
	| "definition";

/** A line of a block: where it begins in the block's text, and in the source. */
export interface Place {
	at: number;
	source: number;
}

export interface Row extends Place {
	text: string;
}

export interface Block {
	type: BlockType;
	/** Changes whenever something in the block does. */
	version: number;
	children: Block[];
	/** Of a block without children: its text without what marks the block. */
	text: string;
	places: Place[];
	rows: Row[];
	/** Where the block begins in the source. */
	start: number;
	closed: boolean;
	/** Of a heading. */
	level: number;
	/** Of code: its language. Of a list: its marker. Of a footnote or definition: its label. */
	name: string;
	/** Of a list that is numbered: its first number. */
	first: number | null;
	/** Of a list: its items are apart. Of details: they are open. */
	loose: boolean;
	/** Of an item: how far its text is indented, and whether it is done, if it is a task. */
	indent: number;
	task: boolean | null;
	/** Of an item: its last line was blank. */
	blank: boolean;
	/** Of code: what ends it, or null for indented code. Of mathematics: what ends it. */
	fence: string | null;
	align: Align[];
	url: string;
	title: string;
}

export function newBlock(type: BlockType, start: number): Block {
	const data = { level: 0, name: "", first: null, loose: false, indent: 0, task: null };
	const state = { version: 0, closed: false, blank: false, fence: null, align: [], url: "", title: "" };
	return { type, start, text: "", children: [], places: [], rows: [], ...data, ...state };
}
