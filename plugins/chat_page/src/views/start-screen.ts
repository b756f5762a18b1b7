import { html, nothing } from "lit";
import type { Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import type { UserContent } from "../protocol.ts";
import { View, define } from "../view.ts";

type Prompt = { label: string; prompt: string | unknown[]; icon?: string };

/** What is there before the first message: a greeting, and prompts that are sent by a click. */
export class StartScreen extends View {
	protected override topics(): Topic[] {
		return ["options"];
	}

	override render() {
		const { options, words } = this.chat;
		const { greeting, prompts = [] } = options.startScreen ?? {};
		return html`<slot name="start">
			<slot name="greeting">
				<h1 class="ock-greeting" part="greeting" dir="auto">${greeting ?? words.text("start.greeting")}</h1>
			</slot>
			${
				prompts.length
					? html`<ul class="ock-prompts" aria-label=${words.text("start.prompts")}>
							${prompts.map((prompt) => this.prompt(prompt))}
						</ul>`
					: nothing
			}
		</slot>`;
	}

	private prompt(prompt: Prompt) {
		return html`<li>
			<button type="button" part="prompt" @click=${() => this.send(prompt)}>
				${icon(prompt.icon)}<span>${prompt.label}</span>
			</button>
		</li>`;
	}

	private send({ prompt }: Prompt): void {
		const content = (
			typeof prompt === "string" ? [{ type: "input_text", text: prompt }] : prompt
		) as UserContent[];
		// The button is gone with the first item
		this.chat.composer?.focus();
		const inferenceOptions = this.chat.composer?.takeInferenceOptions() ?? {};
		this.chat.send({ content, inferenceOptions }).catch(() => {});
	}
}

define("ock-start-screen", StartScreen);
