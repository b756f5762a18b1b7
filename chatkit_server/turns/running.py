"""A running turn: its event log, its task, and what ends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from ..agent.asker import LiveQuestions
from ..errors import ServerError, TurnFailed, Unavailable
from ..events.log import TurnLog
from ..events.partial import PartialAnswer
from ..events.wire import WireFormat
from ..settings.schema import TurnSettings
from ..turn import EndState, Turn
from ..words import words, words_n
from .identity import RequestIdentity

Owner = tuple[str, str]

LOOKS = 4
"""Looks at a turn that is silent, in the time after which it ends."""


@dataclass(frozen=True)
class Ending:
    """Why something other than its own work ends a turn.

    `lost` says that another process has taken the turn over: this one must not write any more.
    """

    status: EndState
    problem: ServerError
    lost: bool = False


STOPPED = Ending("cancelled", TurnFailed(words("The answer was stopped."), allow_retry=True))

DELETED = Ending("cancelled", TurnFailed(words("The conversation was deleted.")))

HANDED_OVER = Ending(
    "interrupted",
    TurnFailed(words("The server was restarted before the answer was complete."), allow_retry=True),
    lost=True,
)
"""The end of an accepted turn in this process, before its message was saved: another begins it."""

DELETING = Ending("cancelled", DELETED.problem)
"""The same while the conversation is still there. If it stays, so does what was said."""

RESTARTED = Ending(
    "interrupted",
    TurnFailed(words("The server was restarted before the answer was complete."), allow_retry=True),
)

TAKEN_OVER = Ending(
    "interrupted", TurnFailed(words("The answer was interrupted. Reload the page.")), lost=True
)


def too_many_followers(limit: int) -> Unavailable:
    """Return the refusal of one client more than may follow a turn."""
    return Unavailable(
        words_n(
            "{n} page or program follows this answer already. Close it.",
            "{n} pages or programs follow this answer already. Close one of them.",
            limit,
            n=limit,
        ),
        retry_after=5,
    )


def _always() -> bool:
    return True


class RunningTurn:
    """A turn's event log and task. It is kept for `turns.keep` after the turn ended.

    It holds no reference to the turn itself, so what the turn holds is freed when it ends. `beside`
    says that it is not the one turn of its thread: it runs beside that, and beside others.
    """

    def __init__(
        self,
        turn: Turn,
        log: TurnLog,
        settings: TurnSettings,
        identity: RequestIdentity,
        *,
        beside: bool = False,
    ) -> None:
        self.id = turn.id
        self.thread_id = turn.thread.id
        self.beside = beside
        self.owner: Owner = (turn.user.tenant, turn.user.id)
        self.attempt = turn.store_context.attempt
        self.log = log
        self.identity = identity
        self.status: EndState | None = None
        self.problem: ServerError | None = None
        self.ending: Ending | None = None
        self.ended_at = 0.0
        self.allows_cancel: Callable[[], bool] = _always
        self.is_idle: Callable[[], bool] = _always
        self.partial: Callable[[], PartialAnswer] = PartialAnswer
        self.wire: WireFormat | None = None
        self.refusal: Exception | None = None
        self.live = LiveQuestions()
        self.has_given_place = False
        self.needs_no_client = False
        self.answers: list[str] = []
        """The requests that have answered its questions, by what identifies them."""
        self._prepared = asyncio.Event()
        self._settled = asyncio.Event()
        self._settings = settings
        self._asked_at = time.monotonic() - turn.seconds
        self._task: asyncio.Task[None] | None = None
        self._started = False
        self._waited = 0.0
        self._followers = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def seconds(self) -> float:
        """The time since the turn began."""
        return time.monotonic() - self._asked_at

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start the turn's task, within its limits."""
        self._task = asyncio.create_task(self._start(work), name=self.id)
        limits = self._settings.limits
        self._after(limits.turn, "turn", self._too_long)
        self._watch_silence(len(self.log), time.monotonic())
        return self._task

    async def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._started = True
        await work

    def prepared(self) -> None:
        """Note that the turn can run, or that it was refused."""
        self._prepared.set()

    async def until_prepared(self) -> None:
        """Wait until the turn can run; raise why not, if it was refused.

        A client that leaves meanwhile counts as one that followed the turn and left.
        """
        try:
            await self._prepared.wait()
        except asyncio.CancelledError:
            self.start_grace()
            raise
        if self.refusal is not None:
            raise self.refusal

    def end(self, ending: Ending) -> None:
        """End the turn; what was said so far is saved. Only the first ending counts."""
        if self._task is not None and self.ending is None and not self.is_over:
            self.ending = ending
            # A task that is cancelled before its first step never runs, and would not save the
            # user's message. The engine looks at `ending` itself
            if self._started:
                self._task.cancel()

    async def ended(self) -> None:
        """Wait until the turn's task has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def add_follower(self) -> None:
        """Count a client that follows the turn. Raises `Unavailable` if too many do."""
        limit = self._settings.limits.followers
        if self._followers >= limit:
            raise too_many_followers(limit)
        self._followers += 1
        self.note_visit()

    def remove_follower(self) -> None:
        """Count a client that stopped following."""
        self._followers -= 1
        self.start_grace()

    def start_grace(self) -> None:
        """Stop the turn after `turns.disconnect.grace` if no client follows it by then.

        A turn that does not allow it goes on, and so does one that nobody has to wait for.
        """
        disconnect = self._settings.disconnect
        if self.needs_no_client:
            return
        if self._followers == 0 and not self.is_over and disconnect.policy == "cancel":
            self._after(disconnect.grace, "abandoned", self._abandoned)

    def note_visit(self) -> None:
        """Keep the turn running: its user looks at the thread, so this was a reload, not a stop."""
        timer = self._timers.pop("abandoned", None)
        if timer is not None:
            timer.cancel()

    def visited(self) -> None:
        """Note that a client follows the turn at another process, for the time of the grace."""
        self.note_visit()
        self.start_grace()

    @property
    def is_over(self) -> bool:
        """Whether the turn has ended, but perhaps for its `post_turn`."""
        return self.status is not None or self.log.ended

    def settle(self, status: EndState, problem: ServerError | None) -> None:
        """Note how the turn has ended: only `post_turn` is to come, and nothing ends that."""
        self.status, self.problem = status, problem
        self._stop_timers()
        self._settled.set()

    async def until_settled(self) -> None:
        """Wait until it is known how the turn ended, or that its end failed."""
        await self._settled.wait()

    def _stop_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def close(self) -> None:
        """Stop all timers, and keep only what a client may still ask for."""
        self._stop_timers()
        self._settled.set()
        self.ended_at = asyncio.get_running_loop().time()
        self.is_idle = self.allows_cancel = _always
        self.partial = PartialAnswer
        self.live = LiveQuestions()
        self._task = None
        if self.problem is not None:
            # Its traceback would keep the frames of the turn, and all they hold
            self.problem.__traceback__ = self.problem.__cause__ = self.problem.__context__ = None
        self.log.compress()

    def _abandoned(self) -> None:
        if self.allows_cancel() and not self.live:
            self.end(STOPPED)

    def _after(self, seconds: float, name: str, then: Callable[[], None]) -> None:
        # asyncio keeps a cancelled timer for a while, and with it the context it was made in
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(seconds, then, context=Context())

    def _too_long(self) -> None:
        limit, waited = self._settings.limits.turn, self.live.seconds
        if waited > self._waited:
            # The time in which the user was asked does not count
            self._after(waited - self._waited, "turn", self._too_long)
            self._waited = waited
            return
        message = words(
            "The answer took longer than {seconds:g} seconds and was stopped.", seconds=limit
        )
        self.end(Ending("failed", TurnFailed(message, allow_retry=True)))

    def _watch_silence(self, length: int, since: float) -> None:
        """End the turn if no event came for too long. None is due while a tool runs.

        The log had this length since then, by the monotonic clock.
        """
        limit, now = self._settings.limits.silence, time.monotonic()
        if len(self.log) != length or not self.is_idle():
            length, since = len(self.log), now
        elif now - since >= limit:
            message = words("The model sent nothing for {seconds:g} seconds.", seconds=limit)
            self.end(Ending("failed", TurnFailed(message, allow_retry=True)))
            return
        self._after(limit / LOOKS, "silence", lambda: self._watch_silence(length, since))
