"""Asks a gateway that speaks chat completions; the SDK's session is the memory."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    RunContextWrapper,
    Runner,
    SQLiteSession,
    function_tool,
)
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem
from openai import AsyncOpenAI

from ..memory_store import MemoryStore

GatewayContext = AgentContext[dict[str, Any]]


@function_tool
async def lamp(ctx: RunContextWrapper[GatewayContext], on: bool) -> str:
    """Switch the lamp."""
    return "on" if on else "off"


class GatewayServer(ChatKitServer[dict[str, Any]]):
    """Remembers conversations by itself."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())
        client = AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="sk-gateway")
        self.agent = Agent[GatewayContext](
            name="Gateway",
            model=OpenAIChatCompletionsModel("house-model", openai_client=client),
            instructions="Switch lamps.",
            tools=[lamp],
        )
        self.sessions: dict[str, SQLiteSession] = {}

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        if input_user_message is None:
            return
        session = self.sessions.setdefault(thread.id, SQLiteSession(thread.id))
        agent_context = GatewayContext(thread=thread, store=self.store, request_context=context)
        told = await simple_to_agent_input(input_user_message)
        result = Runner.run_streamed(
            self.agent,
            [*await session.get_items(), *told],
            context=agent_context,
        )
        async for event in stream_agent_response(agent_context, result):
            yield event
        await session.clear_session()
        await session.add_items(result.to_input_list())
