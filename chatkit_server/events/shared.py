"""Where the processes of a deployment find the events of each other's turns."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

IDLE = 1.0
"""Seconds of silence after which a follower of a turn is told of it, and asks the turn store."""

PART = b": part\n\n"
"""A frame without an event: those who follow stop here, and go on when they come again."""


NumberedEvent = tuple[int, bytes]
"""An event of a turn: its number, and its frame as it is sent to clients."""


@dataclass(frozen=True, slots=True)
class Part:
    """Events of a turn as a follower gets them: whole frames, joined, with the numbers of the first
    and the last one.

    The last part has a `status`: how the attempt `generation` at the turn has ended.
    """

    generation: int
    first: int
    last: int
    frames: bytes
    status: str | None = None


Heard = Callable[[str, str], None]
"""Is told of a signal: the turn's id, and the word."""

News = Callable[[str], None]
"""Is told what happened in a thread that is watched."""


class EventLog(ABC):
    """Carries the events of running turns between processes. A plugin returns one from `event_log`.

    Nothing durable is kept in it: the store and the turn store are the source of truth, and what is
    missing here, a follower reads there. Each process has an `EventLog` of its own; together they
    are one log. The numbers of a turn's events increase, and may have gaps.

    `append` and `end` are called for every token. They neither wait nor raise: what cannot be
    passed on is left out.
    """

    @asynccontextmanager
    async def run(self, heard: Heard) -> AsyncGenerator[None]:
        """Be connected while the block runs; `heard` is told of the signals to turns of any
        process, which ignores those of others."""
        yield

    @abstractmethod
    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        """Add events of a turn, which this process runs as attempt `generation` at it.

        Events of an older attempt than the newest known one are refused. A frame that is `PART` has
        the number of the event before it.
        """

    @abstractmethod
    def end(self, turn: str, generation: int, status: str) -> None:
        """Say that no more events come, and how the turn has ended. An older attempt is refused."""

    @abstractmethod
    def follow(self, turn: str, after: int) -> AsyncIterator[Part | None]:
        """Yield what is kept of a turn after the event `after`, and then what comes.

        A part that begins later than where the one before it ended says that events are gone.
        Yield None when nothing came for `IDLE` seconds: who follows then asks the turn store
        whether the turn still runs. The iteration ends after the part with a status.
        """

    @abstractmethod
    async def signal(self, turn: str, word: str) -> bool:
        """Tell the process that runs a turn something, such as `cancel`.

        Return whether it was passed on; if not, the turn store has to carry it.
        """

    @property
    def is_live(self) -> bool:
        """Whether what happens in other processes is heard at once right now."""
        return True

    @abstractmethod
    def tell(self, place: str, news: str) -> None:
        """Tell all who watch a place, such as a thread, what has happened there.

        Those of this process are called at once. It neither waits nor raises.
        """

    @abstractmethod
    def watch(self, place: str, told: News) -> Callable[[], None]:
        """Call `told` with the news of a place from now on; return what ends that.

        The news "" says that some may have been missed.
        """


class Watchers:
    """Those of one process who watch places."""

    def __init__(self) -> None:
        self._watching: dict[str, list[News]] = {}

    def __contains__(self, place: str) -> bool:
        return place in self._watching

    @property
    def places(self) -> set[str]:
        """The places that are watched."""
        return set(self._watching)

    def tell(self, place: str, news: str) -> None:
        """Call those who watch a place."""
        for told in list(self._watching.get(place, ())):
            told(news)

    def add(self, place: str, told: News) -> Callable[[], None]:
        """Add one who watches a place; return what removes it."""
        self._watching.setdefault(place, []).append(told)

        def remove() -> None:
            watching = self._watching.get(place, [])
            if told in watching:
                watching.remove(told)
            if not watching:
                self._watching.pop(place, None)

        return remove


class NoEventLog(EventLog):
    """Carries nothing: what other processes do is read from the stores alone."""

    def __init__(self) -> None:
        self._watchers = Watchers()

    @property
    def is_live(self) -> bool:
        return False

    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        pass

    def end(self, turn: str, generation: int, status: str) -> None:
        pass

    async def follow(self, turn: str, after: int) -> AsyncGenerator[Part | None]:
        while True:
            yield None
            await asyncio.sleep(IDLE)

    async def signal(self, turn: str, word: str) -> bool:
        return False

    def tell(self, place: str, news: str) -> None:
        self._watchers.tell(place, news)

    def watch(self, place: str, told: News) -> Callable[[], None]:
        return self._watchers.add(place, told)


class _Kept:
    """What a `MemoryEventLog` keeps of a turn."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.generation = 0
        self.news = asyncio.Event()


class _Hub:
    def __init__(self) -> None:
        self.turns: defaultdict[str, _Kept] = defaultdict(_Kept)
        self.heard: list[Heard] = []
        self.watchers = Watchers()


class MemoryEventLog(EventLog):
    """Carries events between the applications of one process, such as those of a test.

    `other` is a log of another application, with which this one is one log.
    """

    def __init__(self, other: MemoryEventLog | None = None) -> None:
        self._hub: _Hub = _Hub() if other is None else other._hub

    @asynccontextmanager
    async def run(self, heard: Heard) -> AsyncGenerator[None]:
        self._hub.heard.append(heard)
        try:
            yield
        finally:
            self._hub.heard.remove(heard)

    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        for number, frame in events:
            self._add(turn, Part(generation, number, number, frame))

    def end(self, turn: str, generation: int, status: str) -> None:
        kept = self._hub.turns[turn]
        last = kept.parts[-1].last if kept.parts else 0
        self._add(turn, Part(generation, last, last, b"", status))

    def _add(self, turn: str, part: Part) -> None:
        kept = self._hub.turns[turn]
        if part.generation < kept.generation:
            return
        kept.generation = part.generation
        kept.parts.append(part)
        news, kept.news = kept.news, asyncio.Event()
        news.set()

    async def follow(self, turn: str, after: int) -> AsyncGenerator[Part | None]:
        kept, index = self._hub.turns[turn], 0
        while True:
            while index < len(kept.parts):
                part = kept.parts[index]
                index += 1
                if part.last > after or part.status is not None or part.frames == PART:
                    yield part
                if part.status is not None:
                    return
            try:
                async with asyncio.timeout(IDLE):
                    await kept.news.wait()
            except TimeoutError:
                yield None

    async def signal(self, turn: str, word: str) -> bool:
        for heard in self._hub.heard:
            heard(turn, word)
        return turn in self._hub.turns

    def tell(self, place: str, news: str) -> None:
        self._hub.watchers.tell(place, news)

    def watch(self, place: str, told: News) -> Callable[[], None]:
        return self._hub.watchers.add(place, told)
