// What a tag stands for, shown while it is pointed at or has the focus.

import type { Entity } from "@openai/chatkit";
import { html, nothing } from "lit";
import "../widgets/widget.ts";
import type { WidgetNode } from "../protocol.ts";
import { View, define, styled } from "../view.ts";
import { roomAbove } from "./room.ts";

const PAUSE = 200; // milliseconds before it comes and before it goes, to reach it with the pointer

export class Preview extends View {
	static override properties = { ...View.properties, root: { state: true } };
	declare private root: WidgetNode | null;
	private entity: Entity | null = null;
	private timer: ReturnType<typeof setTimeout> | undefined;

	constructor() {
		super();
		this.root = null;
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.addEventListener("pointerenter", () => clearTimeout(this.timer));
		this.addEventListener("pointerleave", () => this.show(null));
	}

	/** Shows an entity soon; null hides it soon. */
	show(entity: Entity | null): void {
		clearTimeout(this.timer);
		if (entity && entity === this.entity) return;
		this.timer = setTimeout(() => void this.change(entity), PAUSE);
	}

	/** Hides it now. Returns whether there was one. */
	hide(): boolean {
		clearTimeout(this.timer);
		const wasShown = this.root !== null;
		[this.entity, this.root] = [null, null];
		return wasShown;
	}

	override render() {
		if (!this.root) return nothing;
		return html`<div class="ock-menu ock-preview" part="preview" role="status"
			${styled({ "max-block-size": roomAbove(this) })}>
			<ock-widget .chat=${this.chat} .root=${this.root}></ock-widget>
		</div>`;
	}

	private async change(entity: Entity | null): Promise<void> {
		[this.entity, this.root] = [entity, null];
		const ask = this.chat.options.entities?.onRequestPreview;
		if (!entity || !ask) return;
		try {
			const { preview } = await ask(entity);
			if (this.entity === entity) this.root = preview as WidgetNode | null;
		} catch (error) {
			this.chat.emit("chatkit.error", { error });
		}
	}
}

define("ock-tag-preview", Preview);
