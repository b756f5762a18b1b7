"""Many runs at once; an error in one does not stop the others."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from tests.faults.losses import Losses, Run

T = TypeVar("T")

AT_ONCE = 6
_TICK = 0.01


@dataclass(frozen=True)
class Size:
    """How much to run.

    `points` is at how many points of a turn each fault strikes, None for all; `repeats` how often.
    `kills`, `replicas`, `drains`, `outages` are strikes at a whole server for each database,
    `owners` and `rolls` those at deployments of several processes, `people` how many use it then,
    `lanes` how many servers run at once. With `slow`, some turns under way take longer than their
    partial answers may stay unsaved.
    """

    points: int | None = None
    repeats: int = 1
    kills: int = 100
    replicas: int = 10
    drains: int = 8
    outages: int = 10
    owners: int = 32
    rolls: int = 3
    people: int = 4
    lanes: int = 5
    slow: bool = True

    @property
    def hosted(self) -> Size:
        """The same for hosted servers: a short run strikes them once with each fault."""
        return self if self.points is None else replace(self, points=1)


FULL = Size()
SHORT = Size(
    points=2,
    kills=1,
    replicas=0,
    drains=1,
    outages=1,
    owners=1,
    rolls=1,
    people=4,
    lanes=1,
    slow=False,
)


def some(points: Sequence[T], size: Size, random: Random) -> list[T]:
    """Return the points to strike at."""
    if size.points is None or size.points >= len(points):
        return list(points) * size.repeats
    return random.sample(points, size.points)


@asynccontextmanager
async def lost_time() -> AsyncIterator[Callable[[], float]]:
    """Count the seconds that this process waits for the processor while the block runs.

    The servers in this process wait too, which is not their fault.
    """
    lost = 0.0

    async def count() -> None:
        nonlocal lost
        while True:
            begun = time.monotonic()
            await asyncio.sleep(_TICK)
            lost += time.monotonic() - begun - _TICK

    counting = asyncio.create_task(count())
    try:
        yield lambda: lost
    finally:
        counting.cancel()


@dataclass(frozen=True)
class Job:
    """A run to be made."""

    fault: str
    database: str
    work: Callable[[Losses], Awaitable[Run]]

    async def run(self) -> Run:
        """Make the run; an error in it counts as a loss."""
        losses = Losses()
        made = await guarded(self.work(losses), losses)
        return made or Run(self.fault, self.database, "nothing received", losses)


async def guarded(work: Awaitable[T], losses: Losses) -> T | None:
    """Await `work`; an error in it counts as a loss."""
    try:
        return await work
    except Exception:
        losses.add("other", traceback.format_exc(limit=-6))
        return None


async def together(jobs: Iterable[Job]) -> list[Run]:
    """Make runs, `AT_ONCE` at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def make(job: Job) -> Run:
        async with places:
            return await job.run()

    return await asyncio.gather(*map(make, jobs))
