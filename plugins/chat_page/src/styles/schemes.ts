// The colours of the two schemes. A widget may have another scheme than the chat around it.

import { css } from "lit";

/** `var(--ock-light, A) var(--ock-dark, B)` is A here: what is `initial` gives way, the other is empty. */
export const light = css`
	--ock-light: initial;
	--ock-dark: ;
	--ock-surface: #fff;
	--ock-surface-raised: #f6f6f7;
	--ock-text: #1b1b1f;
	--ock-text-quiet: #5d5d66;
	--ock-border: #dcdce0;
	--ock-accent: #2f5bd7;
	--ock-accent-text: #fff;
	--ock-link: var(--ock-accent);
	--ock-danger: #b3261e;
	--ock-warning: #8a5300;
	--ock-success: #1e6b3a;
	--ock-info: #1f5f99;
	--ock-discovery: #6b3fb5;
	color-scheme: light;
`;

export const dark = css`
	--ock-light: ;
	--ock-dark: initial;
	--ock-surface: #18181b;
	--ock-surface-raised: #232327;
	--ock-text: #ececf1;
	--ock-text-quiet: #a5a5b0;
	--ock-border: #3a3a41;
	--ock-accent: #8fabff;
	--ock-accent-text: #10131f;
	--ock-link: var(--ock-accent);
	--ock-danger: #ff9b93;
	--ock-warning: #f0b866;
	--ock-success: #7fd09a;
	--ock-info: #8ec5f5;
	--ock-discovery: #c3a6ff;
	color-scheme: dark;
`;
