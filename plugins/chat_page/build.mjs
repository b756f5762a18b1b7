// Builds the element and the page: `npm run build`. With --tests, the unit tests for Node.
//
// The files go to built/, which is in the repository: who runs the server needs no Node. The same
// sources give the same bytes.
import { build } from "esbuild";
import { copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { lucideIcons } from "./lucide.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const MOST = 150_000; // bytes, gzipped, of what a page loads at first

const shared = {
	absWorkingDir: HERE,
	bundle: true,
	format: "esm",
	charset: "utf8",
	legalComments: "none",
	logLevel: "warning",
	plugins: [lucideIcons],
};

if (process.argv.includes("--tests")) await buildTests();
else await buildPage();

async function buildTests() {
	rmSync(join(HERE, ".tests"), { recursive: true, force: true });
	const tests = readdirSync(join(HERE, "test")).filter((name) => name.endsWith(".test.ts"));
	await build({
		...shared,
		entryPoints: tests.map((name) => `test/${name}`),
		outdir: ".tests",
		platform: "node",
		packages: "external",
	});
	await build({
		...shared,
		entryPoints: ["test/react-page.tsx"],
		outdir: ".tests",
		jsx: "automatic",
		minify: true,
		define: { "process.env.NODE_ENV": '"production"' },
	});
}

async function buildPage() {
	const built = join(HERE, "built");
	rmSync(built, { recursive: true, force: true });
	const { metafile } = await build({
		...shared,
		entryPoints: { "open-chatkit": "src/open-chatkit.ts", page: "page/page.ts" },
		outdir: "built",
		chunkNames: "open-chatkit/[name]-[hash]",
		splitting: true,
		minify: true,
		target: ["chrome111", "firefox115", "safari16.4"],
		metafile: true,
	});
	for (const name of readdirSync(join(HERE, "page")))
		if (!name.endsWith(".ts")) copyFileSync(join(HERE, "page", name), join(built, name));
	writeFileSync(join(built, "LICENSES.txt"), licenses(metafile));
	writeFileSync(join(built, "options.schema.json"), `${JSON.stringify(await optionsSchema(), null, 2)}\n`);
	report(metafile);
}

/** The JSON Schema of the options, which the server checks its settings with. */
async function optionsSchema() {
	const { outputFiles } = await build({
		...shared,
		entryPoints: ["src/option-problems.ts"],
		write: false,
	});
	const module = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
	return module.optionsSchema();
}

/** The licences of the packages that are in the built files. */
function licenses({ inputs }) {
	const require = createRequire(import.meta.url);
	const names = new Set();
	for (const path of Object.keys(inputs)) {
		const found = path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/);
		if (found) names.add(found[1]);
	}
	return [...names].sort().map(notice).join("\n\n");

	function notice(name) {
		const folder = join(HERE, "node_modules", name);
		const { version, license } = require(join(folder, "package.json"));
		const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
		if (!file) throw Error(`${name} has no licence file`);
		return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
	}
}

/** Prints the sizes, and fails if a page has to load too much at first. */
function report({ outputs }) {
	const size = (path) => gzipSync(readFileSync(join(HERE, path)), { level: 9 }).length;
	const first = new Set();
	const walk = (path) => {
		if (first.has(path)) return;
		first.add(path);
		for (const { path: next, kind } of outputs[path].imports)
			if (kind === "import-statement") walk(next);
	};
	walk("built/open-chatkit.js");
	let total = 0;
	for (const path of Object.keys(outputs).sort()) {
		const bytes = size(path);
		if (first.has(path)) total += bytes;
		console.log(`${String(bytes).padStart(8)} ${first.has(path) ? "first" : "     "} ${path}`);
	}
	console.log(`${String(total).padStart(8)} bytes, gzipped, are loaded at first (at most ${MOST})`);
	if (total > MOST) process.exitCode = 1;
}
