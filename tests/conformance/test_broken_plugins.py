"""Plugins with one mistake each: the contract finds it, and says so in a sentence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession, web
from chatkit.types import AssistantMessageContent, AssistantMessageItem, ThreadItemDoneEvent
from pydantic import BaseModel, field_validator

from chatkit_server import ToolCall, ToolResult, Turn, User, hookimpl
from chatkit_server.testing.conformance import PluginContract
from tests.conformance import told


class Misspelt:
    """Its only hook is not marked as one."""

    async def pre_trun(self, turn: Turn) -> None:
        turn.instructions = "Be polite."

    @hookimpl
    async def ready(self) -> None:
        return


class Unmarked:
    async def post_turn(self, turn: Turn) -> None:
        turn.state.clear()

    @hookimpl
    async def ready(self) -> None:
        return


class MarkedButUnknown:
    @hookimpl
    async def before_turn(self, turn: Turn) -> None:
        turn.instructions = "Be polite."


class NotAsync:
    @hookimpl
    def pre_turn(self, turn: Turn) -> None:
        turn.instructions = "Be polite."


class AsksForMore:
    @hookimpl
    async def pre_turn(self, turn: Turn, request: Any) -> None:
        turn.instructions = str(request)


class Impatient:
    hook_timeouts = {"pre_turns": 60.0}  # noqa: RUF012

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        return


class DoesNotStart:
    @hookimpl
    def setup(self, app: web.Application) -> None:
        raise KeyError("URL")


class AddsStrings:
    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools = ["meet"]  # type: ignore[list-item]


class Answers:
    """Returns a dict for a user."""

    @hookimpl
    async def auth(self, request: web.Request) -> Any:
        return {"id": "ann"} if request.headers.get("Authorization") else None


class YieldsItems:
    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[Any]:
        yield _said(turn, "Hello").item


class TrustsTheHeader:
    @hookimpl
    async def auth(self, request: web.Request) -> User | None:
        scheme, token = request.headers.get("Authorization", "none none").split(" ")
        return User(token) if scheme == "Token" else None


class SplitsOutput:
    @hookimpl
    async def tool_result(self, call: ToolCall, result: ToolResult) -> None:
        if call.name == "meet":
            result.output = result.output.split("=")[1]


class Slow:
    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if "break_down" in str(turn.input):
            await asyncio.sleep(10)


class Sleeps:
    @hookimpl
    async def persist(self, turn: Turn) -> None:
        time.sleep(0.001)  # noqa: ASYNC251


class Computes:
    def __init__(self) -> None:
        self.done = False

    @hookimpl
    async def post_turn(self, turn: Turn) -> None:
        until = time.perf_counter() + 0.15
        while not self.done and time.perf_counter() < until:
            sum(range(100))
        self.done = True


class KeepsItAll:
    def __init__(self) -> None:
        self.said: dict[tuple[str, str], list[str]] = {}

    @hookimpl
    async def post_turn(self, turn: Turn) -> None:
        self.said.setdefault((turn.user.tenant, turn.user.id), []).append(turn.said)

    @hookimpl
    async def export(self, user: User) -> AsyncIterator[dict[str, str]]:
        for said in self.said.get((user.tenant, user.id), ()):
            yield {"said": said}

    @hookimpl
    async def erase(self, user: User) -> dict[str, int]:
        return {"messages": 0}


class ForgetsTheTenantAlone(KeepsItAll):
    @hookimpl
    async def erase(self, user: User) -> dict[str, int]:
        for owner in [owner for owner in self.said if owner[0] == user.tenant]:
            del self.said[owner]
        return {}


class LeavesATask:
    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.on_startup.append(self.start)

    async def start(self, app: web.Application) -> None:
        self.task = asyncio.create_task(asyncio.Event().wait())


class LeavesASession:
    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.on_startup.append(self.start)

    async def start(self, app: web.Application) -> None:
        self.session = ClientSession()


class RemembersTheUser:
    """Keeps who talks in the plugin, which serves all users."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.user = turn.user

    @hookimpl
    async def tool_result(self, call: ToolCall, result: ToolResult) -> None:
        result.output = f"{result.output} ({self.user.name})"


