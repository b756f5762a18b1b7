// All components of chatkit.widgets, by type.

import { html } from "lit";
import { styled } from "../view.ts";
import "./chart.ts";
import { content } from "./content.ts";
import type { Draw } from "./context.ts";
import { controls } from "./controls.ts";
import { layout } from "./layout.ts";
import { roots } from "./roots.ts";
import { block } from "./values.ts";

const chart: Draw = (node, context) => html`<ock-chart .chat=${context.chat} .node=${node}
	.scheme=${context.scheme} ${styled(block(node))}></ock-chart>`;

export const components: Readonly<Record<string, Draw>> = {
	...roots,
	...layout,
	...content,
	...controls,
	Chart: chart,
};
