// The user's token: in this tab, or in this browser if the user says so.

/** Visible characters of ASCII, as `Authorization: Bearer` may have them. */
const TOKEN = /^[\x21-\x7e]+$/;

export class Tokens {
	/** Where the browser has no storage, or no room in it. */
	private memory: string | null = null;

	constructor(private readonly name: string) {}

	get(): string | null {
		for (const store of stores()) {
			const token = store.getItem(this.name);
			if (token) return token;
		}
		return this.memory;
	}

	/** Keeps a token; with `stay`, until the user signs out. */
	set(token: string, stay: boolean): void {
		const [tab, browser] = stores();
		const [store, other] = stay ? [browser, tab] : [tab, browser];
		this.memory = null;
		other?.removeItem(this.name);
		try {
			if (store) store.setItem(this.name, token);
			else this.memory = token;
		} catch {
			// The storage is full
			this.memory = token;
		}
	}

	/** Calls `gone` when the user signs out in another tab, and this one has no token of its own. */
	whenGone(gone: () => void): void {
		addEventListener("storage", ({ key, newValue }) => {
			const isOurs = key === this.name || key === null;
			if (isOurs && newValue === null && this.get() === null) gone();
		});
	}

	clear(): void {
		this.memory = null;
		for (const store of stores()) store.removeItem(this.name);
	}
}

/** What was pasted, as a token; null if it cannot be one. */
export function tokenIn(text: string): string | null {
	const token = text.trim().replace(/^(authorization:\s*)?bearer\s+/i, "");
	return TOKEN.test(token) ? token : null;
}

/** Removes all that the element has stored in this tab. */
export function forget(): void {
	const [tab] = stores();
	for (const name of Object.keys(tab ?? {})) if (name.startsWith("open-chatkit")) tab?.removeItem(name);
}

/** The storage of the tab and that of the browser, as far as they are allowed. */
function stores(): Storage[] {
	try {
		return [sessionStorage, localStorage];
	} catch {
		return [];
	}
}
