"""Continues the provider's last response; what went before is not sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, RunContextWrapper, Runner, function_tool
from chatkit.agents import AgentContext, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem

from ..memory_store import MemoryStore

MemoContext = AgentContext[dict[str, Any]]


@function_tool
async def jot(ctx: RunContextWrapper[MemoContext], text: str) -> str:
    """Write something down."""
    return f"wrote {text}"


memo_agent = Agent[MemoContext](
    name="Memo", model="gpt-4.1-mini", instructions="Take notes.", tools=[jot]
)


class MemoServer(ChatKitServer[dict[str, Any]]):
    """Keeps the id of the last response in the thread's metadata."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.converter = ThreadItemConverter()

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        if input_user_message is None:
            return
        agent_context = MemoContext(
            thread=thread,
            store=self.store,
            request_context=context,
            previous_response_id=thread.metadata.get("previous_response_id"),
        )
        result = Runner.run_streamed(
            memo_agent,
            await self.converter.to_agent_input(input_user_message),
            context=agent_context,
            previous_response_id=agent_context.previous_response_id,
        )
        async for event in stream_agent_response(agent_context, result):
            yield event
        thread.metadata["previous_response_id"] = result.last_response_id
