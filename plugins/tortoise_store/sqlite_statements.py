"""Single statements on a SQLite file: short ones in the event loop, all others in two threads."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from contextvars import Context
from typing import Any

from .guard import FileGuard, FileLost
from .sqlite import Rows, SqliteThread, read, says

_STEPS = 50_000
"""Steps of SQLite's virtual machine after which a query is not a short one, some 1 ms."""

_SIZE = 128 * 1024
"""Bytes of parameters, or of payloads read, above which a statement is not a short one."""

_FEW = 20
"""Statements that run in one pass of the event loop. The way to the thread and back costs a larger
number, which goes there together, less than it costs others to wait."""

_SLOW = 0.02
"""Seconds after which a statement was slow: the disk is, or another process took the processor."""

_REST = 100
"""How many times as long as a slow statement took, another one shows that it is the disk. The
thread runs those that come then, as long again."""

_CHANGES = 250
"""Changed rows between two looks at the write-ahead log, each of about four pages: SQLite itself
looks at it each thousand pages."""

_LONG_LOG = 4_000
"""Pages of the write-ahead log from which on nobody writes while it goes into the database: it
begins anew only when all of it is there."""

_OF_THE_DISK = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class SqliteStatements:
    """Runs statements, each a transaction of its own. Those of one task run in their order.

    Beside a busy event loop, a thread waits for Python's lock at every step that it takes: for a
    statement of 0.07 ms, 16 ms. So statements run in the event loop, and in a thread only if they

    - have to wait for another connection's lock, or for statements in the thread,
    - come together with many others,
    - turn out to read or search much, or have large parameters,
    - change rows that they search for (`is_long`),
    - or come soon after two of a slow disk.

    A write-ahead log can be read while somebody writes, so queries have a thread of their own, and
    wait for no lock. The thread of the others also moves the log into the database, which waits for
    the disk. So where each commit does (`synchronous=FULL`), or there is no such log, all
    statements go to the threads; without the log, to the same.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        queries: SqliteThread,
        changes: SqliteThread,
        lock: asyncio.Lock,
        guard: FileGuard | None = None,
    ) -> None:
        """Begin. The connection stays the caller's to close; its settings become others.

        While somebody else holds `lock`, nothing is changed. The threads check the file themselves.
        """
        self._connection = connection
        has_log, waits = _journal(connection)
        self._changing = changes
        self._querying = queries if has_log else changes
        self._threads = queries, changes
        self._lock = lock
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._query = False
        self._asked: list[asyncio.Future[bool]] = []
        self._slow_until = 0.0
        self._not_before = 0.0 if has_log and not waits else float("inf")
        self._changes = 0
        self._emptying: asyncio.Task[None] | None = None
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.set_progress_handler(self._is_query, _STEPS)

    async def close(self) -> None:
        """End the threads, when what was asked before is done."""
        if self._asked:
            await self._are_few()
        if self._emptying is not None:
            await self._emptying
        for thread in self._threads:
            await thread.close()

    async def rows(
        self,
        statement: str,
        values: Sequence[Any],
        most: int | None = None,
        *,
        is_long: bool = False,
    ) -> Rows:
        """Run a statement with parameters written `?1`, and return its rows.

        With `most`, rows are read until their payloads have so many bytes, and one row more. What
        changes many rows, or searches for those to change, is `is_long`; queries needn't be.

        Raises `sqlite3.Error`, and `TimeoutError` if it was not run because others took too long.
        If this is cancelled, the statement may be run or not. Raises `FileLost` too.
        """
        try:
            return await self._rows(statement, values, most, is_long=is_long)
        except sqlite3.DatabaseError as error:
            if says(error, *_OF_THE_DISK) and self._guard is not None:
                self._guard.note_failure(error)
            if says(error, *_DAMAGED):
                raise sqlite3.OperationalError(str(error)) from error
            raise

    async def _rows(
        self, statement: str, values: Sequence[Any], most: int | None, *, is_long: bool
    ) -> Rows:
        is_query = statement.lstrip().startswith("SELECT")
        thread = self._querying if is_query else self._changing
        if not is_long and await self._are_few() and self._may_run(values, thread):
            rows = self._run(statement, values, most, is_query=is_query)
            if rows is not None:
                return rows
        return await thread.rows(statement, values, most)

    async def _are_few(self) -> bool:
        """Wait for what else is asked in this pass; return whether it may run in the next."""
        few: asyncio.Future[bool] = self._loop.create_future()
        self._asked.append(few)
        if len(self._asked) == 1:
            # This comes after all that is ready now
            self._loop.call_soon(self._count, context=Context())
        return await few

    def _count(self) -> None:
        asked, self._asked = self._asked, []
        for few in asked:
            if not few.done():
                few.set_result(len(asked) <= _FEW)

    def _may_run(self, values: Sequence[Any], thread: SqliteThread) -> bool:
        if thread.is_busy or time.monotonic() < self._not_before:
            return False
        if thread is self._changing and self._lock.locked():
            return False
        # The largest is all that matters: there are a dozen
        return all(len(value) <= _SIZE for value in values if value.__class__ is str)

    def _run(
        self, statement: str, values: Sequence[Any], most: int | None, *, is_query: bool
    ) -> Rows | None:
        """Return None if the statement, which has changed nothing then, is none for here."""
        if self._guard is not None:
            self._guard.check()
        began = time.monotonic()
        self._query = is_query
        try:
            with closing(self._connection.execute(statement, values)) as cursor:
                if most is None:
                    return cursor.fetchall()
                rows, is_all = read(cursor, min(most, _SIZE))
                return rows if is_all or most <= _SIZE else None
        except sqlite3.OperationalError as error:
            if says(error, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_INTERRUPT):
                return None
            raise
        finally:
            self._account(time.monotonic() - began)

    def _account(self, seconds: float) -> None:
        if seconds > _SLOW:
            now = time.monotonic()
            if now < self._slow_until:
                self._not_before = now + _REST * seconds
            self._slow_until = now + _REST * seconds
        if self._connection.total_changes - self._changes >= _CHANGES and self._emptying is None:
            self._changes = self._connection.total_changes
            self._emptying = self._loop.create_task(self._empty_log(), context=Context())

    def _is_query(self) -> bool:
        # Others may be committed before they are interrupted
        return self._query

    async def _empty_log(self) -> None:
        """Have the write-ahead log moved into the database, and statements run meanwhile."""
        try:
            # As SQLite does where it looks at the log itself, and the next time may succeed
            with suppress(sqlite3.Error, TimeoutError, FileLost):
                (result,) = await self._changing.run_beside(_CHECKPOINT)
                if result["log"] > _LONG_LOG:
                    await self._changing.rows(_CHECKPOINT, ())
        finally:
            self._emptying = None


def _journal(connection: sqlite3.Connection) -> tuple[bool, bool]:
    """Return whether there is a write-ahead log, and whether each commit waits for the disk."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    return mode == "wal", synchronous > 1
