"""Questions that may wait for others: all at the same time, each with a limit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

from ..errors import SettingsError
from ..finding import Finding
from .report import Report

LIMIT = 10.0
"""Seconds that each has, all of them beginning together."""

GRACE = 2.0
"""Seconds that they have to end after that."""

_OF_AIOHTTP = re.compile(r" ssl:(?:<[^>]*>|\w+)")
"""What its errors say of each address, whether it has TLS or not."""

Tell = Callable[[Finding], None]


@dataclass(frozen=True)
class Question:
    """Something to find out, and what it is about."""

    about: str
    ask: Callable[[Tell], Awaitable[None]]


async def ask_all(questions: Sequence[Question], report: Report, tell: Tell) -> bool:
    """Ask all, pass on what they tell as it comes, and add it to the report, in their order.

    What tells nothing in time is an error. Returns whether all have ended.
    """
    asked = [_Asked(question, tell) for question in questions]
    tasks = [asyncio.create_task(each.ask(), name=each.question.about) for each in asked]
    late = (await asyncio.wait(tasks, timeout=LIMIT))[1] if tasks else set()
    for task in late:
        task.cancel()
    for each in asked:
        each.report(report)
    return not late or not (await asyncio.wait(late, timeout=GRACE))[1]


class _Asked:
    """A question, and what was told so far."""

    def __init__(self, question: Question, tell: Tell) -> None:
        self.question = question
        self._tell = tell
        self._told: list[Finding] = []
        self._stops: SettingsError | None = None
        self._has_ended = False

    async def ask(self) -> None:
        try:
            await self.question.ask(self._note)
        except SettingsError as error:
            self._stops = error.with_traceback(None)
        except Exception as error:
            self._note(_failed(self.question.about, error))
        self._has_ended = True

    def _note(self, finding: Finding) -> None:
        finding = replace(finding, problem=_OF_AIOHTTP.sub("", finding.problem))
        self._told.append(finding)
        self._tell(finding)

    def report(self, report: Report) -> None:
        """Add what was told, and that it was not all."""
        if not self._has_ended and not self._told:
            self._note(_late(self.question.about))
        report.add(self._told)
        if self._stops is not None:
            report.stop(self._stops)


def _late(about: str) -> Finding:
    todo = "Look whether what it asks runs, and can be reached from here: DNS, firewalls, proxies"
    return Finding(f"no answer within {LIMIT:g} s", todo, "error", about)


def _failed(about: str, error: Exception) -> Finding:
    told = " ".join(str(error).split())
    problem = f"the check failed: {type(error).__name__}: {told}".rstrip(": ")
    return Finding(problem, "This is a mistake of the check itself: report it", "error", about)


class LooseThreads(ThreadPoolExecutor):
    """Threads that hold up neither the end of the event loop nor that of the process.

    A name server that does not answer would do that for a minute.
    """

    def submit(self, call: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a call run in a thread of its own."""
        future = Future[Any]()

        def run() -> None:
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        Thread(target=run, name="check", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for nothing."""
