"""What a turn has for making items: `new_item`, and sources for the model's next message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from agents import RunContextWrapper, function_tool
from chatkit.types import (
    ClientToolCallItem,
    CustomTask,
    EntitySource,
    FileSource,
    GeneratedImageItem,
    StructuredInputItem,
    TaskItem,
    URLSource,
    Workflow,
    WorkflowItem,
)

from chatkit_server import Turn, hookimpl
from tests.conftest import MakeChat
from tests.folded import Folded
from tests.model_server import Call, ModelServer
from tests.recording import make_recording
from tests.serving import served_by

PAGE = URLSource(title="A page", url="https://example.com/")
BOOK = FileSource(title="A book", filename="book.pdf")
SHOP = EntitySource(id="shop_1", title="A shop", interactive=True, data={"street": "Leaf Lane"})


class Citing:
    """Has a tool that cites, and cites before the turn begins."""

    def __init__(self, early: Callable[[Turn], Awaitable[None]] | None = None) -> None:
        self.early = early

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if self.early is not None:
            await self.early(turn)
        turn.tools.append(look_up)


@function_tool
async def look_up(ctx: RunContextWrapper[Turn], source: str) -> str:
    """Cite a source."""
    match source:
        case "book":
            ctx.context.cite(BOOK, index=3)
        case "shop":
            ctx.context.cite(SHOP, index=999)
        case _:
            ctx.context.cite("a text")  # type: ignore[arg-type]
    return "found"


async def cite_page(turn: Turn) -> None:
    turn.cite(PAGE)


def marks(item: dict[str, Any]) -> list[tuple[str, int]]:
    [content] = item["content"]
    return [(each["source"]["title"], each["index"]) for each in content["annotations"]]


async def test_what_tools_cite_is_added_to_the_next_message(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Citing(cite_page), **served_by(model_server))
    model_server.reply("One moment.", Call("look_up", {"source": "book"}))
    model_server.reply(Call("look_up", {"source": "shop"}))
    model_server.reply("Found it.")
    streamed = await chat.say("Look it up.")
    first, second = streamed.done("assistant_message")
    assert marks(first) == [("A page", 11)]
    assert marks(second) == [("A book", 3), ("A shop", 9)]
    folded = Folded(streamed.data)
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["items"]["data"] == list(folded.items.values())


@pytest.mark.parametrize("fast_path", [True, False])
async def test_what_is_cited_before_the_turn_is_added_on_each_way(
    make_chat: MakeChat, model_server: ModelServer, fast_path: bool
) -> None:
    chat = await make_chat(Citing(cite_page), **served_by(model_server, fast_path=fast_path))
    model_server.reply("Found it.")
    streamed = await chat.say("Look it up.")
    [item] = streamed.done("assistant_message")
    assert marks(item) == [("A page", 9)]
    # Nothing of it is left for the next turn
    model_server.reply("Hello.")
    [item] = (await chat.say("Hello?")).done("assistant_message")
    assert marks(item) == [("A page", 6)]


async def test_what_is_no_source_makes_the_tool_fail(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Citing(), **served_by(model_server))
    model_server.reply(Call("look_up", {"source": "text"}))
    model_server.reply("Sorry.")
    streamed = await chat.say("Look it up.")
    [item] = streamed.done("assistant_message")
    assert marks(item) == []
    assert "ValidationError" in str(model_server.requests[-1].body["messages"][-1])


async def test_a_new_item_has_an_id_of_its_kind_and_the_thread() -> None:
    turn = (await make_recording()).turn
    made = {
        "msg": turn.new_item(GeneratedImageItem),
        "tsk": turn.new_item(TaskItem, task=CustomTask(title="Work")),
        "wf": turn.new_item(WorkflowItem, workflow=Workflow(type="custom", tasks=[])),
        "tc": turn.new_item(ClientToolCallItem, call_id="call_1", name="ask", arguments={}),
    }
    for prefix, item in made.items():
        assert item.id.startswith(f"{prefix}_")
        assert item.thread_id == turn.thread.id
        assert item.created_at.tzinfo is not None
    own = turn.new_item(StructuredInputItem, id="mine", inputs=[])
    assert own.id == "mine"
    with pytest.raises(ValueError, match="task"):
        turn.new_item(TaskItem)
