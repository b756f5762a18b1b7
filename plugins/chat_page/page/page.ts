// The chat page: gives the element its options.

import type { OpenChatKit } from "../src/element.ts";

const chat = document.querySelector("open-chatkit") as OpenChatKit;
await customElements.whenDefined("open-chatkit");
chat.setOptions({ api: { url: "api/chat" } });
