// The module that pages load: defines <open-chatkit>, and any other name that the page wants.
//
//     <script type="module" src="/open-chatkit.js?register=openai-chatkit"></script>

import { OpenChatKit } from "./element.ts";

export { OpenChatKit };

/** Defines the element under a further name. A name that is taken already is left as it is. */
export function register(name: string): void {
	const taken = customElements.get(name) as Partial<typeof OpenChatKit> | undefined;
	if (!taken) customElements.define(name, class extends OpenChatKit {});
	else if (taken.family !== OpenChatKit.family)
		console.warn(`open-chatkit: <${name}> is another element already, of a script that was first`);
}

if (!customElements.get("open-chatkit")) customElements.define("open-chatkit", OpenChatKit);
for (const name of new URL(import.meta.url).searchParams.getAll("register")) register(name);
