"""The turns under way: one for each thread, each a task of the application."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadRequest, Conflict, ServerError, TurnFailed, Unavailable, Unprocessable
from ..events.log import EventLog
from ..events.partial import Partial
from ..settings.schema import TurnSettings
from ..turn import Status, Turn, User

Owner = tuple[str, str]


@dataclass(frozen=True)
class Ending:
    """Why a turn is ended from outside, as its outcome tells it.

    `lost` says that another process has taken the turn over: this one may not write any more.
    """

    status: Status
    problem: ServerError
    lost: bool = False


STOPPED = Ending("cancelled", TurnFailed("The answer was stopped.", allow_retry=True))
RESTARTED = Ending(
    "interrupted",
    TurnFailed("The server was restarted before the answer was complete.", allow_retry=True),
)
TAKEN_OVER = Ending(
    "interrupted", TurnFailed("The answer was interrupted. Reload the page."), lost=True
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a repeated request is known by: its key, its body, or the last event it has seen.

    `key` and `body` are what it is kept under, `body` for requests of the same page. `content` is
    what was asked.
    """

    key: str | None = None
    body: str | None = None
    content: str | None = None
    last_event: tuple[str, int] | None = None

    @classmethod
    def of(
        cls,
        body: bytes,
        *,
        idempotency_key: str | None,
        frame: str | None,
        last_event_id: str | None,
    ) -> Identity:
        """Read a request: its body, and the headers `Idempotency-Key`,
        `chatkit-frame-instance-id` and `Last-Event-ID`."""
        turn_id, _, number = (last_event_id or "").rpartition(":")
        return cls(
            key=f"key:{_digest(idempotency_key.encode())}" if idempotency_key else None,
            body=f"body:{_digest(frame.encode(), body)}" if frame else None,
            content=_digest(body),
            last_event=(turn_id, int(number)) if turn_id and _is_number(number) else None,
        )

    @property
    def request(self) -> str | None:
        """What the request is written down as."""
        return self.key or self.body

    @property
    def places(self) -> list[str]:
        """What the request is kept under."""
        return [place for place in (self.key, self.body) if place]


def _always() -> bool:
    return True


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


