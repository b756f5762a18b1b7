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
	"composer.attach": "Attach files",
	"composer.files": "Attached files",
	"composer.drop": "Drop files here to attach them",
	"composer.wait": "The message can be sent when the files are uploaded.",
	"composer.file.remove": "Remove {name}",
	"composer.file.cancel": "Cancel the upload of {name}",
	"composer.file.retry": "Upload {name} again",
	"composer.file.uploading": "Upload of {name}",
	"composer.file.waiting": "Waiting",
	"composer.file.failed": "Upload failed",
	"composer.file.decide": "A file could not be uploaded. Remove it, or try again.",
	"composer.file.type": "“{name}” cannot be attached. Allowed are {types}.",
	"composer.file.size": "“{name}” is too large. The limit is {size}.",
	"composer.file.empty": "“{name}” is empty.",
	"composer.file.count": "“{name}” was not attached. A message can have {count} at most.",
	"composer.file.folder": "“{name}” is a folder. Attach the files in it.",
	"composer.mention": "Mention",
	"composer.commands": "Commands",
	"composer.searching": "Searching…",
	"composer.search.failed": "The search failed.",
	"composer.nothing": "Nothing found",
	"composer.found": "{count} found",
	"composer.group.actions": "Actions",
	"composer.new": "New chat",
	"composer.tools": "Tools",
	"composer.tool.clear": "Do not use {label}",
	"composer.model": "Model: {label}",
	"composer.models": "Models",
	"composer.reply": "Reply",
	"composer.quote": "Reply to",
	"composer.quote.remove": "Remove the quotation",
	"composer.locked": "You cannot write here for now.",
	"composer.closed": "This conversation is closed.",
	"composer.dictate": "Dictate",
	"composer.cancel": "Cancel",
	"composer.again": "Try again",
	"composer.dictation.asking": "Allow the use of the microphone.",
	"composer.dictation.recording": "Speak now",
	"composer.dictation.transcribing": "Writing it down…",
	"composer.dictation.done": "Done",
	"composer.dictation.denied":
		"This page may not use the microphone. Allow it in the settings of your browser.",
	"composer.dictation.missing": "No microphone was found.",
	"composer.dictation.busy": "The microphone cannot be used. Another program may have it.",
	"composer.dictation.insecure":
		"This browser allows no recording here. The page needs an https:// address.",
	"composer.dictation.silence": "No speech was heard. Try again.",
	"composer.dictation.failed": "Dictation failed. Try again.",

	// transcript and items
	"transcript.label": "Conversation",

	// markdown

	// widgets
};
