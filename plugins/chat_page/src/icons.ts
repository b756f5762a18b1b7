import { type TemplateResult, nothing } from "lit";

/** Returns an icon by its name: `currentColor`, 1em, hidden from screen readers. */
export function icon(_name: string | null | undefined): TemplateResult | typeof nothing {
	return nothing;
}
