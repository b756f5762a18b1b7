import { html } from "lit";
import type { ComposerPart, ComposerValue, Topic } from "../chat.ts";
import { View, define } from "../view.ts";

/** Where the user writes. */
export class Composer extends View implements ComposerPart {
	protected override topics(): Topic[] {
		return ["status", "options", "thread"];
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.chat.composer = this;
	}

	override focus(): void {
		this.querySelector("textarea")?.focus();
	}

	async set({ text }: ComposerValue): Promise<void> {
		if (text !== undefined) this.querySelector("textarea")!.value = text;
	}

	override render() {
		const { words, status } = this.chat;
		return html`<form @submit=${this.submit}>
			<textarea aria-label=${words.text("composer.label")} name="text" rows="1"
				placeholder=${words.text("composer.placeholder")} @keydown=${this.key}></textarea>
			${
				status.answering
					? html`<button type="button" @click=${() => this.chat.stop()}>
							${words.text("composer.stop")}
						</button>`
					: html`<button>${words.text("composer.send")}</button>`
			}
		</form>`;
	}

	private key(event: KeyboardEvent): void {
		if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
		event.preventDefault();
		this.querySelector("form")!.requestSubmit();
	}

	private submit(event: Event): void {
		event.preventDefault();
		const field = this.querySelector("textarea")!;
		const text = field.value.trim();
		if (!text) return;
		field.value = "";
		this.chat.send({ content: [{ type: "input_text", text }] }).catch((error: Error) => {
			field.value = text;
			this.chat.emit("chatkit.error", { error });
		});
	}
}

define("ock-composer", Composer);
