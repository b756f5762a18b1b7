/** Puts text on the clipboard, also where the page has no right to do so without a gesture. */
export async function copyText(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return copyByCommand(text);
	}
}

/** The way for pages without TLS, where there is no `navigator.clipboard`. */
function copyByCommand(text: string): boolean {
	const put = (event: ClipboardEvent) => {
		event.clipboardData?.setData("text/plain", text);
		event.preventDefault();
		event.stopImmediatePropagation();
	};
	addEventListener("copy", put, { capture: true, once: true });
	const done = document.execCommand("copy");
	removeEventListener("copy", put, { capture: true });
	return done;
}
