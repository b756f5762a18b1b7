"""The showcase, as a page uses it: its requests, and clicks on its widgets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from chatkit.types import SyncCustomActionResponse, Thread
from chatkit_plugins.showcase import pace
from pydantic import BaseModel

from tests.client import EVENT, Chat, Streamed
from tests.serving import served_app

Json = dict[str, Any]

REQUESTS = {
    "show a card": "widget",
    "Please show me a list.": "widget",
    "show a chart": "widget",
    "show a form": "widget",
    "show a gallery": "widget",
    "write a draft": "widget",
    "make tea": "widget",
    "suggest something": "widget",
    "think": "workflow",
    "use tools": "workflow",
    "show a task": "task",
    "slow": "progress_update",
    "pay": "stream_options",
    "fail": "error",
    "cite": "assistant_message",
    "draw a sunset": "generated_image",
    "notice": "notice",
    "effect": "client_effect",
    "change your mind": "thread.item.removed",
    "what did I send?": "assistant_message",
    "ask me something": "structured_input",
    "client tool": "client_tool_call",
    "delete everything": "widget",
    "lock the conversation": "thread.updated",
    "close the conversation": "thread.updated",
    "name this conversation": "thread.updated",
    "help": "widget",
}
"""Requests, and an item or event that their answers have."""


APPROVAL = "chatkit_server.approval"
"""The type of the action with which the user approves a tool call."""


@asynccontextmanager
async def showcase_chat() -> AsyncIterator[Chat]:
    """Return a client of a server with the showcase, which takes no time for its work."""

    async def no_time(seconds: float) -> None:
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "sleep", no_time)
        app, path = served_app(plugins={"demo_model": {"pace": "1ms"}, "showcase": None})
        async with TestClient(TestServer(app)) as client:
            yield Chat(client, path)


async def act(chat: Chat, streamed: Streamed, name: str, payload: Json | None = None) -> Streamed:
    """Click on the only widget of an answer."""
    [item] = streamed.done("widget")
    kind = APPROVAL if name == "approval" else f"showcase.{name}"
    action = {"type": kind, "payload": payload}
    return await chat.stream(
        "threads.custom_action", thread_id=item["thread_id"], item_id=item["id"], action=action
    )


async def everything_shown(chat: Chat) -> list[BaseModel]:
    """Send every request, answer and click what is shown, and return all that the page gets."""
    answers = {request: await chat.say(request) for request in REQUESTS}
    card = answers["show a card"]
    shown = [
        *answers.values(),
        await act(chat, card, "track", {"order": 7}),
        await act(chat, answers["Please show me a list."], "pick", {"tea": "Assam"}),
        await act(chat, answers["show a form"], "order", {"name": "Ann"}),
        await act(chat, answers["lock the conversation"], "reopen"),
    ]
    [item] = card.done("widget")
    place = {"thread_id": card.thread_id, "item_id": item["id"]}
    like = {"type": "showcase.like", "payload": {"likes": 0}}
    liked = await chat.ask("threads.sync_custom_action", **place, action=like)
    shown.append(await act(chat, card, "hide"))
    [asked] = answers["ask me something"].done("structured_input")
    place = {"thread_id": asked["thread_id"], "item_id": asked["id"]}
    given = {"answers": {"tea": {"values": ["Assam"]}}}
    shown.append(await chat.stream("threads.add_structured_input", **place, input=given))
    place = {"thread_id": answers["client tool"].thread_id}
    shown.append(await chat.stream("threads.add_client_tool_output", **place, result={}))
    tag = {"type": "input_tag", "id": "tea_1", "text": "Assam", "data": {}}
    picked = {"tool_choice": {"id": "what_did_i_send"}}
    shown.append(await chat.say("", content=[tag], inference_options=picked))
    thread = await chat.ask("threads.get_by_id", **place)
    return [
        *(EVENT.validate_python(event) for streamed in shown for event in streamed.data),
        SyncCustomActionResponse.model_validate(liked),
        Thread.model_validate(thread),
    ]


def models_in(value: Any) -> Iterator[BaseModel]:
    """Yield a model, and all that it has."""
    if isinstance(value, BaseModel):
        yield value
        value = [*vars(value).values(), *(value.model_extra or {}).values()]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return
    for each in value:
        yield from models_in(each)
