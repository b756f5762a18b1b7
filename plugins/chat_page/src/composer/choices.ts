// The tool and the model that the user has chosen for the next message.

import type { ModelOption, ToolOption } from "@openai/chatkit";
import type { OpenChatKitOptions } from "../options.ts";
import type { InferenceOptions } from "../protocol.ts";

export interface Choices {
	toolId: string | null;
	modelId: string | null;
}

/** The tool that is chosen and that the page still has. */
export function toolOf(options: OpenChatKitOptions, { toolId }: Choices): ToolOption | null {
	return options.composer?.tools?.find(({ id }) => id === toolId) ?? null;
}

/** The chosen model; else the page's default; else the first that can be chosen. */
export function modelOf(options: OpenChatKitOptions, { modelId }: Choices): ModelOption | null {
	const models = (options.composer?.models ?? []).filter(({ disabled }) => !disabled);
	const chosen = models.find(({ id }) => id === modelId);
	return chosen ?? models.find((model) => model.default) ?? models[0] ?? null;
}

/** What goes with a message. */
export function inferenceOptions(options: OpenChatKitOptions, choices: Choices): InferenceOptions {
	const [tool, model] = [toolOf(options, choices), modelOf(options, choices)];
	return {
		...(tool ? { tool_choice: { id: tool.id } } : {}),
		...(model ? { model: model.id } : {}),
	};
}

/** What stays chosen after a message was sent. */
export function afterSending(options: OpenChatKitOptions, choices: Choices): Choices {
	return toolOf(options, choices)?.persistent ? choices : { ...choices, toolId: null };
}
