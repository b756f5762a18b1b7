"""Keeps one model from taking the event loop for itself."""

from __future__ import annotations

import asyncio

BURST = 0.5
"""Seconds whose events may come at once."""

UNINTERRUPTED = 5
"""Events in a row before others run."""


class EventPace:
    """Slows an answer down that makes more events than a model should need.

    The Agents SDK takes up to half a millisecond for each event, in which nobody else is served:
    two answers that come as fast as they are read would be all that a server has time for.

        async for chunk in chunks:
            yield chunk
            await pace.keep()

    `per_second` is how many events the answer may make, after those of the first half second.
    """

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._uninterrupted = UNINTERRUPTED * self._gap - BURST
        self._loop = asyncio.get_running_loop()
        self._due = 0.0

    async def keep(self) -> None:
        """Count an event; wait until the next may come, or at least let others run."""
        now = self._loop.time()
        self._due = max(self._due, now - BURST) + self._gap
        early = self._due - now
        if early > self._uninterrupted:
            await asyncio.sleep(max(0.0, early))
