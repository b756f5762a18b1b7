import { html, noChange, nothing } from "lit";
import { Directive, type ElementPart, type PartInfo, PartType, directive } from "lit/directive.js";
import { keyed } from "lit/directives/keyed.js";
import { type Draw, childrenOf } from "./context.ts";

const TIME = { duration: 220, easing: "ease-out" };

/** Moves an element from the height that it has to the one that it will have, when its key changes. */
class Grows extends Directive {
	private key: unknown;
	private isFirst = true;

	constructor(part: PartInfo) {
		super(part);
		if (part.type !== PartType.ELEMENT) throw Error("grows() goes into a tag");
	}

	override render(_key: unknown) {
		return noChange;
	}

	override update({ element }: ElementPart, [key]: [unknown]) {
		if (!this.isFirst && key !== this.key) move(element as HTMLElement);
		this.isFirst = false;
		this.key = key;
		return noChange;
	}
}

const grows = directive(Grows);

/** Tags are updated before what is in them, so the height is still the old one. */
function move(element: HTMLElement): void {
	if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
	const before = element.offsetHeight;
	queueMicrotask(() => {
		const heights = [before, element.offsetHeight].map((height) => `${height}px`);
		if (heights[0] === heights[1]) return;
		element.animate({ height: heights, overflow: ["hidden", "hidden"] }, TIME);
	});
}

/** Another key or type is another child, which comes in with an animation. */
const transition: Draw = (node, context, path) => {
	const [child] = childrenOf(node);
	const key = child && (child.key ?? child.id ?? child.type);
	return html`<div class="ock-w-transition" ${grows(key)}>
		${
			child
				? keyed(key, html`<div class="ock-w-appear">${context.draw(child, `${path}/${key}`)}</div>`)
				: nothing
		}
	</div>`;
};

export const transitions: Readonly<Record<string, Draw>> = { Transition: transition };
