"""What stays in memory: of a turn that has ended next to nothing, of libraries what is used."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any
from weakref import ref

import pytest
from agents import Agent, Runner, function_tool
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.types import ThreadItem, ThreadStreamEvent

from chatkit_server import Turn, TurnFailed, hookimpl
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.web.keys import ENGINE
from tests.conftest import MakeChat
from tests.serving import served_by


class Thing:
    """Something that can be watched as it goes."""


@function_tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


class Witness:
    """Watches what belongs to each turn, and keeps none of it."""

    def __init__(self, fails: bool) -> None:
        self.seen: list[ref[Any]] = []
        self.fails = fails

    def _watch(self, *things: object) -> None:
        self.seen += [ref(thing) for thing in things]

    @hookimpl
    async def agent(self, turn: Turn) -> Agent[Turn]:
        agent = Agent[Turn](name="Watched", tools=[weather])
        self._watch(turn, agent)
        return agent

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.state["thing"] = thing = Thing()
        turn.context = AgentContext(
            thread=turn.thread, store=turn.store, request_context=turn.request_context
        )
        self._watch(thing, turn.context)

    @hookimpl
    async def action(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        self._watch(turn)
        return self._answer(turn)

    async def _answer(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        result = Runner.run_streamed(Agent[Turn](name="Watched"), "hello", context=turn)
        async for event in stream_agent_response(turn, result):
            yield event

    @hookimpl
    async def persist(self, item: ThreadItem) -> None:
        if self.fails and item.type == "assistant_message":
            raise TurnFailed("This is not to be saved.")


@pytest.fixture
def no_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing go but what nobody refers to; asyncio forgets a cancelled clock at once."""
    monkeypatch.setattr(asyncio.base_events, "_MIN_SCHEDULED_TIMER_HANDLES", 0)
    monkeypatch.setattr(asyncio.base_events, "_MIN_CANCELLED_TIMER_HANDLES_FRACTION", 0)
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("fails", [False, True], ids=["completed", "failed"])
async def test_an_ended_turn_leaves_its_events_alone(
    make_chat: MakeChat, no_collector: None, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    # pytest would keep what is logged, with its traceback
    caplog.set_level(logging.CRITICAL, "chatkit_server")
    witness = Witness(fails)
    chat = await make_chat(witness)
    streamed = await chat.say("hello")
    assert (streamed.error is not None) == fails
    turn_id = streamed.response.headers["X-Turn-Id"]
    engine = chat.client.server.app[ENGINE]  # type: ignore[attr-defined]
    [*_] = [await running.ended() for running in engine.turns.active]
    assert len(witness.seen) == 4
    action = {"type": "answer", "payload": {}}
    acted = await chat.stream("threads.custom_action", thread_id=streamed.thread_id, action=action)
    assert (acted.error is not None) == fails
    [*_] = [await running.ended() for running in engine.turns.active]
    assert len(witness.seen) == 5
    if fails:
        # Tracebacks are circles, which only the collector finds
        gc.collect()
    assert [thing() for thing in witness.seen if thing() is not None] == []
    again = await chat.client.get(f"{chat.path}/turns/{turn_id}/events")
    assert (await again.read()).count(b"\ndata: ") == len(streamed.data)


class Transfers:
    """Watches the turns of the settings' agents, which hand over to each other."""

    def __init__(self) -> None:
        self.seen: list[ref[Any]] = []

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.seen.append(ref(turn))


async def test_agents_that_hand_over_go_with_their_turn(
    make_chat: MakeChat, model_server: ModelServer, no_collector: None
) -> None:
    sections = served_by(model_server, name="One", handoffs=["two"])
    agents = {"two": {"instructions": "Two.", "handoffs": ["One"]}}
    watch = Transfers()
    chat = await make_chat(watch, **sections, agents=agents)
    for _ in range(2):
        model_server.reply(Call("transfer_to_two"))
        model_server.reply(Call("transfer_to_one"))
        model_server.reply("Hello.")
        assert (await chat.say("Hello")).text == "Hello."
    engine = chat.client.server.app[ENGINE]  # type: ignore[attr-defined]
    [*_] = [await running.ended() for running in engine.turns.active]
    assert [turn() is None for turn in watch.seen] == [True, True]


def test_what_is_not_used_is_not_loaded() -> None:
    """Megabytes each: what checks a tool's arguments, LiteLLM, PostgreSQL's driver, and a writer
    for each event."""
    program = """
import sys
import chatkit.types, chatkit_plugins.tortoise_store, chatkit_server.serve
import chatkit_server.events.partial as partial
from datetime import UTC, datetime
from chatkit_server.events.partial import PartialAnswer
from chatkit_server.events.wire import ChatKitWire
item = chatkit.types.AssistantMessageItem(
    id="msg_1", thread_id="thr_1", created_at=datetime.now(UTC), content=[])
events = [chatkit.types.ThreadItemAddedEvent, chatkit.types.ThreadItemDoneEvent]
for event in events:
    assert ChatKitWire().event(event.model_construct(item=item))
assert ChatKitWire().delta("msg_1", 0, "text")
assert PartialAnswer(items=[item]).dump()
assert not [event for event in events if event.__pydantic_complete__]
assert not chatkit.types.ThreadItemUpdatedEvent.__pydantic_complete__
assert not partial._ITEM.pydantic_complete
print([name for name in ("asyncpg", "jsonschema", "litellm") if name in sys.modules])
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
