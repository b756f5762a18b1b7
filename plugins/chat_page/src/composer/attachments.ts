// The files of the draft as the user sees them.

import { type TemplateResult, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Words } from "../words.ts";
import { styled } from "../view.ts";
import * as glyphs from "./glyphs.ts";
import { bytes } from "./limits.ts";
import type { Upload, Uploads } from "./uploads.ts";

export function attachmentList(
	uploads: Uploads,
	words: Words,
	remove: (upload: Upload) => void,
): TemplateResult | typeof nothing {
	if (!uploads.list.length) return nothing;
	return html`<ul class="ock-uploads" aria-label=${words.text("composer.files")}>
		${repeat(
			uploads.list,
			({ key }) => key,
			(upload) => chip(upload, words, () => uploads.retry(upload), () => remove(upload)),
		)}
	</ul>`;
}

/** What screen readers say when an upload has ended. */
export function uploadsEnded({ list, isBusy }: Uploads, words: Words): string {
	if (isBusy) return "";
	return list
		.map(({ name, state, error }) => {
			if (state !== "failed") return words.text("composer.file.done", { name });
			return `${name}: ${error || words.text("composer.file.failed")}`;
		})
		.join(" ");
}

function chip(upload: Upload, words: Words, retry: () => void, remove: () => void): TemplateResult {
	const { name, preview, state } = upload;
	return html`<li class="ock-upload" part="composer-attachment" data-state=${state}>
		${
			preview
				? html`<img class="ock-upload-picture" src=${preview} alt="" @error=${withoutPicture} />`
				: nothing
		}
		<span class="ock-upload-picture" ?hidden=${preview !== null}>${glyphs.file}</span>
		<span class="ock-upload-text">
			<span class="ock-upload-name" title=${name}><bdi>${name}</bdi></span>
			<span class="ock-hint">${about(upload, words)}</span>
		</span>
		${
			state === "failed" && upload.canRetry
				? html`<button type="button" class="ock-tool" @click=${retry}
						aria-label=${words.text("composer.file.retry", { name })}
						title=${words.text("composer.file.retry", { name })}>${glyphs.again}</button>`
				: nothing
		}
		<button type="button" class="ock-tool" @click=${remove}
			aria-label=${words.text(isSending(upload) ? "composer.file.cancel" : "composer.file.remove", { name })}
			title=${words.text(isSending(upload) ? "composer.file.cancel" : "composer.file.remove", { name })}
			>${glyphs.close}</button>
		${isSending(upload) ? progress(upload, words) : nothing}
	</li>`;
}

/** What says that it is a picture, and is none. */
function withoutPicture({ target }: Event): void {
	const picture = target as HTMLElement;
	picture.hidden = true;
	(picture.nextElementSibling as HTMLElement).hidden = false;
}

function progress({ name, progress: share }: Upload, words: Words): TemplateResult {
	const percent = share === null ? null : Math.round(share * 100);
	return html`<span class="ock-upload-progress" role="progressbar" aria-valuemin="0" aria-valuemax="100"
		aria-label=${words.text("composer.file.uploading", { name })} aria-valuenow=${percent ?? nothing}>
		<span class="ock-upload-progress-bar" ?data-unknown=${percent === null}
			${styled({ "inline-size": percent === null ? null : `${percent}%` })}></span>
	</span>`;
}

function about(upload: Upload, words: Words): string {
	if (upload.state === "failed") return upload.error || words.text("composer.file.failed");
	if (upload.state === "waiting") return words.text("composer.file.waiting");
	return upload.size === null ? "" : bytes(upload.size, words.locale);
}

function isSending({ state }: Upload): boolean {
	return state === "waiting" || state === "sending";
}
