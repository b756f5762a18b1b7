"""The turns of this process: one at a time in each thread."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadRequest, Conflict, Unavailable, Unprocessable
from ..settings.schema import TurnSettings
from ..turn import User
from .identity import RequestIdentity
from .running import RESTARTED, STOPPED, Owner, RunningTurn


@dataclass
class ThreadSlot:
    """Which turn runs in a thread, and how many wait for it to end."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: RunningTurn | None = None
    waiting: int = 0


class TurnRegistry:
    """The turns of this process: those that run, and those that ended up to `turns.keep` ago."""

    def __init__(self, settings: TurnSettings) -> None:
        self.closing = False
        self._settings = settings
        self._ending_all = False
        self._slots: dict[str, ThreadSlot] = {}
        self._vacant = asyncio.Event()
        self._vacant.set()
        self._known: dict[str, RunningTurn] = {}
        self._requests: dict[tuple[Owner, str], RunningTurn] = {}
        self._once: dict[tuple[Owner, str], tuple[asyncio.Lock, int]] = {}
        self._tasks: dict[asyncio.Task[None], RunningTurn] = {}
        self._refused: set[str] = set()
        self._ended_turns: deque[RunningTurn] = deque()
        self._next_cleanup: asyncio.TimerHandle | None = None
        self._ended_size = 0

    @property
    def active(self) -> list[RunningTurn]:
        """The turns whose task runs."""
        return list(self._tasks.values())

    def find(self, turn_id: str, user: User) -> RunningTurn | None:
        """Return a turn of this user, if this process still keeps it."""
        running = self._known.get(turn_id)
        return running if running and running.owner == (user.tenant, user.id) else None

    def in_thread(self, thread_id: str, user: User) -> RunningTurn | None:
        """Return the turn that runs in a thread of this user."""
        slot = self._slots.get(thread_id)
        running = slot.running if slot else None
        if running is None or running.owner != (user.tenant, user.id) or running.log.ended:
            return None
        return running

    def repeated(self, identity: RequestIdentity, user: User) -> tuple[RunningTurn, int] | None:
        """Return the turn that an equal request started, and the last event the client has seen.

        Raises `BadRequest` for an event that has not happened yet, and `Unprocessable` if another
        request used the same key.
        """
        owner = (user.tenant, user.id)
        if identity.last_event is not None:
            turn_id, number = identity.last_event
            running = self.find(turn_id, user)
            if running is not None:
                if number > len(running.log):
                    raise BadRequest(f"Last-Event-ID: this turn has {len(running.log)} events.")
                return running, number
        running = self._requests.get((owner, identity.key or ""))
        if running is not None:
            if running.identity.content != identity.content:
                raise Unprocessable(
                    "Idempotency-Key: another request used this key. Use a new key for each one."
                )
            return running, 0
        running = self._requests.get((owner, identity.body or ""))
        return (running, 0) if running is not None and self._is_fresh(running) else None

    def _is_fresh(self, running: RunningTurn) -> bool:
        return not running.log.ended and running.seconds < self._settings.repeat

    @asynccontextmanager
    async def one_at_a_time(self, identity: RequestIdentity, user: User) -> AsyncIterator[None]:
        """Let equal requests in one at a time, so that the second finds the turn of the first."""
        async with AsyncExitStack() as stack:
            for place in identity.places:
                await stack.enter_async_context(self._exclusively((user.tenant, user.id), place))
            yield

    @asynccontextmanager
    async def _exclusively(self, owner: Owner, request: str) -> AsyncIterator[None]:
        place = (owner, request)
        lock, waiting = self._once.get(place, (asyncio.Lock(), 0))
        self._once[place] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._once.pop(place)
            if waiting > 1:
                self._once[place] = lock, waiting - 1

    async def claim(self, thread_id: str, user: User) -> bool:
        """Lock the thread for a new turn; return whether that had to wait for another turn.

        `turns.when_busy` says what happens to a turn that runs there. Raises `Unavailable` while
        the server shuts down or is full, `Conflict` if `when_busy` is `reject`.
        """
        self._refuse_if_full(thread_id, user)
        slot = self._slots.setdefault(thread_id, ThreadSlot())
        if slot.lock.locked() and self._settings.when_busy == "reject":
            raise Conflict("An answer is still being written in this conversation.")
        busy = slot.lock.locked()
        slot.waiting += 1
        try:
            if slot.running is not None and self._settings.when_busy == "interrupt":
                slot.running.end(STOPPED)
            self._vacant.clear()
            await slot.lock.acquire()
        finally:
            slot.waiting -= 1
            self._leave(thread_id, slot)
        if self.closing:
            self.release(thread_id)
            self._refuse_if_full(thread_id, user)
        return busy

    def release(self, thread_id: str) -> None:
        """Unlock the thread."""
        slot = self._slots[thread_id]
        slot.running = None
        slot.lock.release()
        self._leave(thread_id, slot)

    def _leave(self, thread_id: str, slot: ThreadSlot) -> None:
        """Remove a slot that is neither locked nor waited for."""
        if not slot.waiting and not slot.lock.locked():
            del self._slots[thread_id]
        if not self._slots:
            self._vacant.set()

    def start(self, running: RunningTurn, work: Coroutine[Any, Any, None]) -> None:
        """Work at a turn whose thread was claimed; the thread is released when it ends.

        Before the turn is admitted it can be found by its request alone.
        """
        for place in running.identity.places:
            self._requests[running.owner, place] = running
        task = running.run(work)
        self._tasks[task] = running
        task.add_done_callback(self._ended)
        if self._ending_all:
            running.end(RESTARTED)

    def admit(self, running: RunningTurn) -> None:
        """Let a turn that was started be found: its preparation has succeeded."""
        self._slots[running.thread_id].running = running
        self._known[running.id] = running
        running.prepared()

    def note_refused(self, running: RunningTurn) -> None:
        """Remember a refused turn whose record is still to be withdrawn."""
        self._refused.add(running.id)

    def was_refused(self, turn_id: str) -> bool:
        """Whether a turn was refused and its record is still to be withdrawn."""
        return turn_id in self._refused

    def forget_refused(self, turn_id: str) -> None:
        """Forget a refused turn whose record is gone."""
        self._refused.discard(turn_id)

    def _ended(self, task: asyncio.Task[None]) -> None:
        running = self._tasks.pop(task)
        running.close()
        self.release(running.thread_id)
        if running.id not in self._known:
            # The same request may be sent again
            self._forget_request(running)
            running.prepared()
            return
        self._ended_size += running.log.size
        self._ended_turns.append(running)
        self._forget_old()

    def _forget_old(self) -> None:
        """Forget the oldest turns: those kept long enough, or beyond `turns.keep_size`."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._ended_turns and (
            now - self._ended_turns[0].ended_at >= self._settings.keep
            or self._ended_size > self._settings.keep_size
        ):
            self._forget(self._ended_turns.popleft())
        if self._ended_turns and self._next_cleanup is None:
            # One timer for all: a timer of its own would keep the context of each turn
            due = self._ended_turns[0].ended_at + self._settings.keep
            self._next_cleanup = loop.call_at(due, self._clean_up, context=Context())

    def _clean_up(self) -> None:
        self._next_cleanup = None
        self._forget_old()

    def _forget(self, running: RunningTurn) -> None:
        self._ended_size -= running.log.size
        self._known.pop(running.id, None)
        self._forget_request(running)

    def _forget_request(self, running: RunningTurn) -> None:
        for place in running.identity.places:
            if self._requests.get((running.owner, place)) is running:
                del self._requests[running.owner, place]

    def overtaken(self, thread_id: str) -> bool:
        """Whether another request waits to interrupt the turn in this thread."""
        return self._settings.when_busy == "interrupt" and self._slots[thread_id].waiting > 0

    def _refuse_if_full(self, thread_id: str, user: User) -> None:
        if self.closing:
            raise Unavailable("The server is restarting. Try again in a moment.", retry_after=5)
        limits = self._settings.limits
        others = Counter(
            running.owner for running in self._tasks.values() if running.thread_id != thread_id
        )
        if others.total() >= limits.server:
            raise Unavailable("The server is busy. Try again in a moment.", retry_after=5)
        if others[user.tenant, user.id] >= limits.user:
            raise Unavailable(
                f"You have {limits.user} answers running. Wait until one of them ends.",
                retry_after=5,
            )

    async def close(self, drain: float) -> None:
        """Refuse new turns, give running ones `drain` seconds to end, then end them."""
        self.closing = True
        try:
            async with asyncio.timeout(drain):
                await self._vacant.wait()
        except TimeoutError:
            self._ending_all = True
            for running in self.active:
                running.end(RESTARTED)
            await self._vacant.wait()
