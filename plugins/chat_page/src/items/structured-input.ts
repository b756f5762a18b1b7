import { type TemplateResult, html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import type { Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import type { StructuredInputItem, StructuredQuestion } from "../protocol.ts";
import { focusedIn } from "../transcript/focus.ts";
import { View, define } from "../view.ts";
import { type Draft, EMPTY, answersOf, chosen, missing, written } from "./answers.ts";

let forms = 0;

/** Questions to the user: a form while they wait, then what was answered. */
export class StructuredInput extends View {
	static override properties = {
		...View.properties,
		item: { attribute: false },
		drafts: { state: true },
		wrong: { state: true },
		isSending: { state: true },
		failure: { state: true },
	};
	declare item: StructuredInputItem;
	declare drafts: ReadonlyMap<string, Draft>;
	/** The questions that have to be answered yet, once the user has tried to send. */
	declare wrong: readonly string[];
	declare isSending: boolean;
	declare failure: string | null;
	private readonly formId = `ock-form-${++forms}`;

	constructor() {
		super();
		this.drafts = new Map();
		this.wrong = [];
		this.isSending = false;
		this.failure = null;
	}

	protected override topics(): Topic[] {
		return ["status", "thread"];
	}

	override render() {
		const { item, chat } = this;
		if (item.status !== "pending") return this.answered();
		const isOff = this.isSending || chat.status.answering;
		return html`<form class="ock-questions" part="questions" novalidate aria-busy=${this.isSending} @submit=${this.submit}>
			${item.inputs.map((question) => this.question(question, isOff))}
			${this.failure ? html`<p class="ock-failed" role="alert">${this.failure}</p>` : nothing}
			<div class="ock-buttons">
				<button class="ock-push" data-primary type="submit" part="submit" ?disabled=${isOff}>
					${chat.words.text("questions.submit")}
				</button>
				<button class="ock-push" type="button" part="skip" ?disabled=${isOff} @click=${this.skip}>
					${chat.words.text(item.inputs.length > 1 ? "questions.skipAll" : "questions.skip")}
				</button>
			</div>
		</form>`;
	}

	/** What was answered, or that it was skipped. */
	private answered() {
		const { item, chat } = this;
		return html`<dl class="ock-answers" part="answers" data-status=${item.status}>
			${item.inputs.map(({ question, answer }) => {
				const values = item.status === "skipped" || answer?.skipped ? [] : (answer?.values ?? []);
				return html`<div>
					<dt dir="auto">${question}</dt>
					${values.length
						? values.map((value) => html`<dd dir="auto">${value}</dd>`)
						: html`<dd class="ock-skipped">${chat.words.text("questions.skipped")}</dd>`}
				</div>`;
			})}
		</dl>`;
	}

	private question(question: StructuredQuestion, isOff: boolean): TemplateResult {
		const id = this.idOf(question);
		const isWrong = this.wrong.includes(question.id);
		const { description } = question;
		const about = [description && `${id}-about`, isWrong && `${id}-wrong`].filter(Boolean).join(" ");
		const draft = this.draft(question);
		const inner = question.type === "multiple_choice" ? this.choices(question, about) : this.text(question, about);
		return html`<fieldset
			class="ock-ask"
			part="question"
			data-question=${question.id}
			?data-wrong=${isWrong}
			?data-skipped=${draft.isSkipped}
			?disabled=${isOff}
			aria-describedby=${about || nothing}
		>
			<legend id="${id}-label" dir="auto">${question.question}</legend>
			${description ? html`<p class="ock-about" id="${id}-about" dir="auto">${description}</p>` : nothing}
			${inner}
			${isWrong
				? html`<p class="ock-failed" id="${id}-wrong">
						${icon("danger")} ${this.chat.words.text("questions.missing")}
					</p>`
				: nothing}
			${this.item.inputs.length > 1 ? this.skipOne(question, draft) : nothing}
		</fieldset>`;
	}

	private skipOne(question: StructuredQuestion, draft: Draft): TemplateResult {
		return html`<button
			class="ock-link"
			type="button"
			aria-pressed=${draft.isSkipped}
			@click=${() => this.set(question, { ...draft, isSkipped: !draft.isSkipped })}
		>
			${this.chat.words.text(draft.isSkipped ? "questions.skippedOne" : "questions.skip")}
			<span class="ock-hidden">${question.question}</span>
		</button>`;
	}

	private choices(question: StructuredQuestion, about: string): TemplateResult {
		const draft = this.draft(question);
		const type = question.multiple ? "checkbox" : "radio";
		const name = this.idOf(question);
		return html`
			${(question.options ?? []).map(
				({ value }) => html`<label class="ock-choice">
					<input
						type=${type}
						name=${name}
						.checked=${live(draft.chosen.includes(value))}
						@change=${({ target }: Event) =>
							this.set(question, chosen(question, this.draft(question), value, (target as HTMLInputElement).checked))}
					/>
					<span dir="auto">${value}</span>
				</label>`,
			)}
			<input
				class="ock-answer-field"
				type="text"
				dir="auto"
				aria-label=${`${question.question} – ${this.chat.words.text("questions.other")}`}
				aria-describedby=${about || nothing}
				placeholder=${this.chat.words.text("questions.other")}
				.value=${live(draft.text)}
				@input=${(event: Event) => this.write(question, event)}
			/>
		`;
	}

	private text(question: StructuredQuestion, about: string): TemplateResult {
		return html`<textarea
			class="ock-answer-field"
			rows="2"
			dir="auto"
			aria-labelledby="${this.idOf(question)}-label"
			aria-describedby=${about || nothing}
			aria-invalid=${this.wrong.includes(question.id)}
			.value=${live(this.draft(question).text)}
			@input=${(event: Event) => this.write(question, event)}
			@keydown=${this.enter}
		></textarea>`;
	}

	private idOf({ id }: StructuredQuestion): string {
		return `${this.formId}-${this.item.inputs.findIndex((one) => one.id === id)}`;
	}

	private draft({ id }: StructuredQuestion): Draft {
		return this.drafts.get(id) ?? EMPTY;
	}

	private set(question: StructuredQuestion, draft: Draft): void {
		this.drafts = new Map(this.drafts).set(question.id, draft);
		if (this.wrong.length) this.wrong = missing(this.item.inputs, this.drafts);
	}

	private write(question: StructuredQuestion, { target }: Event): void {
		const { value } = target as HTMLInputElement;
		this.set(question, written(question, this.draft(question), value));
	}

	private enter(event: KeyboardEvent): void {
		if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void this.submit(event);
	}

	private async submit(event: Event): Promise<void> {
		event.preventDefault();
		this.wrong = missing(this.item.inputs, this.drafts);
		const first = this.item.inputs.find(({ id }) => this.wrong.includes(id));
		if (!first) return this.send("answered");
		await this.updateComplete;
		const place = this.item.inputs.indexOf(first);
		const fields = this.querySelectorAll(".ock-ask")[place];
		fields?.querySelector<HTMLElement>("input, textarea")?.focus();
	}

	private skip(): Promise<void> {
		return this.send("skipped");
	}

	private async send(status: "answered" | "skipped"): Promise<void> {
		const { chat, item } = this;
		if (this.isSending || chat.status.answering) return;
		// The form goes away, and may not take the focus with it
		if (focusedIn(this)) this.closest<HTMLElement>(".ock-row")?.focus({ preventScroll: true });
		this.isSending = true;
		this.failure = null;
		try {
			const answers = status === "answered" ? answersOf(item.inputs, this.drafts) : {};
			await chat.answer(item, answers, status);
		} catch (error) {
			const message = error instanceof Error ? error.message : "";
			this.failure = message || chat.words.text("questions.failed");
		} finally {
			this.isSending = false;
		}
	}
}

define("ock-structured-input", StructuredInput);
