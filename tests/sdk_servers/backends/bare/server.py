"""One method; its agent hands over to another one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, ModelSettings, RunConfig, RunContextWrapper, Runner, function_tool
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem

from ..memory_store import MemoryStore


@function_tool
async def dial(ctx: RunContextWrapper[AgentContext[Any]], number: int) -> str:
    """Dial a number."""
    if number < 0:
        raise ValueError("no such number")
    return f"{number} answers"


experts = Agent[AgentContext[Any]](
    name="Experts", model="gpt-4.1-mini", instructions="Know it.", tools=[dial]
)
front = Agent[AgentContext[Any]](
    name="Front", model="gpt-4.1-mini", instructions="Hand over.", handoffs=[experts]
)


class BareServer(ChatKitServer):
    """Answers; nothing else is its own."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        told = await simple_to_agent_input(list(reversed(page.data)))
        agent_context = AgentContext[Any](thread=thread, store=self.store, request_context=context)
        settings = RunConfig(model_settings=ModelSettings(temperature=0.3))
        result = Runner.run_streamed(front, told, context=agent_context, run_config=settings)
        async for event in stream_agent_response(agent_context, result):
            yield event


def create_server(store: MemoryStore | None = None) -> BareServer:
    return BareServer(store or MemoryStore())
