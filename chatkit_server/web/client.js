// A fetch for ChatKit's `api.fetch`: authorizes, resumes streams, tells the server of Stop.
// And a watch that has ChatKit show what others do in its thread. Options: client.d.ts

const keys = {}; // by body: ChatKit's own retries get the same turn
const own = new Set(); // turns of this page

const wait = (delay, tries, signal) =>
	new Promise((go) => {
		setTimeout(go, Math.min(delay * 2 ** tries, 10000) * (0.5 + Math.random() / 2));
		signal?.addEventListener("abort", go);
	});

async function next(reader, silence) {
	const timer = setTimeout(() => reader.cancel(), silence);
	return reader.read().finally(() => clearTimeout(timer));
}

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
			await wait(delay, state.tries, signal);
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
			if (/^4/.test(status)) state.tries = Infinity;
			if (headers.get("X-Turn-Id") !== turn) throw Error("The answer was lost");
			reader = body.getReader();
			decoder = new TextDecoder();
			text = "";
		}

		// Passes on whole events to the last line, those without an id with the next
		async function pull(controller) {
			for (let ended; !ended; ) {
				if (cut) read(await ask("events", { method: "GET" }));
				cut = true;
				const { value, done } = await next(reader, silence);
				if (done) throw Error("The answer was cut off");
				cut = false;
				text += decoder.decode(value, { stream: true });
				ended = /^: end\n/m.test(text);
				// What is told anew, after a loss, has an id in its last event alone
				const whole = ended ? /^[^]*\n\n/ : /^(?:[^]*\n)?id: .*\n.*\n\n/;
				const [events] = text.match(whole) ?? [];
				if (events) {
					controller.enqueue(new TextEncoder().encode(events));
					text = text.slice(events.length);
					const [id] = events.match(/^id: .*/gm)?.slice(-1) ?? [];
					if (id) headers.set("Last-Event-ID", id.slice(4));
					state.tries = 0;
					if (!ended) return;
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
		own.add(turn);
		onTurn?.(turn);
		return new Response(unbroken(response, turn, url, request), response);
	};
}

export function watchThread(chatkit, {
	url,
	authorization,
	fetch,
	delay = 250,
	silence = 60000,
}) {
	const get = createFetch({ authorization, fetch });
	const page = globalThis.document;
	const closing = new AbortController();
	let thread, listening, mayLack, answering, missed, updating;

	async function update() {
		missed = true;
		if (updating) return;
		updating = true;
		try {
			while (missed && !answering) {
				missed = false;
				await chatkit.fetchUpdates();
			}
		} catch {
			missed = true; // ChatKit is busy
		}
		updating = false;
	}

	function hear({ type, turn }) {
		const known = {
			"thread.watched": !mayLack,
			"turn.started": true,
			"turn.ended": own.has(turn?.id),
			"thread.updated": answering, // ChatKit's own answer tells it too
		};
		if (type === "thread.removed") chatkit.setThreadId(null)?.catch(() => {});
		else if (!known[type]) update();
	}

	async function read(reader) {
		const decoder = new TextDecoder();
		for (let text = ""; ; ) {
			const { value, done } = await next(reader, silence);
			if (done) return;
			const lines = (text + decoder.decode(value, { stream: true })).split("\n");
			text = lines.pop();
			for (const line of lines) if (line.startsWith("data: ")) hear(JSON.parse(line.slice(6)));
		}
	}

	async function listen(signal) {
		const at = new URL(url, globalThis.location?.href);
		at.pathname += `/threads/${encodeURIComponent(thread)}/events`;
		at.searchParams.set("turns", "notes");
		for (let tries = 1; !signal.aborted; tries++) {
			const began = Date.now();
			try {
				const { status, ok, body } = await get(at, { signal });
				if (status === 404) return; // No such thread, or a server without this route
				if (ok) await read(body.getReader());
			} catch {}
			if (signal.aborted) return;
			mayLack = true;
			if (Date.now() - began > 15000) tries = 1;
			await wait(delay, tries, signal);
		}
	}

	// A hidden page would take one of the browser's six connections
	function start() {
		listening?.abort();
		if (!thread || page?.hidden || closing.signal.aborted) return;
		listening = new AbortController();
		listen(listening.signal);
	}

	function show({ detail: { threadId } }) {
		if (threadId === thread) return;
		thread = threadId;
		mayLack = missed = false;
		start();
	}

	function ready() {
		if (missed) update();
	}

	const on = (target, type, heard) =>
		target?.addEventListener(type, heard, { signal: closing.signal });
	on(chatkit, "chatkit.thread.change", show);
	on(chatkit, "chatkit.thread.load.start", show);
	on(chatkit, "chatkit.thread.load.end", ready);
	on(chatkit, "chatkit.response.start", () => (answering = true));
	on(chatkit, "chatkit.response.end", () => {
		answering = false;
		ready();
	});
	on(page, "visibilitychange", () => {
		mayLack = true;
		start();
	});
	return () => {
		closing.abort();
		listening?.abort();
	};
}
