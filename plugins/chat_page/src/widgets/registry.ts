// All components of chatkit.widgets, by type.

import { buttons } from "./button.ts";
import { charts } from "./chart.ts";
import { content } from "./content.ts";
import type { Draw } from "./context.ts";
import { controls } from "./controls.ts";
import { layout } from "./layout.ts";
import { lists } from "./list.ts";
import { roots } from "./roots.ts";
import { tables } from "./table.ts";
import { texts } from "./text.ts";
import { transitions } from "./transition.ts";

const components: Readonly<Record<string, Draw>> = {
	...roots,
	...lists,
	...layout,
	...transitions,
	...tables,
	...texts,
	...content,
	...buttons,
	...controls,
	...charts,
};

export function drawerOf(type: unknown): Draw | undefined {
	return typeof type === "string" && Object.hasOwn(components, type) ? components[type] : undefined;
}
