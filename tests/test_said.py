"""What a turn is told and says in plain words: `said`, `say` and `transcript`."""

from __future__ import annotations

from collections.abc import AsyncIterator

from chatkit.types import HiddenContextItem, ThreadItemDoneEvent, ThreadStreamEvent

from chatkit_server import Turn, hookimpl, transcript
from chatkit_server.testing import MakeClient


class Echo:
    """Says what was said, in pieces; notes what it knew of the conversation."""

    def __init__(self) -> None:
        self.known: list[list[tuple[str, str]]] = []

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        self.known.append(transcript(turn.items))
        note = turn.new_item(HiddenContextItem, content="only for plugins")
        yield ThreadItemDoneEvent(item=note)
        async for event in turn.say(pieces(turn.said)):
            yield event

    @hookimpl
    async def action(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        return turn.say(f"Said: {turn.said!r}")


async def pieces(text: str) -> AsyncIterator[str]:
    for piece in text.partition(" "):
        yield piece if text != "Be silent" else ""


async def test_what_is_said_comes_in_pieces_and_is_one_message(chatkit_client: MakeClient) -> None:
    echo = Echo()
    client = await chatkit_client(echo)
    answer = await client.say("Hello there")
    assert answer.text == answer.streamed == "Hello there"
    assert [data["type"] for data in answer.data].count("thread.item.updated") == 3
    assert [item.type for item in await client.items()] == ["user_message", "assistant_message"]
    await client.say("Again")
    assert echo.known[1] == [
        ("user", "Hello there"),
        ("assistant", "Hello there"),
        ("user", "Again"),
    ]


async def test_without_a_word_there_is_no_message(chatkit_client: MakeClient) -> None:
    client = await chatkit_client(Echo())
    answer = await client.say("Be silent")
    assert (answer.error, [item.type for item in answer.items]) == (None, ["user_message"])


async def test_nothing_is_said_in_an_action(chatkit_client: MakeClient) -> None:
    client = await chatkit_client(Echo())
    await client.say("Hello")
    assert (await client.act(None, "click")).text == "Said: ''"
