"""Shows that this process is alive, and ends the turns of processes that are not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from ..tasks import to_the_end
from .recovery import Left, Recovery
from .running import STOPPED, TAKEN_OVER, RunningTurn, Turns
from .store import Beat, TurnRecord, TurnStore

T = TypeVar("T")

log = logging.getLogger(__name__)

BEATS_AT_ONCE = 100
RECOVERED_AT_ONCE = 8


@dataclass(frozen=True)
class KeeperPace:
    """Seconds from beat to beat, and until a turn without beats is stale.

    There are as many sweeps as beats: the turn of a dead process is found within both together, and
    sooner where the turn store knows that the process is gone.
    """

    beat: float
    stale: float

    @classmethod
    def of(cls, stale: float) -> KeeperPace:
        """Return the pace for turns that are stale after so many seconds."""
        return cls(min(1.0, stale / 8), stale)

    @property
    def patience(self) -> float:
        """The seconds after which the turn store counts as out of reach."""
        return self.stale / 2


class Keeper:
    """Beats for the turns under way, and sweeps up after processes that beat no more."""

    def __init__(
        self,
        turns: Turns,
        turn_store: TurnStore,
        recovery: Recovery,
        keep: float,
        pace: KeeperPace,
    ) -> None:
        self._turns = turns
        self._turn_store = turn_store
        self._recovery = recovery
        self._keep = keep
        self._pace = pace
        self._told: dict[str, int] = {}
        self._trusts_from = 0.0

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Beat and sweep while the block runs."""
        tasks = [
            asyncio.create_task(self._every(self._pace.beat, self.beat)),
            asyncio.create_task(self._every(self._pace.beat, self.sweep)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await work()
            except Exception as error:
                log.warning("the turn store does not answer: %r", error)
                # Nobody could give signs of life; now they get the time to
                self._trusts_from = loop.time() + self._pace.stale
            await asyncio.sleep(seconds)

    async def beat(self) -> None:
        """Write down how far the turns under way have come, and do what is asked for them.

        Raises what the turn store raises; the next beat then tells everything again.
        """
        under_way = {running.id: running for running in self._turns.under_way}
        self._told = {id: told for id, told in self._told.items() if id in under_way}
        for some in _groups(list(under_way.values()), BEATS_AT_ONCE):
            await self._beat(some)

    async def _beat(self, some: Sequence[RunningTurn]) -> None:
        lengths = {running.id: len(running.log) for running in some}
        beats = [self._sign(running) for running in some]
        async with asyncio.timeout(self._pace.patience):
            pulses = await self._turn_store.beat(beats)
        self._told |= lengths
        for running in some:
            pulse = pulses.get(running.id)
            if pulse == "cancel":
                running.end(STOPPED)
            elif pulse == "lost" and not running.log.ended:
                running.end(TAKEN_OVER)

    def _sign(self, running: RunningTurn) -> Beat:
        turn_id = running.id
        attempt = running.attempt
        if self._told.get(turn_id) == len(running.log):
            return Beat(turn_id, attempt)
        try:
            return Beat(turn_id, attempt, running.partial().dump())
        except Exception:
            # A turn with something odd in it is as alive as any
            log.exception("turn %s: its partial answer cannot be written down", turn_id)
            return Beat(turn_id, attempt)

    async def sweep(self) -> None:
        """End the turns that nobody works at, and forget those that ended long ago.

        Raises what the turn store raises.
        """
        async with asyncio.timeout(self._pace.patience):
            stale = await self._turn_store.stale(self._pace.stale)
        if asyncio.get_running_loop().time() >= self._trusts_from:
            ours = {running.id for running in self._turns.under_way}
            left = [record for record in stale if record.id not in ours]
            for some in _groups(left, RECOVERED_AT_ONCE):
                await asyncio.gather(*(self._take_over(record) for record in some))
        await self._turn_store.prune(self._keep)

    async def _take_over(self, record: TurnRecord) -> None:
        attempt = record.attempt
        try:
            if not await self._turn_store.take_over(record.id, attempt, self._pace.stale):
                return
            recover = self._recovery.end(record, attempt + 1, self._left(record))
            if await to_the_end(recover):
                raise asyncio.CancelledError
        except Exception:
            # It stays as it is: when it is stale again, a sweep finds it again
            log.exception("turn %s: what its process left could not be saved", record.id)

    def _left(self, record: TurnRecord) -> Left:
        """Return how a turn ended: here, if only its end could not be written down."""
        running = self._turns.find(record.id, record.user)
        if running is None or running.status is None or running.problem is TAKEN_OVER.problem:
            return Left()
        message = running.problem.message if running.problem else None
        return Left(running.status, message, looked_back=True)


def _groups(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
