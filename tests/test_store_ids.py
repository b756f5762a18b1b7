"""Ids of threads and items, of stores that make their own."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from agents import RunContextWrapper, function_tool
from chatkit.store import StoreItemType
from chatkit.types import ThreadMetadata
from chatkit.widgets import Card, Text

from chatkit_server import Turn, User
from chatkit_server.storage import StoreContext
from chatkit_server.store_ids import new_item_id, new_thread_id
from chatkit_server.testing.memory_store import MemoryStore, StorePlugin
from chatkit_server.testing.model_server import Call, ModelServer
from tests.conftest import MakeChat
from tests.recording import NOW
from tests.serving import served_by
from tests.test_turns import Tools

CONTEXT = StoreContext(User("ann"))
THREAD = ThreadMetadata(id="thr_1", created_at=NOW)


class OwnIds(MemoryStore):
    """Numbers what it keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count(1)

    def generate_thread_id(self, context: StoreContext) -> str:
        return f"{context.user.id}-{next(self.numbers)}"

    def generate_item_id(
        self, item_type: StoreItemType, thread: ThreadMetadata, context: StoreContext
    ) -> str:
        return f"{thread.id}/{item_type}/{next(self.numbers)}"


@function_tool
async def show(ctx: RunContextWrapper[Turn]) -> str:
    """Show a card."""
    await ctx.context.stream_widget(Card(children=[Text(value="shown")]))
    return "shown"


async def test_a_store_makes_the_ids(make_chat: MakeChat, model_server: ModelServer) -> None:
    store = OwnIds()
    chat = await make_chat(Tools(show), StorePlugin(store), **served_by(model_server))
    model_server.reply(Call("show", {}))
    model_server.reply("There.")
    thread_id = (await chat.say("Show it")).thread_id
    assert thread_id == "somebody-1"
    model_server.reply("Hello.")
    earlier = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi."})
    plain = await chat.plain(*earlier, "And you?")
    ids = [[i.id for i in items.values() if "mem_" not in i.id] for items in store.items.values()]
    assert ids == [
        [f"{thread_id}/message/{n}" for n in (2, 3, 4)],
        [f"{plain.data[0]['thread_id']}/message/{n}" for n in (6, 7, 8, 9)],
    ]
    model_server.reply("Again.")
    again = await chat.say("And again?", thread_id)
    assert [item["id"] for item in again.done("assistant_message")] == [f"{thread_id}/message/11"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("", "generate_item_id returned ''"),
        ("a\0b", r"generate_item_id returned 'a\\x00b'"),
        ("half \ud83e", "an id has 1 to 200 printable characters"),
        ("x" * 201, "an id has 1 to 200 printable characters"),
        (7, "generate_item_id returned 7, expected a str"),
        (None, "generate_item_id returned None"),
    ],
)
def test_what_is_no_id_names_its_store(made: Any, words: str) -> None:
    class Wrong(MemoryStore):
        def generate_item_id(self, *_: Any) -> Any:
            return made

    with pytest.raises((TypeError, ValueError), match=f"^Wrong.*{words}"):
        new_item_id(Wrong(), "message", THREAD, CONTEXT)
    assert new_thread_id(Wrong(), CONTEXT).startswith("thr_"), "its class makes none of threads"


async def test_ids_are_not_made_with_async_def() -> None:
    class Async(MemoryStore):
        async def generate_thread_id(self, context: StoreContext) -> str:  # type: ignore[override]
            return "thr_1"

    with pytest.raises(TypeError, match="must not be async"):
        new_thread_id(Async(), CONTEXT)
