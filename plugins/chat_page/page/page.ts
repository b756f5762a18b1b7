// The chat page: gives the element the server's options, and keeps the address of the conversation.

import type { OpenChatKit } from "../src/element.ts";

const settings = JSON.parse(document.body.dataset["settings"]!);
const chat = document.querySelector("open-chatkit") as OpenChatKit;
await customElements.whenDefined("open-chatkit");
chat.setOptions(settings.options);
