// ChatKit's protocol as it is on the wire: threads, items, events.
//
// Servers may be newer than this file. Whoever reads an item or event has to expect unknown types.

export interface Page<T> {
	data: T[];
	has_more: boolean;
	after?: string | null;
}

export interface ThreadStatus {
	type: "active" | "locked" | "closed";
	reason?: string | null;
}

export interface Thread {
	id: string;
	title?: string | null;
	created_at: string;
	status?: ThreadStatus;
	metadata?: Record<string, unknown>;
	items?: Page<ThreadItem>;
	/** Domains that images may come from, as the server says. */
	allowed_image_domains?: string[] | null;
}

interface ItemBase {
	id: string;
	thread_id: string;
	created_at: string;
}

export interface TextContent {
	type: "input_text";
	text: string;
}

export interface TagContent {
	type: "input_tag";
	id: string;
	text: string;
	data?: Record<string, unknown>;
	group?: string | null;
	interactive?: boolean;
}

export type UserContent = TextContent | TagContent;

export interface InferenceOptions {
	tool_choice?: { id: string } | null;
	model?: string | null;
}

export interface UploadDescriptor {
	url: string;
	method: string;
	headers?: Record<string, string>;
}

export interface Attachment {
	type: "file" | "image";
	id: string;
	name: string;
	mime_type: string;
	preview_url?: string;
	thread_id?: string | null;
	upload_descriptor?: UploadDescriptor | null;
}

export interface UserMessageItem extends ItemBase {
	type: "user_message";
	content: UserContent[];
	attachments?: Attachment[];
	quoted_text?: string | null;
	inference_options?: InferenceOptions;
}

export interface Source {
	type: "url" | "file" | "entity";
	title: string;
	description?: string | null;
	timestamp?: string | null;
	group?: string | null;
	url?: string;
	attribution?: string | null;
	filename?: string;
	id?: string;
	icon?: string | null;
	label?: string | null;
	inline_label?: string | null;
	interactive?: boolean;
	data?: Record<string, unknown>;
	preview?: "lazy" | null;
}

export interface Annotation {
	type: "annotation";
	source: Source;
	index?: number | null;
}

export interface OutputText {
	type: "output_text";
	text: string;
	annotations: Annotation[];
}

export interface AssistantMessageItem extends ItemBase {
	type: "assistant_message";
	content: OutputText[];
}

export interface ClientToolCallItem extends ItemBase {
	type: "client_tool_call";
	status: "pending" | "completed";
	call_id: string;
	name: string;
	arguments: Record<string, unknown>;
	output?: unknown;
}

/** A component of a widget: its other keys depend on the type. */
export interface WidgetNode {
	type: string;
	id?: string | null;
	key?: string | null;
	children?: WidgetNode | WidgetNode[] | null;
	[key: string]: unknown;
}

export interface WidgetItem extends ItemBase {
	type: "widget";
	widget: WidgetNode;
	copy_text?: string | null;
}

export interface GeneratedImageItem extends ItemBase {
	type: "generated_image";
	image?: { id: string; url: string } | null;
	/** From 0 to 1; only while it is being made. */
	progress?: number | null;
}

export interface StructuredAnswer {
	values: string[];
	skipped?: boolean;
}

export interface StructuredQuestion {
	id: string;
	type: "multiple_choice" | "freeform";
	question: string;
	/** Only of a freeform question. */
	description?: string | null;
	/** Only of a multiple choice; a user may write another value. */
	options?: { value: string }[];
	multiple?: boolean;
	answer?: StructuredAnswer | null;
}

export interface StructuredInputItem extends ItemBase {
	type: "structured_input";
	status: "pending" | "answered" | "skipped";
	inputs: StructuredQuestion[];
}

export interface Task {
	type: "custom" | "web_search" | "thought" | "file" | "image";
	status_indicator?: "none" | "loading" | "complete";
	title?: string | null;
	content?: string | null;
	icon?: string | null;
	sources?: Source[];
	queries?: string[];
	title_query?: string | null;
	[key: string]: unknown;
}

export interface Workflow {
	type: "custom" | "reasoning";
	tasks: Task[];
	summary?: { title?: string; icon?: string | null; duration?: number } | null;
	expanded?: boolean;
}

export interface TaskItem extends ItemBase {
	type: "task";
	task: Task;
}

export interface WorkflowItem extends ItemBase {
	type: "workflow";
	workflow: Workflow;
}

export interface EndOfTurnItem extends ItemBase {
	type: "end_of_turn";
}

export type ThreadItem =
	| UserMessageItem
	| AssistantMessageItem
	| ClientToolCallItem
	| WidgetItem
	| GeneratedImageItem
	| StructuredInputItem
	| TaskItem
	| WorkflowItem
	| EndOfTurnItem;

export type ItemUpdate =
	| { type: "assistant_message.content_part.added"; content_index: number; content: OutputText }
	| { type: "assistant_message.content_part.text_delta"; content_index: number; delta: string }
	| {
			type: "assistant_message.content_part.annotation_added";
			content_index: number;
			annotation_index: number;
			annotation: Annotation;
	  }
	| { type: "assistant_message.content_part.done"; content_index: number; content: OutputText }
	| { type: "widget.streaming_text.value_delta"; component_id: string; delta: string; done: boolean }
	| { type: "widget.root.updated"; widget: WidgetNode }
	| { type: "widget.component.updated"; component_id: string; component: WidgetNode }
	| { type: "workflow.task.added"; task_index: number; task: Task }
	| { type: "workflow.task.updated"; task_index: number; task: Task }
	| { type: "generated_image.updated"; image: { id: string; url: string }; progress?: number | null };

export interface ErrorEvent {
	type: "error";
	code: string;
	message?: string | null;
	allow_retry?: boolean;
}

export interface NoticeEvent {
	type: "notice";
	level: "info" | "warning" | "danger";
	message: string;
	title?: string | null;
}

export type StreamEvent =
	| { type: "thread.created"; thread: Thread }
	| { type: "thread.updated"; thread: Thread }
	| { type: "thread.item.added"; item: ThreadItem }
	| { type: "thread.item.updated"; item_id: string; update: ItemUpdate }
	| { type: "thread.item.done"; item: ThreadItem }
	| { type: "thread.item.removed"; item_id: string }
	| { type: "thread.item.replaced"; item: ThreadItem }
	| { type: "stream_options"; stream_options: { allow_cancel: boolean } }
	| { type: "progress_update"; text: string; icon?: string | null }
	| { type: "client_effect"; name: string; data: Record<string, unknown> }
	| ErrorEvent
	| NoticeEvent;

/** What a widget's button does: `chatkit.actions.ActionConfig`. */
export interface ActionConfig {
	type: string;
	payload?: unknown;
	handler?: "server" | "client";
	loadingBehavior?: "auto" | "none" | "self" | "container";
	streaming?: boolean;
}

export interface UserMessageInput {
	content: UserContent[];
	attachments: string[];
	quoted_text?: string | null;
	inference_options: InferenceOptions;
}
