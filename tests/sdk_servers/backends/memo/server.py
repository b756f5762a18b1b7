"""Continues the provider's last response; what went before is not sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, RunContextWrapper, Runner, function_tool
from chatkit.agents import AgentContext, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

from ..memory_store import MemoryStore

MemoContext = AgentContext[dict[str, Any]]
REMINDER_TIME = 0.02
"""Seconds."""


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
        self.tasks: set[asyncio.Task[None]] = set()

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
        # Not waited for: it ends after the answer
        task = asyncio.create_task(self._remind(thread, context))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _remind(self, thread: ThreadMetadata, context: dict[str, Any]) -> None:
        await asyncio.sleep(REMINDER_TIME)
        reminder = AssistantMessageItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            content=[AssistantMessageContent(text="It is later.")],
        )
        await self.store.add_thread_item(thread.id, reminder, context)
        stored = await self.store.load_thread(thread.id, context)
        reminders = stored.metadata.setdefault("reminders", 0) + 1
        stored.metadata["reminders"] = reminders
        stored.title = f"{reminders} reminders"
        await self.store.save_thread(stored, context)
