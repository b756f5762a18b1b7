// What the drawing functions of components get.

import type { Chat } from "../chat.ts";
import type { ActionConfig, WidgetNode } from "../protocol.ts";

export interface WidgetContext {
	chat: Chat;
	/** What runs: its place is shown as busy, and the whole widget if it is `*`. */
	busy: ReadonlySet<string>;
	/** What is wrong with fields, by their ids. */
	problems: ReadonlyMap<string, string>;
	/** Draws a component. */
	draw(node: WidgetNode, path: string): unknown;
	/** Draws the children of a component. */
	children(node: WidgetNode, path: string): unknown;
	/** The id of the component at a path. */
	id(path: string): string;
	/** Runs an action. `path` is the place that shows that it runs. */
	act(action: ActionConfig, source: Element, path: string): void;
	/** Runs an action with the fields of a form, if they are filled in as they have to be. */
	submit(action: ActionConfig | null, form: HTMLFormElement, path: string): void;
	/** Whether the user has opened something, such as a long list. */
	isOpen(path: string): boolean;
	/** Opens or closes it. Resolves when that is drawn. */
	open(path: string, isOpen?: boolean): Promise<unknown>;
}

export type Draw = (node: WidgetNode, context: WidgetContext, path: string) => unknown;

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
export function oneOf<T extends string>(value: unknown, ...allowed: readonly [T, ...T[]]): T {
	return allowed.includes(value as T) ? (value as T) : allowed[0];
}

/** The children of a component, without what is none. */
export function childrenOf({ children }: WidgetNode): WidgetNode[] {
	const given: unknown[] = Array.isArray(children) ? children : [children];
	return given.filter(
		(child): child is WidgetNode => typeof child === "object" && child !== null && !Array.isArray(child),
	);
}
