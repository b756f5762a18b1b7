"""Looks after SQLite's file while the server runs: says what is wrong, and opens it anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .database import Database
from .guard import FileGuard
from .presence import Presence

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two looks."""

REPEAT = 60.0
"""Seconds between two warnings of one fault."""

_HELP = "turns are refused until the file, or a backup of it, is moved there"


class Watch:
    """Looks at the file and its disk, and repairs what can be repaired."""

    def __init__(self, database: Database, guard: FileGuard) -> None:
        self._database = database
        self._guard = guard
        self._presence = Presence(guard.path)
        self._told: str | None = None
        self._told_at = 0.0
        self._reopening: set[asyncio.Task[str | None]] = set()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Look while the block runs."""
        self._database.note_migrations()
        looking = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            looking.cancel()
            # Half a reopened file cannot be closed
            await asyncio.gather(looking, *self._reopening, return_exceptions=True)
            self._presence.leave()

    async def _look_on(self) -> None:
        while True:
            try:
                self._tell(await self.look())
            except Exception as error:
                self._tell(f"cannot look after the file: {error!r}")
            await asyncio.sleep(PAUSE)

    async def look(self) -> str | None:
        """Return what is wrong, and what helps; None if nothing is."""
        lost = self._guard.problem()
        if lost is not None:
            lost = await self._reopened(lost)
        if lost is not None:
            return f"{lost}: {_HELP}"
        self._presence.renew()
        full = self._guard.full_disk()
        if full is None and self._guard.write_failed:
            await self._database.try_large_write()
            full = self._guard.no_room()
        return None if full is None else f"{full}: new turns are refused, what is saved is safe"

    async def _reopened(self, lost: str) -> str | None:
        reopening = asyncio.create_task(self._database.reopen(lost))
        self._reopening.add(reopening)
        reopening.add_done_callback(self._reopening.discard)
        return await asyncio.shield(reopening)

    def _tell(self, problem: str | None) -> None:
        name = self._database.address.name
        now = time.monotonic()
        if problem is None:
            if self._told is not None:
                log.info("%s works again", name)
        elif problem != self._told or now - self._told_at >= REPEAT:
            self._told_at = now
            log.warning("%s: %s", name, problem)
        self._told = problem
