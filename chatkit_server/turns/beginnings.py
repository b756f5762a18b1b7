"""Requests that wait until a turn begins in a thread."""

from __future__ import annotations

import asyncio

from .running import Owner, RunningTurn

Waiter = asyncio.Future[RunningTurn | None]


class Beginnings:
    """Wakes those that wait for the next turn of a thread of a user, in this process."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Owner, str], set[Waiter]] = {}
        self._closed = False

    @property
    def count(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    async def wait(self, owner: Owner, thread_id: str, seconds: float) -> RunningTurn | None:
        """Return the turn that begins there; None after this time, or if the server shuts down."""
        if self._closed:
            return None
        place = owner, thread_id
        future: Waiter = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(place, set())
        waiting.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
            return future.result() if future.done() else None
        finally:
            waiting.discard(future)
            if not waiting and self._waiting.get(place) is waiting:
                del self._waiting[place]

    def began(self, running: RunningTurn) -> None:
        """Wake those that wait for this turn."""
        _wake(self._waiting.pop((running.owner, running.thread_id), set()), running)

    def close(self) -> None:
        """Wake all: nothing begins any more."""
        self._closed = True
        for waiting in self._waiting.values():
            _wake(waiting, None)


def _wake(waiting: set[Waiter], running: RunningTurn | None) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(running)
