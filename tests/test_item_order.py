"""The items of a conversation are in the order in which they began, also after a reload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from chatkit.types import (
    CustomTask,
    GeneratedImage,
    GeneratedImageItem,
    TaskItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadStreamEvent,
)

from chatkit_server import Turn, hookimpl
from tests.conftest import MakeChat
from tests.folded import Folded

Json = dict[str, Any]


class Overlapping:
    """Begins two pictures, and the second one is done first; changes an item with a new time."""

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        task = turn.new_item(TaskItem, task=CustomTask(title="Drawing"))
        yield ThreadItemDoneEvent(item=task)
        first, second = turn.new_item(GeneratedImageItem), turn.new_item(GeneratedImageItem)
        for item in (first, second):
            yield ThreadItemAddedEvent(item=item)
        for item in (second, first):
            image = GeneratedImage(id=item.id, url="https://example.com/a.png")
            yield ThreadItemDoneEvent(item=item.model_copy(update={"image": image}))
        changed = {"task": CustomTask(title="Drawn"), "created_at": datetime.now()}
        yield ThreadItemReplacedEvent(item=task.model_copy(update=changed))


@pytest.mark.parametrize("limit", [2, 3, 20])
async def test_a_reload_shows_the_items_in_the_order_in_which_they_began(
    make_chat: MakeChat, limit: int
) -> None:
    chat = await make_chat(Overlapping())
    thread_id = (await chat.say("Draw.")).thread_id
    streamed = await chat.say("Again.", thread_id)
    shown = list(Folded(streamed.data).items.values())
    thread = await chat.ask("threads.get_by_id", thread_id=thread_id)
    assert thread["items"]["data"][4:] == shown
    for order, whole in (("asc", thread["items"]["data"]), ("desc", thread["items"]["data"][::-1])):
        found: list[Json] = []
        after = None
        while True:
            given = {"thread_id": thread_id, "order": order, "limit": limit, "after": after}
            page = await chat.ask("items.list", **given)
            found += page["data"]
            after = page.get("after")
            if not page["has_more"]:
                break
        if limit == 20:
            assert found == whole
        # Of a page that ends amid them, all come, and each once
        assert sorted(item["id"] for item in found) == sorted(item["id"] for item in whole)
