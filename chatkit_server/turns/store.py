"""Where the turns under way are written down, so that one is found when its process has died."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..turn import User

TurnState = Literal["running", "completed", "failed", "cancelled", "interrupted"]
HeartbeatReply = Literal["go on", "cancel", "lost"]


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A turn as it is written down.

    `attempt` counts the processes that worked at it, from 1. `model` is the one asked for: hooks
    may still choose another. `request` identifies a repeated request. `partial` is JSON of what was
    said and not saved as items yet; it is None once the turn has ended. `error` is the message the
    user saw. A store may bring `user` back with `id` and `tenant` alone.
    """

    id: str
    thread_id: str
    user: User
    operation: str
    model: str
    request: str | None = None
    attempt: int = 1
    state: TurnState = "running"
    partial: bytes | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatSignal:
    """A sign of life: the turn, the attempt, and its partial answer if it has changed."""

    turn_id: str
    attempt: int
    partial: bytes | None = None


class TurnStore(ABC):
    """Keeps a record of each turn; a storage plugin returns one from the hook `turn_store`.

    Times are the store's own: all processes that share a store share its clock. Each method is
    atomic. Where a `user` is given, others' turns do not exist.
    """

    @abstractmethod
    async def begin(self, record: TurnRecord) -> TurnRecord | None:
        """Write down a running turn, with a first sign of life.

        Where a turn runs in its thread already, write nothing and return that one.
        """

    @abstractmethod
    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        """Note signs of life, and return by turn id what to do.

        `cancel` where somebody asked for that, `lost` where the attempt is no longer the current
        one or the turn does not run.
        """

    @abstractmethod
    async def end(self, turn_id: str, attempt: int, state: TurnState, error: str | None) -> bool:
        """Note that a turn has ended, and forget its partial answer.

        Return False, and write nothing, where the attempt is no longer the current one or the turn
        does not run.
        """

    @abstractmethod
    async def withdraw(self, turn_id: str, attempt: int) -> None:
        """Forget a running turn that was refused before anything of it was saved.

        Do nothing where the attempt is no longer the current one or the turn does not run.
        """

    @abstractmethod
    async def find(self, turn_id: str, user: User) -> TurnRecord | None:
        """Return a turn of the user's."""

    @abstractmethod
    async def running(self, thread_id: str, user: User) -> TurnRecord | None:
        """Return the turn that runs in a thread."""

    @abstractmethod
    async def asked(self, request: str, user: User, seconds: float) -> TurnRecord | None:
        """Return the newest turn that this request began, if it runs or ended within `seconds`."""

    @abstractmethod
    async def cancel(self, turn_id: str, user: User) -> bool:
        """Ask whoever works at a running turn to cancel it; return whether one runs."""

    @abstractmethod
    async def stale(self, seconds: float) -> list[TurnRecord]:
        """Return running turns without a sign of life for that long, of all users.

        A turn whose process is known to have ended is stale sooner.
        """

    @abstractmethod
    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        """Become the next attempt at a running turn, which counts as a sign of life.

        Return False where the turn is not stale, as `stale` has it, or `attempt` is not the current
        one: somebody else was first.
        """

    @abstractmethod
    async def prune(self, seconds: float) -> None:
        """Forget turns that ended longer ago than that."""


@dataclass
class _Row:
    record: TurnRecord
    beaten: float
    ended: float | None = None
    cancel: bool = False


class MemoryTurnStore(TurnStore):
    """Keeps the records in this process: what a store without turns of its own makes do with.

    A turn whose process has died is then forgotten with it.
    """

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._running: dict[tuple[str, str, str], str] = {}

    async def begin(self, record: TurnRecord) -> TurnRecord | None:
        other = await self.running(record.thread_id, record.user)
        if other is None:
            self._rows[record.id] = _Row(record, time.monotonic())
            self._running[_place(record.thread_id, record.user)] = record.id
        return other

    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        return {beat.turn_id: self._beat(beat) for beat in beats}

    def _beat(self, beat: HeartbeatSignal) -> HeartbeatReply:
        row = self._current(beat.turn_id, beat.attempt)
        if row is None:
            return "lost"
        row.beaten = time.monotonic()
        if beat.partial is not None:
            row.record = replace(row.record, partial=beat.partial)
        return "cancel" if row.cancel else "go on"

    async def end(self, turn_id: str, attempt: int, state: TurnState, error: str | None) -> bool:
        row = self._current(turn_id, attempt)
        if row is None:
            return False
        row.record = replace(row.record, state=state, error=error, partial=None)
        row.ended = time.monotonic()
        del self._running[_place(row.record.thread_id, row.record.user)]
        return True

    async def withdraw(self, turn_id: str, attempt: int) -> None:
        row = self._current(turn_id, attempt)
        if row is not None:
            del self._rows[turn_id]
            del self._running[_place(row.record.thread_id, row.record.user)]

    async def find(self, turn_id: str, user: User) -> TurnRecord | None:
        row = self._rows.get(turn_id)
        return row.record if row and _same(row.record.user, user) else None

    async def running(self, thread_id: str, user: User) -> TurnRecord | None:
        turn_id = self._running.get(_place(thread_id, user))
        return None if turn_id is None else self._rows[turn_id].record

    async def asked(self, request: str, user: User, seconds: float) -> TurnRecord | None:
        for row in reversed(self._rows.values()):
            record = row.record
            if record.request == request and _same(record.user, user):
                recent = row.ended is None or time.monotonic() - row.ended < seconds
                return record if recent else None
        return None

    async def cancel(self, turn_id: str, user: User) -> bool:
        row = self._rows.get(turn_id)
        if row is None or not _same(row.record.user, user) or row.record.state != "running":
            return False
        row.cancel = True
        return True

    async def stale(self, seconds: float) -> list[TurnRecord]:
        before = time.monotonic() - seconds
        rows = self._rows.values()
        return [r.record for r in rows if r.record.state == "running" and r.beaten < before]

    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        row = self._current(turn_id, attempt)
        if row is None or row.beaten > time.monotonic() - seconds:
            return False
        row.record = replace(row.record, attempt=attempt + 1)
        row.beaten = time.monotonic()
        return True

    async def prune(self, seconds: float) -> None:
        before = time.monotonic() - seconds
        gone = [id for id, row in self._rows.items() if row.ended and row.ended < before]
        for turn_id in gone:
            del self._rows[turn_id]

    def _current(self, turn_id: str, attempt: int) -> _Row | None:
        row = self._rows.get(turn_id)
        if row is None or row.record.state != "running" or row.record.attempt != attempt:
            return None
        return row


def _place(thread_id: str, user: User) -> tuple[str, str, str]:
    return user.tenant, user.id, thread_id


def _same(one: User, other: User) -> bool:
    return (one.tenant, one.id) == (other.tenant, other.id)
