// The row below the text: what can be added to a message, and what answers it.

import type { ToolOption } from "@openai/chatkit";
import { type TemplateResult, html, nothing } from "lit";
import "./menu-button.ts";
import type { Chat } from "../chat.ts";
import { icon } from "../icons.ts";
import { type Choices, modelOf, toolOf } from "./choices.ts";
import { type Deeds, modelEntries, toolEntries } from "./commands.ts";
import * as glyphs from "./glyphs.ts";

export interface Bar {
	chat: Chat;
	choices: Choices;
	deeds: Deeds;
	isDisabled: boolean;
	/** There is something to send, and nothing keeps it from being sent. */
	canSend: boolean;
	hasText: boolean;
	stop: () => void;
	send: () => void;
}

export function bar(given: Bar): TemplateResult {
	const { chat, deeds, isDisabled } = given;
	const { words } = chat;
	if (isDisabled) return html`<div class="ock-composer-bar"><span class="ock-side">${runButtons(given)}</span></div>`;
	return html`<div class="ock-composer-bar">
		<slot name="composer-start"></slot>
		${button("attach", words.text("composer.attach"), glyphs.attach, deeds.attach)}
		${
			chat.options.entities?.showComposerMenu
				? button("mention", words.text("composer.mention"), glyphs.at, deeds.mention)
				: nothing
		}
		${toolButtons(given)}
		<span class="ock-side">
			${modelButton(given)}
			${button("dictate", words.text("composer.dictate"), glyphs.microphone, deeds.dictate)}
			${runButtons(given)}
		</span>
	</div>`;
}

function button(name: string, label: string, glyph: TemplateResult, press: (() => void) | null) {
	if (!press) return nothing;
	return html`<button type="button" class="ock-tool" part=${`composer-button ${name}`}
		aria-label=${label} title=${label} @click=${press}>${glyph}</button>`;
}

function toolButtons({ chat, choices, deeds }: Bar) {
	const tools = chat.options.composer?.tools ?? [];
	const chosen = toolOf(chat.options, choices);
	const [pinned, others] = [tools.filter((tool) => tool.pinned), tools.filter((tool) => !tool.pinned)];
	const entries = toolEntries(chat, choices, deeds).filter(({ id }) => others.some((tool) => id === `tool:${tool.id}`));
	return html`${
		others.length
			? html`<ock-menu-button .chat=${chat} .name=${"tools"} .label=${chat.words.text("composer.tools")}
					.text=${""} .glyph=${glyphs.tools} .entries=${entries}></ock-menu-button>`
			: nothing
	}
	${pinned.map((tool) => pinnedTool(tool, tool === chosen, deeds))}
	${chosen && !chosen.pinned ? chosenTool(chat, chosen, deeds) : nothing}`;
}

function pinnedTool({ id, label, icon: name, shortLabel }: ToolOption, isChosen: boolean, { chooseTool }: Deeds) {
	return html`<button type="button" class="ock-tool ock-pinned" part="composer-button tool"
		aria-pressed=${String(isChosen)} aria-label=${label} title=${label}
		@click=${() => chooseTool(isChosen ? null : id)}>
		${icon(name)}${isChosen ? html`<span class="ock-tool-text" dir="auto">${shortLabel ?? label}</span>` : nothing}
	</button>`;
}

/** The tool that was chosen in the menu; a click lets it go. */
function chosenTool({ words }: Chat, { label, icon: name, shortLabel }: ToolOption, { chooseTool }: Deeds) {
	const text = words.text("composer.tool.clear", { label });
	return html`<button type="button" class="ock-tool ock-chosen" part="composer-button tool"
		aria-label=${text} title=${text} @click=${() => chooseTool(null)}>
		${icon(name)}<span class="ock-tool-text" dir="auto">${shortLabel ?? label}</span>${glyphs.close}
	</button>`;
}

function modelButton({ chat, choices, deeds }: Bar) {
	const chosen = modelOf(chat.options, choices);
	if (!chosen) return nothing;
	const label = chat.words.text("composer.model", { label: chosen.label });
	return html`<ock-menu-button class="ock-models" .chat=${chat} .name=${"models"} .label=${label}
		.text=${chosen.label} .entries=${modelEntries(chat, choices, deeds)}></ock-menu-button>`;
}

/** Stop while an answer runs; Send, also then if something is written. */
function runButtons({ chat, canSend, hasText, isDisabled, stop, send }: Bar) {
	const { words, status } = chat;
	const canStop = status.answering && status.stoppable;
	// The field keeps the focus, and phones their keyboard
	const keep = (event: Event) => event.preventDefault();
	return html`${
		canStop
			? html`<button type="button" class="ock-tool ock-main" part="stop" data-stop
					aria-label=${words.text("composer.stop")} title=${words.text("composer.stop")}
					@mousedown=${keep} @click=${stop}>${glyphs.stop}</button>`
			: nothing
	}
	${
		isDisabled || (canStop && !hasText)
			? nothing
			: html`<button type="button" class="ock-tool ock-main" part="send"
					aria-label=${words.text("composer.send")} title=${words.text("composer.send")}
					aria-disabled=${String(!canSend)} @mousedown=${keep} @click=${send}>${glyphs.send}</button>`
	}`;
}