class RemembersTheText:
    """Tells the model what anybody has said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.instructions = f"Known so far: {self.said}"
        self.said.append(str(turn.input))


class FailsAtTheEnd:
    @hookimpl
    async def setup(self, app: web.Application) -> AsyncIterator[None]:
        yield
        raise RuntimeError("cannot close")


class ForgetsToWait:
    @hookimpl
    async def post_turn(self, turn: Turn) -> None:
        saving: Any = self.save
        saving(turn)

    async def save(self, turn: Turn) -> None:
        turn.state["saved"] = True


class GoesOn:
    """Takes a cancellation for an error of its own."""

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[Any]:
        while True:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                yield _said(turn, "What was that?")
                continue
            yield _said(turn, "Hello")
            return


def _said(turn: Turn, text: str) -> ThreadItemDoneEvent:
    item = AssistantMessageItem(
        id=turn.generate_id("message"),
        thread_id=turn.thread.id,
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text=text)],
    )
    return ThreadItemDoneEvent(item=item)


class Config(BaseModel):
    """Settings that fail in another way than the server expects."""

    colour: str = "red"

    @field_validator("colour")
    @classmethod
    def check(cls, value: str) -> str:
        return {"red": "#f00"}[value]


class Plugin:
    """Has the `Config` above."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @hookimpl
    async def ready(self) -> None:
        return


BROKEN: list[tuple[Any, str, str]] = [
    (Misspelt, "hooks_are_hooks", "looks like the hook `pre_turn`, misspelt"),
    (Unmarked, "hooks_are_hooks", "has no `@hookimpl`"),
    (MarkedButUnknown, "hooks_are_hooks", "`before_turn` is not a hook."),
    (NotAsync, "hooks_have_the_right_signatures", "pre_turn: must be a plain `async def`"),
    (AsksForMore, "hooks_have_the_right_signatures", "unknown argument `request`"),
    (Impatient, "terms_can_be_kept", "hook_timeouts"),
    (Plugin, "settings_are_checked", "`colour: ''` raised"),
    (DoesNotStart, "the_server_starts", "KeyError: 'URL'"),
    (
        AddsStrings,
        "hooks_return_the_right_types",
        "`pre_turn` set `turn.tools` to a list with a str",
    ),
    (Answers, "hooks_return_the_right_types", "`auth` returned a dict, expected a chatkit_server."),
    (YieldsItems, "hooks_return_the_right_types", "`respond` returned a list with an AssistantM"),
    (TrustsTheHeader, "hooks_raise_nothing_unexpected", "ValueError: not enough values to unpack"),
    (SplitsOutput, "hooks_raise_nothing_unexpected", "IndexError: list index out of range"),
    (Slow, "hooks_keep_their_time_limits", "`pre_turn` took longer than 0.2 s"),
    (Sleeps, "nothing_blocks", "`persist` at "),
    (Computes, "nothing_blocks", "blocks for more than 0.05 s"),
    (LeavesATask, "nothing_is_left_when_the_server_stops", "the task of `Event.wait`"),
    (LeavesASession, "nothing_is_left_when_the_server_stops", "an aiohttp.ClientSession is not"),
    (RemembersTheUser, "users_are_kept_apart", "is in what the model gets for "),
    (ForgetsTheTenantAlone, "users_are_kept_apart", "`erase` of one user deletes what is another"),
    (KeepsItAll, "users_are_kept_apart", "`erase` leaves what `export` still finds"),
    (RemembersTheText, "users_are_kept_apart", "'zebra-4711', which is Annabel's, is in what the"),
    (FailsAtTheEnd, "hooks_raise_nothing_unexpected", "RuntimeError('cannot close')"),
    (ForgetsToWait, "hooks_raise_nothing_unexpected", "save' was never awaited: write `await` bef"),
    (GoesOn, "answers_can_be_stopped", "yields events after it was stopped"),
]


@pytest.mark.parametrize(("broken", "test", "came"), BROKEN)
async def test_a_broken_plugin_is_told(broken: Any, test: str, came: str) -> None:
    class Contract(PluginContract):
        time_limit = 0.2
        blocking = 0.05

    given = broken if broken is Plugin else broken()
    contract = Contract()
    try:
        sentence = await told(contract, f"test_{test}", given)
    finally:
        task = getattr(given, "task", None)
        if task is not None:
            task.cancel()
        if isinstance(given, LeavesASession) and hasattr(given, "session"):
            await given.session.close()
    assert came in sentence
    assert ", because " in sentence
    assert "; but " in sentence
