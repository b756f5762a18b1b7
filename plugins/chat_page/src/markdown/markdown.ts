import DOMPurify from "dompurify";
import { html } from "lit";
import { marked } from "marked";
import { View, define } from "../view.ts";

/** Text in markdown. `streaming` says that more of it will come. */
export class Markdown extends View {
	static override properties = {
		...View.properties,
		value: { attribute: false },
		streaming: { attribute: false },
	};
	declare value: string;
	declare streaming: boolean;

	override render() {
		const text = marked.parse(this.value ?? "", { async: false });
		return html`${DOMPurify.sanitize(text, { RETURN_DOM_FRAGMENT: true })}`;
	}
}

define("ock-markdown", Markdown);
