import type { Catalog } from "../words.ts";

export const de: Catalog = {
	// frame: header, history, start screen
	"chat.title": "Chat",
	"start.greeting": "Wie kann ich helfen?",

	// composer
	"composer.label": "Nachricht",
	"composer.placeholder": "Nachricht schreiben",
	"composer.send": "Senden",
	"composer.stop": "Anhalten",

	// transcript and items
	"transcript.label": "Unterhaltung",

	// markdown
	"code.copy": "Kopieren",
	"code.copied": "Kopiert",
	"code.region": "Code",
	"code.regionOf": "Code, {language}",
	"markdown.table": "Tabelle",
	"markdown.formula": "Formel",
	"markdown.task": "Aufgabe",
	"markdown.footnote": "Fußnote {number}",
	"markdown.back": "Fußnote {number}: zurück zum Text",

	// widgets
};
