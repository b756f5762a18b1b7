// Only the compiler reads this: the element has the types of @openai/chatkit.

import type { ChatKitOptions, OpenAIChatKit } from "@openai/chatkit";
import type { OpenChatKit } from "../src/element.ts";
import type { OpenChatKitOptions } from "../src/options.ts";

type Is<Given extends Wanted, Wanted> = Given;

export type Published = [Is<OpenChatKit, OpenAIChatKit>, Is<ChatKitOptions, OpenChatKitOptions>];
