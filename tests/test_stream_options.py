"""Turns that their user may not stop."""

from __future__ import annotations

import asyncio
from typing import Any

from chatkit.types import StreamOptions, StreamOptionsEvent

from chatkit_server import Turn, hookimpl
from chatkit_server.testing.model_server import Gate, ModelServer
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.replicas import Begun, Start, begin, request
from tests.serving import served_by
from tests.test_beside import pressed
from tests.test_turns import Watch

CANNOT = {"message": "This answer cannot be stopped. Wait until it is complete."}


class Pays:
    """Lets nobody stop an answer to a message about money."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if turn.message is not None and "pay" in str(turn.message.content):
            turn.stream_options = StreamOptions(allow_cancel=False)


async def test_a_turn_that_may_not_be_stopped(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    turns = {"disconnect": {"policy": "cancel", "grace": "1ms"}}
    chat = await make_chat(Pays(), watch, **served_by(model_server), turns=turns)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    pays = await begin(chat, request("I pay"), "One, ")
    [options] = [e for e in pays.data if e["type"] == "stream_options"]
    assert options["stream_options"] == {"allow_cancel": False}
    pays.response.close()
    model_server.reply("One, ", Gate())
    other = await begin(chat, request("Hi"), "One, ")
    other.response.close()
    await until(lambda: len(watch.outcomes) == 1)
    assert watch.outcomes[0].status == "cancelled", "the other one, whose client left later"
    cancel = f"{chat.path}/turns/{pays.turn_id}/cancel"
    refused = await chat.client.post(cancel)
    assert (refused.status, await refused.json()) == (409, CANNOT)
    gate.open()
    await until(lambda: len(watch.outcomes) == 2)
    assert watch.outcomes[1].status == "completed"
    ended = await chat.client.post(cancel)
    assert (ended.status, (await ended.json())["state"]) == (200, "completed")
    model_server.reply("One, ", Gate())
    pays = await begin(chat, request("I pay", pays.thread_id), "One, ")
    model_server.reply("Done.")
    assert (await chat.say("Wait", pays.thread_id)).text == "Done.", "a new message interrupts it"
    assert watch.outcomes[2].status == "cancelled"


async def test_it_may_not_be_stopped_through_another_process(
    start: Start, model_server: ModelServer
) -> None:
    one, two = await start(Pays()), await start()
    model_server.reply("One, ", Gate())
    pays = await begin(one.chat, request("I pay"), "One, ")
    await one.beat()
    refused = await two.client.post(f"/api/chat/turns/{pays.turn_id}/cancel")
    assert (refused.status, await refused.json()) == (409, CANNOT)
    assert await one.state(pays.turn_id) == "running"


async def test_an_action_that_may_not_be_stopped(make_chat: MakeChat) -> None:
    class Action:
        @hookimpl
        async def action(self, turn: Turn) -> Any:
            async def events() -> Any:
                yield StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=False))
                await gate.wait()

            return events()

    gate = asyncio.Event()
    chat = await make_chat(Action())
    thread_id = (await chat.say("Hi")).thread_id
    response = await chat.post(pressed(thread_id, "pay"))
    begun = Begun(response, [])
    await begun.until(lambda s: s.types == ["stream_options"] * 2)
    refused = await chat.client.post(f"{chat.path}/turns/{begun.turn_id}/cancel")
    assert refused.status == 409
    gate.set()
    assert (await begun.rest()).error is None
