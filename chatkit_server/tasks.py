"""Coroutines that must not be cancelled half-way, and coroutines whose steps are timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from types import coroutine
from typing import Any, TypeVar

from .asking import Asked

T = TypeVar("T")

BLOCKING = 0.5
"""Seconds without an `await` after which code is reported: until then, all other users wait."""

Report = Callable[[float], None]
"""Called with the seconds that a step took."""


class Escaped(Exception):
    """Code raised what would end its task or the event loop, such as `SystemExit`; see `contained`.

    `error` is what it raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(type(error).__name__)
        self.error = error


class contained:
    """Raise `Escaped` in place of what is no `Exception`.

    A cancellation of this very task passes. That of another one, which the block awaits, does not.
    """

    def __enter__(self) -> None:
        self._task = this_task()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and escapes(error, self._task):
            raise Escaped(error) from error


def escapes(error: BaseException, task: asyncio.Task[Any] | None) -> bool:
    """Whether an error would end its task or the event loop; code of this task has raised it."""
    if isinstance(error, Exception | Asked) or this_task() is not task:
        # Outside its task, a coroutine is only being thrown away
        return False
    return not (isinstance(error, asyncio.CancelledError) and is_cancelled())


def is_cancelled() -> bool:
    """Whether somebody cancelled this task."""
    task = this_task()
    return task is None or task.cancelling() > 0


def this_task() -> asyncio.Task[Any] | None:
    """Return the task that runs; None without one, or without an event loop."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


async def run_to_completion(work: Coroutine[Any, Any, None]) -> bool:
    """Await `work` to its end, even if cancelled meanwhile; return whether that happened.

    Raises what `work` raises, as `contained` does, and `Escaped` if `work` cancelled its own task.
    """
    task = asyncio.ensure_future(_contained(work))
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:
            break
    if task.cancelled():
        # Nobody else has this task
        raise Escaped(asyncio.CancelledError())
    task.result()
    return cancelled


async def _contained(work: Coroutine[Any, Any, None]) -> None:
    with contained():
        await work


async def watch_blocking(work: Awaitable[T], report: Report, *, cleanup: float | None = None) -> T:
    """Await `work`; call `report` with the seconds for which it blocked the event loop, if so.

    Once cancelled, it may go on for `cleanup` seconds, and is then closed.
    """

    async def started() -> T:
        return await work

    steps = started()
    try:
        waits_for = timed_step(steps.send, None, report)
    except StopIteration as stop:
        result: T = stop.value
        return result
    except SelfCancelled as error:
        await error.taken_in()
        raise asyncio.CancelledError from error
    return await resumed(steps, waits_for, report, cleanup=cleanup)


@coroutine
def resumed(
    work: Coroutine[Any, Any, T],
    waits_for: Any,
    report: Report,
    *,
    cleanup: float | None = None,
) -> Generator[Any, Any, T]:
    """Await the rest of a coroutine that was started with `send`, which returned `waits_for`.

    Once cancelled, it may go on for `cleanup` seconds. Then it is cancelled again, and closed if it
    goes on.
    """
    last = _LastCancel(cleanup)
    try:
        while True:
            try:
                sent = yield waits_for
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                if last.came():
                    _end(work, error)
                    raise
                waits_for = timed_step(work.throw, error, report)
                if isinstance(error, asyncio.CancelledError):
                    last.start()
            else:
                waits_for = timed_step(work.send, sent, report)
    except StopIteration as stop:
        result: T = stop.value
        return result
    except SelfCancelled as error:
        yield from error.taken_in().__await__()
        raise asyncio.CancelledError from error
    finally:
        last.stop()


def _end(work: Coroutine[Any, Any, Any], error: BaseException) -> None:
    try:
        work.throw(error)
    except BaseException:
        # Or it has returned, which is a `StopIteration`
        return
    with suppress(Exception):
        work.close()


class _LastCancel:
    """Cancels this task once more, some seconds after `start`, unless `stop` comes first."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._late = False

    def start(self) -> None:
        self._task = asyncio.current_task()
        if self._seconds is not None and self._timer is None and self._task is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._seconds, self._cancel, self._task)

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self._late = True
        task.cancel()

    def came(self) -> bool:
        """Whether this cancelled the task. To others, it then counts as not cancelled by this."""
        if self._late and self._task is not None:
            self._task.uncancel()
        return self._late

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class SelfCancelled(Exception):
    """Code cancelled the task that runs it, and has ended without waiting for anything since."""

    async def taken_in(self) -> None:
        """Let the cancellation come, which would else meet whatever waits next."""
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)


def timed_step(step: Callable[[Any], Any], value: Any, report: Report) -> Any:
    """Run a coroutine up to its next `await`, and report it if that takes too long.

    If it cancels its own task, that does not count as a cancellation by others: `is_cancelled`
    stays as it was. If it ends at once after that, it raises `SelfCancelled`.
    """
    task = this_task()
    cancelled = task.cancelling() if task is not None else 0
    began = time.monotonic()
    try:
        waits_for = step(value)
    except BaseException as error:
        # No other name here may keep the error: its traceback has this frame, which is a cycle
        if _taken_back(task, cancelled):
            raise SelfCancelled from error
        raise
    finally:
        seconds = time.monotonic() - began
        if seconds >= BLOCKING:
            report(seconds)
    _taken_back(task, cancelled)
    return waits_for


def _taken_back(task: asyncio.Task[Any] | None, cancelled: int) -> bool:
    """Take back cancellations beyond the `cancelled` that a task had; return if there are any."""
    if task is None or task.cancelling() <= cancelled:
        return False
    while task.cancelling() > cancelled:
        task.uncancel()
    return True
