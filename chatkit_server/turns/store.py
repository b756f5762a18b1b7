"""The records of turns, so that a turn can be recovered when its process has died."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import TakenOver, Unprocessable
from ..turn import User
from ..words import words

TurnState = Literal["accepted", "running", "completed", "failed", "cancelled", "interrupted"]
HeartbeatReply = Literal["go on", "visited", "cancel", "deleted", "lost"]


GONE = "another process has taken this turn over, or it has ended"


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A turn as the turn store keeps it.

    `attempt` counts the processes that worked at it, from 1. `model` is the one asked for: hooks
    may still choose another. `request` identifies a repeated request, and `content` is a digest of
    its body. `partial` is JSON of what was said and not saved as items yet, and once the turn has
    ended, of what no item has. `error` is the message the user saw. `beside` says that the turn
    runs beside others in its thread, as actions do. `accepted` is JSON of what a turn is to answer
    that is to begin whatever happens. A store may bring `user` back with `id` and `tenant` alone,
    and forget `beside` once the turn has ended.
    """

    id: str
    thread_id: str
    user: User
    operation: str
    model: str
    request: str | None = None
    content: str | None = None
    attempt: int = 1
    state: TurnState = "running"
    partial: bytes | None = None
    error: str | None = None
    beside: bool = False
    accepted: bytes | None = None

    @property
    def is_over(self) -> bool:
        """Whether the turn has ended."""
        return self.state not in ("accepted", "running")


@dataclass(frozen=True, slots=True)
class HeartbeatSignal:
    """Says that a turn is alive: its id, its attempt, and its partial answer if it has changed."""

    turn_id: str
    attempt: int
    partial: bytes | None = None


