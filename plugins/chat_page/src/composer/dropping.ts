// Files that are dropped onto the chat or pasted into it.

/** What files of the system a drop or a paste has; folders are none. */
export function filesOf(data: DataTransfer | null): { files: File[]; folders: string[] } {
	const [files, folders]: [File[], string[]] = [[], []];
	for (const item of data?.items ?? []) {
		if (item.kind !== "file") continue;
		const entry = item.webkitGetAsEntry?.();
		const file = item.getAsFile();
		if (entry?.isDirectory) folders.push(entry.name);
		else if (file) files.push(file);
	}
	return { files, folders };
}

export interface DropEvents {
	/** Whether files may come just now. */
	allowed: () => boolean;
	/** Files are held over the chat, or no longer. */
	over: (isOver: boolean) => void;
	dropped: (data: DataTransfer) => void;
}

/** Takes files that are dropped anywhere on an element. Returns a function that ends it. */
export function takeDrops(target: HTMLElement, { allowed, over, dropped }: DropEvents): () => void {
	const end = new AbortController();
	const listen = (type: "dragenter" | "dragover" | "dragleave" | "drop", does: (event: DragEvent) => void) =>
		target.addEventListener(type, does, { signal: end.signal });
	const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes("Files") ?? false;
	const hover = (event: DragEvent) => {
		if (!hasFiles(event)) return;
		// Also where none are taken: the browser would leave the page for the file
		event.preventDefault();
		event.dataTransfer!.dropEffect = allowed() ? "copy" : "none";
		over(allowed());
	};
	listen("dragenter", hover);
	listen("dragover", hover);
	listen("dragleave", (event) => {
		const to = event.relatedTarget as Node | null;
		if (!to || !(target === to || target.contains(to) || target.shadowRoot?.contains(to))) over(false);
	});
	listen("drop", (event) => {
		over(false);
		if (!hasFiles(event)) return;
		event.preventDefault();
		if (allowed()) dropped(event.dataTransfer!);
	});
	return () => end.abort();
}
