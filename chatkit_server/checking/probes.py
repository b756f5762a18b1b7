"""Questions that may wait for others: all at the same time, each with a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import SettingsError
from ..finding import Finding
from .report import Report

LIMIT = 10.0
"""Seconds that each has, all of them beginning together."""

GRACE = 2.0
"""Seconds that they have to end after that."""

Tell = Callable[[Finding], None]


@dataclass(frozen=True)
class Question:
    """Something to find out, and what it is about."""

    about: str
    ask: Callable[[Tell], Awaitable[None]]


async def ask_all(
    questions: Sequence[Question], report: Report, tell: Tell, limit: float = LIMIT
) -> bool:
    """Ask all, and add what they tell to the report, which is passed on to `tell` as it comes.

    What tells nothing in time is an error. Returns whether all have ended.
    """
    heard: set[str] = set()

    async def asked(question: Question) -> None:
        def note(finding: Finding) -> None:
            heard.add(question.about)
            report.add([finding])
            tell(finding)

        try:
            await question.ask(note)
        except SettingsError as error:
            heard.add(question.about)
            report.stop(error)
        except Exception as error:
            note(_failed(question.about, error))

    tasks = {asyncio.create_task(asked(each), name=each.about) for each in questions}
    if not tasks:
        return True
    _, late = await asyncio.wait(tasks, timeout=limit)
    for task in late:
        if task.get_name() not in heard:
            finding = _late(task.get_name(), limit)
            report.add([finding])
            tell(finding)
        task.cancel()
    if not late:
        return True
    _, hanging = await asyncio.wait(late, timeout=GRACE)
    return not hanging


def _late(about: str, limit: float) -> Finding:
    todo = "Look whether it runs and can be reached from here: DNS, firewalls, proxies"
    return Finding(f"no answer within {limit:g} s", todo, "error", about)


def _failed(about: str, error: Exception) -> Finding:
    told = " ".join(str(error).split())
    problem = f"the check failed: {type(error).__name__}: {told}".rstrip(": ")
    return Finding(problem, "This is a mistake of the check itself: report it", "error", about)


class WatchedThreads(ThreadPoolExecutor):
    """The threads of an event loop; `busy` are the calls that have not returned."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="check")
        self.busy: set[Future[Any]] = set()

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a call run in a thread."""
        future: Future[Any] = super().submit(*args, **kwargs)
        self.busy.add(future)
        future.add_done_callback(self.busy.discard)
        return future


@contextmanager
def watched_threads() -> Iterator[WatchedThreads]:
    """Have the running loop use threads that tell whether they are busy."""
    threads = WatchedThreads()
    asyncio.get_running_loop().set_default_executor(threads)
    yield threads
