// Loaded with the first block of code.

import { StringStream } from "@codemirror/streamparser";
import type { Painter, Parser } from "./highlight.ts";
import { loadParser } from "./languages.ts";

const LONGEST = 2000;

/** Colours, by the first words of CodeMirror's names for tokens that they are for. */
const COLOURS: [RegExp, string][] = [
	[/^(?:keyword|controlKeyword|modifier|moduleKeyword|definitionKeyword)/, "keyword"],
	[/^(?:string|character|regexp|escape|url|link)/, "string"],
	[/^(?:number|atom|bool|null|literal|unit|color|integer|float)/, "number"],
	[/comment/, "comment"],
	[/^(?:typeName|className|namespace|tagName|type|tag)/, "type"],
	[/^(?:variableName\.(?:function|definition|standard|special)|propertyName|attributeName|def|property|attribute|builtin|macroName|labelName|heading)/, "name"],
	[/^(?:meta|processingInstruction|annotation|documentMeta|operatorKeyword)/, "meta"],
	[/^(?:inserted|positive)/, "inserted"],
	[/^(?:deleted|negative|invalid)/, "deleted"],
];

export async function newPainter(language: string): Promise<Painter | null> {
	const parser = await loadParser(language);
	return parser && new LinePainter(parser);
}

class LinePainter implements Painter {
	private state: unknown;

	constructor(private readonly parser: Parser) {
		this.state = parser.startState?.(2) ?? {};
	}

	paint(line: string): (Node | string)[] {
		const text = line.slice(0, -1);
		if (text.length > LONGEST) return [line];
		if (text === "") {
			this.parser.blankLine?.(this.state, 2);
			return [line];
		}
		try {
			return [...this.tokens(text), "\n"];
		} catch {
			return [line]; // code that the parser cannot read
		}
	}

	private tokens(text: string): (Node | string)[] {
		const stream = new StringStream(text, 4, 2);
		const nodes: (Node | string)[] = [];
		while (!stream.eol()) {
			const name = this.token(stream);
			nodes.push(painted(stream.current(), colourOf(name)));
			stream.start = stream.pos;
		}
		return nodes;
	}

	private token(stream: StringStream): string | null {
		// A parser may first change its state and read nothing
		for (let tries = 0; tries < 10; tries++) {
			const name = this.parser.token(stream, this.state);
			if (stream.pos > stream.start) return name;
		}
		stream.next();
		return null;
	}
}

function painted(text: string, colour: string | undefined): Node | string {
	if (!colour) return text;
	const span = document.createElement("span");
	span.className = `ock-t-${colour}`;
	span.textContent = text;
	return span;
}

const known = new Map<string, string | undefined>();

function colourOf(name: string | null): string | undefined {
	if (!name) return undefined;
	if (!known.has(name)) known.set(name, COLOURS.find(([pattern]) => pattern.test(name))?.[1]);
	return known.get(name);
}
