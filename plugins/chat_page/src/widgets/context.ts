// What the drawing functions of components get.

import type { TemplateResult } from "lit";
import type { Chat } from "../chat.ts";
import type { ActionConfig, WidgetNode } from "../protocol.ts";
import type { Scheme } from "./values.ts";

export interface WidgetContext {
	chat: Chat;
	scheme: Scheme;
	/** Begins the ids of fields, so that labels find those of their own widget. */
	prefix: string;
	/** What runs: its place is shown as busy, and the whole widget if it is `*`. */
	busy: ReadonlySet<string>;
	/** Draws a component. */
	draw(node: WidgetNode, path: string): unknown;
	/** Draws the children of a component. */
	children(node: WidgetNode, path: string): unknown;
	/**
	 * Runs an action with the values of the form around `source`. `path` is the place that shows that
	 * it runs.
	 */
	act(action: ActionConfig, source: Element, path: string, container?: boolean): void;
	/** Whether something that the user opened is open, such as a long list. */
	isOpen(path: string): boolean;
	open(path: string): void;
}

export type Draw = (node: WidgetNode, context: WidgetContext, path: string) => unknown;
export type Drawn = TemplateResult;

/** A text property of a component. Models write numbers and worse where text belongs. */
export function text(value: unknown): string {
	if (typeof value === "string") return value;
	return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

/** The action of a component, if it has one. */
export function actionOf(value: unknown): ActionConfig | null {
	if (typeof value !== "object" || value === null) return null;
	const action = value as ActionConfig;
	return typeof action.type === "string" ? action : null;
}

/** One of the values that a property may have, else the first. */
export function oneOf<T extends string>(value: unknown, ...allowed: [T, ...T[]]): T {
	return allowed.includes(value as T) ? (value as T) : allowed[0];
}
