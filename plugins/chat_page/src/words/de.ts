import type { Catalog } from "../words.ts";

export const de: Catalog = {
	// frame: header, history, start screen
	"chat.title": "Chat",
	"start.greeting": "Wie kann ich helfen?",
	"start.prompts": "Vorschläge",
	"header.history": "Unterhaltungen",
	"header.new": "Neue Unterhaltung",
	"header.untitled": "Neue Unterhaltung",
	"header.rename": "Unterhaltung umbenennen",
	"header.title": "Titel der Unterhaltung",
	"history.title": "Unterhaltungen",
	"history.close": "Schließen",
	"history.search": "Suchen",
	"history.list": "Unterhaltungen",
	"history.empty": "Noch keine Unterhaltungen",
	"history.nothing": "Nichts gefunden",
	"history.more": "Mehr anzeigen",
	"history.untitled": "Ohne Titel",
	"history.older": "Älter",
	"history.week": "Letzte sieben Tage",
	"history.rename": "„{title}“ umbenennen",
	"history.delete": "„{title}“ löschen",
	"history.confirm": "Diese Unterhaltung endgültig löschen?",
	"history.yes": "Löschen",
	"history.no": "Behalten",
	"history.failed": "Die Unterhaltungen konnten nicht geladen werden.",
	"again": "Noch einmal versuchen",
	"loading": "Lädt …",
	"network.offline": "Sie sind offline. Die Unterhaltung geht weiter, sobald die Verbindung wieder da ist.",
	"network.reconnecting": "Verbindet neu …",

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
