// The languages of code blocks, by all their names. Each is loaded when it is used.

import type { clike as Clike } from "@codemirror/legacy-modes/mode/clike";
import type { Parser } from "./highlight.ts";

type Load = () => Promise<Parser>;

const clike = () => import("@codemirror/legacy-modes/mode/clike");
const css = () => import("@codemirror/legacy-modes/mode/css");
const javascript = () => import("@codemirror/legacy-modes/mode/javascript");
const ml = () => import("@codemirror/legacy-modes/mode/mllike");
const sql = () => import("@codemirror/legacy-modes/mode/sql");
const xml = () => import("@codemirror/legacy-modes/mode/xml");

const LANGUAGES: [string, Load][] = [
	["javascript js jsx mjs cjs node", async () => (await javascript()).javascript],
	["typescript ts tsx mts cts", async () => (await javascript()).typescript],
	["json json5 jsonc jsonl ndjson", async () => (await javascript()).json],
	["python py python3 py3 pycon", async () => (await import("@codemirror/legacy-modes/mode/python")).python],
	["html htm xhtml vue svelte astro handlebars", async () => (await xml()).html],
	["xml svg xsl xslt rss plist mathml", async () => (await xml()).xml],
	["css", async () => (await css()).css],
	["scss", async () => (await css()).sCSS],
	["less", async () => (await css()).less],
	["sass", async () => (await import("@codemirror/legacy-modes/mode/sass")).sass],
	["stylus styl", async () => (await import("@codemirror/legacy-modes/mode/stylus")).stylus],
	["shell bash sh zsh ksh fish console shellsession terminal", async () => (await import("@codemirror/legacy-modes/mode/shell")).shell],
	["powershell ps ps1 pwsh", async () => (await import("@codemirror/legacy-modes/mode/powershell")).powerShell],
	["c h", async () => (await clike()).c],
	["cpp c++ cc cxx hpp arduino cuda", async () => (await clike()).cpp],
	["java", async () => (await clike()).java],
	["csharp cs c#", async () => (await clike()).csharp],
	["kotlin kt kts", async () => (await clike()).kotlin],
	["scala", async () => (await clike()).scala],
	["dart", async () => (await clike()).dart],
	["objectivec objc objective-c", async () => (await clike()).objectiveC],
	["glsl hlsl wgsl shader", async () => (await clike()).shader],
	["php", async () => php((await clike()).clike)],
	["go golang", async () => (await import("@codemirror/legacy-modes/mode/go")).go],
	["rust rs", async () => (await import("@codemirror/legacy-modes/mode/rust")).rust],
	["swift", async () => (await import("@codemirror/legacy-modes/mode/swift")).swift],
	["ruby rb elixir ex exs", async () => (await import("@codemirror/legacy-modes/mode/ruby")).ruby],
	["sql", async () => (await sql()).standardSQL],
	["mysql mariadb", async () => (await sql()).mySQL],
	["postgresql postgres pgsql", async () => (await sql()).pgSQL],
	["sqlite", async () => (await sql()).sqlite],
	["plsql oracle", async () => (await sql()).plSQL],
	["mssql tsql t-sql", async () => (await sql()).msSQL],
	["yaml yml", async () => (await import("@codemirror/legacy-modes/mode/yaml")).yaml],
	["toml", async () => (await import("@codemirror/legacy-modes/mode/toml")).toml],
	["ini properties env dotenv conf cfg", async () => (await import("@codemirror/legacy-modes/mode/properties")).properties],
	["dockerfile docker containerfile", async () => (await import("@codemirror/legacy-modes/mode/dockerfile")).dockerFile],
	["nginx", async () => (await import("@codemirror/legacy-modes/mode/nginx")).nginx],
	["http", async () => (await import("@codemirror/legacy-modes/mode/http")).http],
	["diff patch", async () => (await import("@codemirror/legacy-modes/mode/diff")).diff],
	["lua", async () => (await import("@codemirror/legacy-modes/mode/lua")).lua],
	["perl pl", async () => (await import("@codemirror/legacy-modes/mode/perl")).perl],
	["r rscript", async () => (await import("@codemirror/legacy-modes/mode/r")).r],
	["julia jl", async () => (await import("@codemirror/legacy-modes/mode/julia")).julia],
	["matlab octave", async () => (await import("@codemirror/legacy-modes/mode/octave")).octave],
	["haskell hs", async () => (await import("@codemirror/legacy-modes/mode/haskell")).haskell],
	["ocaml ml", async () => (await ml()).oCaml],
	["fsharp fs f#", async () => (await ml()).fSharp],
	["clojure clj cljs edn", async () => (await import("@codemirror/legacy-modes/mode/clojure")).clojure],
	["lisp commonlisp elisp", async () => (await import("@codemirror/legacy-modes/mode/commonlisp")).commonLisp],
	["scheme racket", async () => (await import("@codemirror/legacy-modes/mode/scheme")).scheme],
	["erlang erl", async () => (await import("@codemirror/legacy-modes/mode/erlang")).erlang],
	["groovy gradle", async () => (await import("@codemirror/legacy-modes/mode/groovy")).groovy],
	["cmake", async () => (await import("@codemirror/legacy-modes/mode/cmake")).cmake],
	["protobuf proto", async () => (await import("@codemirror/legacy-modes/mode/protobuf")).protobuf],
	["jinja2 jinja django", async () => (await import("@codemirror/legacy-modes/mode/jinja2")).jinja2],
	["latex tex", async () => (await import("@codemirror/legacy-modes/mode/stex")).stex],
	["pascal delphi", async () => (await import("@codemirror/legacy-modes/mode/pascal")).pascal],
	["fortran f90", async () => (await import("@codemirror/legacy-modes/mode/fortran")).fortran],
	["vb vbnet visualbasic", async () => (await import("@codemirror/legacy-modes/mode/vb")).vb],
	["wasm wat", async () => (await import("@codemirror/legacy-modes/mode/wast")).wast],
];

const BY_NAME = new Map(LANGUAGES.flatMap(([names, load]) => names.split(" ").map((name) => [name, load])));

export async function loadParser(language: string): Promise<Parser | null> {
	const load = BY_NAME.get(language.toLowerCase().replace(/^[{.]+|[},:].*$/g, "")) as Load | undefined;
	return load ? await load() : null;
}

/** There is no parser for PHP, but it is much like C. */
function php(clike: typeof Clike): Parser {
	const words = (text: string) =>
		Object.fromEntries(text.split(" ").map((word) => [word, true] as const));
	return clike({
		name: "php",
		keywords: words(
			"abstract and as break case catch class clone const continue declare default do echo else elseif enddeclare endfor endforeach endif endswitch endwhile enum extends final finally fn for foreach function global goto if implements include include_once instanceof insteadof interface match namespace new or print private protected public readonly require require_once return static switch throw trait try use var while xor yield",
		),
		types: words("array bool callable float int iterable mixed never null object self string void"),
		blockKeywords: words("catch class do else elseif for foreach if switch try while finally"),
		atoms: words("true false null TRUE FALSE NULL __CLASS__ __DIR__ __FILE__ __LINE__ __METHOD__"),
		multiLineStrings: true,
		hooks: {
			$(stream: { eatWhile(pattern: RegExp): boolean }) {
				stream.eatWhile(/\w/);
				return "variableName.special";
			},
			"#"(stream: { skipToEnd(): void }) {
				stream.skipToEnd();
				return "comment";
			},
		},
	});
}
