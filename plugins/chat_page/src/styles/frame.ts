import { css } from "lit";

export const frame = css`
	ock-shell {
		display: flex;
		flex-direction: column;
		block-size: 100%;
		min-block-size: 0;
	}

	ock-transcript {
		flex: 1;
		min-block-size: 0;
		overflow-y: auto;
	}
`;
