import { type TemplateResult, html, nothing } from "lit";
import "../markdown/markdown.ts";
import type { Chat } from "../chat.ts";
import { icon } from "../icons.ts";
import type { Source, Task } from "../protocol.ts";
import { View, define } from "../view.ts";
import type { Word } from "../words.ts";
import { linkOf, originOf } from "./sources.ts";

const ICONS: Record<string, string> = {
	web_search: "globe",
	thought: "lightbulb",
	file: "document",
	image: "image",
};

const TITLES: Record<string, Word> = {
	web_search: "task.web_search",
	thought: "task.thought",
	file: "task.file",
	image: "task.image",
};

/** Returns the title of a task; those without one are named by what they do. */
export function titleOf(task: Task, chat: Chat): string {
	if (task.title) return task.title;
	if (task.title_query) return chat.words.text("task.search_for", { query: task.title_query });
	return chat.words.text(TITLES[task.type] ?? "task.custom");
}

/** A step of the assistant: alone, or of a workflow. */
export class TaskView extends View {
	static override properties = {
		...View.properties,
		task: { attribute: false },
		isRunning: { attribute: false },
		/** It belongs to a workflow, where all of it is shown. */
		isPart: { attribute: false },
	};
	declare task: Task;
	declare isRunning: boolean;
	declare isPart: boolean | undefined;

	override render() {
		const { task, isPart } = this;
		const details = this.details();
		const head = html`${this.mark()} <span class="ock-name" dir="auto">${titleOf(task, this.chat)}</span>
			${this.state()}`;
		if (isPart || details === nothing)
			return html`<div class="ock-step" part="task" data-task=${task.type}>
				<p class="ock-step-head">${head}</p>
				${details}
			</div>`;
		return html`<details class="ock-step" part="task" data-task=${task.type}>
			<summary class="ock-step-head">${head}<span class="ock-turn">${icon("chevron-right")}</span></summary>
			${details}
		</details>`;
	}

	/** The icon of a task; of a step that is said to run or to be complete, that. */
	private mark(): TemplateResult {
		const { task, isRunning, isPart } = this;
		const state = isPart ? task.status_indicator : "none";
		if (state === "loading" && isRunning) return html`<span class="ock-spinner" aria-hidden="true"></span>`;
		if (state === "complete") return html`<span class="ock-done">${icon("check")}</span>`;
		return html`<span class="ock-mark-icon">${icon(task.icon ?? ICONS[task.type] ?? "chevron-right")}</span>`;
	}

	private state() {
		const { task, isRunning, isPart, chat } = this;
		if (!isPart) return nothing;
		if (task.status_indicator === "loading" && isRunning)
			return html`<span class="ock-hidden">${chat.words.text("task.loading")}</span>`;
		if (task.status_indicator === "complete")
			return html`<span class="ock-hidden">${chat.words.text("task.complete")}</span>`;
		return nothing;
	}

	private details() {
		const { content, queries, sources } = this.task;
		if (!content && !queries?.length && !sources?.length) return nothing;
		return html`<div class="ock-step-body">
			${content
				? html`<ock-markdown .chat=${this.chat} .value=${content} .streaming=${this.isRunning}></ock-markdown>`
				: nothing}
			${queries?.length
				? html`<ul class="ock-queries">
						${queries.map((query) => html`<li dir="auto">${icon("search")} ${query}</li>`)}
					</ul>`
				: nothing}
			${sources?.length
				? html`<ul class="ock-found">
						${sources.map((source) => html`<li>${found(source)}</li>`)}
					</ul>`
				: nothing}
		</div>`;
	}
}

/** A page or file that a task has found. */
function found(source: Source): TemplateResult {
	const href = linkOf(source);
	const face = html`${icon(source.type === "file" ? "document" : "globe")}
		<bdi class="ock-name">${source.title}</bdi> <bdi class="ock-origin">${originOf(source)}</bdi>`;
	const { description } = source;
	const more = description ? html`<p class="ock-about" dir="auto">${description}</p>` : nothing;
	return href
		? html`<a href=${href} target="_blank" rel="noopener noreferrer">${face}</a>${more}`
		: html`<span>${face}</span>${more}`;
}

define("ock-task", TaskView);
