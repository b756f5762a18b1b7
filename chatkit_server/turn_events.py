"""What a turn's context has for ChatKit's queue of events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from chatkit.types import ThreadStreamEvent

BURST = 50
"""Events of a plugin after which other tasks get their turn: about a millisecond."""


MOST_EARLY = 1000
"""Events that hooks may send before the turn streams."""


_EVENTS: tuple[type, ...] = get_args(get_args(ThreadStreamEvent)[0])
_EVENTS_AS_SET = frozenset(_EVENTS)


def check_event(event: Any, giver: str) -> None:
    """Raise `TypeError` if something is no event of ChatKit. `giver` is who has sent it."""
    if type(event) in _EVENTS_AS_SET or isinstance(event, _EVENTS):
        return
    hint = ", such as ThreadItemDoneEvent(item=...)" if hasattr(event, "thread_id") else ""
    name = type(event).__name__
    raise TypeError(f"{giver} a {name}, expected a ThreadStreamEvent{hint}")


class TurnEvents:
    """What a turn's context has for ChatKit's queue of events: they go to the turn at once.

    Before the turn streams, they are kept in `early`. It is None for a turn that has no stream.

    `stream_agent_response` merges this queue with the events of a run. Nothing ever comes from it,
    so reading it waits until the merge ends: by a cancellation, or with the mark of the end, which
    `stream_agent_response` puts into the queue and reads back without a pause in between. So any
    number of runs can share the queue of one turn.
    """

    __slots__ = ("_ended", "_readers", "_sent", "early", "emit", "runner")

    def __init__(self) -> None:
        self.early: list[ThreadStreamEvent] | None = None
        self.emit: Callable[[ThreadStreamEvent], Awaitable[None]] | None = None
        self.runner: Any = None
        self._ended: Any = None
        self._readers: list[asyncio.Future[Any]] | None = None
        self._sent = 0

    async def put(self, event: ThreadStreamEvent) -> None:
        """Send an event to the turn, or keep it until the turn streams."""
        check_event(event, "turn.stream got")
        if self.emit is None:
            self._keep(event)
            return
        await self.emit(event)
        self._sent += 1
        if self._sent % BURST == 0:
            # A tool that awaits nothing else would stop the answers of all users
            await asyncio.sleep(0)

    def _keep(self, event: ThreadStreamEvent) -> None:
        if self.early is None:
            raise RuntimeError("this turn has no stream: nobody follows it")
        if len(self.early) >= MOST_EARLY:
            raise RuntimeError(f"more than {MOST_EARLY} events before the turn has begun")
        # As it is now: its hook may change it before it is sent
        self.early.append(event.model_copy(deep=True))

    async def send_early(self) -> None:
        """Send what was kept before the turn streamed."""
        early, self.early = self.early or (), None
        for event in early:
            await self.put(event)

    def put_nowait(self, end: Any) -> None:
        """Take the mark of the end."""
        self._ended = end

    def get_nowait(self) -> Any:
        """Return the mark of the end once, and raise `QueueEmpty` after that."""
        ended, self._ended = self._ended, None
        if ended is None:
            raise asyncio.QueueEmpty
        return ended

    async def get(self) -> Any:
        """Return the mark of the end if it was put just now, else wait to be cancelled."""
        if self._ended is not None:
            return self.get_nowait()
        reader = asyncio.get_running_loop().create_future()
        readers = self._readers = self._readers or []
        readers.append(reader)
        try:
            return await reader
        finally:
            readers.remove(reader)

    def close(self) -> None:
        """End what still reads: a merge that has failed leaves its reader behind."""
        for reader in self._readers or ():
            reader.cancel()
