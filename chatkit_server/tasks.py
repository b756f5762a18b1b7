"""Coroutines that must not be cancelled half-way, and coroutines whose steps are timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")

BLOCKING = 0.5
"""Seconds without an `await` after which code is reported: until then, all other users wait."""

Report = Callable[[float], None]
"""Called with the seconds that a step took."""


async def run_to_completion(work: Coroutine[Any, Any, None]) -> bool:
    """Await `work` to its end, even if cancelled meanwhile; return whether that happened.

    Raises what `work` raises.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:
            break
    task.result()
    return cancelled


async def watch_blocking(work: Awaitable[T], report: Report) -> T:
    """Await `work`; call `report` with the seconds for which it blocked the event loop, if so."""

    async def started() -> T:
        return await work

    steps = started()
    try:
        waits_for = timed_step(steps.send, None, report)
    except StopIteration as stop:
        result: T = stop.value
        return result
    return await resumed(steps, waits_for, report)


@coroutine
def resumed(work: Coroutine[Any, Any, T], waits_for: Any, report: Report) -> Generator[Any, Any, T]:
    """Await the rest of a coroutine that was started with `send`, which returned `waits_for`."""
    try:
        while True:
            try:
                sent = yield waits_for
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                waits_for = timed_step(work.throw, error, report)
            else:
                waits_for = timed_step(work.send, sent, report)
    except StopIteration as stop:
        result: T = stop.value
        return result


def timed_step(step: Callable[[Any], Any], value: Any, report: Report) -> Any:
    """Run a coroutine up to its next `await`, and report it if that takes too long."""
    began = time.monotonic()
    try:
        return step(value)
    finally:
        seconds = time.monotonic() - began
        if seconds >= BLOCKING:
            report(seconds)
