"""A helpline: conversations get a title, a state, and an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, RunContextWrapper, Runner, function_tool
from chatkit.actions import Action, ActionConfig
from chatkit.agents import AgentContext, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    ActiveStatus,
    AssistantMessageContent,
    AssistantMessageItem,
    ClosedStatus,
    LockedStatus,
    NoticeEvent,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from chatkit.widgets import Button, Card, Text

from ..memory_store import MemoryStore

HelpContext = AgentContext[dict[str, Any]]

title_agent = Agent(
    name="Titles", model="gpt-4.1-nano", instructions="Give the conversation a title."
)


@function_tool(description_override="Hand the conversation over to a person.")
async def hand_over(ctx: RunContextWrapper[HelpContext], reason: str) -> str:
    thread = ctx.context.thread
    thread.metadata["handed_over"] = reason
    thread.status = LockedStatus(reason="A person will take over.")
    thread.allowed_image_domains = ["help.example"]
    card = Card(
        children=[
            Text(value="Handed over"),
            Button(label="Reopen", onClickAction=ActionConfig(type="reopen")),
        ]
    )
    await ctx.context.stream_widget(card)
    return "handed over"


help_agent = Agent[HelpContext](
    name="Helpline", model="gpt-4.1-mini", instructions="Help.", tools=[hand_over]
)


class HelplineServer(ChatKitServer[dict[str, Any]]):
    """Gives titles beside the answer."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.converter = ThreadItemConverter()

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        titling = asyncio.create_task(self._give_title(thread, input_user_message))
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        told = await self.converter.to_agent_input(list(reversed(page.data)))
        agent_context = HelpContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(help_agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event
        await titling

    async def _give_title(self, thread: ThreadMetadata, message: UserMessageItem | None) -> None:
        if message is None or thread.title is not None:
            return
        run = await Runner.run(title_agent, await self.converter.to_agent_input(message))
        thread.title = str(run.final_output).strip(".").capitalize()

    async def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        match action.type:
            case "reopen":
                thread.status = ActiveStatus()
                yield NoticeEvent(level="info", title="Open", message="Go on writing.")
                yield self._message(thread, "The conversation is open again.", context)
            case "close":
                yield self._message(thread, "Goodbye.", context)
                thread.status = ClosedStatus(reason=action.payload["reason"])
            case "save":
                thread.title = "Saved"
                thread.metadata["saved"] = True
                await self.store.save_thread(thread, context)
                yield self._message(thread, "Saved.", context)

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: dict[str, Any]
    ) -> None:
        await super().handle_stream_cancelled(thread, pending_items, context)
        thread.title = f"{thread.title} (stopped)"
        await self.store.save_thread(thread, context)

    def _message(
        self, thread: ThreadMetadata, text: str, context: dict[str, Any]
    ) -> ThreadItemDoneEvent:
        item = AssistantMessageItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            content=[AssistantMessageContent(text=text)],
        )
        return ThreadItemDoneEvent(item=item)