class TurnStore(ABC):
    """Keeps a record of each turn. A storage plugin returns one from its hook `turn_store`.

    Each method is atomic. Times are those of the store, so that all processes share one clock. A
    method that takes a `user` finds only turns of that user.

    A turn that is only `accepted` has not begun, and runs in no thread. Everything else that is
    said of running turns holds for it: heartbeats, `cancel`, `stale`, `take_over`, `end`.
    """

    @abstractmethod
    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        """Record a running turn, with a first heartbeat.

        If a turn of the same user has its `request`, and runs or ended within `repeat` seconds,
        record nothing and return that one. If another turn runs in its thread, record nothing and
        return that. A turn `beside` others does not wait for its thread, and is never that other
        turn.
        """

    async def accept(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        """Record a turn with the state `accepted`, with a first heartbeat.

        A turn of the same request is returned as by `begin`. Without this, turns can only be
        started by those who wait for them.
        """
        raise Unprocessable(
            words("The turn store of this server cannot keep a turn that begins later.")
        )

    async def begin_accepted(self, record: TurnRecord) -> TurnRecord | None:
        """Have an accepted turn run, with this `model` and `partial`. It may run already.

        If another turn runs in its thread, or was accepted before it and waits there too, change
        nothing and return that one. Raises `TakenOver` if the attempt is no longer the current one,
        or if the turn has ended or is gone.
        """
        raise NotImplementedError

    async def next_in(self, thread_id: str, user: User) -> TurnRecord | None:
        """Return the turn that runs in a thread, or else the accepted one that waits there longest:
        the next to begin. A store that has `accept` has this too."""
        return await self.running(thread_id, user)

    async def release(self, turn_id: str, attempt: int) -> None:
        """Have a turn be stale at once: this process does not work on it any more.

        Do nothing if the attempt is no longer the current one or the turn has ended. Without this,
        the next process takes it over when it is stale.
        """
        return

    @abstractmethod
    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        """Record heartbeats, and return by turn id what to do.

        `visited` while the time of a `visit` lasts, `cancel` if another process asked for that,
        `deleted` if the thread was deleted, `lost` if
        the attempt is no longer the current one or the turn does not run. A store that does not
        know that the thread was deleted says so when the turn next writes: `NotFoundError`.
        """

    def keep_alive(self, beats: Sequence[HeartbeatSignal]) -> None:
        """Record heartbeats from a thread, while the event loop is too late to call `beat`.

        It may block, and must use neither the event loop nor what waits in a queue of it, such as a
        pool: open a connection of its own. The turns that `begin` has just recorded are not in
        `beats` yet, and need a heartbeat too. Without this, a process whose event loop is blocked
        for longer than `turns.stale` loses its turns to others.
        """
        return

    @abstractmethod
    async def end(
        self,
        turn_id: str,
        attempt: int,
        state: TurnState,
        error: str | None,
        partial: bytes | None = None,
    ) -> bool:
        """Record that a turn has ended, with `partial` in place of its partial answer.

        Return False, and write nothing, if the attempt is no longer the current one or the turn
        does not run.
        """

    @abstractmethod
    async def withdraw(self, turn_id: str, attempt: int) -> None:
        """Delete the record of a running turn that was refused before anything was saved.

        Do nothing if the attempt is no longer the current one or the turn does not run.
        """

    @abstractmethod
    async def find(self, turn_id: str, user: User) -> TurnRecord | None:
        """Return a turn of this user."""

    @abstractmethod
    async def running(self, thread_id: str, user: User) -> TurnRecord | None:
        """Return the turn that runs in a thread, and not `beside` it."""

    @abstractmethod
    async def find_by_request(self, request: str, user: User, seconds: float) -> TurnRecord | None:
        """Return the newest turn of this request, if it runs or ended within `seconds`."""

    @abstractmethod
    async def cancel(self, turn_id: str, user: User) -> bool:
        """Ask the process of a running turn to cancel it; return whether it runs."""

    async def visit(self, turn_id: str, user: User, seconds: float) -> None:
        """Note that the user of a running turn is there for so long, for the process that runs it.

        An earlier visit may last longer.

        Without this, `turns.disconnect.grace` ends a turn whose client has come back to another
        process, unless an event log carries it.
        """
        return

    @abstractmethod
    async def stale(self, seconds: float) -> list[TurnRecord]:
        """Return the running turns of all users that had no heartbeat for that long.

        A turn whose process is known to be gone is stale sooner.
        """

    @abstractmethod
    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        """Start the next attempt at a stale turn, which counts as a heartbeat.

        Return False if the turn is not stale as `stale` defines it, or if `attempt` is not the
        current one: another process was first.
        """

    @abstractmethod
    async def prune(self, seconds: float) -> None:
        """Delete the records of turns that ended longer ago than that."""


@dataclass
class _Row:
    record: TurnRecord
    beaten: float
    ended: float | None = None
    cancel: bool = False
    visited: float = 0.0


class MemoryTurnStore(TurnStore):
    """Keeps the records in this process, for deployments whose store has no turn store.

    When the process dies, its records are gone too.
    """

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._running: dict[tuple[str, str, str], str] = {}

    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        other = self._newest_of(record.request, record.user, repeat)
        if other is None and not record.beside:
            other = await self.running(record.thread_id, record.user)
        if other is not None:
            return other
        if not record.beside:
            self._running[_place(record.thread_id, record.user)] = record.id
        self._rows[record.id] = _Row(record, time.monotonic())
        return None

    async def accept(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        other = self._newest_of(record.request, record.user, repeat)
        if other is None:
            self._rows[record.id] = _Row(record, time.monotonic())
        return other

    async def begin_accepted(self, record: TurnRecord) -> TurnRecord | None:
        row = self._current(record.id, record.attempt)
        if row is None:
            raise TakenOver(GONE)
        other = await self.next_in(record.thread_id, record.user)
        if other is not None and other.id != record.id:
            return other
        row.record = replace(
            row.record, state="running", model=record.model, partial=record.partial
        )
        row.beaten = time.monotonic()
        self._running[_place(record.thread_id, record.user)] = record.id
        return None

    async def next_in(self, thread_id: str, user: User) -> TurnRecord | None:
        running, place = await self.running(thread_id, user), _place(thread_id, user)
        waiting = (row.record for row in self._rows.values() if row.record.state == "accepted")
        first = next((one for one in waiting if _place(one.thread_id, one.user) == place), None)
        return running or first

    async def release(self, turn_id: str, attempt: int) -> None:
        row = self._current(turn_id, attempt)
        if row is not None:
            row.beaten = float("-inf")

    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        return {beat.turn_id: self._beat(beat) for beat in beats}

    def _beat(self, beat: HeartbeatSignal) -> HeartbeatReply:
        row = self._current(beat.turn_id, beat.attempt)
        if row is None:
            return "lost"
        row.beaten = time.monotonic()
        if beat.partial is not None:
            row.record = replace(row.record, partial=beat.partial)
        if row.cancel:
            return "cancel"
        return "visited" if row.visited > row.beaten else "go on"

    async def end(
        self,
        turn_id: str,
        attempt: int,
        state: TurnState,
        error: str | None,
        partial: bytes | None = None,
    ) -> bool:
        row = self._current(turn_id, attempt)
        if row is None:
            return False
        row.record = replace(row.record, state=state, error=error, partial=partial)
        row.ended = time.monotonic()
        self._leave(row.record)
        return True

    async def withdraw(self, turn_id: str, attempt: int) -> None:
        row = self._current(turn_id, attempt)
        if row is not None:
            del self._rows[turn_id]
            self._leave(row.record)

    async def find(self, turn_id: str, user: User) -> TurnRecord | None:
        row = self._rows.get(turn_id)
        return row.record if row and _same(row.record.user, user) else None

    async def running(self, thread_id: str, user: User) -> TurnRecord | None:
        turn_id = self._running.get(_place(thread_id, user))
        return None if turn_id is None else self._rows[turn_id].record

    async def find_by_request(self, request: str, user: User, seconds: float) -> TurnRecord | None:
        return self._newest_of(request, user, seconds)

    def _newest_of(self, request: str | None, user: User, seconds: float) -> TurnRecord | None:
        for row in reversed(self._rows.values()) if request is not None else ():
            record = row.record
            if record.request == request and _same(record.user, user):
                recent = row.ended is None or time.monotonic() - row.ended < seconds
                return record if recent else None
        return None

    async def cancel(self, turn_id: str, user: User) -> bool:
        row = self._rows.get(turn_id)
        if row is None or not _same(row.record.user, user) or row.record.is_over:
            return False
        row.cancel = True
        return True

    async def visit(self, turn_id: str, user: User, seconds: float) -> None:
        row = self._rows.get(turn_id)
        if row is not None and _same(row.record.user, user):
            row.visited = max(row.visited, time.monotonic() + seconds)

    async def stale(self, seconds: float) -> list[TurnRecord]:
        before = time.monotonic() - seconds
        rows = self._rows.values()
        return [r.record for r in rows if not r.record.is_over and r.beaten < before]

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

    def _leave(self, record: TurnRecord) -> None:
        place = _place(record.thread_id, record.user)
        if self._running.get(place) == record.id:
            del self._running[place]

    def _current(self, turn_id: str, attempt: int) -> _Row | None:
        row = self._rows.get(turn_id)
        if row is None or row.record.is_over or row.record.attempt != attempt:
            return None
        return row


def _place(thread_id: str, user: User) -> tuple[str, str, str]:
    return user.tenant, user.id, thread_id


def _same(one: User, other: User) -> bool:
    return (one.tenant, one.id) == (other.tenant, other.id)
