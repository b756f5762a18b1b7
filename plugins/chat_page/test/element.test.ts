// Options, theme and words without a DOM.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { examine, optionsSchema } from "../src/option-problems.ts";
import { copied, isSame } from "../src/same.ts";
import { propertiesOf } from "../src/theme.ts";
import { type Catalog, Words } from "../src/words.ts";
import { de } from "../src/words/de.ts";
import { en } from "../src/words/en.ts";

const api = { url: "/api/chat", domainKey: "" };
const noop = () => {};

test("all options are taken", () => {
	const options = {
		api: { ...api, fetch: noop, headers: noop, uploadStrategy: { type: "direct", uploadUrl: "/up" } },
		locale: "de-AT",
		theme: {
			colorScheme: "system",
			typography: { baseSize: 15, fontSources: [{ family: "A", src: "/a.woff2", weight: 400 }] },
			radius: "soft",
			density: "compact",
			color: {
				grayscale: { hue: 220, tint: 6, shade: -1 },
				accent: { primary: "#fff", level: 2 },
				surface: { background: "#fff", foreground: "#000" },
			},
		},
		frameTitle: "Help",
		initialThread: null,
		onClientTool: noop,
		header: { title: { text: "Help" }, leftAction: { icon: "home", onClick: noop } },
		history: { enabled: true, showDelete: false, showRename: undefined },
		startScreen: {
			prompts: [
				{ label: "A", prompt: "B", icon: "star" },
				{ label: "C", prompt: [{ type: "input_tag", id: "t", text: "D" }] },
			],
		},
		threadItemActions: { feedback: true, retry: false },
		composer: {
			attachments: { enabled: true, maxSize: { "image/*": 10 }, accept: { "image/*": [".png"] } },
			tools: [{ id: "t", label: "T", icon: "bolt", pinned: true }],
			models: [{ id: "m", label: "M", default: true }],
			dictation: { enabled: true },
		},
		disclaimer: { text: "*Careful*" },
		entities: { onTagSearch: noop },
		commands: { enabled: true },
		widgets: { onAction: noop },
		thread: { autoScroll: true },
		words: { again: "Once more" },
		allowedImageDomains: ["*.example.com"],
	};
	assert.deepEqual(examine(options), { wrong: [], unknown: [] });
});

const WRONG: [object, string][] = [
	[{ locale: 5 }, "`locale` has to be a text, not 5"],
	[{ theme: "blue" }, '`theme` has to be "light", "dark" or "system", not "blue"'],
	[{ theme: { density: "wide" } }, '`theme.density` has to be "compact", "normal" or "spacious", not "wide"'],
	[{ theme: { color: { accent: {} } } }, "`theme.color.accent.primary` is missing"],
	[{ theme: { color: { grayscale: { hue: 400, tint: 1 } } } }, "`theme.color.grayscale.hue` has to be a number from 0 to 360, not 400"],
	[{ header: null }, "`header` has to be an object, not null"],
	[{ header: { leftAction: { icon: "home" } } }, "`header.leftAction.onClick` is missing"],
	[{ startScreen: { prompts: [{ label: "A", prompt: "B" }, { label: "A" }] } }, "`startScreen.prompts[1].prompt` is missing"],
	[{ startScreen: { prompts: {} } }, "`startScreen.prompts` has to be a list, not an object"],
	[{ composer: { attachments: { enabled: "yes" } } }, '`composer.attachments.enabled` has to be true or false, not "yes"'],
	[{ composer: { attachments: { enabled: true, maxSize: { "image/*": "1" } } } }, '`composer.attachments.maxSize["image/*"]` has to be a number, not "1"'],
	[{ onClientTool: {} }, "`onClientTool` has to be a function, not an object"],
	[{ api: { url: "/x", uploadStrategy: { type: "direct" } } }, "`api.uploadStrategy.uploadUrl` is missing"],
	[{ api: undefined }, '`api` is missing: { url: "/api/chat" }'],
	[{ words: { again: 1 } }, '`words["again"]` has to be a text, not 1'],
];

test("a wrong option is named with its path, and what is expected", () => {
	for (const [options, problem] of WRONG) {
		const [found] = examine({ api, ...options }).wrong;
		assert.ok(found?.startsWith(problem), `${found} ≠ ${problem}`);
	}
	assert.deepEqual(examine(null).wrong, ["`options` has to be an object, not null"]);
});

test("an option that nobody knows is named, wherever it is", () => {
	const options = {
		api: { url: "/x", uploadStrategy: { type: "two_phase", uploadUrl: "/y" } },
		startscreen: {},
		other: 1,
		startScreen: { Greeting: "Hello", prompts: [{ label: "A", prompt: "B", colour: "red" }] },
		composer: { attachments: { enabled: true, maxsize: 1, accept: { "image/*": [".png"] } } },
		words: { again: "Once more" },
	};
	const { wrong, unknown } = examine(options);
	assert.deepEqual(wrong, []);
	assert.deepEqual(unknown.sort(), [
		"`api.uploadStrategy.uploadUrl` is no option",
		"`composer.attachments.maxsize` is no option: `composer.attachments.maxSize` is",
		"`other` is no option",
		"`startScreen.Greeting` is no option: `startScreen.greeting` is",
		"`startScreen.prompts[0].colour` is no option",
		"`startscreen` is no option: `startScreen` is",
	]);
});

