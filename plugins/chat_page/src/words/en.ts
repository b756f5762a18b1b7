// Each key is typed: a catalog that lacks one does not compile.

export const en = {
	// frame: header, history, start screen
	"chat.title": "Chat",
	"start.greeting": "What can I help with?",
	"start.prompts": "Suggestions",
	"header.history": "Conversations",
	"header.new": "New conversation",
	"header.untitled": "New conversation",
	"header.rename": "Rename the conversation",
	"header.title": "Title of the conversation",
	"history.title": "Conversations",
	"history.close": "Close",
	"history.search": "Search",
	"history.list": "Conversations",
	"history.empty": "No conversations yet",
	"history.nothing": "Nothing found",
	"history.more": "Show more",
	"history.untitled": "Untitled",
	"history.older": "Older",
	"history.week": "Last seven days",
	"history.rename": "Rename “{title}”",
	"history.delete": "Delete “{title}”",
	"history.confirm": "Delete this conversation for ever?",
	"history.yes": "Delete",
	"history.no": "Keep",
	"history.failed": "The conversations could not be loaded.",
	"again": "Try again",
	"loading": "Loading…",
	"network.offline": "You are offline. The conversation goes on when you are back.",
	"network.reconnecting": "Connecting again…",

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
