"""Event logs with one mistake each: the contract finds it, and says so in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from chatkit_server.storage import FrameWriter, MemoryEventLog
from chatkit_server.testing.conformance import EventLogContract
from tests.conformance import told


class BreaksLines(MemoryEventLog):
    """Ends a frame with one line break."""

    def append(self, data: bytes) -> None:
        super().append(data)
        self._frames[-1] = self._frames[-1][:-1]


class NamesNoTurn(MemoryEventLog):
    def __init__(self, turn_id: str) -> None:
        super().__init__(turn_id)
        self._prefix = b"id: turn:"


class AppendsLater(MemoryEventLog):
    def append(self, data: bytes) -> Any:
        return self._append(data)

    async def _append(self, data: bytes) -> None:
        super().append(data)


class CountsEvents(MemoryEventLog):
    """Has the number of events for the size."""

    def append(self, data: bytes) -> None:
        super().append(data)
        self.size = len(self)


class NeverSaysThatItEnded(MemoryEventLog):
    @property
    def ended(self) -> bool:
        return False

    @ended.setter
    def ended(self, value: bool) -> None:
        self.has_ended = value


class WaitsForTheEnd(MemoryEventLog):
    """Passes all on when the turn is over."""

    async def follow(
        self, after: int = 0, write: FrameWriter | None = None
    ) -> AsyncIterator[bytes]:
        pieces = [frames async for frames in super().follow(after, None)]
        yield b"".join(pieces)


class BeginsAgain(MemoryEventLog):
    def follow(self, after: int = 0, write: FrameWriter | None = None) -> AsyncIterator[bytes]:
        return super().follow(0, write)


class RepeatsTheLast(MemoryEventLog):
    def follow(self, after: int = 0, write: FrameWriter | None = None) -> AsyncIterator[bytes]:
        return super().follow(max(0, after - 1), write)


class FollowsFromNow(MemoryEventLog):
    def follow(self, after: int = 0, write: FrameWriter | None = None) -> AsyncIterator[bytes]:
        return super().follow(len(self) if self._followers else after, write)


class OneQueue(MemoryEventLog):
    """Has one queue of events for all followers."""

    def __init__(self, turn_id: str) -> None:
        super().__init__(turn_id)
        self.read = 0

    async def follow(
        self, after: int = 0, write: FrameWriter | None = None
    ) -> AsyncIterator[bytes]:
        while not self.ended or self.read < len(self):
            if self.read == len(self):
                await asyncio.sleep(0)
                continue
            self.read += 1
            yield self._frames[self.read - 1]


class LeavesWithTheOthers(MemoryEventLog):
    """Ends for all when one leaves."""

    async def follow(
        self, after: int = 0, write: FrameWriter | None = None
    ) -> AsyncIterator[bytes]:
        try:
            async for frames in super().follow(after, write):
                yield frames
        except asyncio.CancelledError:
            self.part()
            raise


class EndsNobody(MemoryEventLog):
    """Tells no follower that it has ended."""

    def end(self) -> None:
        self.ended = True


class SharesItsFrames(MemoryEventLog):
    shared: ClassVar[list[bytes]] = []

    def __init__(self, turn_id: str) -> None:
        super().__init__(turn_id)
        self._frames = self.shared


class WritesAndYields(MemoryEventLog):
    """Yields what `write` has taken, too."""

    def follow(self, after: int = 0, write: FrameWriter | None = None) -> AsyncIterator[bytes]:
        def both(frames: bytes) -> bool:
            return write is not None and write(frames) and False

        return super().follow(after, both)


class TakesARefusalForDone(MemoryEventLog):
    def follow(self, after: int = 0, write: FrameWriter | None = None) -> AsyncIterator[bytes]:
        def always(frames: bytes) -> bool:
            if write is not None:
                write(frames)
            return True

        return super().follow(after, None if write is None else always)


class HoldsBack(MemoryEventLog):
    """Offers one batch, and the rest with the next event."""

    def _wrote(self, one: Any) -> bool:
        frames = self._after(one.after)
        if one.write is not None and not self.ended and one.write(b"".join(frames)):
            one.after += len(frames)
            return True
        one.woken.set_result(None)
        return False


class NeverParts(MemoryEventLog):
    def part(self) -> None:
        return


class LosesWhatItCompresses(MemoryEventLog):
    def compress(self) -> None:
        del self._frames[0]
        super().compress()


class Hurried(EventLogContract):
    """Does not wait for long."""

    patience = 0.2
    soon = 0.02


BROKEN: list[tuple[type[MemoryEventLog], str, str]] = [
    (BreaksLines, "events_come_as_frames", "follow returned b'', not b'id: turn_1:1"),
    (NamesNoTurn, "events_come_as_frames", "follow returned {'turn'}, not {'turn_1'}"),
    (AppendsLater, "appending_waits_for_nobody", "`append` returned something to await"),
    (CountsEvents, "size_and_end_are_told", "`size` is 1 after 1000 bytes of data"),
    (NeverSaysThatItEnded, "size_and_end_are_told", "`ended` is false after `end`"),
    (WaitsForTheEnd, "events_come_as_they_are_appended", "within 0.2 s, but waited at `same(data_"),
    (BeginsAgain, "following_resumes_after_any_number", "a running log after event 1 returned"),
    (RepeatsTheLast, "following_resumes_after_any_number", "after event 1 returned [0, 1, 2, 3, "),
    (FollowsFromNow, "followers_miss_nothing_and_get_nothing_twice", "a follower after event"),
    (OneQueue, "a_follower_that_leaves_disturbs_nobody", "follower 0, beside two that left, ret"),
    (LeavesWithTheOthers, "a_follower_that_leaves_disturbs_nobody", "returned [0, 1], not [0, 1, "),
    (EndsNobody, "the_end_ends_followers", "within 0.2 s, but waited at `same(await waiting,"),
    (SharesItsFrames, "logs_of_two_turns_are_apart", "following the first log returned"),
    (WritesAndYields, "frames_are_written_or_yielded", "together, returned a list where "),
    (TakesARefusalForDone, "frames_are_written_or_yielded", "what `write` took and what was yield"),
    (HoldsBack, "many_events_at_once_are_written", "256 of 700 events that were appended at once"),
    (NeverParts, "followers_end_where_the_log_parts", "but waited at `same(await early, [0, 1]"),
    (LosesWhatItCompresses, "a_compressed_log_is_followed_as_before", "`len`, `size` and `ended`"),
]


@pytest.mark.parametrize(("broken", "test", "came"), BROKEN)
async def test_a_broken_event_log_is_told(
    broken: type[MemoryEventLog], test: str, came: str
) -> None:
    sentence = await told(Hurried(), f"test_{test}", broken)
    assert came in sentence
    assert ", because " in sentence
    assert "; but " in sentence
