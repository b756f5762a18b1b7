"""A desk whose tools know who asks, from the request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, RunContextWrapper, Runner, function_tool
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import ThreadItem, ThreadMetadata, ThreadStreamEvent, UserMessageItem

from ..memory_store import MemoryStore

DeskContext = AgentContext[dict[str, Any]]


@function_tool
async def who_am_i(ctx: RunContextWrapper[DeskContext]) -> dict[str, str | None]:
    """Tell what is known about the person."""
    request = ctx.context.request_context["request"]
    return {
        "team": request.headers.get("x-team"),
        "session": request.cookies.get("session"),
        "desk": request.query_params.get("desk"),
        "method": request.method,
        "path": request.url.path,
        "page": str(request.base_url),
        "client": request.client.host,
    }


@function_tool
async def write_note(ctx: RunContextWrapper[DeskContext], text: str) -> str:
    """Write a note on the thread for the person's team."""
    team = ctx.context.request_context["request"].headers["x-team"]
    ctx.context.thread.metadata.setdefault("notes", []).append(f"{team}: {text}")
    return "noted"


class DeskServer(ChatKitServer[dict[str, Any]]):
    """Instructions and tools depend on the request."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        language = context["request"].headers.get("accept-language", "en")
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        items = sorted(page.data, key=lambda item: item.created_at)
        agent = Agent[DeskContext](
            name="Desk",
            model=self._model(input_user_message),
            instructions=f"Answer in the language {language}. {self._about(thread, items)}",
            tools=[who_am_i, write_note],
        )
        told = await simple_to_agent_input(items)
        agent_context = DeskContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    def _about(self, thread: ThreadMetadata, items: list[ThreadItem]) -> str:
        """Return what depends on times and on the composer's tool."""
        now = datetime.now()
        ages = [now - thread.created_at, *(now - item.created_at for item in items)]
        last = items[-1]
        choice = last.inference_options.tool_choice if isinstance(last, UserMessageItem) else None
        tool = choice.id if choice else "any tool"
        return f"Use {tool}; the thread is {'old' if max(ages).days else 'new'}."

    def _model(self, message: UserMessageItem | None) -> str:
        """Return the model that was chosen in the composer."""
        return (message and message.inference_options.model) or "gpt-4.1-mini"
