"""Signals that this process is alive, and ends the turns of processes that died."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..errors import RequestNeeded, ServerError
from ..lines import fixed_words
from ..records import OutageLog, log_error, quoted, repeats
from ..tasks import contained, run_to_completion
from ..turn import StoreContext, User
from .accepted import AcceptedTurn
from .accepting import AcceptedTurns
from .pulse import Pulse
from .recovery import Leftover, Recovery
from .registry import TurnRegistry
from .running import DELETED, STOPPED, TAKEN_OVER, Ending, RunningTurn
from .store import HeartbeatReply, HeartbeatSignal, TurnRecord, TurnStore

T = TypeVar("T")

Place = tuple[str, str, str]
"""A thread, with its user's tenant and id before it."""

log = logging.getLogger(__name__)

SIGNALS_PER_CALL = 100
"""Turns that are reported to the turn store with one statement."""

CONCURRENT_RECOVERIES = 8
"""Turns of dead processes that are ended at the same time."""

_ENDINGS: Mapping[HeartbeatReply, Ending] = {
    "cancel": STOPPED,
    "deleted": DELETED,
    "lost": TAKEN_OVER,
}
"""What heartbeats say of a turn that has not begun."""

PATIENCE_AT_START = 10
"""How many times `turns.stale` a turn needs no heartbeat when this process has just started."""


@dataclass(frozen=True)
class HeartbeatTiming:
    """Seconds between two heartbeats, and until a turn without one is stale.

    Sweeps run as often as heartbeats. The turn of a dead process is found after the sum of both, or
    sooner if the turn store knows that the process is gone.
    """

    beat: float
    stale: float

    @classmethod
    def of(cls, stale: float) -> HeartbeatTiming:
        """Return the timing for turns that are stale after so many seconds."""
        return cls(min(1.0, stale / 8), stale)

    @property
    def timeout(self) -> float:
        """Seconds after which a call to the turn store fails."""
        return self.stale / 2

    @property
    def slow(self) -> float:
        """Seconds from which an answer of the turn store is too slow to judge others by."""
        return self.stale / 4


@dataclass(frozen=True, slots=True)
class _Failed:
    """A recovery that failed, and whether it `needs_request`."""

    place: Place
    needs_request: bool


