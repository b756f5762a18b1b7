"""The event log of a turn: append, replay from a point, follow."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from .shared import PART, EventLog

BATCH = 256

AFTER_END = 999_999_999
"""The number of the last event for clients that were told the end of a turn from the stores."""

FrameWriter = Callable[[bytes], bool]
"""Writes frames and returns True, or returns False if it cannot at once."""

_FRAME_END = b"\n\n"


class TurnLog:
    """The events of one turn in this process, numbered from 1, encoded once for all followers.

    Any number of clients follow a log, each from any event on and at its own speed. The turn itself
    only appends and ends, and waits for no follower. `size` is in bytes; after `ended`, no more
    events come. What is appended goes to `shared` too, as the turn's attempt `generation`: there
    other processes follow it.

    A follower gets up to `BATCH` frames at a time, so that a slow one does not get all at once.
    """

    def __init__(self, turn_id: str, shared: EventLog | None = None, generation: int = 1) -> None:
        self.turn_id = turn_id
        self.ended = False
        self.size = 0
        self._shared = shared
        self._generation = generation
        self._parts: list[int] = []
        """The numbers of the events after which those stop who followed until then."""
        self._prefix = f"id: {turn_id}:".encode()
        self._frames: list[bytes] = []
        self._compressed: _CompressedFrames | None = None
        self._followers: list[_Follower] = []
        self._notify_scheduled = False

    def __len__(self) -> int:
        """Return the number of the last event."""
        return len(self._frames) if self._compressed is None else len(self._compressed)

    def place(self, number: int) -> int | None:
        """Return after which event a client goes on that has this one; None if it never was."""
        if number == AFTER_END:
            return len(self)
        return number if number <= len(self) else None

    def append(self, data: bytes) -> None:
        """Add an event, given as one line of JSON."""
        frames = self._frames
        frame = b"%b%d\ndata: %b\n\n" % (self._prefix, len(frames) + 1, data)
        frames.append(frame)
        self.size += len(frame)
        if self._shared is not None:
            self._shared.append(self.turn_id, self._generation, [(len(frames), frame)])
        if self._followers and not self._notify_scheduled:
            self._schedule_notify()

    def end(self, status: str = "") -> None:
        """End the log: followers get the remaining events, and stop."""
        if self._shared is not None and len(self) and not self.ended:
            self._shared.end(self.turn_id, self._generation, status)
        self.ended = True
        if self._followers and not self._notify_scheduled:
            self._schedule_notify()

    def part(self, *, everywhere: bool = True) -> int:
        """Have those who follow stop after the events so far; who comes later follows on.

        Return the number of the last event. If not `everywhere`, it is only those of this process.
        """
        self._parts.append(len(self))
        if everywhere and self._shared is not None and len(self):
            self._shared.append(self.turn_id, self._generation, [(len(self), PART)])
        for one in self._followers:
            if not one.woken.done():
                one.woken.set_result(None)
        self._followers = []
        return len(self)

    def compress(self) -> None:
        """Compress an ended log in memory. It can be followed as before."""
        if self._compressed is None:
            self._compressed = _CompressedFrames(self._frames)
            self._frames = []

    def _after(self, number: int) -> Sequence[bytes]:
        """Return up to `BATCH` frames after number `number`."""
        if self._compressed is not None:
            return self._compressed.after(number)
        return self._frames[number : number + BATCH]

    async def follow(
        self, after: int = 0, write: FrameWriter | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the frames after number `after`, several at a time, until the log ends.

        A frame is one event as it is sent: its id, its data, an empty line. While the follower
        waits, new frames are passed to `write`, which costs less than half. Frames that `write`
        refuses are yielded, and so are the last ones.
        """
        part = len(self._parts)
        while True:
            end = self._parts[part] if part < len(self._parts) else len(self)
            if after < end:
                waiting = self._after(after)[: end - after]
                after += len(waiting)
                yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            elif self.ended or part < len(self._parts):
                return
            else:
                one = _Follower(after, write, asyncio.get_running_loop().create_future())
                self._followers.append(one)
                await one.woken
                after = one.after

    def _schedule_notify(self) -> None:
        """Notify the followers in the next iteration of the loop, once for several events."""
        self._notify_scheduled = True
        asyncio.get_running_loop().call_soon(self._notify)

    def _notify(self) -> None:
        self._notify_scheduled = False
        # The future of a cancelled follower is done
        self._followers = [
            one for one in self._followers if not one.woken.done() and self._wrote(one)
        ]

    def _wrote(self, one: _Follower) -> bool:
        """Return whether the follower's `write` took all frames; if not, wake the follower."""
        if one.write is not None and not self.ended:
            frames = self._after(one.after)
            while one.write(frames[0] if len(frames) == 1 else b"".join(frames)):
                one.after += len(frames)
                if one.after >= len(self._frames):
                    return True
                frames = self._after(one.after)
        one.woken.set_result(None)
        return False


@dataclass(slots=True)
class _Follower:
    """A follower that has all frames up to number `after`."""

    after: int
    write: FrameWriter | None
    woken: asyncio.Future[None]


class _CompressedFrames:
    """Frames of an ended log, in compressed blocks of `BATCH`: a twentieth of the size."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._count = len(frames)
        starts = range(0, len(frames), BATCH)
        self._blocks = [
            # The fastest level: the others make it no smaller
            zlib.compress(b"".join(frames[start : start + BATCH]), 1)
            for start in starts
        ]

    def __len__(self) -> int:
        return self._count

    def after(self, number: int) -> Sequence[bytes]:
        """Return the frames after number `number` in the same block."""
        block = zlib.decompress(self._blocks[number // BATCH])
        # A frame's JSON has no line breaks
        frames = block.split(_FRAME_END)[number % BATCH : -1]
        return [frame + _FRAME_END for frame in frames]
