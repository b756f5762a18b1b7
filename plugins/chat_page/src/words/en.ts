// Each key is typed: a catalog that lacks one does not compile.

export const en = {
	// frame: header, history, start screen
	"chat.title": "Chat",
	"start.greeting": "What can I help with?",

	// composer
	"composer.label": "Message",
	"composer.placeholder": "Write a message",
	"composer.send": "Send",
	"composer.stop": "Stop",

	// transcript and items
	"transcript.label": "Conversation",

	// markdown
	"code.copy": "Copy",
	"code.copied": "Copied",
	"code.region": "Code",
	"code.regionOf": "Code, {language}",
	"markdown.table": "Table",
	"markdown.formula": "Formula",
	"markdown.task": "Task",
	"markdown.footnote": "Footnote {number}",
	"markdown.back": "Footnote {number}: back to the text",

	// widgets
};
