"""Whether the database takes writes."""

from __future__ import annotations

import math
import sqlite3
import time

from .database import Database
from .failures import cause
from .guard import DiskFull, FileLost

WRITE_EVERY = 10.0
"""Seconds between two writes that find it works."""


class Health:
    """Tells whether a turn could be saved now, by writing one row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written = -math.inf

    async def problem(self) -> str | None:
        """Return what is wrong, in words that anybody may read; None if nothing is."""
        guard = self._database.guard
        if guard is not None and (problem := guard.problem() or guard.no_room()):
            self._written = -math.inf
            return problem
        if time.monotonic() - self._written < WRITE_EVERY and self._nothing_failed():
            return None
        self._written = -math.inf
        try:
            await self._database.try_write()
        except Exception as error:
            return f"takes no writes: {_reason(error)}"
        self._written = time.monotonic()
        return None

    def _nothing_failed(self) -> bool:
        """Whether no request has found since that the database does not answer."""
        return self._database.failed_at < self._written


def _reason(error: BaseException) -> str:
    """Name the driver's error, or quote ours. PostgreSQL's words may say who connects to what."""
    if isinstance(error, FileLost | DiskFull):
        return error.reason
    error = cause(error.__cause__ or error)
    is_ours = isinstance(error, TimeoutError) and error.errno is None and str(error)
    return str(error) if is_ours or isinstance(error, sqlite3.Error) else type(error).__name__
