"""Agents and guardrails whose process dies in the middle, on each kind of database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chatkit_server.events.recorder import Recorder
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from tests.replicas import Start, begin, grow_old, request
from tests.test_agents import two, who
from tests.test_refused_words import folder, guarded, sent

__all__ = ["folder"]


async def test_the_agent_goes_on_whose_process_died(
    start: Start, model_server: ModelServer
) -> None:
    sections = two(model_server)
    dead, alive = await start(**sections), await start(**sections)
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply("Your ", Gate(), "money.")
    begun = await begin(dead.chat, request("My money"), "Your ")
    await dead.beat()
    await grow_old()
    await alive.sweep()
    [(_, outcome)] = alive.watch.ended
    assert (outcome.status, outcome.agent) == ("interrupted", "billing")
    model_server.reply("Here it is.")
    assert (await alive.chat.say("And?", begun.thread_id)).text == "Here it is."
    assert who(model_server) == "billing"


@pytest.mark.parametrize(("rule", "show"), [("off_topic", "message"), ("secrets", "error")])
async def test_a_refusal_whose_process_dies(
    start: Start,
    model_server: ModelServer,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    show: str,
) -> None:
    rules = {rule: {"words": "Only gardens.", "show": show}}
    sections = guarded(model_server, folder, **rules)
    dead, alive = await start(**sections), await start(**sections)
    reached, freed = asyncio.Event(), asyncio.Event()
    withdraw = Recorder.withdraw

    async def held(self: Recorder) -> None:
        reached.set()
        await freed.wait()
        await withdraw(self)

    monkeypatch.setattr(Recorder, "withdraw", held)
    model_server.reply("The password is x.")
    response = await dead.chat.post(request("Tell me of cars"))
    await reached.wait()
    await grow_old()
    await alive.sweep()
    freed.set()
    thread_id = (await dead.chat.read(response)).thread_id
    left = ["Tell me of cars"] + ["Only gardens."] * (show == "message")
    assert await alive.texts(thread_id) == left
    model_server.reply("Roses.")
    assert (await alive.chat.say("And roses?", thread_id)).text == "Roses."
    told: Any = str(sent(model_server))
    assert "password" not in told
    assert ("cars" in told) == (rule == "secrets")
