"""One call of one plugin's hook: in time, with a checked answer, and errors that name it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from aiohttp import web
from chatkit.store import NotFoundError

from ..errors import ServerError, Unavailable
from ..known_errors import told_error
from ..lines import fixed_words, user_name
from ..records import log_error, place_of, repeats
from ..tasks import (
    Escaped,
    SelfCancelled,
    contained,
    escapes,
    is_cancelled,
    resumed,
    this_task,
    timed_step,
    watch_blocking,
)
from ..turn import Turn
from ..words import words
from .answers import wrong_answer
from .statistics import Slot
from .tenants import wrong_tenant

log = logging.getLogger(__name__)

trace = logging.getLogger("chatkit_server.hooks")
"""Has a line for each call, with `log.trace_hooks`."""
if trace.level == logging.NOTSET:
    # Off where nobody asks for it, whatever else is logged
    trace.setLevel(logging.WARNING)

LOGGED_BY_CALLER = ("auth", "ready")
"""Hooks whose failures the caller logs: strangers can cause them without end."""

CLIENTS_ERRORS = (web.RequestPayloadError, web.HTTPRequestEntityTooLarge)
"""What a hook that reads the body of a request raises because of the client."""

NEARLY = 0.8
"""The part of its time limit after which a hook gets a warning."""


CallCheck = Callable[[], str | None]
"""Returns what a plugin has done wrong in a call, None if nothing."""


class PluginFailed(ServerError):
    """A hook raised an unexpected error or returned a wrong value.

    The log has it already, unless it is `unlogged`.
    """

    def __init__(self, unlogged: str | None = None) -> None:
        super().__init__(words("Something went wrong on the server. Try again later."))
        self.unlogged = unlogged


class HookTimeout(Unavailable):
    """A hook took longer than its time limit. The log has it already, unless it is `unlogged`."""

    def __init__(self, unlogged: str | None = None) -> None:
        super().__init__(
            words("A part of the server did not answer in time. Try again in a moment.")
        )
        self.unlogged = unlogged


class _Spoiled(PluginFailed):
    """A hook has left something wrong behind, with which nothing can go on."""


class CutOut(Unavailable):
    """A hook is not called for a while, since it kept failing. The log says since when."""

    def __init__(self) -> None:
        super().__init__(words("Something went wrong on the server. Try again later."))


_FAILED = {
    "answered": False,
    "returned nothing": False,
    "refused": False,
    "failed": True,
    "took too long": True,
}
"""Whether a call that ended so has failed. A stream that began has not ended."""

LOGGED_ALREADY = (PluginFailed, HookTimeout, CutOut)
"""Errors of hooks that have a line, which names the turn."""


@dataclass(slots=True)
class HookCall:
    """One call of one plugin's hook, for a turn if there is one."""

    plugin: str
    hook: str
    call: Callable[[], Any]
    slot: Slot
    turn: Turn | None = None

    def __str__(self) -> str:
        turn = f"turn {self.turn.id}: " if self.turn else ""
        return f"{turn}{self._name}"

    @property
    def _name(self) -> str:
        return f"plugin {self.plugin}: {self.hook}"

    def owner_says(self, name: str) -> bool:
        """Whether the plugin has an attribute of this name that is true."""
        return bool(getattr(self.slot.owner, name, False))

    async def answer(self, check: CallCheck | None = None) -> Any:
        """Await the hook and return its answer; count the call, and its time.

        Raises the hook's own `ServerError` or `NotFoundError`; an error that says otherwise what
        the user is told, such as ChatKit's `CustomStreamError`, as a `ServerError`. Everything else
        is logged, once, and raised as `PluginFailed`, or as `HookTimeout` for a hook that takes too
        long. What the hooks in `LOGGED_BY_CALLER` do is left to the caller to log.

        `check` returns what the plugin has done wrong otherwise, which is never skipped.
        """
        slot = self.slot
        if slot.figures.breaker is not None and slot.figures.breaker.refuses():
            return self._cut_out()
        started = perf_counter()
        outcome, skipped = "failed", ""
        try:
            answer = await self._answer()
            if check is not None:
                self.refuse(check())
            outcome = "returned nothing" if answer is None else "answered"
            return answer
        except (PluginFailed, HookTimeout) as error:
            outcome = "took too long" if isinstance(error, HookTimeout) else "failed"
            if slot.terms.skips and not isinstance(error, _Spoiled):
                skipped = ", and was skipped"
                return None
            raise
        except (ServerError, NotFoundError, *CLIENTS_ERRORS):
            outcome = "refused"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            seconds = perf_counter() - started
            slot.figures.add(seconds)
            if outcome != "answered" or not hasattr(answer, "__aiter__"):
                # How a stream ends is seen when it is read
                failed = _FAILED.get(outcome)
                slot.figures.ended(failed=failed, user=self._user_key if failed else None)
            if trace.isEnabledFor(logging.INFO):
                trace.info("%s: %s after %.1f ms%s", self, outcome, seconds * 1000, skipped)

    def _cut_out(self) -> None:
        skips = self.slot.terms.skips
        trace.info("%s: cut out, and %s", self, "skipped" if skips else "refused")
        if not skips:
            raise CutOut

    async def _answer(self) -> Any:
        task = this_task()
        try:
            answer = await self._in_time()
        except (ServerError, NotFoundError):
            raise
        except Exception as error:
            if self.hook == "auth" and isinstance(error, CLIENTS_ERRORS):
                raise
            raise told_error(error) or self._failed(error) from error
        except BaseException as error:
            if not escapes(error, task):
                raise
            # It would end the turn without words, or the event loop with everyone's answers
            raise self._failed(error) from error
        wrong = wrong_answer(self.hook, answer)
        if self.hook == "auth" and answer is not None and not wrong:
            wrong = wrong_tenant(self.slot.owner, answer.tenant)
        if wrong:
            raise PluginFailed(self._unlogged(wrong))
        return answer

    @contextmanager
    def named(self) -> Iterator[None]:
        """While the hook's answer is read, log what is no `Exception`, and raise `PluginFailed`."""
        try:
            with contained():
                yield
        except Escaped as escaped:
            raise self._failed(escaped.error) from escaped.error

    def refuse(self, wrong: str | None) -> None:
        """Raise `PluginFailed` if the plugin has done something wrong, and log what."""
        if wrong:
            log.error("%s %s", self, wrong)
            raise _Spoiled

    async def read(self, reading: Coroutine[Any, Any, None]) -> None:
        """Await the code that reads the hook's answer, as the hook's own.

        Once cancelled, it has the time limit of the hook to end, and is then left.
        """
        failed: bool | None = None
        try:
            with self.named():
                await watch_blocking(reading, self._blocked, cleanup=self.slot.terms.limit)
            failed = False
        except asyncio.CancelledError:
            raise
        except Exception as error:
            told = isinstance(error, ServerError | NotFoundError) or told_error(error) is not None
            failed = isinstance(error, PluginFailed) or not told
            raise
        finally:
            self.slot.figures.ended(failed=failed, user=self._user_key if failed else None)

    @property
    def _user_key(self) -> tuple[str, str] | None:
        return None if self.turn is None else (self.turn.user.tenant, self.turn.user.id)

    def _failed(self, error: BaseException) -> PluginFailed:
        if self.hook == "auth":
            return PluginFailed(f"{self} failed")
        self.log_error(error)
        return PluginFailed()

    def log_error(self, error: BaseException) -> None:
        """Log what the hook has raised: with its traceback, unless that says what is wrong."""
        cause = f"{self._name} failed: {type(error).__name__} in {place_of(error)}"
        level = logging.WARNING if isinstance(error, ServerError) else logging.ERROR
        text = f"%s failed{self._user}"
        log_error(log, level, error, text, self, extra=self._repeated(cause, "call failed"))

    def _unlogged(self, what: str) -> str | None:
        """Log what the hook has done, or return the line for the caller to log."""
        if self.hook in LOGGED_BY_CALLER:
            return f"{self} {what}"
        again = self._repeated(f"{self._name} {fixed_words(what)}", "call failed")
        log.error(f"%s %s{self._user}", self, what, extra=again)
        return None

    def _repeated(self, cause: str, what: str) -> dict[str, Any]:
        return repeats(cause, what, self.turn.id if self.turn else "")

    @property
    def _user(self) -> str:
        """The user for a line, without what formatting would take for a place."""
        if self.turn is None:
            return ""
        user = user_name(self.turn.user.tenant, self.turn.user.id)
        return f" (user {user})".replace("%", "%%")

    async def _in_time(self) -> Any:
        started = time.monotonic()
        work = self.call()
        if inspect.isasyncgen(work):
            return work
        try:
            # Most have nothing to wait for, and need no clock
            waits_for = timed_step(work.send, None, self._blocked)
        except StopIteration as stop:
            return stop.value
        except SelfCancelled as error:
            await error.taken_in()
            raise asyncio.CancelledError from error
        limit = self.slot.terms.limit
        cancelled_before = is_cancelled()
        try:
            async with asyncio.timeout(limit) as clock:
                answer = await resumed(work, waits_for, self._blocked, cleanup=limit)
        except TimeoutError:
            if not clock.expired():
                raise
            what = f"took longer than the {limit:g} s that {self.slot.terms.setting} allows"
            raise HookTimeout(self._unlogged(what)) from None
        if is_cancelled() and not cancelled_before:
            # The hook has swallowed it, but the turn or the request is over
            raise asyncio.CancelledError
        seconds = time.monotonic() - started
        if NEARLY * limit <= seconds <= limit:
            allows = self.slot.terms.setting
            log.warning("%s took %.1f s of the %g s that %s allows", self, seconds, limit, allows)
        return answer

    def _blocked(self, seconds: float) -> None:
        log.warning("%s blocked every user for %.1f s", self, seconds)
