"""Processes that an event log is tried in, the events that they append, and who follows there."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from ...events.shared import PART, EventLog, News, Part
from .claims import Broken, holds, same, shown

MakeEventLog = Callable[[], EventLog]
"""Makes the event log of one more process. Together, they are one log."""

TURN = "turn_1"

LISTEN = "listen"
"""What is told until it is heard."""

_POLL = 0.002
"""Seconds between two looks whether something is so."""

LEAVE = 1.0
"""Seconds that a follower has to end in after a test."""

_FRAME = re.compile(rb"id: [^\n]*:(\d+)\ndata: [^\n]*\n\n|: part\n\n")


def frame(number: int, text: str = "", turn: str = TURN) -> bytes:
    """Return an event as clients get it."""
    data = json.dumps({"n": number, "text": text}, ensure_ascii=False)
    return f"id: {turn}:{number}\ndata: {data}\n\n".encode()


async def until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until something is so; return whether it is."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        if condition():
            return True
        if asyncio.get_running_loop().time() >= end:
            return False
        await asyncio.sleep(_POLL)


async def repeat_until(
    call: Callable[[], Awaitable[object]], condition: Callable[[object], object], seconds: float
) -> bool:
    """Call until something is so of what it returned; return whether it is."""
    end = asyncio.get_running_loop().time() + seconds
    while not condition(await call()):
        if asyncio.get_running_loop().time() >= end:
            return False
        await asyncio.sleep(5 * _POLL)
    return True


class Follower:
    """Somebody who follows a turn after the event `after`, and what came until now.

    `frames` are joined. `numbers` are those of the events, `generations` their attempts. `end` is
    the last part. `silences` are the times at which None came.
    """

    def __init__(self, parts: AsyncGenerator[Part | None], after: int) -> None:
        self.frames = b""
        self.numbers: list[int] = []
        self.generations: list[int] = []
        self.silences: list[float] = []
        self.end: Part | None = None
        self._after = after
        self.task = asyncio.ensure_future(self._follow(parts))

    async def _follow(self, parts: AsyncGenerator[Part | None]) -> None:
        async with aclosing(parts):
            async for part in parts:
                if self.end is not None:
                    raise Broken(f"{shown(part)} came after the part with a status")
                if part is None:
                    self.silences.append(asyncio.get_running_loop().time())
                elif part.status is None:
                    self._add(part)
                else:
                    holds(not part.frames, f"the part with a status had frames: {shown(part)}")
                    self.end = part

    def _add(self, part: Part) -> None:
        found = [(match[0], int(match[1] or 0)) for match in _FRAME.finditer(part.frames)]
        if b"".join(each for each, _ in found) != part.frames or not found:
            raise Broken(f"a follower got {shown(part.frames)}, which are no whole frames")
        numbers = [number for _, number in found if number]
        if numbers:
            first = min(part.first, numbers[0]) if found[0][0] == PART else numbers[0]
            told = (part.first, part.last)
            same(told, (first, numbers[-1]), f"a part with the events {shown(numbers)}, which")
        if not self.numbers and numbers and numbers[0] <= self._after < numbers[-1]:
            # The log keeps them together
            while found[0][1] <= self._after:
                del found[0]
        self.frames += b"".join(each for each, _ in found)
        numbers = [number for _, number in found if number]
        self.numbers += numbers
        self.generations += [part.generation] * len(numbers)

    async def got(self, numbers: Iterable[int], what: str, soon: float) -> None:
        """Wait until the follower has the events with these numbers, and no others."""
        wanted = [*numbers]
        await until(lambda: self.task.done() or len(self.numbers) >= len(wanted), soon)
        self._check_task()
        same(self.numbers, wanted, f"within {soon:g} s, {what}")

    async def fell_silent(self, times: int, what: str, soon: float) -> None:
        """Wait until None came so often."""
        await until(lambda: self.task.done() or len(self.silences) >= times, soon)
        self._check_task()
        came = f"{what} got None {len(self.silences)} times within {soon:g} s"
        holds(len(self.silences) >= times, came)

    async def ended(self, numbers: Iterable[int], what: str, soon: float) -> Part:
        """Wait until the follower has ended with these events; return the last part."""
        await until(self.task.done, soon)
        self._check_task()
        same(self.numbers, [*numbers], f"within {soon:g} s, {what}")
        if not self.task.done() or self.end is None:
            raise Broken(f"{what} did not end within {soon:g} s")
        return self.end

    def _check_task(self) -> None:
        """Raise what broke it."""
        if self.task.done():
            self.task.result()
            if self.end is None:
                raise Broken("a follower ended before its turn did")


class Process:
    """A process with its event log, what it heard, and who follows in it."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.heard: list[tuple[str, str]] = []
        self.followers: list[Follower] = []

    def append(self, numbers: Iterable[int], turn: str = TURN, generation: int = 1) -> None:
        """Append such events, each in a call of its own."""
        for number in numbers:
            self.log.append(turn, generation, [(number, frame(number, turn=turn))])

    def end(self, turn: str = TURN, generation: int = 1, status: str = "completed") -> None:
        """End a turn."""
        self.log.end(turn, generation, status)

    def follow(self, turn: str = TURN, after: int = 0) -> Follower:
        """Have somebody follow a turn."""
        follower = Follower(self.log.follow(turn, after), after)
        self.followers.append(follower)
        return follower

    async def tell(self, place: str, news: str) -> None:
        """Tell those who watch a place."""
        self.log.tell(place, news)

    def words(self, turn: str) -> list[str]:
        """Return what was heard for a turn; `LISTEN` came any number of times."""
        return [word for to, word in self.heard if to == turn and word != LISTEN]

    async def hears(self, words: list[str], turn: str, soon: float) -> None:
        """Wait until these words were heard for a turn, and no others."""
        await until(lambda: len(self.words(turn)) >= len(words), soon)
        came = f"the process of {turn} heard {self.words(turn)} within {soon:g} s, not {words}"
        holds(self.words(turn) == words, came)

    async def send_away(self) -> None:
        """Have all who follow here leave."""
        for follower in self.followers:
            follower.task.cancel()
        if self.followers:
            # One that does not end by that is what a test has found
            await asyncio.wait([each.task for each in self.followers], timeout=LEAVE)
        self.followers = []


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[None]:
    """Run the event log of a process while the block runs."""
    async with process.log.run(lambda turn, word: process.heard.append((turn, word))):
        try:
            yield
        finally:
            await process.send_away()


