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
    """Who works at a thread, and how many wait to."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: RunningTurn | None = None
    waiting: int = 0


class TurnRegistry:
    """The turns of this process: those under way, and those that ended a short time ago."""

    def __init__(self, settings: TurnSettings) -> None:
        self.closing = False
        self._settings = settings
        self._hurry = False
        self._slots: dict[str, ThreadSlot] = {}
        self._vacant = asyncio.Event()
        self._vacant.set()
        self._known: dict[str, RunningTurn] = {}
        self._requests: dict[tuple[Owner, str], RunningTurn] = {}
        self._once: dict[tuple[Owner, str], tuple[asyncio.Lock, int]] = {}
        self._tasks: dict[asyncio.Task[None], RunningTurn] = {}
        self._refused: set[str] = set()
        self._over: deque[RunningTurn] = deque()
        self._next_look: asyncio.TimerHandle | None = None
        self._ended_size = 0

    @property
    def active(self) -> list[RunningTurn]:
        """The turns that somebody works at."""
        return list(self._tasks.values())

    def find(self, turn_id: str, user: User) -> RunningTurn | None:
        """Return a turn of the user's, if this process still knows it."""
        running = self._known.get(turn_id)
        return running if running and running.owner == (user.tenant, user.id) else None

    def in_thread(self, thread_id: str, user: User) -> RunningTurn | None:
        """Return the turn under way in a thread of the user's."""
        slot = self._slots.get(thread_id)
        running = slot.running if slot else None
        if running is None or running.owner != (user.tenant, user.id) or running.log.ended:
            return None
        return running

    def repeated(self, identity: RequestIdentity, user: User) -> tuple[RunningTurn, int] | None:
        """Return the turn that an equal request began, and the last event the client has seen.

        Raises `BadRequest` for an event that is still to come, and `Unprocessable` where another
        request had the same key.
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
                    "Idempotency-Key: another request had this key. Use a new one for each request."
                )
            return running, 0
        running = self._requests.get((owner, identity.body or ""))
        return (running, 0) if running is not None and self._is_fresh(running) else None

    def _is_fresh(self, running: RunningTurn) -> bool:
        return not running.log.ended and running.seconds < self._settings.repeat

    @asynccontextmanager
    async def once(self, identity: RequestIdentity, user: User) -> AsyncIterator[None]:
        """Let equal requests in one at a time, so that the second finds what the first began."""
        async with AsyncExitStack() as stack:
            for place in identity.places:
                await stack.enter_async_context(self._alone((user.tenant, user.id), place))
            yield

    @asynccontextmanager
    async def _alone(self, owner: Owner, request: str) -> AsyncIterator[None]:
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
        """Wait for the thread, and return whether that was needed.

        What happens to a turn that runs there is a setting. Raises `Unavailable` while the server
        shuts down or is full, `Conflict` if the thread is busy and the settings say to reject.
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
        """Give the thread back."""
        slot = self._slots[thread_id]
        slot.running = None
        slot.lock.release()
        self._leave(thread_id, slot)

    def _leave(self, thread_id: str, slot: ThreadSlot) -> None:
        """Remove a slot that nobody has or waits for."""
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
        if self._hurry:
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
        self._over.append(running)
        self._forget_old()

    def _forget_old(self) -> None:
        """Forget the events that were kept long enough, or take too much room."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._over and (
            now - self._over[0].ended_at >= self._settings.keep
            or self._ended_size > self._settings.keep_size
        ):
            self._forget(self._over.popleft())
        if self._over and self._next_look is None:
            # One clock for all of them: each would keep the context of its turn
            due = self._over[0].ended_at + self._settings.keep
            self._next_look = loop.call_at(due, self._look_again, context=Context())

    def _look_again(self) -> None:
        self._next_look = None
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
        """Whether another turn waits to interrupt the one in this thread."""
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
                f"You have {limits.user} answers under way. Wait for one of them.", retry_after=5
            )

    async def close(self, drain: float) -> None:
        """Refuse new turns, give those under way `drain` seconds, then end them."""
        self.closing = True
        try:
            async with asyncio.timeout(drain):
                await self._vacant.wait()
        except TimeoutError:
            self._hurry = True
            for running in self.active:
                running.end(RESTARTED)
            await self._vacant.wait()
