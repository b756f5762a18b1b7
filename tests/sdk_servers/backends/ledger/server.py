"""A server that reads its own pages until it has everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, RunContextWrapper, Runner, function_tool
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import ThreadItem, ThreadMetadata, ThreadStreamEvent, UserMessageItem
from chatkit.widgets import Card, Text

from .store import LedgerStore

LedgerContext = AgentContext[dict[str, Any]]


@function_tool(description_override="Write an entry.")
async def write_entry(ctx: RunContextWrapper[LedgerContext], text: str) -> str:
    await ctx.context.stream_widget(Card(children=[Text(value=text)]))
    folder, _, _ = ctx.context.generate_id("task").rpartition("/")
    return f"written into {folder}"


ledger_agent = Agent[LedgerContext](
    name="Ledger", model="gpt-4.1-mini", instructions="Keep the books.", tools=[write_entry]
)


class LedgerServer(ChatKitServer[dict[str, Any]]):
    """Tells the agent the whole thread."""

    def __init__(self) -> None:
        super().__init__(LedgerStore())

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        told = await simple_to_agent_input(await self._items(thread, context))
        agent_context = LedgerContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(ledger_agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    async def _items(self, thread: ThreadMetadata, context: dict[str, Any]) -> list[ThreadItem]:
        items: list[ThreadItem] = []
        after = None
        while True:
            page = await self.store.load_thread_items(thread.id, after, 100, "asc", context)
            items += page.data
            after = page.after
            if not page.has_more:
                return items
