"""Looks after SQLite's file while the server runs: says what is wrong, and opens it anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .database import Database
from .guard import FileGuard

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two looks."""

REPEAT = 60.0
"""Seconds between two warnings of one fault."""

_HELP = "turns are refused until the file is back, or a backup is in its place"


class Watch:
    """Looks at the file and its disk, and repairs what can be repaired."""

    def __init__(self, database: Database, guard: FileGuard) -> None:
        self._database = database
        self._guard = guard
        self._told: str | None = None
        self._told_at = 0.0

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Look while the block runs."""
        looking = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

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
            lost = await self._database.reopen(lost)
        if lost is not None:
            return f"{lost}: {_HELP}"
        if self._guard.write_failed:
            await self._database.try_large_write()
        full = self._guard.no_room()
        return None if full is None else f"{full}: new turns are refused, what is saved is safe"

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
