"""The event log of a turn: append, replay from a point, follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

AT_ONCE = 256


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
        self._waiters: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, data: bytes) -> None:
        """Add an event, given as one line of JSON."""
        frames = self._frames
        frame = b"%b%d\ndata: %b\n\n" % (self._prefix, len(frames) + 1, data)
        frames.append(frame)
        self.size += len(frame)
        if self._waiters:
            self._wake()

    def end(self) -> None:
        """Say that no event will follow."""
        self.ended = True
        self._wake()

    async def follow(self, after: int = 0) -> AsyncIterator[bytes]:
        """Yield the frames after number `after`, those that wait in one piece, until the end.

        A piece has up to `AT_ONCE` frames: a follower that was slow is not sent all at once.
        """
        while True:
            if after < len(self._frames):
                waiting = self._frames[after : after + AT_ONCE]
                after += len(waiting)
                yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            elif self.ended:
                return
            else:
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter

    def _wake(self) -> None:
        for waiter in self._waiters:
            # That of a follower who was cancelled is done
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
