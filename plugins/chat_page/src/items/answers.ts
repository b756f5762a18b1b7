// What the user has filled in of questions, before it is sent.

import type { StructuredAnswer, StructuredQuestion } from "../protocol.ts";

/** The answer to one question, as far as it goes. */
export interface Draft {
	chosen: readonly string[];
	/** In the user's own words. */
	text: string;
	isSkipped: boolean;
}

export const EMPTY: Draft = { chosen: [], text: "", isSkipped: false };

/** Returns the values of an answer, without those that are blank or there twice. */
export function valuesOf({ type, multiple }: StructuredQuestion, { chosen, text }: Draft): string[] {
	const own = text.trim();
	const values = type === "freeform" ? [own] : [...chosen, own];
	const found = [...new Set(values.filter(Boolean))];
	return type === "multiple_choice" && !multiple ? found.slice(-1) : found;
}

/** Returns a draft after a choice was made or taken back. Of a single choice, one remains. */
export function chosen(
	question: StructuredQuestion,
	draft: Draft,
	value: string,
	isOn: boolean,
): Draft {
	const others = question.multiple ? draft.chosen.filter((one) => one !== value) : [];
	const text = question.multiple || !isOn ? draft.text : "";
	return { chosen: isOn ? [...others, value] : others, text, isSkipped: false };
}

/** Returns a draft with own words. They take the place of a single choice. */
export function written(question: StructuredQuestion, draft: Draft, text: string): Draft {
	const isInstead = question.type === "multiple_choice" && !question.multiple && text.trim() !== "";
	return { chosen: isInstead ? [] : draft.chosen, text, isSkipped: false };
}

/** Returns the ids of the questions that are neither answered nor skipped. */
export function missing(
	questions: readonly StructuredQuestion[],
	drafts: ReadonlyMap<string, Draft>,
): string[] {
	return questions
		.filter((question) => {
			const draft = drafts.get(question.id) ?? EMPTY;
			return !draft.isSkipped && !valuesOf(question, draft).length;
		})
		.map(({ id }) => id);
}

/** Returns all answers, for the server. */
export function answersOf(
	questions: readonly StructuredQuestion[],
	drafts: ReadonlyMap<string, Draft>,
): Record<string, StructuredAnswer> {
	const entries = questions.map((question): [string, StructuredAnswer] => {
		const draft = drafts.get(question.id) ?? EMPTY;
		const values = draft.isSkipped ? [] : valuesOf(question, draft);
		return [question.id, { values, skipped: !values.length }];
	});
	return Object.fromEntries(entries);
}
