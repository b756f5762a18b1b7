// Requests with the user's token. One that is refused waits until the user has signed in.

import type { Tokens } from "./tokens.ts";

/** Why the server, or a proxy before it, does not know the user. */
export interface Refusal {
	/** 0 where that cannot be known. */
	status: number;
	/** What the server said; empty if it said nothing. */
	message: string;
	/** Whether it was a token that was refused. */
	hadToken: boolean;
	/** A sign-in page wants to be shown: a proxy sent the request there. */
	redirected: boolean;
}

/** Has the user sign in. False if the user does not want to. */
export type SignIn = (refusal: Refusal) => Promise<boolean>;

export class SignedFetch {
	private signingIn: Promise<boolean> | null = null;
	private declined = false;

	constructor(
		private readonly api: URL,
		private readonly tokens: Tokens,
		private readonly signIn: SignIn,
	) {}

	/** As the browser's `fetch`. Other hosts get no token. */
	readonly fetch: typeof globalThis.fetch = async (input, init = {}) => {
		const url = new URL(input instanceof Request ? input.url : input, document.baseURI);
		if (input instanceof Request || url.origin !== this.api.origin) return fetch(input, init);
		for (;;) {
			const token = this.tokens.get();
			const response = await this.send(url, init, token);
			if (!(await this.mayRepeat(response, init, token))) return response;
		}
	};

	/** Asks the server whether it knows the user, or one with another token. */
	async check(token = this.tokens.get()): Promise<Refusal | null> {
		const body = JSON.stringify({ type: "threads.list", params: { limit: 1 } });
		const headers = { "Content-Type": "application/json" };
		const response = await this.send(this.api, { method: "POST", headers, body }, token);
		return response.ok ? null : refusalOf(response, token !== null);
	}

	/** Has the user sign in now. */
	ask(refusal: Refusal): Promise<boolean> {
		this.signingIn ??= this.signIn(refusal).finally(() => {
			this.signingIn = null;
		});
		return this.signingIn.then((signedIn) => {
			this.declined = !signedIn;
			return signedIn;
		});
	}

	headers(token = this.tokens.get()): Record<string, string> {
		return token ? { Authorization: `Bearer ${token}` } : {};
	}

	private send(url: URL, init: RequestInit, token: string | null): Promise<Response> {
		const headers = new Headers(init.headers);
		for (const [name, value] of Object.entries(this.headers(token))) headers.set(name, value);
		// Where the server is asked itself, only a proxy would redirect: to a sign-in of its own
		const redirect = url.pathname === this.api.pathname ? "manual" : "follow";
		return fetch(url.href, { redirect, ...init, headers });
	}

	private async mayRepeat(
		response: Response,
		{ method = "GET", signal }: RequestInit,
		token: string | null,
	): Promise<boolean> {
		if (response.status !== 401 && response.type !== "opaqueredirect") return false;
		if (this.tokens.get() !== token) return true;
		// What goes on in the background would ask again and again
		if (this.declined && method === "GET") return false;
		const signedIn = await this.ask(await refusalOf(response.clone(), token !== null));
		signal?.throwIfAborted();
		return signedIn;
	}
}

async function refusalOf(response: Response, hadToken: boolean): Promise<Refusal> {
	const body = await response.json().catch(() => null);
	const message = typeof body?.message === "string" ? body.message : "";
	const { status, type } = response;
	return { status, message, hadToken, redirected: type === "opaqueredirect" };
}
