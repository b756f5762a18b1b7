"""A plugin that raises or hangs, in each hook, at each of its calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal

from aiohttp import web
from chatkit.types import ThreadItem

from chatkit_server import Outcome, ToolCall, ToolResult, Turn, User, hookimpl
from tests.databases import DatabaseKind, new_url
from tests.faults.audit import Audit
from tests.faults.losses import Losses, Report, Run
from tests.faults.running import Job, Size, some, together
from tests.faults.scripted import Script
from tests.faults.world import Backstage, World, world

Mode = Literal["raises", "hangs"]

CALLS = {
    "auth": 1,
    "context": 1,
    "agent": 1,
    "pre_turn": 1,
    "respond": 1,
    "persist": 5,
    "tool_result": 2,
    "post_turn": 1,
}
"""The hooks, and how often a turn calls them."""

HOSTED_CALLS = {**CALLS, "persist": 4, "tool_result": 0}
"""The same with a hosted server: it has tools of its own, and its turns leave no memory."""

BEFORE_THE_TURN = ("auth", "context", "agent", "pre_turn")

FAILS_THE_TURN = ("respond", "persist")

LIMIT = {"timeouts": {"given_0": "100ms"}}


@dataclass
class Saboteur:
    """For a user in `armed`, one call of one hook fails; for others it does nothing."""

    armed: dict[str, tuple[str, int, Mode]] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)

    @hookimpl
    async def auth(self, request: web.Request) -> User | None:
        await self._called("auth", request.headers.get("X-User", ""))
        return None

    @hookimpl
    async def context(self, user: User) -> None:
        await self._called("context", user.id)

    @hookimpl
    async def agent(self, turn: Turn) -> None:
        await self._called("agent", turn.user.id)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        await self._called("pre_turn", turn.user.id)

    @hookimpl
    async def respond(self, turn: Turn) -> None:
        await self._called("respond", turn.user.id)

    @hookimpl
    async def persist(self, turn: Turn, item: ThreadItem) -> None:
        await self._called("persist", turn.user.id)

    @hookimpl
    async def tool_result(self, turn: Turn, call: ToolCall, result: ToolResult) -> None:
        await self._called("tool_result", turn.user.id)

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        await self._called("post_turn", turn.user.id)

    async def _called(self, hook: str, user: str) -> None:
        if user not in self.armed or self.armed[user][0] != hook or user in self.struck:
            return
        _, number, mode = self.armed[user]
        self.calls[user, hook] += 1
        if self.calls[user, hook] != number:
            return
        self.struck.add(user)
        if mode == "hangs":
            await asyncio.Event().wait()
        raise RuntimeError("a plugin's mistake")


async def hook_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Have a plugin fail in each call of each hook."""
    saboteur = Saboteur()
    modes: tuple[Mode, ...] = ("raises", "hangs")
    places = [
        (hook, number, mode)
        for hook, calls in (CALLS if stage.answering == "agent" else HOSTED_CALLS).items()
        for number in range(1, calls + 1)
        for mode in modes
    ]
    async with world(stage, new_url(kind, where), saboteur, hooks=LIMIT) as here:
        jobs = [
            Job(f"plugin {place[2]} in a hook", kind, partial(_run, here, kind, saboteur, place, n))
            for n, place in enumerate(some(places, size, random))
        ]
        return Report(await together(jobs))


async def _run(
    world: World,
    kind: DatabaseKind,
    saboteur: Saboteur,
    place: tuple[str, int, Mode],
    number: int,
    losses: Losses,
) -> Run:
    hook, call, mode = place
    person = world.person()
    saboteur.armed[person.name] = place
    stream = await person.say(Script())
    if (stream is None) != (hook in BEFORE_THE_TURN):
        losses.add("other", f"{hook}: refused {person.messages[0].refused}")
    if stream is not None:
        await stream.read()
        if (stream.error is not None) != (hook in FAILS_THE_TURN):
            losses.add("other", f"{hook}, call {call}: the turn ended with {stream.error}")
    audit = Audit(person, world.stage.ledger)
    audit.losses = losses
    await audit.settled()
    await audit.compare_logs()
    await audit.go_on(again=number % 2 == 1)
    await audit.check_items()
    if person.name not in saboteur.struck:
        losses.add("other", f"{hook} was never called {call} times")
    return Run(f"plugin {mode} in a hook", kind, f"{hook} {call}", losses)
