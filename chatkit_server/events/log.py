"""The event log of a turn: append, replay from a point, follow."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

AT_ONCE = 256

Take = Callable[[bytes], bool]
"""Takes frames and returns True, or leaves them and returns False."""

_FRAME_END = b"\n\n"


class EventLog:
    """The events of one turn, serialised once and numbered from 1.

    Any number of followers read it, each from its own point and at its own speed. `size` is in
    bytes.
    """

    def __init__(self, turn_id: str) -> None:
        self.turn_id = turn_id
        self.ended = False
        self._prefix = f"id: {turn_id}:".encode()
        self.size = 0
        self._frames: list[bytes] = []
        self._packed: _Packed | None = None
        self._waiting: list[_Waiting] = []
        self._will_tell = False

    def __len__(self) -> int:
        return len(self._frames) if self._packed is None else len(self._packed)

    def append(self, data: bytes) -> None:
        """Add an event, given as one line of JSON."""
        frames = self._frames
        frame = b"%b%d\ndata: %b\n\n" % (self._prefix, len(frames) + 1, data)
        frames.append(frame)
        self.size += len(frame)
        if self._waiting and not self._will_tell:
            self._tell_soon()

    def end(self) -> None:
        """Say that no event will follow."""
        self.ended = True
        if self._waiting and not self._will_tell:
            self._tell_soon()

    def pack(self) -> None:
        """Keep the events of a log that has ended in little room; it can be followed as before."""
        if self._packed is None:
            self._packed = _Packed(self._frames)
            self._frames = []

    def _after(self, number: int) -> Sequence[bytes]:
        """Return up to `AT_ONCE` frames after number `number`."""
        if self._packed is not None:
            return self._packed.after(number)
        return self._frames[number : number + AT_ONCE]

    async def follow(self, after: int = 0, take: Take | None = None) -> AsyncIterator[bytes]:
        """Yield the frames after number `after`, those that wait in one piece, until the end.

        A piece has up to `AT_ONCE` frames: a follower that was slow is not sent all at once. While
        the follower waits for more, `take` is offered it first, at less than half the cost. What
        that leaves is yielded, and so is the last piece.
        """
        while True:
            if after < len(self):
                waiting = self._after(after)
                after += len(waiting)
                yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            elif self.ended:
                return
            else:
                one = _Waiting(after, take, asyncio.get_running_loop().create_future())
                self._waiting.append(one)
                await one.over
                after = one.after

    def _tell_soon(self) -> None:
        """Tell those who wait, once more cannot come at the same time."""
        self._will_tell = True
        asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._will_tell = False
        # That of a follower who was cancelled is over
        self._waiting = [one for one in self._waiting if not one.over.done() and self._took(one)]

    def _took(self, one: _Waiting) -> bool:
        """Return whether the frames were taken, and their follower waits on."""
        if one.take is not None and not self.ended:
            frames = self._after(one.after)
            if one.take(frames[0] if len(frames) == 1 else b"".join(frames)):
                one.after += len(frames)
                return True
        one.over.set_result(None)
        return False


@dataclass(slots=True)
class _Waiting:
    """A follower that has all frames up to number `after`."""

    after: int
    take: Take | None
    over: asyncio.Future[None]


class _Packed:
    """Frames that are hardly ever read again. They are much alike: packed, they take a twentieth.

    They are unpacked `AT_ONCE` at a time.
    """

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._count = len(frames)
        starts = range(0, len(frames), AT_ONCE)
        self._blocks = [
            # The fastest level packs as well as the others do
            zlib.compress(b"".join(frames[start : start + AT_ONCE]), 1)
            for start in starts
        ]

    def __len__(self) -> int:
        return self._count

    def after(self, number: int) -> Sequence[bytes]:
        """Return the frames after number `number`, as far as they are in one block with it."""
        block = zlib.decompress(self._blocks[number // AT_ONCE])
        # A frame is one line of JSON, which has no line feed of its own
        frames = block.split(_FRAME_END)[number % AT_ONCE : -1]
        return [frame + _FRAME_END for frame in frames]
