"""A plugin that takes too long: what its hook is for decides what happens, and the log names it."""

from __future__ import annotations

import asyncio

import pytest
from agents import function_tool
from aiohttp import web
from chatkit.types import AssistantMessageItem, ThreadItem

from chatkit_server import Outcome, ToolResult, Turn, User, hookimpl
from tests.conftest import MakeChat, served_by
from tests.model_server import Call, ModelServer

QUICK = {"timeout": "20ms"}


async def for_ever() -> None:
    await asyncio.Event().wait()


@function_tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


async def test_a_slow_pre_turn_refuses_the_turn(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            await for_ever()

    chat = await make_chat(Slow(), **served_by(model_server), hooks=QUICK)
    status, _ = await chat.refused({"messages": [{"role": "user", "content": "hi"}]})
    assert status == 503
    assert "plugin Slow_0: pre_turn took longer than 0.02 seconds" in caplog.text
    assert not model_server.requests
    assert (await chat.ask("threads.list"))["data"] == []


async def test_a_plugin_may_have_more_time_than_others(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Slow:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            await asyncio.sleep(0.05)
            turn.instructions = "Be kind."

    limits = {"timeout": "20ms", "timeouts": {"Slow_0": "10s"}}
    chat = await make_chat(Slow(), **served_by(model_server), hooks=limits)
    model_server.reply("Hello.")
    assert (await chat.say("hi")).text == "Hello."


async def test_a_slow_tool_result_fails_the_tool(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Slow:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            turn.tools.append(weather)

        @hookimpl
        async def tool_result(self, result: ToolResult) -> None:
            await for_ever()

    chat = await make_chat(Slow(), **served_by(model_server), hooks=QUICK)
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("No idea.")
    assert (await chat.say("Rome?")).text == "No idea."
    told = model_server.requests[-1].body["messages"][-1]
    assert "failed" in str(told["content"])
    assert "sunny" not in str(told["content"])


async def test_a_slow_persist_ends_the_turn_with_an_error(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Slow:
        @hookimpl
        async def persist(self, item: ThreadItem) -> None:
            if isinstance(item, AssistantMessageItem):
                await for_ever()

    chat = await make_chat(Slow(), **served_by(model_server), hooks=QUICK)
    model_server.reply("Hello.")
    streamed = await chat.say("hi")
    assert streamed.error is not None
    assert streamed.done("assistant_message") == []


async def test_a_slow_post_turn_is_cut_off_and_the_others_are_called(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    class Slow:
        @hookimpl
        async def post_turn(self) -> None:
            await for_ever()

    class Next:
        @hookimpl
        async def post_turn(self, outcome: Outcome) -> None:
            outcomes.put_nowait(outcome)

    chat = await make_chat(Slow(), Next(), **served_by(model_server), hooks=QUICK)
    model_server.reply("Hello.")
    streamed = await chat.say("hi")
    assert (await outcomes.get()).status == "completed"
    assert "plugin Slow_0: post_turn" in caplog.text
    model_server.reply("Hello again.")
    assert (await chat.say("hi", streamed.thread_id)).text == "Hello again."


async def test_a_slow_auth_is_no_reason_to_sign_out(make_chat: MakeChat) -> None:
    class Slow:
        @hookimpl
        async def auth(self, request: web.Request) -> User | None:
            await for_ever()
            return None

    chat = await make_chat(Slow(), hooks=QUICK)
    status, _ = await chat.refused({"type": "threads.list", "params": {}})
    assert status == 503
