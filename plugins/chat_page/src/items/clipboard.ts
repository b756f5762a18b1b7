// Copying, also in pages without TLS, where browsers have no `navigator.clipboard`.

/** Puts text on the clipboard. Returns whether that worked. */
export async function copy(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return copyOldWay(text);
	}
}

function copyOldWay(text: string): boolean {
	const onCopy = (event: ClipboardEvent) => {
		event.preventDefault();
		event.clipboardData?.setData("text/plain", text);
	};
	document.addEventListener("copy", onCopy, { capture: true, once: true });
	try {
		return document.execCommand("copy");
	} finally {
		document.removeEventListener("copy", onCopy, { capture: true });
	}
}
