import { css } from "lit";

export const widgets = css``;
