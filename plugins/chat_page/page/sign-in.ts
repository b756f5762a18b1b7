// Who the user is, for the server: a cookie that the browser has, or a token that is asked for.

import type { words } from "./words.ts";

type Words = ReturnType<typeof words>;

const KEY = "open-chatkit token";

export class SignIn {
	/** Kept for this tab, so that a reload does not ask again. */
	private token = sessionStorage.getItem(KEY);
	private asking: Promise<void> | null = null;

	constructor(
		private readonly words: Words,
		/** Where users get the server's cookie; without it they are asked for a token. */
		private readonly address: string | null,
		private readonly changed: () => void,
	) {}

	get isSignedIn(): boolean {
		return this.token !== null;
	}

	/** Asks the server, and the user if the server does not know who that is. */
	readonly fetch: typeof globalThis.fetch = async (input, init) => {
		for (;;) {
			const { token } = this;
			const headers = new Headers(init?.headers);
			if (token) headers.set("Authorization", `Bearer ${token}`);
			const response = await globalThis.fetch(input, { ...init, headers });
			if (response.status !== 401) return response;
			if (token === this.token) await this.ask(await messageOf(response));
			init?.signal?.throwIfAborted();
		}
	};

	signOut(): void {
		sessionStorage.removeItem(KEY);
		location.assign(location.pathname);
	}

	private ask(message: string): Promise<void> {
		this.asking ??= this.show(message).finally(() => {
			this.asking = null;
		});
		return this.asking;
	}

	private async show(message: string): Promise<void> {
		const dialog = document.createElement("dialog");
		dialog.setAttribute("aria-labelledby", "sign-in-title");
		dialog.append(...this.content(message));
		dialog.addEventListener("cancel", (event) => event.preventDefault());
		document.body.append(dialog);
		dialog.showModal();
		const token = await submitted(dialog);
		dialog.remove();
		this.token = token;
		sessionStorage.setItem(KEY, token);
		this.changed();
	}

	private content(message: string): Element[] {
		const title = element("h1", this.words.title);
		title.id = "sign-in-title";
		const problem = element("p", this.token ? message : "");
		problem.setAttribute("role", "alert");
		if (this.address) {
			const link = element("a", this.words.title);
			link.href = this.address;
			return [title, element("p", this.words.link), problem, link];
		}
		const form = element("form", "");
		const label = element("label", this.words.token);
		const field = element("input", "");
		Object.assign(field, { type: "password", name: "token", required: true, autocomplete: "off" });
		label.append(field);
		form.append(label, element("button", this.words.continue));
		return [title, element("p", this.words.explain), problem, form];
	}
}

function submitted(dialog: HTMLElement): Promise<string> {
	return new Promise((done) => {
		dialog.addEventListener("submit", (event) => {
			event.preventDefault();
			const token = dialog.querySelector("input")!.value.trim().replace(/^Bearer\s+/i, "");
			// What no header can have is no token
			if (/^[\x21-\x7e]+$/.test(token)) done(token);
			else dialog.querySelector("input")!.select();
		});
	});
}

async function messageOf(response: Response): Promise<string> {
	const body = await response.json().catch(() => null);
	return typeof body?.message === "string" ? body.message : "";
}

function element<K extends keyof HTMLElementTagNameMap>(name: K, text: string): HTMLElementTagNameMap[K] {
	const made = document.createElement(name);
	made.textContent = text;
	return made;
}
