/** How patient a client is; milliseconds but for the numbers of tries. */
export interface Patience {
	/** Times that a request is sent again before anything came, as ChatKit's own component does. */
	repeats: number;
	/** Times that a request which changes nothing is sent again. */
	rereads: number;
	/** The first pause before that. */
	repeatAfter: number;
	/** Times in a row that a stream is resumed without an event. */
	resumes: number;
	resumeAfter: number;
	/** Without a byte for so long, a stream is resumed: more than the server's keep-alive, 15 s. */
	silence: number;
}

export const PATIENCE: Patience = {
	repeats: 5,
	rereads: 3,
	repeatAfter: 1000,
	resumes: 8,
	resumeAfter: 250,
	silence: 60_000,
};
