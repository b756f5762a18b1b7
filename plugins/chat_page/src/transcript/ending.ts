import { type TemplateResult, html, nothing } from "lit";
import "../markdown/markdown.ts";
import type { Topic } from "../chat.ts";
import { icon } from "../icons.ts";
import type { ErrorEvent, NoticeEvent } from "../protocol.ts";
import { View, define } from "../view.ts";
import type { Word } from "../words.ts";
import { isLocal } from "./rows.ts";

const CODES: Record<string, Word> = {
	"stream.error": "error.stream",
	lost: "error.lost",
	network: "error.network",
};

const LEVELS: Record<NoticeEvent["level"], { icon: string; word: Word }> = {
	info: { icon: "info", word: "notice.info" },
	warning: { icon: "warning", word: "notice.warning" },
	danger: { icon: "danger", word: "notice.danger" },
};

/** What comes after the last item: what is being done, notices, and what went wrong. */
export class Ending extends View {
	/** The item whose first words end the waiting. */
	private awaited: Topic[] = [];

	protected override topics(): Topic[] {
		return ["items", "status", "options", "thread", ...this.awaited];
	}

	override willUpdate(changed: Map<PropertyKey, unknown>): void {
		super.willUpdate(changed);
		const last = this.chat.conversation.items.at(-1);
		const isAwaited = last && this.chat.status.answering && !this.isShowing();
		const awaited: Topic[] = isAwaited ? [`item:${last.id}`] : [];
		if (String(awaited) === String(this.awaited)) return;
		this.awaited = awaited;
		this.listen();
	}

	override render() {
		const { notices, error, answering } = this.chat.status;
		return html`
			<div class="ock-working" role="status" part="progress">${this.working()}</div>
			<div role="status">${notices.map((notice) => this.notice(notice))}</div>
			${error && !answering ? this.error(error) : nothing}
		`;
	}

	/** What the server says that it does; without that, that something will come. */
	private working() {
		const { status, words } = this.chat;
		const { progress, answering, loading } = status;
		if (progress)
			return html`<p class="ock-aside ock-busy">
				${progress.icon ? html`<span class="ock-mark-icon">${icon(progress.icon)}</span>` : dots()}
				<span dir="auto">${progress.text}</span>
			</p>`;
		if (loading)
			return html`<p class="ock-aside">${dots()} <span>${words.text("transcript.loading")}</span></p>`;
		if (!answering || this.isShowing()) return nothing;
		return html`<p class="ock-typing" part="typing">
			${dots()}<span class="ock-hidden">${words.text("transcript.typing")}</span>
		</p>`;
	}

	/** Whether the last item shows by itself that more will come. */
	private isShowing(): boolean {
		const { conversation } = this.chat;
		const last = conversation.items.at(-1);
		if (!last || last.type === "user_message" || !conversation.isOpen(last.id)) return false;
		return last.type !== "assistant_message" || last.content.some(({ text }) => text);
	}

	private notice(notice: NoticeEvent): TemplateResult {
		const { chat } = this;
		const { words } = chat;
		const level = LEVELS[notice.level] ?? LEVELS.info;
		return html`<div class="ock-notice" part="notice ${notice.level}" data-level=${notice.level}>
			<span class="ock-mark-icon">${icon(level.icon)}<span class="ock-hidden">${words.text(level.word)}</span></span>
			<div class="ock-notice-text">
				${notice.title ? html`<strong dir="auto">${notice.title}</strong>` : nothing}
				<ock-markdown .chat=${chat} .value=${notice.message}></ock-markdown>
			</div>
			<button
				class="ock-icon-button"
				type="button"
				aria-label=${words.text("notice.dismiss")}
				title=${words.text("notice.dismiss")}
				@click=${() => this.leave(() => chat.dismissNotice(notice))}
			>
				${icon("close")}
			</button>
		</div>`;
	}

	private error(error: ErrorEvent): TemplateResult {
		const { words } = this.chat;
		const isStopped = error.code === "stopped";
		const message = this.messageOf(error);
		const again = this.again(error);
		return html`<div
			class="ock-error"
			part="error"
			role=${isStopped ? "status" : "alert"}
			data-code=${error.code}
			?data-quiet=${isStopped}
		>
			${isStopped ? nothing : html`<span class="ock-mark-icon">${icon("danger")}</span>`}
			<p dir="auto">${message}</p>
			${again
				? html`<button class="ock-push" type="button" part="retry" @click=${() => this.leave(again)}>
						${icon("reload")} ${words.text("error.retry")}
					</button>`
				: nothing}
		</div>`;
	}

	private messageOf({ code, message }: ErrorEvent): string {
		const { words } = this.chat;
		if (code === "stopped") return words.text("error.stopped");
		return message || words.text(CODES[code] ?? "error.unknown");
	}

	/** What the button does: asks for the answer again, or loads what could not be loaded. */
	private again({ code, allow_retry: allow }: ErrorEvent): (() => void) | null {
		const { chat } = this;
		const asked = chat.conversation.items.findLast(
			({ type, id }) => type === "user_message" && !isLocal(id),
		);
		const quietly = (work: Promise<void>) => void work.catch(() => {});
		if (!asked) {
			const isLoad = code === "network" || code === "lost";
			return isLoad && chat.conversation.items.length === 0 ? () => quietly(chat.fetchUpdates()) : null;
		}
		const isOpen = (chat.conversation.thread?.status?.type ?? "active") === "active";
		return allow && isOpen ? () => quietly(chat.retry(asked.id)) : null;
	}

	/** Does what takes the button away, whose focus goes to the conversation. */
	private leave(work: () => void): void {
		this.closest<HTMLElement>(".ock-reel")?.focus({ preventScroll: true });
		work();
	}
}

function dots(): TemplateResult {
	return html`<span class="ock-dots" aria-hidden="true"><i></i><i></i><i></i></span>`;
}

define("ock-ending", Ending);
