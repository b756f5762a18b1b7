// The dialog in which the user signs in: by a token, or on a page of the server's.

import { html, nothing, render } from "lit";
import type { Words } from "../src/words.ts";
import type { Refusal } from "./signed-fetch.ts";
import { tokenIn } from "./tokens.ts";

const NONE: Refusal = { status: 0, message: "", hadToken: true, redirected: false };

export interface SignInOptions {
	words: Words;
	/** The page where users sign in; null to ask for a token. */
	page: string | null;
	/** Whether the server takes this token; null for the user's cookies. */
	check: (token: string | null) => Promise<Refusal | null>;
	/** Keeps a token that the server takes; with `stay`, until the user signs out. */
	keep: (token: string, stay: boolean) => void;
}

export class SignInDialog {
	private readonly dialog = document.createElement("dialog");
	private refusal: Refusal = NONE;
	private checking = false;
	private finish: (signedIn: boolean) => void = () => {};

	constructor(private readonly options: SignInOptions) {
		const { dialog } = this;
		dialog.className = "sign-in";
		dialog.setAttribute("aria-labelledby", "sign-in-title");
		dialog.addEventListener("close", () => this.finish(false));
		document.body.append(dialog);
	}

	/** Shows the dialog. Resolves with whether the user has signed in, when it is closed. */
	open(refusal: Refusal): Promise<boolean> {
		const before = document.activeElement;
		this.refusal = refusal;
		this.checking = false;
		this.render();
		this.dialog.showModal();
		return new Promise<boolean>((resolve) => {
			this.finish = resolve;
		}).finally(() => {
			this.dialog.close();
			// The token is not to stay in the page
			render(nothing, this.dialog);
			if (before instanceof HTMLElement) before.focus();
		});
	}

	private render(): void {
		const { words, page } = this.options;
		const { message, hadToken, redirected } = this.refusal;
		const asksForToken = page === null && !redirected;
		render(
			html`<form @submit=${this.submit} novalidate aria-busy=${this.checking}>
				<h1 id="sign-in-title">${words.text("page.signIn")}</h1>
				<p>${words.text(asksForToken ? "page.tokenHelp" : "page.signInHelp")}</p>
				<p id="sign-in-message" role="alert" dir="auto" class=${hadToken ? "wrong" : ""}
					?hidden=${!message}>${message}</p>
				${asksForToken ? this.fields() : nothing}
				<div class="sign-in-buttons">
					<button type="button" @click=${() => this.dialog.close()}>${words.text("page.notNow")}</button>
					${
						asksForToken
							? html`<button ?disabled=${this.checking}>
									${words.text(this.checking ? "page.checking" : "page.signIn")}
								</button>`
							: html`<button>${words.text("again")}</button>
									<a href=${page ? addressOf(page) : location.href} autofocus>${words.text("page.signIn")}</a>`
					}
				</div>
			</form>`,
			this.dialog,
		);
	}

	private fields() {
		const { words } = this.options;
		const { message, hadToken } = this.refusal;
		return html`<label>
				<span>${words.text("page.token")}</span>
				<input name="token" type="password" autocomplete="current-password" spellcheck="false"
					autocapitalize="none" dir="ltr" required autofocus
					aria-describedby="sign-in-message" aria-invalid=${hadToken && message ? "true" : nothing} />
			</label>
			<label class="sign-in-stay">
				<input name="stay" type="checkbox" />
				<span>${words.text("page.stay")}</span>
			</label>`;
	}

	private readonly submit = async (event: SubmitEvent) => {
		event.preventDefault();
		if (this.checking) return;
		const given = new FormData(event.target as HTMLFormElement);
		const field = given.get("token");
		const token = field === null ? null : tokenIn(String(field));
		if (field !== null && !token) {
			const key = String(field).trim() ? "page.noToken" : "page.tokenMissing";
			return this.refuse({ ...NONE, message: this.options.words.text(key) });
		}
		this.checking = true;
		this.render();
		const refusal = await this.check(token);
		if (!this.dialog.open) return;
		if (refusal) return this.refuse(refusal);
		if (token) this.options.keep(token, given.has("stay"));
		this.finish(true);
	};

	private async check(token: string | null): Promise<Refusal | null> {
		const { check, words } = this.options;
		try {
			const refusal = await check(token);
			return refusal && { ...refusal, message: refusal.message || words.text("page.refused") };
		} catch {
			return { ...NONE, message: words.text("page.unreachable") };
		}
	}

	private refuse(refusal: Refusal): void {
		this.refusal = refusal;
		this.checking = false;
		this.render();
		this.dialog.querySelector<HTMLElement>("[autofocus]")?.focus();
	}
}

/** The sign-in page; `{url}` in it is where it should lead back to. */
function addressOf(page: string): string {
	return page.replaceAll("{url}", encodeURIComponent(location.href));
}
