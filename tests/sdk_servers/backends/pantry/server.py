"""The server: an agent that is told the last items of the thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Runner
from chatkit.actions import Action
from chatkit.agents import simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import (
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)

from ..memory_store import MemoryStore
from .agent import Pantry, PantryContext, pantry_agent
from .widgets import pantry_card


class PantryServer(ChatKitServer[dict[str, Any]]):
    """Keeps a pantry for each thread."""

    def __init__(self) -> None:
        self.store: MemoryStore = MemoryStore()
        super().__init__(self.store)
        self.pantry = Pantry()

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        agent_context = PantryContext(
            thread=thread, store=self.store, request_context=context, pantry=self.pantry
        )
        result = Runner.run_streamed(
            pantry_agent,
            await simple_to_agent_input(list(reversed(page.data))),
            context=agent_context,
        )
        async for event in stream_agent_response(agent_context, result):
            yield event
        if agent_context.changed:
            thread.metadata["last_changed"] = agent_context.changed[-1]

    async def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        if action.type != "pantry.use" or sender is None:
            return
        stock = self.pantry.of(thread.id)
        name = action.payload["name"]
        stock[name] -= 1
        widget = pantry_card(stock, used=name)
        yield ThreadItemReplacedEvent(item=sender.model_copy(update={"widget": widget}))


def create_chatkit_server() -> PantryServer:
    return PantryServer()