test("the schema has what JSON can say, and asks only for whole entries of lists", () => {
	const { properties } = optionsSchema() as { properties: Record<string, any> };
	for (const name of ["onClientTool", "allowedImageDomains"]) assert.ok(!(name in properties), name);
	assert.ok(!("leftAction" in properties["header"].properties), "its onClick is a function");
	assert.ok(!("required" in properties["api"]), "the server knows its address");
	assert.deepEqual(properties["startScreen"].properties.prompts.items.required, ["label", "prompt"]);
	assert.deepEqual(properties["theme"].anyOf[0].enum, ["light", "dark", "system"]);
});

test("whatever a page gives as options, it is told and nothing is thrown", () => {
	fc.assert(
		fc.property(fc.anything(), fc.dictionary(fc.constantFrom("api", "theme", "header", "composer"), fc.anything()), (one, other) => {
			for (const given of [one, other]) assert.ok(Array.isArray(examine(given).wrong));
		}),
	);
});

test("options are the same if they say the same", () => {
	const options = { api, header: { title: undefined }, prompts: [{ click: noop }] };
	const before = copied(options);
	assert.ok(isSame({ api: { ...api }, header: {}, prompts: [{ click: noop }] }, before));
	assert.ok(!isSame({ ...options, prompts: [{ click: () => {} }] }, before));
	assert.ok(!isSame({ ...options, prompts: [] }, before));
	options.api = { ...api, url: "/other" };
	assert.ok(!isSame(options, before), "an object that was changed is another");
	fc.assert(fc.property(fc.jsonValue(), (value) => isSame(value, copied(value))));
});

test("a theme sets only what it says, so that style sheets can set the rest", () => {
	assert.deepEqual(propertiesOf({}, "light"), {});
	assert.deepEqual(propertiesOf({ radius: "sharp" }, "light"), {
		"--ock-radius": "2px",
		"--ock-radius-control": "2px",
	});
	const quiet = propertiesOf({ color: { surface: { background: "#123", foreground: "#fff" } } }, "light");
	assert.match(quiet["--ock-text-quiet"]!, /^color-mix\(in srgb, #fff 75%, #123\)$/);
});

test("words have the forms of their language", () => {
	const key = "loading";
	const polish = new Words("pl", { [key]: "{count} plik | {count} pliki | {count} plików" } as object);
	assert.deepEqual([1, 3, 5].map((count) => polish.text(key, { count })), ["1 plik", "3 pliki", "5 plików"]);
	assert.equal(new Words("ja").language, "en");
	assert.equal(polish.language, "pl");
	assert.equal(new Words("de-AT").text("history.close"), de["history.close"]);
	assert.equal(new Words("de", { again: 5 } as object).text("again"), de["again"]);
	assert.equal(new Words("en").text("history.rename", { title: "{title} $& {x}" }), "Rename “{title} $& {x}”");
});

test("German says everything with the same values", () => {
	const values = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();
	for (const key of Object.keys(en) as (keyof Catalog)[]) {
		assert.deepEqual(values(de[key]), values(en[key]), key);
		assert.ok(de[key].trim(), key);
	}
});

test("the script of a locale says from which side one reads", () => {
	for (const locale of ["ar", "ckb", "dv", "fa-IR", "he", "iw", "ku-Arab", "ps", "ur_PK", "yi", "az-Arab", "pa-PK"])
		assert.equal(new Words(locale).direction, "rtl", locale);
	for (const locale of ["en", "de_DE", "ar-Latn", "ku", "pa", "zh-Hant-TW", "no locale"])
		assert.equal(new Words(locale).direction, "ltr", locale);
	assert.equal(new Words("de_DE").text("composer.send"), de["composer.send"]);
});

test("quiet text can be read on the greys of any hue", () => {
	const gray = fc.record({
		hue: fc.integer({ min: 0, max: 360 }),
		tint: fc.integer({ min: 0, max: 9 }),
		shade: fc.integer({ min: -4, max: 4 }),
	});
	fc.assert(
		fc.property(gray, fc.constantFrom("light" as const, "dark" as const), (grayscale, scheme) => {
			const look = propertiesOf({ color: { grayscale: grayscale as never } }, scheme);
			for (const surface of ["--ock-surface", "--ock-surface-raised"] as const)
				assert.ok(contrast(look["--ock-text-quiet"]!, look[surface]!) >= 4.5);
		}),
		{ examples: [[{ hue: 60, tint: 9, shade: 4 }, "light"]] },
	);
});

/** The contrast of two colours `hsl(HUE SATURATION% LIGHTNESS%)`, as WCAG has it. */
function contrast(one: string, other: string): number {
	const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
	return (lighter + 0.05) / (darker + 0.05);
}

function luminance(color: string): number {
	const [hue, saturation, lightness] = color.match(/[\d.]+/g)!.map(Number) as [number, number, number];
	const channel = (offset: number) => {
		const place = (offset + hue / 30) % 12;
		const chroma = (saturation / 100) * Math.min(lightness / 100, 1 - lightness / 100);
		const value = lightness / 100 - chroma * Math.max(-1, Math.min(place - 3, 9 - place, 1));
		return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
	};
	return 0.2126 * channel(0) + 0.7152 * channel(8) + 0.0722 * channel(4);
}