class RunningTurn:
    """A turn's event log, and the task that works at the turn. It stays for a time after its end.

    It knows the turn by its id, and not the turn itself: what a turn holds goes when it ends.
    """

    def __init__(
        self, turn: Turn, log: EventLog, settings: TurnSettings, identity: Identity
    ) -> None:
        self.id = turn.id
        self.thread_id = turn.thread.id
        self.owner: Owner = (turn.user.tenant, turn.user.id)
        self.attempt = turn.request_context.attempt
        self.log = log
        self.identity = identity
        self.status: Status | None = None
        self.problem: ServerError | None = None
        self.ending: Ending | None = None
        self.ended_at = 0.0
        self.is_idle: Callable[[], bool] = _always
        self.partial: Callable[[], Partial] = Partial
        self._settings = settings
        self._asked_at = time.monotonic() - turn.seconds
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._followers = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def seconds(self) -> float:
        """The time since the turn began."""
        return time.monotonic() - self._asked_at

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin to work at the turn, within its limits."""
        self._task = asyncio.create_task(self._begin(work), name=self.id)
        limits = self._settings.limits
        self._after(limits.turn, "turn", self._too_long)
        self._after(limits.silence, "silence", lambda: self._silent(len(self.log)))
        return self._task

    async def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._begun = True
        await work

    def end(self, ending: Ending) -> None:
        """End the turn; what was said so far is saved. The first reason counts."""
        if self._task is not None and self.ending is None:
            self.ending = ending
            # A task cancelled before its first step would not even save the user's message:
            # the work looks at `ending` itself
            if self._begun:
                self._task.cancel()

    async def ended(self) -> None:
        """Wait until nobody works at the turn any more."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def joined(self) -> None:
        """Note that somebody follows the turn."""
        self._followers += 1
        self.visited()

    def left(self) -> None:
        """Note that a follower is gone."""
        self._followers -= 1
        self.alone()

    def alone(self) -> None:
        """Let the turn end after the grace time, if nobody follows it."""
        disconnect = self._settings.disconnect
        if self._followers == 0 and not self.log.ended and disconnect.policy == "cancel":
            self._after(disconnect.grace, "abandoned", lambda: self.end(STOPPED))

    def visited(self) -> None:
        """Note that its user looks at the thread: that is a reload, not a stop."""
        timer = self._timers.pop("abandoned", None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Stop all clocks, and keep only what a follower may still ask for."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self.ended_at = asyncio.get_running_loop().time()
        self.is_idle, self.partial = _always, Partial
        self._task = None
        if self.problem is not None:
            # Its traceback holds the frames that worked at the turn, and all they knew
            self.problem.__traceback__ = self.problem.__cause__ = self.problem.__context__ = None
        self.log.pack()

    def _after(self, seconds: float, name: str, then: Callable[[], None]) -> None:
        # asyncio keeps a cancelled clock for a while, and with it the context it was set in
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(seconds, then, context=Context())

    def _too_long(self) -> None:
        limit = self._settings.limits.turn
        message = f"The answer took longer than {limit:g} seconds and was cut off."
        self.end(Ending("failed", TurnFailed(message, allow_retry=True)))

    def _silent(self, heard: int) -> None:
        """Look whether an event came since the last look; while a tool runs, the model may wait."""
        limit = self._settings.limits.silence
        if len(self.log) == heard and self.is_idle():
            message = f"The model said nothing for {limit:g} seconds."
            self.end(Ending("failed", TurnFailed(message, allow_retry=True)))
        else:
            self._after(limit, "silence", lambda: self._silent(len(self.log)))


@dataclass
class _Seat:
    """Who works at a thread, and how many wait to."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: RunningTurn | None = None
    waiting: int = 0


class Turns:
    """The turns of this process: those under way, and those that ended a short time ago."""

    def __init__(self, settings: TurnSettings) -> None:
        self.closing = False
        self._settings = settings
        self._hurry = False
        self._seats: dict[str, _Seat] = {}
        self._vacant = asyncio.Event()
        self._vacant.set()
        self._known: dict[str, RunningTurn] = {}
        self._requests: dict[tuple[Owner, str], RunningTurn] = {}
        self._once: dict[tuple[Owner, str], tuple[asyncio.Lock, int]] = {}
        self._tasks: dict[asyncio.Task[None], RunningTurn] = {}
        self._over: deque[RunningTurn] = deque()
        self._next_look: asyncio.TimerHandle | None = None
        self._ended_size = 0

    @property
    def under_way(self) -> list[RunningTurn]:
        """The turns that somebody works at."""
        return list(self._tasks.values())

    def find(self, turn_id: str, user: User) -> RunningTurn | None:
        """Return a turn of the user's, if this process still knows it."""
        running = self._known.get(turn_id)
        return running if running and running.owner == (user.tenant, user.id) else None

    def of_thread(self, thread_id: str, user: User) -> RunningTurn | None:
        """Return the turn under way in a thread of the user's."""
        seat = self._seats.get(thread_id)
        running = seat.running if seat else None
        if running is None or running.owner != (user.tenant, user.id) or running.log.ended:
            return None
        return running

    def repeated(self, identity: Identity, user: User) -> tuple[RunningTurn, int] | None:
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
    async def once(self, identity: Identity, user: User) -> AsyncIterator[None]:
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
        seat = self._seats.setdefault(thread_id, _Seat())
        if seat.lock.locked() and self._settings.when_busy == "reject":
            raise Conflict("An answer is still being written in this conversation.")
        busy = seat.lock.locked()
        seat.waiting += 1
        try:
            if seat.running is not None and self._settings.when_busy == "interrupt":
                seat.running.end(STOPPED)
            self._vacant.clear()
            await seat.lock.acquire()
        finally:
            seat.waiting -= 1
            self._leave(thread_id, seat)
        if self.closing:
            self.release(thread_id)
            self._refuse_if_full(thread_id, user)
        return busy

    def release(self, thread_id: str) -> None:
        """Give the thread back."""
        seat = self._seats[thread_id]
        seat.running = None
        seat.lock.release()
        self._leave(thread_id, seat)

    def _leave(self, thread_id: str, seat: _Seat) -> None:
        """Remove a seat that nobody has or waits for."""
        if not seat.waiting and not seat.lock.locked():
            del self._seats[thread_id]
        if not self._seats:
            self._vacant.set()

    def start(self, running: RunningTurn, work: Coroutine[Any, Any, None]) -> None:
        """Work at a turn whose thread was claimed; the thread is released when it ends."""
        self._seats[running.thread_id].running = running
        self._known[running.id] = running
        for place in running.identity.places:
            self._requests[running.owner, place] = running
        task = running.run(work)
        self._tasks[task] = running
        task.add_done_callback(self._ended)
        if self._hurry:
            running.end(RESTARTED)

    def _ended(self, task: asyncio.Task[None]) -> None:
        running = self._tasks.pop(task)
        running.close()
        self.release(running.thread_id)
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
        for place in running.identity.places:
            if self._requests.get((running.owner, place)) is running:
                del self._requests[running.owner, place]

    def overtaken(self, thread_id: str) -> bool:
        """Whether another turn waits to interrupt the one in this thread."""
        return self._settings.when_busy == "interrupt" and self._seats[thread_id].waiting > 0

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
            for running in self.under_way:
                running.end(RESTARTED)
            await self._vacant.wait()
