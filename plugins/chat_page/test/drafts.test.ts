import assert from "node:assert/strict";
import { test } from "node:test";
import { Drafts, type Sending, giveBack } from "../src/composer/drafts.ts";
import { fromContent } from "../src/composer/rich-text.ts";
import type { Upload, Uploads } from "../src/composer/uploads.ts";
import type { Attachment } from "../src/protocol.ts";

const FILE: Attachment = { type: "file", id: "atc_1", name: "a.txt", mime_type: "text/plain" };
const ANN = fromContent([{ type: "input_tag", id: "p1", text: "Ann" }]);

/** The storage of a tab. */
class Tab {
	readonly values = new Map<string, string>();
	getItem = (key: string) => this.values.get(key) ?? null;
	setItem = (key: string, value: string) => void this.values.set(key, value);
	removeItem = (key: string) => void this.values.delete(key);

	/** What a page has after it was loaded again. */
	page(): Drafts {
		return new Drafts("/api/chat", uploads, this);
	}
}

function uploads(): Uploads {
	const attachments: Attachment[] = [];
	const giveBack = (taken: readonly Upload[]) =>
		attachments.push(...taken.flatMap(({ attachment }) => attachment ?? []));
	return { attachments, giveBack, put: (file: Attachment) => attachments.push(file) } as never;
}

function sending(rich = ANN): Sending {
	return { rich, quote: "Tea is hot.", uploads: [{ attachment: FILE } as Upload] };
}

test("a draft is there after a reload, for its conversation alone", () => {
	const tab = new Tab();
	const drafts = tab.page();
	const draft = drafts.of("thr_1");
	draft.rich = ANN;
	draft.quote = "Tea";
	draft.uploads.put(FILE);
	drafts.flush();
	const again = tab.page().of("thr_1");
	assert.deepEqual([again.rich, again.quote, again.uploads.attachments], [ANN, "Tea", [FILE]]);
	assert.equal(tab.page().of(null).rich.text, "");
	draft.rich = fromContent([]);
	draft.quote = null;
	draft.uploads.attachments.pop();
	drafts.flush();
	assert.equal(tab.values.size, 0);
});

test("the draft of a new conversation becomes that of its thread", () => {
	const tab = new Tab();
	const drafts = tab.page();
	const draft = drafts.of(null);
	draft.rich = ANN;
	drafts.flush();
	drafts.becomes("thr_1");
	drafts.flush();
	assert.equal(drafts.of("thr_1"), draft);
	assert.equal(tab.page().of("thr_1").rich.text, "@Ann");
	assert.equal(tab.page().of(null).rich.text, "");
});

test("a message that is on its way is written again after a reload, until the server has it", () => {
	const tab = new Tab();
	const drafts = tab.page();
	const draft = drafts.of("thr_1");
	const message = sending();
	draft.sending.add(message);
	draft.rich = fromContent([{ type: "input_text", text: "and more" }]);
	drafts.flush();
	const again = tab.page().of("thr_1");
	assert.equal(again.rich.text, "@Ann\nand more");
	assert.equal(again.rich.tags.length, 1);
	assert.equal(again.quote, "Tea is hot.");
	assert.deepEqual(again.uploads.attachments, [FILE]);
	draft.sending.delete(message);
	drafts.flush();
	assert.equal(tab.page().of("thr_1").rich.text, "and more");
});

test("a message that could not be sent comes before what was written since", () => {
	const draft = new Tab().page().of(null);
	const [first, second] = [sending(), sending(fromContent([{ type: "input_text", text: "second" }]))];
	draft.sending.add(first).add(second);
	giveBack(draft, second);
	giveBack(draft, first);
	assert.equal(draft.rich.text, "@Ann\nsecond");
	assert.equal(draft.sending.size, 0);
	assert.equal(draft.uploads.attachments.length, 2);
});

test("a storage that is full, or of another version, keeps nobody from writing", () => {
	const tab = new Tab();
	tab.values.set("open-chatkit:draft:/api/chat:new", '{"text": 1}');
	tab.setItem = () => {
		throw new DOMException("full", "QuotaExceededError");
	};
	const drafts = tab.page();
	const draft = drafts.of(null);
	assert.equal(draft.rich.text, "");
	draft.rich = ANN;
	drafts.flush();
	assert.equal(drafts.of(null).rich, ANN);
});
