// A table. Browsers lay out the whole of a table for each new row, so a long one gets fixed widths,
// and groups of rows that are laid out on their own.

import type { Block, Row } from "./block.ts";
import type { Ink, Mark } from "./ink.ts";
import { cells } from "./lines.ts";
import { Text } from "./text.ts";

const GROUP = 50;

interface Line {
	row: Row;
	tail: boolean;
	marks: number;
	element: HTMLElement;
	cells: Text[];
}

export class Table {
	readonly node = document.createElement("div");
	private readonly table = this.node.appendChild(document.createElement("table"));
	private readonly head = this.table.appendChild(document.createElement("thead"));
	private body = this.table.appendChild(document.createElement("tbody"));
	private lines: Line[] = [];
	private align = "";
	/** The widths of the columns, once they are fixed. */
	private widths: string[] | null = null;

	constructor(private readonly ink: Ink) {
		this.node.className = "ock-scroll ock-table";
		this.node.tabIndex = 0;
		this.node.setAttribute("role", "region");
		this.table.dir = "auto"; // that of its first head
		this.node.setAttribute("aria-label", ink.words.text("markdown.table"));
	}

	update(block: Block, tail: boolean): void {
		const align = block.align.join();
		if (this.align !== align) this.clear();
		this.align = align;
		block.rows.forEach((row, index) => {
			this.line(row, index, block, tail && index === block.rows.length - 1);
		});
		for (const line of this.lines.splice(block.rows.length)) {
			for (const cell of line.cells) cell.dispose();
			line.element.remove();
		}
	}

	dispose(): void {
		for (const { cells } of this.lines) for (const cell of cells) cell.dispose();
	}

	private clear(): void {
		this.dispose();
		for (const { element } of this.lines) element.remove();
		this.lines = [];
	}

	private line(row: Row, index: number, block: Block, tail: boolean): void {
		const marks = this.ink.marks.get(row) ?? [];
		const before = this.lines[index];
		if (before?.row === row && before.tail === tail && before.marks === marks.length) return;
		const { element, cells: texts } = before ?? this.newLine(index, block);
		const sources = cells(row.text);
		texts.forEach((text, column) => {
			const last = column === Math.min(sources.length, texts.length) - 1;
			// A row is split into cells: its marks go to the end of the cell that they are in
			const mine = marks.filter((mark) => columnAt(row, mark, texts.length) === column);
			const source = sources[column] ?? "";
			text.update(source, tail && last, mine.map((mark) => ({ mark, at: source.length })));
		});
		this.lines[index] = { row, tail, marks: marks.length, element, cells: texts };
	}

	private newLine(index: number, block: Block): Pick<Line, "element" | "cells"> {
		if (index > 1 && index % GROUP === 1) this.newGroup();
		const section = index === 0 ? this.head : this.body;
		const name = index === 0 ? "th" : "td";
		const first = section.childNodes.length === 0;
		const element = section.appendChild(document.createElement("tr"));
		if (this.widths) element.setAttribute("role", "row");
		const texts = block.align.map((align, column) => {
			const cell = element.appendChild(document.createElement(name));
			if (index > 0 || column > 0) cell.dir = "auto";
			if (name === "th") cell.setAttribute("scope", "col");
			if (align) cell.className = `ock-${align}`;
			if (this.widths) cell.setAttribute("role", "cell");
			if (this.widths && first) cell.style.inlineSize = this.widths[column] ?? "";
			return new Text(cell, this.ink);
		});
		return { element, cells: texts };
	}

	private newGroup(): void {
		if (!this.widths) this.fix();
		if (!this.widths) return;
		this.body = this.table.appendChild(document.createElement("tbody"));
		this.body.setAttribute("role", "rowgroup");
	}

	/** Fixes the widths of the columns as they are now, if the table is on the page. */
	private fix(): void {
		const heads = [...this.head.querySelectorAll("th")];
		if (!this.node.isConnected || !heads[0]?.offsetWidth) return;
		const size = Number.parseFloat(getComputedStyle(this.table).fontSize);
		const widths = heads.map((cell) => `${(cell.getBoundingClientRect().width / size).toFixed(2)}em`);
		this.widths = widths;
		this.table.classList.add("ock-long");
		for (const section of [this.head, this.body])
			for (const [column, cell] of [...(section.firstElementChild?.children ?? [])].entries())
				(cell as HTMLElement).style.inlineSize = widths[column]!;
		this.giveRoles();
	}

	/** What is not laid out as a table is one only by its roles. */
	private giveRoles(): void {
		const roles = { thead: "rowgroup", tbody: "rowgroup", tr: "row", th: "columnheader", td: "cell" };
		this.table.setAttribute("role", "table");
		for (const [name, role] of Object.entries(roles))
			for (const element of this.table.querySelectorAll(name)) element.setAttribute("role", role);
	}
}

function columnAt(row: Row, mark: Mark, columns: number): number {
	const before = row.text.slice(0, Math.max(0, mark.index - row.source)).trimEnd();
	// "| a | b |" ends with a bar that begins no cell
	const full = cells(before.endsWith("|") ? before.slice(0, -1) : before);
	return Math.max(0, Math.min(full.length, columns) - 1);
}
