import { css } from "lit";

export const markdown = css``;
