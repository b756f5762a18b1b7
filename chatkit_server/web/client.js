// A fetch for ChatKit's `api.fetch`: authorizes, resumes streams, tells the server of Stop.
// Options: client.d.ts

const keys = {}; // by body: ChatKit's own retries get the same turn

export function createFetch({
	authorization,
	onTurn,
	fetch = globalThis.fetch,
	maxRetries = 8,
	delay = 250,
	silence = 60000,
} = {}) {
	async function send(url, init, refused = false) {
		const headers = new Headers(init.headers);
		const value = await authorization?.(refused);
		if (value) headers.set("Authorization", value);
		const response = await fetch(url, { ...init, headers });
		return response.status === 401 && value && !refused ? send(url, init, true) : response;
	}

	// Retries what throws, after growing pauses
	async function insist(work, signal, most, state = { tries: 0 }) {
		for (;;) {
			try {
				return await work();
			} catch (error) {
				if (signal?.aborted || state.tries++ >= most) throw error;
			}
			const pause = Math.min(delay * 2 ** state.tries, 10000) * (0.5 + Math.random() / 2);
			await new Promise((go) => {
				setTimeout(go, pause);
				signal?.addEventListener("abort", go);
			});
		}
	}

	function unbroken(response, turn, url, init) {
		const { signal, headers } = init;
		const state = { tries: 0 };
		let reader, decoder, text, cut;

		function ask(path, more) {
			const at = new URL(url.url ?? url, globalThis.location?.href);
			at.pathname += `/turns/${turn}/${path}`;
			return send(at, { ...init, body: null, ...more });
		}

		function read({ status, headers, body }) {
			// 409: it runs in another process, which the next request may reach
			if (/^4/.test(status) && status !== 409) state.tries = Infinity;
			if (headers.get("X-Turn-Id") !== turn) throw Error("The answer was lost");
			reader = body.getReader();
			decoder = new TextDecoder();
			text = "";
		}

		// Passes on whole events to the last line, those without an id with the next
		async function pull(controller) {
			while (!/^: end\n/m.test(text)) {
				if (cut) read(await ask("events", { method: "GET" }));
				cut = true;
				const timer = setTimeout(() => reader.cancel(), silence);
				const { value, done } = await reader.read().finally(() => clearTimeout(timer));
				if (done) throw Error("The answer was cut off");
				cut = false;
				text += decoder.decode(value, { stream: true });
				const [events, id] = text.match(/^[^]*^id: (.*)[^]*?\n\n/m) ?? [];
				if (events) {
					controller.enqueue(new TextEncoder().encode(events));
					text = text.slice(events.length);
					headers.set("Last-Event-ID", id);
					state.tries = 0;
					return;
				}
			}
			state.tries = Infinity;
			controller.close();
		}

		read(response);
		if (!headers.has("Last-Event-ID")) headers.set("Last-Event-ID", `${turn}:0`);
		const cancel = () => ask("cancel", { method: "POST", keepalive: true, signal: null });
		// A page that is closing runs no timers, and nobody presses Stop in a hidden one
		const stop = () => globalThis.document?.hidden || insist(cancel, null, 3).catch(() => {});
		signal?.addEventListener("abort", () => state.tries > maxRetries || setTimeout(stop));
		return new ReadableStream({
			pull: (controller) => insist(() => pull(controller), signal, maxRetries, state),
			cancel: () => reader.cancel((state.tries = Infinity)),
		});
	}

	return async (url, init = {}) => {
		const { body, signal } = init;
		const request = { ...init, headers: new Headers(init.headers ?? url.headers) };
		const begins = /"threads\.(create|add_|retry_|custom_)/.test(body);
		if (begins) {
			keys[body] ??= `${Date.now()}${Math.random()}`;
			request.headers.set("Idempotency-Key", keys[body]);
			signal?.addEventListener("abort", () => delete keys[body]);
		}
		const response = await insist(() => send(url, request), signal, begins ? 3 : 0);
		if (response.status < 500) delete keys[body];
		const turn = response.headers.get("X-Turn-Id");
		if (!turn) return response;
		onTurn?.(turn);
		return new Response(unbroken(response, turn, url, request), response);
	};
}
