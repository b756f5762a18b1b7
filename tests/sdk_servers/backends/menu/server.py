"""A menu in a widget: clicks are told to the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from agents import Agent, RunContextWrapper, Runner, function_tool
from chatkit.actions import Action
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer, stream_widget
from chatkit.store import Store, StoreItemType
from chatkit.types import (
    HiddenContextItem,
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
    WidgetRootUpdated,
)
from chatkit.widgets import Button, Card, Text, WidgetRoot, WidgetTemplate
from pydantic import BaseModel

from ..memory_store import MemoryStore

MenuContext = AgentContext[dict[str, Any]]
SETTING_TIME = 0.02
"""Seconds."""
SPECIAL = WidgetTemplate(
    {
        "version": "1.0",
        "name": "special",
        "template": '{"type": "Card", "children": [{"type": "Title", "value": {{ dish|tojson }}}]}',
    }
)


class Dish(BaseModel):
    """What a click tells."""

    dish: str
    stars: int = 0


OrderAction = Action[Literal["menu.order"], Dish]
RateAction = Action[Literal["menu.rate"], Dish]


def menu_card(dish: str, stars: int = 0) -> WidgetRoot:
    """Offer a dish, to be ordered or rated."""
    return Card(
        children=[
            Text(id="dish", value=f"{dish} {'★' * stars}".strip()),
            Button(label="Order", onClickAction=OrderAction.create(Dish(dish=dish))),
            Button(
                label="Rate",
                onClickAction=RateAction.create(Dish(dish=dish, stars=5), streaming=False),
            ),
        ]
    )


def is_old(thread: ThreadMetadata, sender: WidgetItem | None) -> bool:
    """Return whether the menu is of yesterday."""
    shown = sender.created_at if sender else thread.created_at
    return (datetime.now() - shown).days > 0


@function_tool(description_override="Show the menu.")
async def show_menu(ctx: RunContextWrapper[MenuContext]) -> str:
    await ctx.context.stream_widget(menu_card("Soup"), copy_text="Soup")
    return "The menu is shown."


@function_tool(description_override="Set the table.")
async def set_table(ctx: RunContextWrapper[MenuContext], seats: int) -> str:
    await asyncio.sleep(SETTING_TIME)
    await ctx.context.stream_widget(Card(children=[Text(value=f"A table for {seats}")]))
    return f"set for {seats}"


menu_agent = Agent[MenuContext](
    name="Waiter", model="gpt-4.1-mini", instructions="Serve.", tools=[show_menu, set_table]
)


class MenuServer(ChatKitServer[dict[str, Any]]):
    """Answers messages and clicks with the same agent."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        async for event in self._run(thread, context):
            yield event

    async def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        if action.type == "menu.dismiss" and sender is not None:
            yield ThreadItemRemovedEvent(item_id=sender.id)
            return
        if action.type == "menu.special":
            async for event in stream_widget(
                thread, SPECIAL.build({"dish": "Cake"}), "Cake", self._new_id
            ):
                yield event
            return
        ordered = Dish.model_validate(action.payload)
        if is_old(thread, sender):
            return
        if sender is not None:
            update = WidgetRootUpdated(widget=menu_card(f"{ordered.dish} (ordered)"))
            yield ThreadItemUpdatedEvent(item_id=sender.id, update=update)
        hidden = self._hidden(thread, f"ordered {ordered.dish}", context)
        yield ThreadItemDoneEvent(item=hidden)
        async for event in self._run(thread, context):
            yield event

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: dict[str, Any],
    ) -> SyncCustomActionResponse:
        if sender is None:
            return SyncCustomActionResponse()
        rated = Dish.model_validate(action.payload)
        if is_old(thread, sender):
            return SyncCustomActionResponse()
        widget = menu_card(rated.dish, rated.stars)
        updated = sender.model_copy(update={"widget": widget})
        await self.store.save_item(thread.id, updated, context)
        return SyncCustomActionResponse(updated_item=updated)

    async def _run(
        self, thread: ThreadMetadata, context: dict[str, Any]
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        told = await simple_to_agent_input(list(reversed(page.data)))
        agent_context = MenuContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(menu_agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    def _new_id(self, item_type: StoreItemType) -> str:
        return f"menu-{uuid4().hex}"

    def _hidden(
        self, thread: ThreadMetadata, text: str, context: dict[str, Any]
    ) -> HiddenContextItem:
        return HiddenContextItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            content=text,
        )
