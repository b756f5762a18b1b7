// A page that was written for OpenAI's component, with React. The browser tests load it as it is.

import { ChatKit, useChatKit } from "@openai/chatkit-react";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

function App() {
	const [heard, setHeard] = useState<string[]>([]);
	const hear = (name: string) => setHeard((all) => [...all, name]);
	const chat = useChatKit({
		api: { url: "/api/chat", domainKey: "local-dev" },
		locale: "en",
		startScreen: { greeting: "Hello from React" },
		onReady: () => hear("ready"),
		onResponseStart: () => hear("start"),
		onResponseEnd: () => hear("end"),
		onThreadChange: ({ threadId }) => hear(threadId ? "thread" : "none"),
	});
	return (
		<main>
			<button type="button" onClick={() => chat.sendUserMessage({ text: "show a card" })}>
				Send
			</button>
			<output>{heard.join(" ")}</output>
			<ChatKit control={chat.control} style={{ display: "block", height: "600px" }} />
		</main>
	);
}

createRoot(document.getElementById("root")!).render(
	<StrictMode>
		<App />
	</StrictMode>,
);
