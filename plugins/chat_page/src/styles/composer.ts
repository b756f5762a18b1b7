import { css } from "lit";

export const composer = css``;