@asynccontextmanager
async def processes(make: MakeEventLog, count: int) -> AsyncIterator[list[Process]]:
    """Give so many processes, whose event logs run while the block does."""
    async with AsyncExitStack() as stack:
        made = [Process(new_log(make)) for _ in range(count)]
        for process in made:
            await stack.enter_async_context(running(process))
        yield made


def new_log(make: MakeEventLog) -> EventLog:
    """Return the event log of one more process."""
    log: object = make()
    if not isinstance(log, EventLog):
        raise Broken(f"the fixture's function returned {shown(log)}, which is no EventLog")
    return log


def plain(given: object, call: str) -> None:
    """Go on if a call returned nothing to wait for."""
    if inspect.isawaitable(given):
        if inspect.iscoroutine(given):
            given.close()
        raise Broken(f"`{call}` returned something to await")


class Watcher:
    """Somebody who watches a place, and the news that came; `then` is called with each."""

    def __init__(self, log: EventLog, place: str, then: News | None = None) -> None:
        self.news: list[str] = []
        self._then = then
        self.stop = log.watch(place, self._told)

    def _told(self, news: str) -> None:
        if not news:
            # Some may have been missed
            return
        self.news.append(news)
        if self._then is not None:
            self._then(news)

    async def hears(self, news: list[str], what: str, soon: float) -> None:
        """Wait until this was told, after `LISTEN`, and nothing else."""
        await until(lambda: len(self.told) >= len(news), soon)
        same(self.told, news, f"within {soon:g} s, {what}")

    @property
    def told(self) -> list[str]:
        """What was told; `LISTEN` any number of times."""
        return [each for each in self.news if each != LISTEN]
