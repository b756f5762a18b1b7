"""A map that the page shows: the model asks the page to move it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, RunContextWrapper, Runner, StopAtTools, function_tool
from chatkit.agents import (
    AgentContext,
    ClientToolCall,
    ThreadItemConverter,
    stream_agent_response,
)
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    ClientToolCallItem,
    HiddenContextItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    UserMessageTagContent,
)
from openai.types.responses import ResponseInputContentParam, ResponseInputTextParam

from ..memory_store import MemoryStore

AtlasContext = AgentContext[dict[str, Any]]
PLACES = {"harbour": "The harbour, 12 berths.", "mill": "The old mill, now a café."}


@function_tool(description_override="Read what the map shows.")
async def read_map(ctx: RunContextWrapper[AtlasContext], layer: str) -> None:
    ctx.context.client_tool_call = ClientToolCall(name="read_map", arguments={"layer": layer})


@function_tool(description_override="Move the map; nothing is to be said after it.")
async def move_map(ctx: RunContextWrapper[AtlasContext], place: str) -> None:
    ctx.context.client_tool_call = ClientToolCall(name="move_map", arguments={"place": place})


atlas_agent = Agent[AtlasContext](
    name="Atlas",
    model="gpt-4.1-mini",
    instructions="Show people around.",
    tools=[read_map, move_map],
    tool_use_behavior=StopAtTools(stop_at_tool_names=["read_map", "move_map"]),
)


class AtlasConverter(ThreadItemConverter):
    """Resolves tags, and marks hidden context in its own way."""

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> ResponseInputContentParam:
        told = PLACES.get(tag.id, "unknown")
        return ResponseInputTextParam(type="input_text", text=f"<PLACE id={tag.id}>{told}</PLACE>")

    async def hidden_context_to_input(self, item: HiddenContextItem) -> Any:
        text = ResponseInputTextParam(
            type="input_text", text=f"<SEEN>{item.content['seen']}</SEEN>"
        )
        return {"type": "message", "role": "user", "content": [text]}


class AtlasServer(ChatKitServer[dict[str, Any]]):
    """Runs the agent again with what the page answered."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.converter = AtlasConverter()

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        items = list(reversed(page.data))
        last = items[-1]
        if isinstance(last, ClientToolCallItem):
            if last.name == "move_map":
                return
            await self._remember(thread, last, context)
        agent_context = AtlasContext(thread=thread, store=self.store, request_context=context)
        told = await self.converter.to_agent_input(items)
        result = Runner.run_streamed(atlas_agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    async def _remember(
        self, thread: ThreadMetadata, call: ClientToolCallItem, context: dict[str, Any]
    ) -> None:
        """Add what the page saw, for later answers."""
        seen = HiddenContextItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=call.created_at,
            content={"seen": call.output},
        )
        await self.store.add_thread_item(thread.id, seen, context)
