// Dictation: the bar that is shown while the user speaks. Loaded when it is used.

import { html, nothing } from "lit";
import type { Word } from "../words.ts";
import { View, define } from "../view.ts";
import * as glyphs from "./glyphs.ts";
import { Recorder, base64 } from "./recorder.ts";

const LONGEST = 300; // seconds of a recording

const PROBLEMS: Record<string, Word> = {
	NotAllowedError: "composer.dictation.denied",
	NotFoundError: "composer.dictation.missing",
	NotReadableError: "composer.dictation.busy",
	SecurityError: "composer.dictation.insecure",
};

type State = "asking" | "recording" | "transcribing" | "failed";

export class Dictation extends View {
	static override properties = {
		...View.properties,
		state: { state: true },
		seconds: { state: true },
		problem: { state: true },
	};
	declare private state: State;
	declare private seconds: number;
	declare private problem: string;
	onText: (text: string) => void = () => {};
	onEnd: () => void = () => {};
	private recorder: Recorder | null = null;
	/** What was recorded, until it is text: it may be sent again. */
	private recording: Blob | null = null;
	private timer: ReturnType<typeof setInterval> | undefined;
	private isOver = false;

	constructor() {
		super();
		this.state = "asking";
		this.seconds = 0;
		this.problem = "";
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.addEventListener("keydown", this.key);
		void this.start();
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		this.isOver = true;
		clearInterval(this.timer);
		this.recorder?.cancel();
	}

	override firstUpdated(): void {
		this.querySelector<HTMLElement>("[data-first]")?.focus();
	}

	override updated(changed: Map<PropertyKey, unknown>): void {
		if (changed.has("state") && this.state !== "transcribing")
			this.querySelector<HTMLElement>("[data-main]")?.focus();
	}

	override render() {
		const { words } = this.chat;
		return html`<div class="ock-dictation" part="dictation" role="group"
			aria-label=${words.text("composer.dictate")} data-state=${this.state}>
			<span class="ock-recording" aria-hidden="true"></span>
			<span class="ock-dictation-text" role="status">${this.says()}</span>
			${
				this.state === "recording"
					? html`<span class="ock-c-time" role="timer" aria-live="off">${clock(this.seconds)}</span>`
					: nothing
			}
			<button type="button" class="ock-tool" data-first @click=${() => this.onEnd()}
				aria-label=${words.text("composer.cancel")} title=${words.text("composer.cancel")}
				>${glyphs.close}</button>
			${this.mainButton()}
		</div>`;
	}

	private mainButton() {
		const { words } = this.chat;
		if (this.state === "recording")
			return html`<button type="button" class="ock-tool ock-main" data-main
				@click=${() => void this.finish()} aria-label=${words.text("composer.dictation.done")}
				title=${words.text("composer.dictation.done")}>${glyphs.check}</button>`;
		if (this.state === "failed")
			return html`<button type="button" class="ock-tool ock-main" data-main
				@click=${() => void this.again()} aria-label=${words.text("composer.again")}
				title=${words.text("composer.again")}>${glyphs.again}</button>`;
		return nothing;
	}

	private says(): string {
		if (this.state === "failed") return this.problem;
		return this.chat.words.text(`composer.dictation.${this.state}`);
	}

	private key(event: KeyboardEvent): void {
		if (event.key !== "Escape") return;
		event.stopPropagation();
		this.onEnd();
	}

	private async start(): Promise<void> {
		this.state = "asking";
		try {
			const recorder = await Recorder.start();
			if (this.isOver) return recorder.cancel();
			this.recorder = recorder;
			this.state = "recording";
			this.seconds = 0;
			this.timer = setInterval(() => this.tick(), 1000);
		} catch (error) {
			this.fail(error, PROBLEMS[(error as Error).name] ?? "composer.dictation.missing");
		}
	}

	private tick(): void {
		this.seconds++;
		if (this.seconds >= LONGEST) void this.finish();
	}

	private async finish(): Promise<void> {
		if (!this.recorder) return;
		const { recorder } = this;
		clearInterval(this.timer);
		this.recorder = null;
		this.state = "transcribing";
		this.recording = await recorder.stop();
		await this.transcribe(this.recording);
	}

	private again(): Promise<void> {
		return this.recording ? this.transcribe(this.recording) : this.start();
	}

	private async transcribe(recording: Blob): Promise<void> {
		this.state = "transcribing";
		try {
			const answer = await this.chat.transcribe(await base64(recording), recording.type);
			if (!this.isOver) this.take(answer.trim());
		} catch (error) {
			this.fail(error, "composer.dictation.failed");
		}
	}

	private take(text: string): void {
		if (text) {
			this.onText(text);
			return this.onEnd();
		}
		this.recording = null;
		this.problem = this.chat.words.text("composer.dictation.silence");
		this.state = "failed";
	}

	private fail(error: unknown, word: Word): void {
		if (this.isOver) return;
		const { name, message } = error as Error;
		this.problem = (name === "Refused" && message) || this.chat.words.text(word);
		this.state = "failed";
		if (!(error instanceof DOMException)) this.chat.emit("chatkit.error", { error });
	}
}

function clock(seconds: number): string {
	return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

define("ock-dictation", Dictation);
