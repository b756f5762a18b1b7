// Records the microphone.

/** The formats that browsers record, best first: all of them are known to services. */
const FORMATS = ["audio/webm;codecs=opus", "audio/webm", "audio/mp4", "audio/ogg;codecs=opus"];

export class Recorder {
	private constructor(
		private readonly stream: MediaStream,
		private readonly recorder: MediaRecorder,
		private readonly chunks: Blob[],
	) {}

	/** Asks for the microphone and begins. Rejects with a `DOMException` that says why it cannot. */
	static async start(): Promise<Recorder> {
		if (!navigator.mediaDevices?.getUserMedia || typeof MediaRecorder === "undefined")
			throw new DOMException("No secure context", "SecurityError");
		const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
		const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
		const chunks: Blob[] = [];
		const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
		recorder.ondataavailable = ({ data }) => chunks.push(data);
		recorder.start(1000);
		return new Recorder(stream, recorder, chunks);
	}

	/** Ends the recording and returns it. */
	async stop(): Promise<Blob> {
		const { recorder } = this;
		if (recorder.state !== "inactive") {
			await new Promise((stopped) => {
				recorder.onstop = stopped;
				recorder.stop();
			});
		}
		this.release();
		return new Blob(this.chunks, { type: recorder.mimeType.split(";")[0]! });
	}

	/** Ends the recording and forgets it. */
	cancel(): void {
		if (this.recorder.state !== "inactive") this.recorder.stop();
		this.release();
	}

	private release(): void {
		for (const track of this.stream.getTracks()) track.stop();
	}
}

export async function base64(blob: Blob): Promise<string> {
	const bytes = new Uint8Array(await blob.arrayBuffer());
	let text = "";
	// In pieces: a call has a limit of arguments
	for (let at = 0; at < bytes.length; at += 0x8000)
		text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
	return btoa(text);
}
