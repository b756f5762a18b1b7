// The composer's own icons: there at once, whatever else is loaded.

import { type SVGTemplateResult, type TemplateResult, html, svg } from "lit";

function glyph(paths: SVGTemplateResult): TemplateResult {
	return html`<svg class="ock-glyph" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
		${paths}
	</svg>`;
}

export const send = glyph(svg`<path d="M12 20V5M5.5 11.5 12 5l6.5 6.5" />`);
export const stop = glyph(svg`<rect class="ock-solid" x="6" y="6" width="12" height="12" rx="2" />`);
export const attach = glyph(svg`<path d="M12 5v14M5 12h14" />`);
export const microphone = glyph(
	svg`<rect x="9" y="3" width="6" height="11" rx="3" /><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />`,
);
export const tools = glyph(
	svg`<path d="M4 7h9m6 0h1M4 17h1m6 0h9" /><circle cx="16" cy="7" r="2.5" /><circle cx="8" cy="17" r="2.5" />`,
);
export const at = glyph(
	svg`<circle cx="12" cy="12" r="3.7" /><path d="M15.7 8.3v4.9a2.6 2.6 0 0 0 5.2 0V12a8.9 8.9 0 1 0-3.6 7.1" />`,
);
export const close = glyph(svg`<path d="m6.5 6.5 11 11m0-11-11 11" />`);
export const down = glyph(svg`<path d="m7 10 5 5 5-5" />`);
export const check = glyph(svg`<path d="m5 12.5 4.5 4.5L19 7.5" />`);
export const again = glyph(svg`<path d="M19 12a7 7 0 1 1-2.3-5.2L19 9M19 4v5h-5" />`);
export const file = glyph(svg`<path d="M7 3h7l4 4v14H7zM14 3v4.5h4" />`);
export const quote = glyph(svg`<path d="M5 6v12M9.5 8H20M9.5 12H20m-10.5 4H16" />`);
export const compose = glyph(svg`<path d="M12 5H5v14h14v-7M10 14l.7-3.2L18.5 3 21 5.5l-7.8 7.8z" />`);
