// What is wrong with the options that a page gives.

import {
	type Check,
	type Schema,
	anything,
	call,
	color,
	either,
	flag,
	isObject,
	isText,
	list,
	must,
	number,
	oneOf,
	record,
	shape,
	text,
} from "./checks.ts";
import type { OpenChatKitOptions } from "./options.ts";

const icon = must("the name of an icon, such as \"star\" or \"lucide:rocket\"", isText, { type: "string" });
const scheme = oneOf("light", "dark", "system");
const isList = (value: unknown) => Array.isArray(value);

const content = shape(
	{ id: text, group: text, data: record(anything), interactive: flag },
	{ type: oneOf("input_text", "input_tag"), text },
);

const theme = shape({
	colorScheme: scheme,
	typography: shape({
		baseSize: number(10, 32),
		fontFamily: text,
		fontFamilyMono: text,
		fontSources: list(
			shape(
				{
					weight: either(isText, text, number(1, 1000)),
					style: oneOf("normal", "italic", "oblique"),
					display: oneOf("auto", "block", "swap", "fallback", "optional"),
					unicodeRange: text,
				},
				{ family: text, src: text },
			),
		),
	}),
	radius: oneOf("pill", "round", "soft", "sharp"),
	density: oneOf("compact", "normal", "spacious"),
	color: shape({
		grayscale: shape({ shade: number(-4, 4) }, { hue: number(0, 360), tint: number(0, 9) }),
		accent: shape({ level: number(0, 3) }, { primary: color }),
		surface: shape({}, { background: color, foreground: color }),
	}),
});

const headerAction = shape({ label: text }, { icon, onClick: call });

const composer = shape({
	placeholder: text,
	attachments: shape(
		{
			maxSize: either(isObject, record(number(0)), number(0)),
			maxCount: number(0),
			accept: record(list(text)),
		},
		{ enabled: flag },
	),
	tools: list(
		shape(
			{ icon, shortLabel: text, placeholderOverride: text, pinned: flag, persistent: flag },
			{ id: text, label: text },
		),
	),
	models: list(
		shape({ description: text, disabled: flag, default: flag }, { id: text, label: text }),
	),
	dictation: shape({}, { enabled: flag }),
});

const type = oneOf("two_phase", "direct");
const server = shape(
	{
		fetch: call,
		headers: call,
		// Empty or not, nobody asks for the key
		domainKey: anything,
		uploadStrategy: either(
			(strategy) => isObject(strategy) && strategy["type"] === "direct",
			shape({}, { type, uploadUrl: text }),
			shape({}, { type }),
		),
	},
	{
		url: must("the address of a ChatKit server, such as \"/api/chat\"", (url) => isText(url) && url !== "", {
			type: "string",
			minLength: 1,
		}),
	},
);
const api: Check = Object.assign(
	(value: unknown, path: string, unknown: string[]) =>
		isObject(value) && "getClientSecret" in value && !("url" in value)
			? [`\`${path}.getClientSecret\` is for OpenAI's hosted workflows: set \`${path}.url\` to your server`]
			: server(value, path, unknown),
	{ schema: server.schema },
);

const CHECKS: { [Name in keyof Required<OpenChatKitOptions>]: Check } = {
	api,
	locale: text,
	theme: either(isText, scheme, theme),
	frameTitle: text,
	initialThread: either((value) => value === null, anything, text),
	onClientTool: call,
	header: shape({
		enabled: flag,
		title: shape({ enabled: flag, text }),
		leftAction: headerAction,
		rightAction: headerAction,
	}),
	history: shape({ enabled: flag, showDelete: flag, showRename: flag }),
	startScreen: shape({
		greeting: text,
		prompts: list(shape({ icon }, { label: text, prompt: either(isList, list(content), text) })),
	}),
	threadItemActions: shape({ feedback: flag, retry: flag }),
	composer,
	disclaimer: shape({ highContrast: flag }, { text }),
	entities: shape({ onTagSearch: call, showComposerMenu: flag, onClick: call, onRequestPreview: call }),
	commands: shape({ onSearch: call, onSelect: call }, { enabled: flag }),
	widgets: shape({ onAction: call }),
	thread: shape({ autoScroll: flag }),
	words: either(isText, text, record(text)),
	allowedImageDomains: list(text),
};

/** Says what is wrong with options, each with its path and what is expected, and what nobody knows. */
export function examine(options: unknown): { wrong: string[]; unknown: string[] } {
	const { api: needed, ...optional } = CHECKS;
	const unknown: string[] = [];
	const wrong = shape(optional, { api: needed })(options, "", unknown).map((problem) =>
		problem === "`api` is missing" ? `${problem}: { url: "/api/chat" }` : problem,
	);
	return { wrong, unknown };
}

/**
 * Returns the JSON Schema of what the server's settings may say over what the server knows by itself.
 * The images' hosts have a setting of their own, which makes the policy of the page, too.
 */
export function optionsSchema(): Schema {
	const { allowedImageDomains: _, ...checks } = CHECKS;
	return shape(checks).schema(false)!;
}
