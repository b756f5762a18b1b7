"""Event logs with one mistake each: the contract finds it, and says so in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from fnmatch import fnmatch
from typing import Any

import pytest

from chatkit_server.events import shared
from chatkit_server.storage import Heard, MemoryEventLog, News, NumberedEvent, Part
from chatkit_server.testing.conformance import EventLogContract
from tests.conformance import told

Parts = AsyncGenerator[Part | None]


class CutsFrames(MemoryEventLog):
    """Passes on as many bytes as fit into a packet."""

    async def follow(self, turn: str, after: int) -> Parts:
        async with aclosing(super().follow(turn, after)) as parts:
            async for part in parts:
                for start in range(0, len(part.frames) if part else 0, 1400):
                    yield part and replace(part, frames=part.frames[start : start + 1400])
                if part is None or part.status is not None:
                    yield part


class CountsParts(MemoryEventLog):
    """Numbers what it passes on, in place of the events."""

    async def follow(self, turn: str, after: int) -> Parts:
        count = 0
        async with aclosing(super().follow(turn, after)) as parts:
            async for part in parts:
                count += 1
                yield part and replace(part, first=count, last=count)


class FollowsFromNow(MemoryEventLog):
    def follow(self, turn: str, after: int) -> Parts:
        kept = self._hub.turns.get(turn)
        return super().follow(turn, kept.parts[-1].last if kept else after)


class BeginsAgain(MemoryEventLog):
    def follow(self, turn: str, after: int) -> Parts:
        return super().follow(turn, 0)


class RepeatsTheLast(MemoryEventLog):
    def follow(self, turn: str, after: int) -> Parts:
        return super().follow(turn, max(0, after - 1))


class ListensTooLate(MemoryEventLog):
    """Reads what is kept, and listens a moment later."""

    async def follow(self, turn: str, after: int) -> Parts:
        kept = self._turn(turn)
        read = [part for part in kept.parts if part.last > after or part.status is not None]
        for part in read:
            yield part
            if part.status is not None:
                return
        await asyncio.sleep(0.001)
        async with aclosing(super().follow(turn, kept.parts[-1].last)) as parts:
            async for each in parts:
                yield each


class OneReader(MemoryEventLog):
    """Has one place in a turn for all its followers."""

    def __init__(self, other: MemoryEventLog | None = None) -> None:
        super().__init__(other)
        self.read = 0

    async def follow(self, turn: str, after: int) -> Parts:
        kept = self._turn(turn)
        while True:
            while self.read < len(kept.parts):
                part = kept.parts[self.read]
                if part.status is None:
                    self.read += 1
                yield part
                if part.status is not None:
                    return
            await asyncio.sleep(0)


class MixesTurns(MemoryEventLog):
    def _turn(self, turn: str) -> Any:
        return super()._turn(turn.lower())


class WaitsForTheGap(MemoryEventLog):
    """Passes nothing on until the events before it are there."""

    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        kept = self._turn(turn).parts
        super().append(turn, generation, [one for one in events if one[0] <= len(kept) + 1])


class AddsEachNumberOnce(MemoryEventLog):
    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        last = max((part.last for part in self._turn(turn).parts), default=0)
        super().append(turn, generation, [one for one in events if one[0] > last])


class EndsWithoutAWord(MemoryEventLog):
    async def follow(self, turn: str, after: int) -> Parts:
        async with aclosing(super().follow(turn, after)) as parts:
            async for part in parts:
                if part is None or part.status is None:
                    yield part


class TakesNoStatusForNone(MemoryEventLog):
    def end(self, turn: str, generation: int, status: str) -> None:
        if status:
            super().end(turn, generation, status)


class TakesAnyAttempt(MemoryEventLog):
    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        newest = max(generation, self._turn(turn).generation)
        super().append(turn, newest, events)


class EndsForAnyAttempt(MemoryEventLog):
    def end(self, turn: str, generation: int, status: str) -> None:
        super().end(turn, self._turn(turn).generation, status)


class EndsItsOwnTurns(MemoryEventLog):
    def end(self, turn: str, generation: int, status: str) -> None:
        if self._turn(turn).runner is self:
            super().end(turn, generation, status)


class WaitsInSilence(MemoryEventLog):
    async def follow(self, turn: str, after: int) -> Parts:
        async with aclosing(super().follow(turn, after)) as parts:
            async for part in parts:
                if part is not None:
                    yield part


class AsksAllTheTime(MemoryEventLog):
    async def follow(self, turn: str, after: int) -> Parts:
        async with aclosing(super().follow(turn, after)) as parts:
            async for part in parts:
                yield part
                if part is None:
                    yield None


class AppendsLater(MemoryEventLog):
    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> Any:
        return self._append(turn, generation, events)

    async def _append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        super().append(turn, generation, events)


class HasToRun(MemoryEventLog):
    def end(self, turn: str, generation: int, status: str) -> None:
        if self._heard is None:
            raise ConnectionError("not connected")
        super().end(turn, generation, status)


class HearsItself(MemoryEventLog):
    """Passes signals to the process that sends them."""

    async def signal(self, turn: str, word: str) -> bool:
        if self._heard is not None:
            self._heard(turn, word)
        return turn in self._hub.turns


class KnowsWhatIsFollowed(MemoryEventLog):
    async def signal(self, turn: str, word: str) -> bool:
        return await super().signal(turn, word) or turn in self._hub.turns


class HearsWhenGone(MemoryEventLog):
    @asynccontextmanager
    async def run(self, heard: Heard) -> AsyncGenerator[None]:
        self._heard = heard
        yield


class LeavesWithTheOthers(MemoryEventLog):
    """Ends the turn for all when a follower leaves."""

    async def follow(self, turn: str, after: int) -> Parts:
        try:
            async with aclosing(super().follow(turn, after)) as parts:
                async for part in parts:
                    yield part
        except asyncio.CancelledError:
            self.end(turn, 1, "cancelled")
            raise


class StaysWhenItIsCancelled(MemoryEventLog):
    """Takes a cancellation for a lost connection."""

    async def follow(self, turn: str, after: int) -> Parts:
        for _ in range(2):
            try:
                async with aclosing(super().follow(turn, after)) as parts:
                    async for part in parts:
                        yield part
            except asyncio.CancelledError:
                continue


class LeavesItsReaders(MemoryEventLog):
    """Reads in a task for each follower, which goes on."""

    def follow(self, turn: str, after: int) -> Parts:
        self.reading = asyncio.create_task(asyncio.sleep(60), name=f"reads {turn}")
        return super().follow(turn, after)


class LeavesATask(MemoryEventLog):
    @asynccontextmanager
    async def run(self, heard: Heard) -> AsyncGenerator[None]:
        self.listening = asyncio.create_task(asyncio.sleep(60), name="listens")
        async with super().run(heard):
            yield


class TellsOne(MemoryEventLog):
    """Has room for one watcher of a place."""

    def watch(self, place: str, told: News) -> Callable[[], None]:
        self._hub.watchers._watching.pop(place, None)
        return super().watch(place, told)


class WatchesLater(MemoryEventLog):
    """Has to be connected to a place, and does not wait for it."""

    def watch(self, place: str, told: News) -> Callable[[], None]:
        ends: list[Callable[[], None]] = []
        watch = super().watch
        later = asyncio.get_running_loop().call_later(0.01, lambda: ends.append(watch(place, told)))

        def end() -> None:
            later.cancel()
            for each in ends:
                each()

        return end


class TellsLater(MemoryEventLog):
    """Tells its own process by way of the others."""

    def tell(self, place: str, news: str) -> None:
        asyncio.get_running_loop().call_later(0.01, super().tell, place, news)


class TellsTwice(MemoryEventLog):
    def tell(self, place: str, news: str) -> None:
        super().tell(place, news)
        super().tell(place, news)


class TellsByPattern(MemoryEventLog):
    def tell(self, place: str, news: str) -> None:
        for watched in self._hub.watchers.places:
            if fnmatch(place, watched):
                super().tell(watched, news)


class TellsWhoEnded(MemoryEventLog):
    """Goes through a list from before somebody ended."""

    def tell(self, place: str, news: str) -> None:
        for each in list(self._hub.watchers._watching.get(place, {}).values()):
            each(news)


class EndsOnlyOnce(MemoryEventLog):
    def watch(self, place: str, told: News) -> Callable[[], None]:
        watching = self._hub.watchers._watching.setdefault(place, {})
        watching[told] = told
        return lambda: watching.__delitem__(told)


class Hurried(EventLogContract):
    """Does not wait for long, except for what ends by itself."""

    patience = 60.0
    soon = 0.2
    idle = 0.05


BROKEN: list[tuple[type[MemoryEventLog], str, str]] = [
    (CutsFrames, "events_come_as_they_were_appended", "which are no whole frames"),
    (CountsParts, "following_begins_after_any_event", "a part with the events [2], which returned"),
    (FollowsFromNow, "events_come_as_they_were_appended", "that came amid returned [2, 3, 4, 5], "),
    (BeginsAgain, "following_begins_after_any_event", "after event 1, that came while it ran, r"),
    (RepeatsTheLast, "following_begins_after_any_event", "returned [1, 2, 3, 4, 5, 6, 7], not ["),
    (ListensTooLate, "followers_that_come_amid_miss_nothing", "are missing, such as "),
    (OneReader, "many_follow_in_one_process", "follower 1 of 50 returned [], not [1]"),
    (MixesTurns, "turns_are_apart", "a follower of turn_1, beside 5 others, returned [1, 6, 11], "),
    (WaitsForTheGap, "numbers_may_have_gaps", "returned [1, 2], not [1, 2, 7, 1000, 1001, 2000"),
    (AddsEachNumberOnce, "a_part_keeps_its_place", "a follower got no `PART` within 0.2 s"),
    (EndsWithoutAWord, "the_end_comes_last", "a follower ended before its turn did"),
    (TakesNoStatusForNone, "the_end_comes_last", "came before the end did not end within 0.2 s"),
    (TakesAnyAttempt, "an_older_attempt_is_refused", "[1, 2, 3, 4, 5, 6], not [1, 2, 3, 4, 6]"),
    (EndsForAnyAttempt, "an_older_attempt_is_refused", "[1, 2, 3, 4], not [1, 2, 3, 4, 6]"),
    (EndsItsOwnTurns, "another_process_ends_a_turn", "after event 0, did not end within 0.2 s"),
    (WaitsInSilence, "silence_is_told", "a turn that pauses got None 0 times within"),
    (AsksAllTheTime, "silence_is_told", "a follower of a turn that pauses got None again after"),
    (AppendsLater, "appending_waits_for_nobody", "`append` returned something to await"),
    (HasToRun, "appending_waits_for_nobody", "ConnectionError: not connected"),
    (HearsItself, "signals_reach_the_process_of_a_turn", "the process of turn_1 heard nothing"),
    (KnowsWhatIsFollowed, "signals_reach_the_process_of_a_turn", "which somebody follows, returne"),
    (HearsWhenGone, "a_signal_to_a_gone_process_is_not_passed_on", "it did not do so 0.2 s after"),
    (LeavesWithTheOthers, "a_follower_that_leaves_disturbs_nobody", "[1, 2], not [1, 2, 3, 4]"),
    (StaysWhenItIsCancelled, "a_follower_that_leaves_disturbs_nobody", "a cancelled follower did "),
    (LeavesItsReaders, "a_follower_that_leaves_disturbs_nobody", "tasks more than before still"),
    (LeavesATask, "nothing_is_left_of_a_process_that_stops", "these tasks still ran: ['listens']"),
    (TellsOne, "news_reach_all_who_watch", "3 of 4 watchers of 'thr_1' heard nothing within 0.2"),
    (WatchesLater, "watching_has_begun", "watching 'thr_0' returned [], not ['news 0']"),
    (TellsLater, "watchers_of_the_same_process_are_told_at_once", "before run' had returned, re"),
    (TellsTwice, "news_reach_all_who_watch", "50 came twice or are others, such as "),
    (TellsByPattern, "places_are_apart", "watching 'thr_*' returned ['of thr_1'"),
    (TellsWhoEnded, "nobody_is_told_who_stopped_watching", "returned ['stop', 'stop'], not ['st"),
    (EndsOnlyOnce, "nobody_is_told_who_stopped_watching", "KeyError: "),
]


@pytest.mark.parametrize(("broken", "test", "came"), BROKEN)
async def test_a_broken_event_log_is_told(
    broken: type[MemoryEventLog], test: str, came: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "IDLE", Hurried.idle)
    log = broken()
    sentence = await told(Hurried(), f"test_{test}", lambda: broken(log))
    assert came in sentence
    assert ", because " in sentence
    assert "; but " in sentence