class Heartbeat:
    """Sends heartbeats for the running turns, and ends turns whose heartbeats have stopped."""

    def __init__(
        self,
        turns: TurnRegistry,
        turn_store: TurnStore,
        recovery: Recovery,
        keep: float,
        timing: HeartbeatTiming,
        accepted: AcceptedTurns | None = None,
    ) -> None:
        self._accepted = accepted
        self._turns = turns
        self._turn_store = turn_store
        self._recovery = recovery
        self._keep = keep
        self._timing = timing
        self._reported: dict[str, int] = {}
        self._failed: dict[str, _Failed] = {}
        self._pulse = Pulse(turns, turn_store, timing.beat, timing.stale)
        self._started = float("-inf")
        self._sweeps_from = 0.0
        self._outage = OutageLog(log, "the turn store")

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Send heartbeats and sweep while the block runs."""
        self._started = asyncio.get_running_loop().time()
        with self._pulse.run():
            tasks = [
                asyncio.create_task(self._every(self._timing.beat, self.beat)),
                asyncio.create_task(self._every(self._timing.beat, self.sweep)),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                # Without heartbeats, others would take over the turns of this process
                with contained():
                    await work()
            except Exception as error:
                limit = f"no answer within {self._timing.timeout:g} s"
                is_bare = isinstance(error, TimeoutError) and not error.args
                self._outage.failed(limit if is_bare else quoted(error))
                self._put_off_sweeps()
            await asyncio.sleep(seconds)

    def _put_off_sweeps(self) -> None:
        """Give other processes time to send heartbeats: perhaps none could until now."""
        self._sweeps_from = asyncio.get_running_loop().time() + self._timing.stale

    async def beat(self) -> None:
        """Report the running turns, with what they have said so far, and do what others ask for.

        Raises what the turn store raises; the next heartbeat then reports everything again.
        """
        active = {running.id: running for running in self._turns.active}
        self._reported = {id: reported for id, reported in self._reported.items() if id in active}
        for some in _groups(list(active.values()), SIGNALS_PER_CALL):
            await self._beat(some)
        for waiting in _groups(list(self._turns.accepted.values()), SIGNALS_PER_CALL):
            await self._beat_accepted(waiting)
        self._pulse.beaten()

    async def _beat(self, some: Sequence[RunningTurn]) -> None:
        lengths = {running.id: len(running.log) for running in some}
        beats = [self._signal(running) for running in some]
        async with asyncio.timeout(self._timing.timeout):
            replies = await self._turn_store.beat(beats)
        self._reported |= lengths
        for running in some:
            reply = replies.get(running.id)
            if reply == "visited":
                running.visited()
            elif reply == "cancel":
                running.end(STOPPED)
            elif reply == "deleted":
                running.end(DELETED)
            elif reply == "lost" and not running.is_over:
                running.end(TAKEN_OVER)

    async def _beat_accepted(self, some: Sequence[AcceptedTurn]) -> None:
        """Report turns that have not begun."""
        beats = [HeartbeatSignal(accepted.id, accepted.attempt) for accepted in some]
        async with asyncio.timeout(self._timing.timeout):
            replies = await self._turn_store.beat(beats)
        for accepted in some:
            ending = _ENDINGS.get(replies.get(accepted.id, "go on"))
            if ending is not None:
                accepted.end(ending)

    def _signal(self, running: RunningTurn) -> HeartbeatSignal:
        turn_id = running.id
        attempt = running.attempt
        if self._reported.get(turn_id) == len(running.log):
            return HeartbeatSignal(turn_id, attempt)
        try:
            return HeartbeatSignal(turn_id, attempt, running.partial().dump())
        except Exception as error:
            # The turn is alive all the same
            what = "its partial answer could not be saved"
            again = repeats(f"{what}: {type(error).__name__}", f"turn: {what}", turn_id)
            log_error(log, logging.ERROR, error, f"turn %s: {what}", turn_id, extra=again)
            return HeartbeatSignal(turn_id, attempt)

    async def sweep(self) -> None:
        """Forget turns that ended long ago, and end the turns of dead processes.

        Raises what the turn store raises.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        stale_after = self._stale_after(began)
        async with asyncio.timeout(self._timing.timeout):
            # A write: it waits for whatever the heartbeats of others wait for
            await self._turn_store.prune(self._keep)
            stale = await self._turn_store.stale(stale_after)
        self._outage.answered()
        now = loop.time()
        if now - began > self._timing.slow:
            self._put_off_sweeps()
        if now < self._sweeps_from:
            return
        known = {running.id for running in self._turns.alive}
        waiting = self._turns.waiting
        known |= {
            id
            for id, failed in self._failed.items()
            if failed.needs_request and failed.place not in waiting
        }
        leftover = [record for record in stale if record.id not in known]
        for some in _groups(leftover, CONCURRENT_RECOVERIES):
            await asyncio.gather(*(self._take_over(record, stale_after) for record in some))

    def _stale_after(self, now: float) -> float:
        """Return after how many seconds without a heartbeat a turn is stale.

        What happened before this process started is not known: perhaps nobody could send one. Until
        others had the time to, only turns whose process is known to be gone are found.
        """
        stale = self._timing.stale
        return stale * PATIENCE_AT_START if now < self._started + stale else stale

    async def open(self, thread_id: str, context: StoreContext) -> None:
        """End what could not be recovered in a thread, perhaps for want of a request of its user.

        This is one. Raises what the turn store raises.
        """
        place = _place(thread_id, context.user)
        for turn_id in [id for id, failed in self._failed.items() if failed.place == place]:
            del self._failed[turn_id]
            record = await self._turn_store.find(turn_id, context.user)
            if record is not None and not record.is_over:
                await self._take_over(record, 0, context.context)

    async def _take_over(self, record: TurnRecord, stale_after: float, given: Any = None) -> None:
        place = _place(record.thread_id, record.user)
        given = self._turns.waiting.get(place) if given is None else given
        try:
            with contained():
                await self._recover(record, stale_after, given)
            self._failed.pop(record.id, None)
        except RequestNeeded as error:
            # Another sweep has no request either
            self._failed[record.id] = _Failed(place, needs_request=True)
            what = "what it said is saved when its user next opens the thread"
            again = repeats(what, "turn", record.id)
            log_error(
                log,
                logging.WARNING,
                error.__cause__ or error,
                f"turn %s: {what}",
                record.id,
                extra=again,
            )
        except Exception as error:
            # A later sweep finds it again, when it is stale again
            self._failed[record.id] = _Failed(place, needs_request=False)
            what = "could not recover it from its dead process"
            reason = error.message if isinstance(error, ServerError) else type(error).__name__
            again = repeats(fixed_words(reason), f"turn: {what}", record.id)
            log_error(log, logging.ERROR, error, f"turn %s: {what}", record.id, extra=again)

    async def _recover(self, record: TurnRecord, stale_after: float, given: Any) -> None:
        attempt = record.attempt
        if self._turns.was_refused(record.id):
            await self._turn_store.withdraw(record.id, attempt)
            self._turns.forget_refused(record.id)
            return
        taken = replace(record, attempt=attempt + 1)
        accepted = self._accepted
        if accepted is not None and not accepted.has_room(record):
            return
        if not await self._turn_store.take_over(record.id, attempt, stale_after):
            return
        if accepted is not None and await accepted.take_on(taken, given):
            return
        recover = self._recovery.end(record, attempt + 1, self._leftover(record), given)
        if await run_to_completion(recover):
            raise asyncio.CancelledError

    def _leftover(self, record: TurnRecord) -> Leftover:
        """Return how a turn ended: in this process, if only its end could not be recorded."""
        running = self._turns.find(record.id, record.user)
        status = running.status if running is not None else None
        if running is None or status is None or running.problem is TAKEN_OVER.problem:
            return Leftover()
        message = running.problem.message if running.problem else None
        return Leftover(status, message, post_turn_called=True)


def _place(thread_id: str, user: User) -> Place:
    return user.tenant, user.id, thread_id


def _groups(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
