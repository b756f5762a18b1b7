"""Where the processes of a deployment find the events of each other's turns."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

IDLE = 1.0
"""Seconds of silence after which a follower of a turn is told of it, and asks the turn store."""

PART = b": part\n\n"
"""A frame without an event: those who follow stop here, and go on when they come again."""

KEPT = 100
"""How many turns that have ended a `MemoryEventLog` keeps."""

NumberedEvent = tuple[int, bytes]
"""An event of a turn: its number, and its frame as it is sent to clients."""


@dataclass(frozen=True, slots=True)
class Part:
    """Events of a turn as a follower gets them: whole frames, joined, with the numbers of the first
    and the last one.

    The last part has no frames, but a `status`: how the attempt `generation` at the turn has ended.
    Both its numbers are that of the last event.
    """

    generation: int
    first: int
    last: int
    frames: bytes
    status: str | None = None


Heard = Callable[[str, str], None]
"""Is told of a signal: the turn's id, and the word."""

News = Callable[[str], None]
"""Is told what happened in a place that is watched; "" says that some may have been missed."""


class EventLog(ABC):
    """Carries the events of running turns between processes. A plugin returns one from `event_log`.

    Nothing durable is kept in it: the store and the turn store are the source of truth, and what is
    missing here, a follower reads there. Each process has an `EventLog` of its own; together they
    are one log. The numbers of a turn's events increase, also from one attempt to the next, and may
    have gaps.

    `append` and `end` are called for every token. They neither wait nor raise, also before and
    after `run`: what cannot be passed on is left out.

    `chatkit_server.testing.conformance.EventLogContract` tests all of it.
    """

    @asynccontextmanager
    async def run(self, heard: Heard) -> AsyncGenerator[None]:
        """Be connected while the block runs; `heard` is told of the signals to turns of this
        process, and perhaps of others, which it ignores."""
        yield

    @abstractmethod
    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        """Add events of a turn, one or more, which this process runs as attempt `generation` at it.

        Events of an older attempt than the newest known one are refused. A frame that is `PART` has
        the number of the event before it.
        """

    @abstractmethod
    def end(self, turn: str, generation: int, status: str) -> None:
        """Say that no more events come, and how the turn has ended. An older attempt is refused."""

    @abstractmethod
    def follow(self, turn: str, after: int) -> AsyncGenerator[Part | None]:
        """Yield what is kept of a turn after the event `after`, and then what comes.

        Each event comes once. The first part may begin with events up to `after`, if the log keeps
        them together with later ones. Of each `PART` up to `after`, it may come or not. A part that
        begins later than where the one before it ended says that events are gone.

        Yield None when nothing came for `IDLE` seconds, also if nothing is known of the turn: who
        follows then asks the turn store whether the turn still runs. The iteration ends after the
        part with a status.
        """

    @abstractmethod
    async def signal(self, turn: str, word: str) -> bool:
        """Tell the process that runs a turn something, such as `cancel`.

        Return whether it was passed on; if not, the turn store has to carry it. It is not for a
        turn of which nothing is known, even if it is followed, and for one whose process has left
        `run`.
        """

    @property
    def is_live(self) -> bool:
        """Whether what happens in other processes is heard at once right now."""
        return True

    @abstractmethod
    def tell(self, place: str, news: str) -> None:
        """Tell all who watch a place, such as a thread, what has happened there.

        Those of this process are called at once, also before and after `run`. Others get the news
        of this process in the order in which they were told. It neither waits nor raises.
        """

    @abstractmethod
    def watch(self, place: str, told: News) -> Callable[[], None]:
        """Call `told` with the news of a place from now on; return what ends that at once.

        The news "" says that some may have been missed, such as before the first connection.
        """

    async def watched(self, place: str) -> bool:
        """Wait until what other processes tell of a watched place is heard, and return True.

        It may take a moment until they reach who has begun to watch. Return False soon where they
        are not heard: `watch` tells "" when they are.
        """
        return self.is_live


class Watchers:
    """Those of one process who watch places."""

    def __init__(self) -> None:
        self._watching: dict[str, dict[object, News]] = {}

    def __contains__(self, place: str) -> bool:
        return place in self._watching

    @property
    def places(self) -> set[str]:
        """The places that are watched."""
        return set(self._watching)

    def tell(self, place: str, news: str) -> None:
        """Call those who watch a place."""
        watching = self._watching.get(place, {})
        for key, told in list(watching.items()):
            # One who was called may have removed it
            if key in watching:
                told(news)

    def add(self, place: str, told: News) -> Callable[[], None]:
        """Add one who watches a place; return what removes it."""
        key = object()
        self._watching.setdefault(place, {})[key] = told

        def remove() -> None:
            watching = self._watching.get(place, {})
            watching.pop(key, None)
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


@dataclass(eq=False)
class _Turn:
    """What a `MemoryEventLog` keeps of a turn; `runner` is the log of the newest attempt."""

    parts: list[Part] = field(default_factory=list)
    generation: int = 0
    runner: MemoryEventLog | None = None
    followers: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)


class _Hub:
    """What several logs have in common."""

    def __init__(self) -> None:
        self.turns: dict[str, _Turn] = {}
        self.ended: deque[str] = deque()
        self.watchers = Watchers()


class MemoryEventLog(EventLog):
    """Carries events between the applications of one process, such as those of a test.

    `other` is a log of another application, with which this one is one log. Of turns that have
    ended, the last `KEPT` are kept.
    """

    def __init__(self, other: MemoryEventLog | None = None) -> None:
        self._hub: _Hub = _Hub() if other is None else other._hub
        self._heard: Heard | None = None

    @asynccontextmanager
    async def run(self, heard: Heard) -> AsyncGenerator[None]:
        self._heard = heard
        try:
            yield
        finally:
            self._heard = None

    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        for number, frame in events:
            self._add(turn, Part(generation, number, number, frame))

    def end(self, turn: str, generation: int, status: str) -> None:
        kept = self._turn(turn)
        last = kept.parts[-1].last if kept.parts else 0
        if self._add(turn, Part(generation, last, last, b"", status)):
            self._hub.ended.append(turn)
            if len(self._hub.ended) > KEPT:
                self._hub.turns.pop(self._hub.ended.popleft(), None)

    def _turn(self, turn: str) -> _Turn:
        return self._hub.turns.setdefault(turn, _Turn())

    def _add(self, turn: str, part: Part) -> bool:
        kept = self._turn(turn)
        if part.generation < kept.generation:
            return False
        kept.generation, kept.runner = part.generation, self
        kept.parts.append(part)
        news, kept.news = kept.news, asyncio.Event()
        news.set()
        return True

    async def follow(self, turn: str, after: int) -> AsyncGenerator[Part | None]:
        kept = self._turn(turn)
        kept.followers += 1
        try:
            async with aclosing(self._follow(kept, after)) as parts:
                async for part in parts:
                    yield part
        finally:
            kept.followers -= 1
            if not kept.parts and not kept.followers:
                del self._hub.turns[turn]

    async def _follow(self, kept: _Turn, after: int) -> AsyncGenerator[Part | None]:
        index = 0
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
        kept = self._hub.turns.get(turn)
        if kept is None or kept.runner is None or kept.runner._heard is None:
            return False
        kept.runner._heard(turn, word)
        return True

    def tell(self, place: str, news: str) -> None:
        self._hub.watchers.tell(place, news)

    def watch(self, place: str, told: News) -> Callable[[], None]:
        return self._hub.watchers.add(place, told)
