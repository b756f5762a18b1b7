import { html } from "lit";
import type { WidgetItem, WidgetNode } from "../protocol.ts";
import { View, define } from "../view.ts";

/** A widget. `item` is the item that it belongs to, for its actions; previews have none. */
export class Widget extends View {
	static override properties = {
		...View.properties,
		root: { attribute: false },
		item: { attribute: false },
	};
	declare root: WidgetNode;
	declare item: WidgetItem | undefined;

	override render() {
		return html`${this.root?.type}`;
	}
}

define("ock-widget", Widget);
