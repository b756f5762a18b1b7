import { css } from "lit";

export const items = css``;
