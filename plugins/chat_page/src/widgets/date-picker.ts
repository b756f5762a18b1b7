import { html, nothing } from "lit";
import { icon } from "../icons.ts";
import { define } from "../view.ts";
import type { Word } from "../words.ts";
import { type Day, dayOf, firstWeekday, plusDays, plusMonths, timeOf, today, weekday, weeksOf } from "./calendar.ts";
import { text } from "./context.ts";
import { Picker } from "./picker.ts";
import type { Props } from "./values.ts";

/** A day to choose from a calendar. */
export class DatePicker extends Picker {
	static override properties = { ...Picker.properties, cursor: { state: true } };
	/** The day that the keys move from, and whose month is shown. */
	declare cursor: Day;
	protected override readonly popupRole = "dialog";

	constructor() {
		super();
		this.cursor = today();
	}

	protected override valueIn(node: Props): Day {
		return dayOf(node["defaultValue"]) ?? "";
	}

	protected override shown(value: Day): string {
		return this.written(value, { dateStyle: "medium" });
	}

	protected override renderPopup() {
		const { words } = this.chat;
		return html`<div class="ock-w-calendar" role="dialog" aria-label=${text(this.node["placeholder"]) || words.text("widget.day")}>
			<div class="ock-w-month">
				${this.turner(-12, "widget.year.before")}${this.turner(-1, "widget.month.before")}
				<span aria-live="polite">${this.written(this.cursor, { month: "long", year: "numeric" })}</span>
				${this.turner(1, "widget.month.after")}${this.turner(12, "widget.year.after")}
			</div>
			<table role="grid" @keydown=${this.pressed}>
				<thead><tr>${this.weekdays()}</tr></thead>
				<tbody>
					${weeksOf(this.cursor, firstWeekday(words.locale)).map(
						(week) => html`<tr>${week.map((day) => this.day(day))}</tr>`,
					)}
				</tbody>
			</table>
		</div>`;
	}

	protected override focusPopup(): void {
		this.moveTo(this.value || today());
	}

	private turner(months: number, key: Word) {
		const side = months < 0 === (this.chat.words.direction === "ltr") ? "left" : "right";
		const name = Math.abs(months) > 1 ? `double-chevron-${side}` : `chevron-${side}`;
		return html`<button type="button" class="ock-button" aria-label=${this.chat.words.text(key)}
			@click=${() => (this.cursor = this.limited(plusMonths(this.cursor, months)))}>${icon(name)}</button>`;
	}

	private weekdays() {
		const [week = []] = weeksOf(this.cursor, firstWeekday(this.chat.words.locale));
		return week.map(
			(day) => html`<th scope="col" abbr=${this.written(day, { weekday: "long" })}>
				${this.written(day, { weekday: "narrow" })}</th>`,
		);
	}

	private day(day: Day) {
		const isOther = day.slice(0, 7) !== this.cursor.slice(0, 7);
		return html`<td role="gridcell" aria-selected=${day === this.value ? "true" : "false"}>
			<button type="button" data-day=${day} tabindex=${day === this.cursor ? 0 : -1}
				aria-label=${this.written(day, { dateStyle: "full" })} ?data-other=${isOther}
				aria-current=${day === today() ? "date" : nothing} ?disabled=${day !== this.limited(day)}
				@click=${() => this.choose(day)}>${Number(day.slice(8))}</button>
		</td>`;
	}

	private readonly pressed = (event: KeyboardEvent) => {
		const next = this.dayAfter(event);
		if (!next) return;
		event.preventDefault();
		event.stopPropagation();
		this.moveTo(next);
	};

	/** The day that a key leads to. */
	private dayAfter({ key, shiftKey }: KeyboardEvent): Day | undefined {
		const { cursor } = this;
		const forward = getComputedStyle(this).direction === "rtl" ? -1 : 1;
		const place = (weekday(cursor) - firstWeekday(this.chat.words.locale) + 7) % 7;
		switch (key) {
			case "ArrowLeft":
				return plusDays(cursor, -forward);
			case "ArrowRight":
				return plusDays(cursor, forward);
			case "ArrowUp":
				return plusDays(cursor, -7);
			case "ArrowDown":
				return plusDays(cursor, 7);
			case "Home":
				return plusDays(cursor, -place);
			case "End":
				return plusDays(cursor, 6 - place);
			case "PageUp":
				return plusMonths(cursor, shiftKey ? -12 : -1);
			case "PageDown":
				return plusMonths(cursor, shiftKey ? 12 : 1);
			default:
				return undefined;
		}
	}

	private moveTo(day: Day): void {
		this.cursor = this.limited(day);
		void this.updateComplete.then(() =>
			this.querySelector<HTMLElement>(`[data-day="${this.cursor}"]`)?.focus(),
		);
	}

	private limited(day: Day): Day {
		const [min, max] = [dayOf(this.node["min"]), dayOf(this.node["max"])];
		if (max && day > max) return max;
		return min && day < min ? min : day;
	}

	private written(day: Day, options: Intl.DateTimeFormatOptions): string {
		return this.chat.words.date(new Date(timeOf(day)), { ...options, timeZone: "UTC" });
	}
}

define("ock-date", DatePicker);
