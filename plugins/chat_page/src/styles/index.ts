import { base } from "./base.ts";
import { composerMenus } from "./composer-menus.ts";
import { composerRows } from "./composer-rows.ts";
import { composer } from "./composer.ts";
import { frame } from "./frame.ts";
import { items } from "./items.ts";
import { markdown } from "./markdown.ts";
import { transcript } from "./transcript.ts";
import { widgetCharts } from "./widget-charts.ts";
import { widgetFields } from "./widget-fields.ts";
import { widgetPopups } from "./widget-popups.ts";
import { widgets } from "./widgets.ts";

export const styles = [
	base,
	frame,
	transcript,
	items,
	markdown,
	widgets,
	widgetCharts,
	widgetFields,
	widgetPopups,
	composerMenus,
	composerRows,
	composer,
];
