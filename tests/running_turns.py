"""Turns that run without an engine, for tests of what keeps and ends them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from chatkit.types import ThreadMetadata

from chatkit_server import Turn, User
from chatkit_server.events.log import TurnLog
from chatkit_server.settings.schema import TurnSettings
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.turns.identity import RequestIdentity
from chatkit_server.turns.registry import TurnRegistry
from chatkit_server.turns.running import RunningTurn
from tests.mcp_calls import until

ANN = User("ann", "acme")
BOB = User("bob", "acme")
OTHER_ANN = User("ann", "umbrella")

NOBODY_KNOWS = RequestIdentity(content="c")


def settings_of(**given: Any) -> TurnSettings:
    """Return the section `turns` of the settings."""
    return TurnSettings.model_validate(given)


def make_running(
    turn_id: str = "turn_1",
    thread_id: str = "thr_1",
    *,
    user: User = ANN,
    identity: RequestIdentity = NOBODY_KNOWS,
    settings: TurnSettings | None = None,
    beside: bool = False,
) -> RunningTurn:
    """Return a turn that nobody works at yet, in its third attempt."""
    turn = Turn(
        id=turn_id,
        thread=ThreadMetadata(id=thread_id, created_at=datetime.now(UTC)),
        store=MemoryStore(),
        request_context=StoreContext(user, turn_id, 3),
        user=user,
        operation="plain",
    )
    settings = settings or TurnSettings()
    return RunningTurn(turn, TurnLog(turn_id), settings, identity, beside=beside)


class Work:
    """What a turn does: nothing until it is let go, as a turn would, with an end of its log."""

    def __init__(self, running: RunningTurn) -> None:
        self.running = running
        self.go_on = asyncio.Event()
        self.begun = self.cancelled = False

    async def run(self) -> None:
        """Wait, and end the log."""
        self.begun = True
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled = True
        self.running.log.end()


async def begin(registry: TurnRegistry, running: RunningTurn, user: User = ANN) -> Work:
    """Claim a thread and work at a turn in it."""
    work = Work(running)
    await registry.claim(running.thread_id, user, beside=running.beside)
    registry.start(running, work.run())
    registry.admit(running)
    await until(lambda: work.begun)
    return work


async def finish(registry: TurnRegistry, work: Work) -> None:
    """Let the work end, and wait until the registry knows."""
    work.go_on.set()
    await until(lambda: work.running not in registry.active)
