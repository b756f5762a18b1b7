"""The official SDK's server, built as in its documentation, and as fast as users can make it.

openai-chatkit's `ChatKitServer` in FastAPI on uvicorn, with uvloop and httptools, without access
log and tracing, its store in memory. With `--litellm` the model is reached through LiteLLM.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import AsyncIterator
from typing import cast

import uvicorn
from agents import (
    Agent,
    Model,
    OpenAIChatCompletionsModel,
    Runner,
    TResponseInputItem,
    set_tracing_disabled,
)
from chatkit.agents import AgentContext, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import (
    AssistantMessageItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

from .memory_store import Context, MemoryStore


class Converter(ThreadItemConverter):
    """Adds the id to assistant messages, which chat-completions models need."""

    async def assistant_message_to_input(
        self, item: AssistantMessageItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        content = [{"type": "output_text", "text": c.text, "annotations": []} for c in item.content]
        message = {"type": "message", "role": "assistant", "id": item.id, "content": content}
        return cast(TResponseInputItem, message)


class Assistant(ChatKitServer[Context]):
    """Answers with one agent, which gets the last 20 items."""

    def __init__(self, model: Model) -> None:
        super().__init__(MemoryStore())
        self._agent: Agent[AgentContext[Context]] = Agent(
            name="Assistant", instructions="You are a helpful assistant.", model=model
        )
        self._converter = Converter()

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(
            thread.id, after=None, limit=20, order="desc", context=context
        )
        told = await self._converter.to_agent_input(list(reversed(page.data)))
        agent_context: AgentContext[Context] = AgentContext(
            thread=thread, store=self.store, request_context=context
        )
        result = Runner.run_streamed(self._agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event


def application(model: Model) -> FastAPI:
    """Return the application: one endpoint."""
    app = FastAPI()
    server = Assistant(model)

    @app.post("/chatkit")
    async def chatkit(request: Request) -> Response:
        context = {"user_id": request.headers.get("X-User")}
        result = await server.process(await request.body(), context)
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(content=result.json, media_type="application/json")

    return app


def model_at(url: str, *, litellm: bool) -> Model:
    """Return the model, from the Agents SDK or its LiteLLM extension."""
    if litellm:
        from agents.extensions.models.litellm_model import LitellmModel

        return LitellmModel("openai/bench", base_url=url, api_key="none")
    return OpenAIChatCompletionsModel("bench", AsyncOpenAI(base_url=url, api_key="none"))


def main() -> None:
    """Listen on a free port until the process is told to end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.official", description=__doc__)
    parser.add_argument("model", help="the model server's base URL")
    parser.add_argument("--litellm", action="store_true")
    options = parser.parse_args()
    set_tracing_disabled(True)
    app = application(model_at(options.model, litellm=options.litellm))
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(f"listens on http://127.0.0.1:{listening.getsockname()[1]}/chatkit", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
