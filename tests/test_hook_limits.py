"""A plugin that takes too long: what its hook is for decides what happens, and the log names it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from agents import function_tool
from aiohttp import web
from chatkit.types import AssistantMessageItem, ThreadItem

from chatkit_server import Outcome, ToolResult, Turn, User, hookimpl, tasks
from chatkit_server.agent import runner
from chatkit_server.plugin import call as hook_call
from chatkit_server.plugin.calls import Hooks
from chatkit_server.settings.hooks import HookSettings
from chatkit_server.tasks import watch_blocking
from chatkit_server.testing.model_server import Call, ModelServer
from tests.conftest import MakeChat
from tests.serving import served_by

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
    assert (
        "plugin Slow_0: pre_turn took longer than the 0.02 s that hooks.timeout allows"
        in caplog.text
    )
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


async def test_a_plugin_says_how_long_its_hook_may_take(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow:
        def __init__(self) -> None:
            self.hook_timeouts = {"pre_turn": 10.0}

        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            await asyncio.sleep(0.05)

    chat = await make_chat(Slow(), **served_by(model_server), hooks=QUICK)
    model_server.reply("Hello.")
    assert (await chat.say("hi")).text == "Hello."
    limits = {"timeouts": {"Slow_0": "10ms"}}
    chat = await make_chat(Slow(), **served_by(model_server), hooks=limits)
    assert (await chat.refused({"messages": [{"role": "user", "content": "hi"}]}))[0] == 503
    assert "took longer than the 0.01 s that hooks.timeouts.Slow_0 allows" in caplog.text


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
    [line] = [line for line in caplog.messages if "plugin Slow_0: post_turn" in line]
    assert line.endswith("took longer than the 0.02 s that hooks.timeout allows (user somebody)")
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


# Hooks that block the event loop, or nearly take too long


Jump = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Stop the clock by which hooks are timed, and return how to put it forward."""
    now = 0.0

    def jump(seconds: float) -> None:
        nonlocal now
        now += seconds

    fake = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr(tasks, "time", fake)
    monkeypatch.setattr(hook_call, "time", fake)
    return jump


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings, without the ids of turns."""
    texts = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    return [re.sub(r"^turn turn_\w+: ", "turn: ", text) for text in texts]


@pytest.mark.parametrize("awaits", [0, 1, 2])
async def test_a_hook_that_blocks_is_named(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, clock: Jump, awaits: int
) -> None:
    class Slow:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            for _ in range(awaits):
                await asyncio.sleep(0)
            clock(8)

    chat = await make_chat(Slow())
    assert (await chat.say("hi")).error is None
    assert warned(caplog) == ["turn: plugin Slow_0: pre_turn blocked every user for 8.0 s"]


async def test_a_hook_that_blocks_without_a_turn_is_named(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, clock: Jump
) -> None:
    class Slow:
        @hookimpl
        async def auth(self) -> None:
            clock(0.5)

    await (await make_chat(Slow())).ask("threads.list")
    assert warned(caplog) == ["plugin Slow_0: auth blocked every user for 0.5 s"]


@pytest.mark.parametrize(
    ("limits", "setting"),
    [({"timeout": "5s"}, "hooks.timeout"), ({"timeouts": {"a": "5s"}}, "hooks.timeouts.a")],
)
async def test_a_hook_near_its_limit_is_named(
    caplog: pytest.LogCaptureFixture, clock: Jump, limits: dict[str, Any], setting: str
) -> None:
    class Slow:
        @hookimpl
        async def auth(self) -> None:
            asyncio.get_running_loop().call_soon(clock, 4.2)
            await asyncio.sleep(0)

    hooks = Hooks.of([("a", Slow())], HookSettings.model_validate(limits))
    await hooks.first("auth", request=None)
    assert warned(caplog) == [f"plugin a: auth took 4.2 s of the 5 s that {setting} allows"]


async def test_a_hook_that_takes_its_time_is_not_named(
    caplog: pytest.LogCaptureFixture, clock: Jump
) -> None:
    class Slow:
        @hookimpl
        async def auth(self) -> None:
            clock(0.4)
            asyncio.get_running_loop().call_soon(clock, 3)
            await asyncio.sleep(0)
            clock(0.4)

    await Hooks.of([("a", Slow())]).first("auth", request=None)
    assert warned(caplog) == []


async def test_a_tool_that_blocks_is_named(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture, clock: Jump
) -> None:
    @function_tool
    async def slow() -> str:
        """Take long."""
        clock(8)
        return "done"

    class Tools:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            turn.tools.append(slow)

    chat = await make_chat(Tools(), **served_by(model_server))
    model_server.reply(Call("slow", {}))
    model_server.reply("Done.")
    assert (await chat.say("go")).text == "Done."
    assert warned(caplog) == ["turn: tool slow blocked every user for 8.0 s"]


async def test_a_tool_near_its_limit_is_named(
    make_chat: MakeChat,
    model_server: ModelServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: now))

    @function_tool
    async def slow() -> str:
        """Take long."""
        nonlocal now
        now += 2.7
        return "done"

    class Tools:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            turn.tools.append(slow)

    limits = {"limits": {"tool": "3s"}}
    chat = await make_chat(Tools(), **served_by(model_server), turns=limits)
    model_server.reply(Call("slow", {}))
    model_server.reply("Done.")
    assert (await chat.say("go")).text == "Done."
    assert warned(caplog) == ["turn: tool slow took 2.7 s of its limit of 3 s (turns.limits.tool)"]


@pytest.mark.parametrize("kind", ["at once", "after a wait", "future"])
async def test_watch_blocking_returns_what_it_awaits(clock: Jump, kind: str) -> None:
    reports: list[float] = []

    async def work() -> str:
        if kind == "after a wait":
            clock(1)
            await asyncio.sleep(0)
        clock(2)
        return "done"

    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, "done")
    awaited = future if kind == "future" else work()
    assert await watch_blocking(awaited, lambda s: reports.append(round(s))) == "done"
    assert reports == {"at once": [2], "after a wait": [1, 2], "future": []}[kind]


async def test_watch_blocking_passes_errors_and_cancellations(clock: Jump) -> None:
    reports: list[float] = []
    cancelled = asyncio.Event()

    async def fails() -> None:
        clock(1)
        raise ValueError("broken")

    async def waits() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            clock(3)
            cancelled.set()
            raise

    with pytest.raises(ValueError, match="broken"):
        await watch_blocking(fails(), lambda s: reports.append(round(s)))
    task = asyncio.create_task(watch_blocking(waits(), lambda s: reports.append(round(s))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()
    assert reports == [1, 3]
