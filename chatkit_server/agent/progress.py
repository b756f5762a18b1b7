"""What tools report while they run, shown to the client."""

from __future__ import annotations

import asyncio
import logging

from chatkit.types import ProgressUpdateEvent

from ..mcp.progress import Progress
from ..turn import Turn

log = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two reports to the client, however many tools send however many."""


class ShownProgress:
    """Shows the latest progress of a turn's tools; nothing of it is saved."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._latest: tuple[str, Progress] | None = None
        self._showing: asyncio.Task[None] | None = None

    def note(self, title: str, progress: Progress) -> None:
        """Show this as soon as the pause is over, unless there is newer progress then."""
        self._latest = title, progress
        if self._showing is None:
            self._showing = asyncio.create_task(self._show())

    def forget(self, title: str) -> None:
        """Show nothing more of a tool that has ended."""
        if self._latest is not None and self._latest[0] == title:
            self._latest = None

    def stop(self) -> None:
        """Show nothing more."""
        self._latest = None
        if self._showing is not None:
            self._showing.cancel()

    async def _show(self) -> None:
        try:
            while self._latest is not None:
                title, progress = self._latest
                self._latest = None
                await self._turn.stream(ProgressUpdateEvent(text=f"{title}: {progress}"))
                await asyncio.sleep(PAUSE)
        except Exception:
            log.debug("turn %s: progress could not be shown", self._turn.id, exc_info=True)
        finally:
            self._showing = None
