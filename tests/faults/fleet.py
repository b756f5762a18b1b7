"""Several processes of one deployment, behind a proxy that sends each request to another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from aiohttp import ClientSession

from tests.databases import DatabaseKind
from tests.faults.crowd import Victim
from tests.faults.person import Message, Person, Stream
from tests.faults.round_robin import RoundRobin
from tests.faults.running import Size
from tests.faults.world import Backstage, client, world

COUNT: dict[DatabaseKind, int] = {"sqlite": 2, "postgresql": 3}
"""How many processes the deployments of these runs have."""


def carried_by(redis: str | None) -> str:
    """Return what the name of a fault ends with: what carries events between processes."""
    return ", with Redis" if redis else ", without Redis"


def carriers_of(redis: str, size: Size, random: Random) -> list[str | None]:
    """Return what carries events in these runs: Redis and nothing; a short run has one of them."""
    both = [redis, None]
    return both if size.points is None else [random.choice(both)]


def plugins(stage: Backstage, database: str, redis: str | None) -> dict[str, Any]:
    """Return the plugins of a process."""
    given: dict[str, Any] = stage.sections(database)["plugins"]
    return {**given, "redis_events": {"url": redis}} if redis else given


@dataclass
class Fleet:
    """Applications in this process that share a database, as the processes of a deployment do."""

    stage: Backstage
    front: RoundRobin
    session: ClientSession
    path: str

    def person(self) -> Person:
        """Return a new user."""
        return self.stage.person(self.session, self.path)


@asynccontextmanager
async def fleet(
    stage: Backstage, database: str, count: int, redis: str | None, **sections: Any
) -> AsyncIterator[Fleet]:
    """Run so many of them while the block runs."""
    sections = {"plugins": plugins(stage, database, redis), **sections}
    async with AsyncExitStack() as stack:
        worlds = [
            await stack.enter_async_context(world(stage, database, **sections))
            for _ in range(count)
        ]
        front = await stack.enter_async_context(RoundRobin(here.port for here in worlds))
        session = await stack.enter_async_context(client(front.url, force_close=True))
        yield Fleet(stage, front, session, worlds[0].path)


class Roamer(Victim):
    """A user of a fleet, who goes on at another process when a connection breaks.

    A second page of the same user watches each answer, from another process.
    """

    async def listen(self, delay: float) -> None:
        """Send the message after a delay, and read the answer on both pages."""
        await asyncio.sleep(delay)
        if self.retried is not None:
            self.person.renew(self.message, self.retried, self.answers)
        self.sent = True
        await self.talk(self.message)

    async def talk(self, message: Message) -> None:
        """Send a message, and read the answer on both pages."""
        self.stream = stream = await self.person.insist(message)
        if stream is None:
            self.losses.add("other", f"{message.tag}: refused: {message.refused}")
            return
        await asyncio.gather(stream.read_on(), self._watch(stream))

    async def _watch(self, stream: Stream) -> None:
        other = await self.person.watch(stream)
        await other.read_on()

    async def reached(self, count: int) -> None:
        """Wait until so many events have come, or all."""
        while not (stream := self.stream) or not (stream.ended or len(stream.frames) >= count):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
