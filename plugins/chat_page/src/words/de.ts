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
	"composer.attach": "Dateien anhängen",
	"composer.files": "Angehängte Dateien",
	"composer.drop": "Dateien zum Anhängen hier ablegen",
	"composer.wait": "Die Nachricht kann gesendet werden, sobald die Dateien hochgeladen sind.",
	"composer.file.remove": "{name} entfernen",
	"composer.file.cancel": "Hochladen von {name} abbrechen",
	"composer.file.retry": "{name} noch einmal hochladen",
	"composer.file.uploading": "{name} wird hochgeladen",
	"composer.file.waiting": "Wartet",
	"composer.file.failed": "Hochladen fehlgeschlagen",
	"composer.file.decide":
		"Eine Datei konnte nicht hochgeladen werden. Entfernen Sie sie, oder versuchen Sie es noch einmal.",
	"composer.file.type": "„{name}“ kann nicht angehängt werden. Erlaubt sind {types}.",
	"composer.file.size": "„{name}“ ist zu groß. Die Grenze ist {size}.",
	"composer.file.empty": "„{name}“ ist leer.",
	"composer.file.count":
		"„{name}“ wurde nicht angehängt. Eine Nachricht kann höchstens {count} haben.",
	"composer.file.folder": "„{name}“ ist ein Ordner. Hängen Sie die Dateien darin an.",
	"composer.mention": "Erwähnen",
	"composer.commands": "Befehle",
	"composer.searching": "Sucht …",
	"composer.search.failed": "Die Suche ist fehlgeschlagen.",
	"composer.nothing": "Nichts gefunden",
	"composer.found": "{count} gefunden",
	"composer.group.actions": "Aktionen",
	"composer.new": "Neuer Chat",
	"composer.tools": "Werkzeuge",
	"composer.tool.clear": "{label} nicht verwenden",
	"composer.model": "Modell: {label}",
	"composer.models": "Modelle",
	"composer.reply": "Antworten",
	"composer.quote": "Antwort auf",
	"composer.quote.remove": "Zitat entfernen",
	"composer.locked": "Hier können Sie zurzeit nicht schreiben.",
	"composer.closed": "Diese Unterhaltung ist beendet.",
	"composer.dictate": "Diktieren",
	"composer.cancel": "Abbrechen",
	"composer.again": "Noch einmal versuchen",
	"composer.dictation.asking": "Erlauben Sie die Verwendung des Mikrofons.",
	"composer.dictation.recording": "Sprechen Sie jetzt",
	"composer.dictation.transcribing": "Wird aufgeschrieben …",
	"composer.dictation.done": "Fertig",
	"composer.dictation.denied":
		"Diese Seite darf das Mikrofon nicht verwenden. Erlauben Sie es in den Einstellungen des Browsers.",
	"composer.dictation.missing": "Es wurde kein Mikrofon gefunden.",
	"composer.dictation.busy":
		"Das Mikrofon kann nicht verwendet werden. Vielleicht nutzt es ein anderes Programm.",
	"composer.dictation.insecure":
		"Dieser Browser erlaubt hier keine Aufnahme. Die Seite braucht eine Adresse mit https://.",
	"composer.dictation.silence": "Es war nichts zu hören. Versuchen Sie es noch einmal.",
	"composer.dictation.failed": "Das Diktat ist fehlgeschlagen. Versuchen Sie es noch einmal.",

	// transcript and items
	"transcript.label": "Unterhaltung",

	// markdown

	// widgets
};
