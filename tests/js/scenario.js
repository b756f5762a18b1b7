// One request as ChatKit makes it: the script below, its parser on top. The same in every runtime.

/**
 * job: {url, body, headers, options, tokens, stopAt, abortOnPageHide}
 *   tokens   what `authorization` answers: the first, until it was refused, and then the last
 *   stopAt   Stop is pressed when so many messages have come
 * Returns {messages: [{id, data}], error, turns, refusals, status}.
 */
export async function run({ createFetch, fetchEventSource }, job) {
  const result = { messages: [], error: null, turns: [], refusals: [], status: null };
  const stop = new AbortController();
  if (job.abortOnPageHide) addEventListener("pagehide", () => stop.abort());
  let token = job.tokens?.at(0);
  const authorization = async (refused) => {
    result.refusals.push(refused);
    if (refused) token = job.tokens.at(-1);
    return `Bearer ${token}`;
  };
  const fetch = createFetch({
    delay: 1,
    ...job.options,
    ...(job.tokens ? { authorization } : {}),
    onTurn: (id) => result.turns.push(id),
  });
  try {
    await fetchEventSource(job.url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...job.headers },
      body: job.body,
      signal: stop.signal,
      openWhenHidden: true,
      fetch,
      async onopen(response) {
        result.status = response.status;
        if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      },
      onmessage({ id, data, event }) {
        result.messages.push({ id, data, event });
        if (result.messages.length === job.stopAt) stop.abort();
      },
      onerror(error) {
        throw error;
      },
    });
  } catch (error) {
    result.error = String(error);
  }
  // What the script does after Stop, it does after the current task
  await new Promise((go) => setTimeout(go, 20));
  return result;
}
