import { html, nothing } from "lit";
import "./task.ts";
import { icon } from "../icons.ts";
import type { WorkflowItem } from "../protocol.ts";
import { View, define } from "../view.ts";
import { beginning, duration } from "./durations.ts";
import { titleOf } from "./task.ts";

let workflows = 0;

/** Steps of the assistant, or its thoughts: closed, with what it does just now, or what it has done. */
export class WorkflowView extends View {
	static override properties = {
		...View.properties,
		item: { attribute: false },
		isRunning: { attribute: false },
		/** What the user has chosen; null as long as the server decides. */
		choice: { state: true },
		seconds: { state: true },
	};
	declare item: WorkflowItem;
	declare isRunning: boolean;
	declare choice: boolean | null;
	declare seconds: number;
	private began = 0;
	private clock: ReturnType<typeof setInterval> | undefined;
	private readonly bodyId = `ock-workflow-${++workflows}`;

	constructor() {
		super();
		this.choice = null;
		this.seconds = 0;
	}

	override connectedCallback(): void {
		super.connectedCallback();
		this.tick();
	}

	override disconnectedCallback(): void {
		super.disconnectedCallback();
		clearInterval(this.clock);
		this.clock = undefined;
	}

	override updated(changed: Map<PropertyKey, unknown>): void {
		if (changed.has("isRunning") || changed.has("item")) this.tick();
	}

	/** Has the seconds go on while the work does. */
	private tick(): void {
		if (!this.isRunning || !this.item) {
			clearInterval(this.clock);
			this.clock = undefined;
			return;
		}
		this.began ||= beginning(this.item.created_at, Date.now());
		const count = () => {
			this.seconds = Math.floor((Date.now() - this.began) / 1000);
		};
		count();
		this.clock ??= setInterval(count, 1000);
	}

	private get isExpanded(): boolean {
		return this.choice ?? this.item.workflow.expanded ?? false;
	}

	override render() {
		const { item, isExpanded, isRunning } = this;
		const { tasks = [], type } = item.workflow;
		return html`<section class="ock-workflow" part="workflow" data-workflow=${type} ?data-running=${isRunning}>
			<button
				class="ock-workflow-head"
				type="button"
				part="workflow-summary"
				aria-expanded=${isExpanded}
				aria-controls=${this.bodyId}
				?disabled=${!tasks.length}
				@click=${() => {
					this.choice = !isExpanded;
				}}
			>
				${this.head()}
				${tasks.length ? html`<span class="ock-turn">${icon("chevron-right")}</span>` : nothing}
			</button>
			<ol id=${this.bodyId} class="ock-tasks" part="tasks" ?hidden=${!isExpanded || !tasks.length}>
				${isExpanded
					? tasks.map(
							(task, place) => html`<li data-state=${task.status_indicator ?? "none"}>
								<ock-task
									.chat=${this.chat}
									.task=${task}
									.isPart=${true}
									.isRunning=${isRunning && (place === tasks.length - 1 || task.status_indicator === "loading")}
								></ock-task>
							</li>`,
						)
					: nothing}
			</ol>
		</section>`;
	}

	private head() {
		const { chat, item, isRunning } = this;
		const { summary, type, tasks = [] } = item.workflow;
		if (isRunning && !summary) {
			return html`<span class="ock-spinner" aria-hidden="true"></span>
				<span class="ock-name ock-busy" dir="auto">${this.current()}</span>
				${this.seconds > 1
					? html`<span class="ock-seconds" aria-hidden="true">${duration(this.seconds, chat.words)}</span>`
					: nothing}`;
		}
		const mark = icon(summary?.icon ?? (type === "reasoning" ? "lightbulb" : "check"));
		const title =
			summary?.title ??
			(summary?.duration
				? chat.words.text(type === "reasoning" ? "workflow.thoughtFor" : "workflow.workedFor", {
						time: duration(summary.duration, chat.words),
					})
				: chat.words.text(type === "reasoning" ? "workflow.thought" : "workflow.steps", { count: tasks.length }));
		return html`<span class="ock-mark-icon">${mark}</span><span class="ock-name" dir="auto">${title}</span>`;
	}

	/** What is being done just now. */
	private current(): string {
		const { tasks = [], type } = this.item.workflow;
		const now = tasks.findLast((task) => task.status_indicator === "loading") ?? tasks.at(-1);
		const isNamed = now && (now.title || now.type !== "thought");
		if (isNamed) return titleOf(now, this.chat);
		return this.chat.words.text(type === "reasoning" ? "workflow.thinking" : "workflow.working");
	}
}

define("ock-workflow", WorkflowView);
