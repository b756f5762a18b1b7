// Only the compiler reads this: the element has the types of @openai/chatkit.

import type { ChatKitOptions, OpenAIChatKit } from "@openai/chatkit";
import type { WatchedChat } from "../../../chatkit_server/web/client.js";
import type { OpenChatKit } from "../src/element.ts";
import type { OpenChatKitOptions } from "../src/options.ts";

type Is<Given extends Wanted, Wanted> = Given;

export type Published = [Is<OpenChatKit, OpenAIChatKit>, Is<ChatKitOptions, OpenChatKitOptions>];

// Both elements can be watched by the script for pages
export type Watched = [Is<OpenChatKit, WatchedChat>, Is<OpenAIChatKit, WatchedChat>];
