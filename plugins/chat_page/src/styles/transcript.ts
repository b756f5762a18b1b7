import { css } from "lit";

export const transcript = css``;
