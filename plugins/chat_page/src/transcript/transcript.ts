import { html, nothing } from "lit";
import { ref } from "lit/directives/ref.js";
import { repeat } from "lit/directives/repeat.js";
import "./announcer.ts";
import "./ending.ts";
import type { Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import type { Conversation } from "../conversation.ts";
import { deepLink } from "../markdown/urls.ts";
import { View, define } from "../view.ts";
import { prepareFormats } from "./days.ts";
import { focusedIn } from "./focus.ts";
import { Layout, type Range, grow, isSame, pieces, widened } from "./layout.ts";
import { type Move, moveOf } from "./keyboard.ts";
import { drawGap, drawOlder, drawRow } from "./row.ts";
import { Keys, type Row, rowsOf } from "./rows.ts";
import { Scroller } from "./scroller.ts";
import { Sent } from "./sent.ts";

const AROUND = 30; // rows in the document before and after those that are seen
const STEP = 4; // rows that are drawn in a frame
const MARGIN = 200; // pixels beyond the edges that count as seen
const AHEAD = 1.5; // older items are loaded when so many screens are left above
const BUTTON_FROM = 80; // pixels below the edge from which there is a way to the end
const OPENING = 1500; // milliseconds in which a conversation that opens stays at its end

/** The items of a conversation. Only those around what is seen are in the document. */
export class Transcript extends View {
	static override properties = {
		...View.properties,
		range: { state: true },
		isAway: { state: true },
		olderFailed: { state: true },
	};
	declare range: Range;
	declare isAway: boolean;
	declare olderFailed: boolean;
	private shown: Conversation | null = null;
	private items: unknown = null;
	private rows: Row[] = [];
	private places = new Map<string, number>();
	private layout = new Layout();
	private keys = new Keys();
	/** Rows with something that the user did in them, and would miss. */
	private kept = new Set<string>();
	private readonly sent = new Sent();
	/** How far the rows that are seen have moved, as long as the box has not. */
	private shift = 0;
	private openedUntil = 0;
	private isLoadingOlder = false;
	private box: HTMLElement | undefined;
	private scroller: Scroller | null = null;
	private frame = 0;
	private hadFocus = false;
	private readonly sizes = new ResizeObserver((entries) => this.resized(entries));
	private readonly observed = new Set<Element>();
	private readonly touching = { handleEvent: () => this.touched(), passive: true };

	constructor() {
		super();
		this.range = { from: 0, to: 0 };
		this.isAway = false;
		this.olderFailed = false;
	}

	protected override topics(): Topic[] {
		return ["thread", "items", "status", "options"];
	}

	override connectedCallback(): void {
		super.connectedCallback();
		prepareFormats(this.chat.words);
		this.observe();
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		cancelAnimationFrame(this.frame);
		this.frame = 0;
		this.sizes.disconnect();
		this.observed.clear();
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		super.willUpdate(changed);
		this.hadFocus = Boolean(this.box && focusedIn(this.box));
		const { conversation } = this.chat;
		if (conversation !== this.shown) this.reset(conversation);
		if (conversation.items !== this.items) this.take(conversation);
		this.range = this.next();
	}

	private reset(conversation: Conversation): void {
		this.shown = conversation;
		this.items = null;
		this.layout = new Layout();
		this.keys = new Keys();
		this.kept.clear();
		this.sent.forget();
		this.rows = [];
		this.places.clear();
		this.shift = 0;
		this.olderFailed = false;
		this.openedUntil = performance.now() + OPENING;
		this.range = { from: 0, to: 0 };
		if (this.scroller) this.scroller.atEnd = true;
	}

	/** Takes the items as they are now. */
	private take(conversation: Conversation): void {
		if (!this.rows.length) this.openedUntil = performance.now() + OPENING;
		const first = this.rows[this.layout.at((this.box?.scrollTop ?? 0) - this.listTop)]?.key;
		const before = this.placeOf(first);
		const top = this.layout.top(before);
		const local = this.keys.update(conversation.items);
		this.items = conversation.items;
		this.rows = rowsOf(conversation.items, this.keys);
		this.layout.setKeys(this.rows.map(({ key }) => key));
		this.places = new Map(this.rows.map(({ key }, place) => [key, place]));
		if (local) {
			this.sent.begin(local);
			this.openedUntil = 0;
		}
		// What is seen stays, also when others have come before it
		const place = this.placeOf(first);
		const by = place - before;
		if (place < 0 || !by) return;
		this.shift = this.layout.top(place) - top;
		this.range = { from: this.range.from + by, to: this.range.to + by };
	}

	/** The rows to have in the document next. */
	private next(): Range {
		const { layout } = this;
		const seen = this.seen(MARGIN);
		const step = { step: STEP, fromEnd: this.isAtEnd };
		const range = grow(this.range, seen, widened(seen, AROUND, layout.count), step);
		const to = Math.min(range.to, layout.count);
		return { from: Math.min(range.from, to), to };
	}

	private get isAtEnd(): boolean {
		return this.sent.isGoing || this.scroller?.atEnd !== false;
	}

	private seen(margin: number): Range {
		const { box, layout } = this;
		const height = box?.clientHeight || 800;
		if (this.isAtEnd)
			return layout.between(layout.total - height - margin, layout.total);
		const top = box!.scrollTop - this.listTop + this.shift;
		return layout.between(top - margin, top + height + margin);
	}

	/** Where the first row begins in the box. */
	private get listTop(): number {
		return this.querySelector<HTMLElement>(".ock-rows")?.offsetTop ?? 0;
	}

	override render() {
		const { chat } = this;
		const { status, words } = chat;
		return html`
			<div
				class="ock-reel"
				part="scroller"
				role="log"
				aria-live="off"
				aria-label=${words.text("transcript.label")}
				aria-busy=${status.loading}
				aria-keyshortcuts="Alt+ArrowUp Alt+ArrowDown"
				tabindex="0"
				${ref(this.takeBox)}
				@scroll=${this.scrolled}
				@wheel=${this.touching}
				@touchmove=${this.touching}
				@pointerdown=${this.pressed}
				@keydown=${this.key}
				@click=${this.clicked}
				@input=${this.edited}
				@change=${this.edited}
			>
				${chat.status.older ? drawOlder(this.olderFailed, () => this.loadOlder(), words) : nothing}
				<div class="ock-rows">
					${repeat(this.pieces(), ({ key }) => key, ({ draw }) => draw())}
				</div>
				<ock-ending .chat=${chat} part="ending"></ock-ending>
				<div class="ock-room" aria-hidden="true"></div>
			</div>
			<button
				class="ock-newest"
				part="newest"
				type="button"
				?hidden=${!this.isAway}
				aria-label=${words.text("transcript.newest")}
				title=${words.text("transcript.newest")}
				@click=${this.toNewest}
			>
				${icon("arrow-down")}
			</button>
			<ock-announcer .chat=${chat}></ock-announcer>
		`;
	}

	private pieces() {
		const { layout, rows, range } = this;
		const kept = [...this.kept].map((key) => this.placeOf(key));
		const held = rowOf(this.box && focusedIn(this.box));
		if (held) kept.push(this.placeOf(held.dataset["key"]));
		return pieces(range, kept, layout.count).map((piece) => {
			if ("gap" in piece) {
				const { from, to } = piece.gap;
				const key = from === 0 ? "gap" : `gap after ${rows[from - 1]!.key}`;
				return { key, draw: () => drawGap(layout.top(to) - layout.top(from)) };
			}
			const row = rows[piece.row]!;
			return { key: row.key, draw: () => drawRow(row, this.chat) };
		});
	}

	override updated(): void {
		this.observe();
		this.shift = 0;
		this.settle();
		if (this.hadFocus && this.box && !focusedIn(this.box)) this.box.focus({ preventScroll: true });
		if (!isSame(this.next(), this.range)) this.again();
	}

	private readonly takeBox = (box: Element | undefined): void => {
		this.box = box as HTMLElement | undefined;
		this.scroller = null;
	};

	/** Watches the sizes of what is in the document now. */
	private observe(): void {
		if (!this.box || !this.isConnected) return;
		const room = this.box.querySelector<HTMLElement>(".ock-room");
		if (room) this.scroller ??= new Scroller(this.box, room);
		const now = new Set<Element>([this.box, ...this.box.querySelectorAll(".ock-row, ock-ending")]);
		for (const element of this.observed)
			if (!now.has(element)) {
				this.observed.delete(element);
				this.sizes.unobserve(element);
			}
		for (const element of now)
			if (!this.observed.has(element)) {
				this.observed.add(element);
				this.sizes.observe(element);
			}
	}

	private resized(entries: ResizeObserverEntry[]): void {
		for (const { target, borderBoxSize } of entries) {
			const key = (target as HTMLElement).dataset["key"];
			if (key && target.isConnected) this.layout.measure(key, borderBoxSize[0]!.blockSize);
		}
		this.settle();
		if (!isSame(this.next(), this.range)) this.again();
	}

	/** Puts the view where it belongs after changes. */
	private settle(): void {
		const { box, scroller, sent } = this;
		if (!box || !scroller) return;
		sent.makeRoom(box);
		if (sent.isGoing) sent.show(box, scroller, this.layout);
		else scroller.keep(this.follows);
		this.look();
	}

	/** Whether the view goes along with the end while it grows. */
	private get follows(): boolean {
		const { status, options } = this.chat;
		const isOpening = performance.now() < this.openedUntil;
		return isOpening || !status.answering || options.thread?.autoScroll === true;
	}

	private scrolled(): void {
		this.scroller?.scrolled();
		this.look();
		if (!isSame(this.next(), this.range)) this.requestUpdate();
	}

	/** Sees how far the ends are. */
	private look(): void {
		const { box, scroller } = this;
		if (!box || !scroller) return;
		this.isAway = scroller.distance > BUTTON_FROM && performance.now() > this.openedUntil;
		const { older, loading } = this.chat.status;
		const isNear = box.scrollTop < box.clientHeight * AHEAD;
		if (older && !loading && isNear && !this.olderFailed && box.clientHeight) void this.loadOlder();
	}

	private async loadOlder(): Promise<void> {
		if (this.isLoadingOlder) return;
		this.isLoadingOlder = true;
		this.olderFailed = false;
		const { shown } = this;
		try {
			await this.chat.loadOlder();
		} catch {
			this.olderFailed = shown === this.shown;
		} finally {
			this.isLoadingOlder = false;
			this.again();
		}
	}

	/** Renders again in the next frame. */
	private again(): void {
		if (this.frame) return;
		this.frame = requestAnimationFrame(() => {
			this.frame = 0;
			this.look();
			this.requestUpdate();
		});
	}

	private touched(): void {
		this.openedUntil = 0;
		this.sent.isGoing = false;
	}

	private pressed(event: Event): void {
		this.touched();
		this.hold(event.target);
	}

	/** Keeps a control in its place that opens or closes something. */
	private hold(target: EventTarget | null): void {
		const control = target instanceof Element ? target.closest("button, summary") : null;
		if (control) this.scroller?.hold(control);
	}

	private clicked(event: Event): void {
		const link = event.target instanceof Element ? event.target.closest("a") : null;
		const detail = link && deepLink(link.getAttribute("href") ?? "");
		if (detail && !event.defaultPrevented) {
			event.preventDefault();
			this.chat.emit("chatkit.deeplink", detail);
		}
		this.edited(event);
	}

	/** Keeps a row in the document in which the user did something. */
	private edited({ target }: Event): void {
		const key = rowOf(target)?.dataset["key"];
		const isControl = (target as Element).closest("button, summary, input, select, textarea");
		if (key && isControl) this.kept.add(key);
	}

	private key(event: KeyboardEvent): void {
		const { target, key } = event;
		this.touched();
		if (["Enter", " "].includes(key)) this.hold(target);
		const row = rowOf(target);
		const isField = (target as Element).matches("input, textarea, select");
		const move = isField ? null : moveOf(event, row !== null && target === row);
		if (move === null) return;
		event.preventDefault();
		void this.focusRow(this.placeAfter(move, row));
	}

	/** Returns which row a move leads to, from the one with the focus or the first that is seen. */
	private placeAfter(move: Move, row: HTMLElement | null): number {
		if (move === "first") return 0;
		if (move === "last") return this.rows.length - 1;
		if (row) return this.placeOf(row.dataset["key"]) + move;
		return this.seen(0).from + Math.min(move, 0);
	}

	private placeOf(key: string | null | undefined): number {
		return this.places.get(key ?? "") ?? -1;
	}

	/** Moves the focus to a row, wherever it is. */
	private async focusRow(place: number): Promise<void> {
		const row = this.rows[Math.max(0, Math.min(place, this.rows.length - 1))];
		if (!row) return;
		const find = () => this.querySelector<HTMLElement>(`[data-key="${CSS.escape(row.key)}"]`);
		if (!find()) this.scroller?.to(this.listTop + this.layout.top(this.rows.indexOf(row)));
		for (let rows = this.seen(MARGIN); !find() && rows.from < rows.to; rows.from += STEP) {
			this.requestUpdate();
			await this.updateComplete;
		}
		const element = find();
		if (!element) return;
		element.focus({ preventScroll: true });
		const isTall = element.offsetHeight > this.box!.clientHeight;
		element.scrollIntoView({ block: isTall ? "start" : "nearest" });
	}

	private toNewest(): void {
		this.box?.focus({ preventScroll: true });
		this.touched();
		this.scroller?.toEnd();
		this.requestUpdate();
	}
}

function rowOf(target: EventTarget | null | undefined): HTMLElement | null {
	return target instanceof Element ? target.closest<HTMLElement>(".ock-row") : null;
}

define("ock-transcript", Transcript);
