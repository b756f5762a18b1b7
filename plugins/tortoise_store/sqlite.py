"""A SQLite connection for single statements, with a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from .payloads import size_of
from .sqlite_client import StatementLimit

Rows = list[sqlite3.Row]
Results = list[Rows | Exception]

_STATEMENTS_KEPT = 256
"""Prepared statements that a connection keeps: more than the plugin has."""

_PAUSE = 0.01
"""Seconds between two tries to set up a file that another process sets up."""


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """A statement. Whoever takes `right` first, runs it or gives it up."""

    statement: str
    values: Sequence[Any]
    most: int | None
    rows: asyncio.Future[Rows]
    right: Lock = field(default_factory=Lock)

    def give_up(self) -> None:
        """Fail, if the thread has not begun it."""
        if self.right.acquire(blocking=False) and not self.rows.done():
            self.rows.set_exception(TimeoutError("other statements or processes took too long"))


def connect(file: Path, pragmas: Mapping[str, Any]) -> sqlite3.Connection:
    """Open a file, wait for others that open it too, and return a connection for any thread.

    Raises `sqlite3.Error`, that of a locked file after the `busy_timeout` of the pragmas, in
    milliseconds. SQLite itself does not wait where two turn a new file to WAL. While a connection
    is open, all others find that done.
    """
    deadline = time.monotonic() + float(pragmas.get("busy_timeout", 0)) / 1000
    while True:
        connection = sqlite3.connect(
            file,
            isolation_level=None,
            cached_statements=_STATEMENTS_KEPT,
            check_same_thread=False,
        )
        try:
            for name, value in pragmas.items():
                connection.execute(f"PRAGMA {name} = {value}")
        except sqlite3.Error as error:
            connection.close()
            if not says(error, sqlite3.SQLITE_BUSY) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            connection.row_factory = sqlite3.Row
            return connection


def says(error: sqlite3.Error, *codes: int) -> bool:
    """Whether it is an error of one of these kinds, such as `sqlite3.SQLITE_BUSY`."""
    # The low byte is the kind of error; the others say more of it
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in codes


def read(cursor: sqlite3.Cursor, most: int) -> tuple[Rows, bool]:
    """Return rows until their payloads have so many bytes, and one more, and if these are all."""
    rows: Rows = []
    size = 0
    for row in cursor:
        rows.append(row)
        if size >= most:
            return rows, False
        size += size_of(row["payload"])
    return rows, True


class SqliteThread:
    """Runs statements in their order, each a transaction of its own.

    What is asked while the thread works goes to it together, and comes back together: beside a busy
    event loop, the way to a thread and back costs several times what a statement costs. A statement
    that waits for too long is not run.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        lock: asyncio.Lock,
        acquire_timeout: float,
        statement_timeout: float,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin. Statements run while `lock` is held; the connection stays the caller's to close.

        `check` raises what a statement fails with in place of being run.

        `lock` keeps them out of transactions on other connections of the process. Of two of
        these, SQLite would refuse the one that has read before and writes after the other.
        """
        self._connection = connection
        self._lock = lock
        self._acquire_timeout = acquire_timeout
        self._check = check
        self._limit = StatementLimit(statement_timeout)
        self._limit.watch(connection)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Call] = []
        self._due: dict[_Call, float] = {}
        self._next_due: asyncio.TimerHandle | None = None
        self._handing: asyncio.Task[None] | None = None
        self._given: SimpleQueue[tuple[list[_Call], asyncio.Future[Results]] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="sqlite", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """End the thread, when what was asked before is done."""
        if self._handing is not None:
            await self._handing
        if self._next_due is not None:
            self._next_due.cancel()
        self._given.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def is_busy(self) -> bool:
        """Whether statements wait for the thread, or run there."""
        return self._handing is not None

    async def rows(self, statement: str, values: Sequence[Any], most: int | None = None) -> Rows:
        """Run a statement with parameters written `?1`, and return its rows.

        With `most`, rows are read until their payloads have so many bytes, and one row more.

        Raises `sqlite3.Error`, and `TimeoutError` if it was not run because others took too long.
        If this is cancelled, the statement may be run or not.
        """
        # Nobody answers after `close`
        self._check()
        call = _Call(statement, values, most, self._loop.create_future())
        self._waiting.append(call)
        if self._handing is None:
            # The task begins after others that are ready now, and may ask for something too
            self._handing = self._loop.create_task(self._hand_over())
        self._due[call] = due = self._loop.time() + self._acquire_timeout
        if self._next_due is None:
            # One timer for all: it costs more than a statement
            self._next_due = self._loop.call_at(due, self._give_up_late_ones, context=Context())
        try:
            return await call.rows
        finally:
            del self._due[call]

    async def run_beside(self, statement: str) -> Rows:
        """Run a statement, and let others of the process write meanwhile.

        Raises `sqlite3.Error`.
        """
        self._check()
        call = _Call(statement, (), None, self._loop.create_future())
        done: asyncio.Future[Results] = self._loop.create_future()
        self._given.put(([call], done))
        _tell(call.rows, *await done)
        return await call.rows

    def _give_up_late_ones(self) -> None:
        now = self._loop.time()
        self._next_due = None
        for call, due in self._due.items():
            if due > now:
                self._next_due = self._loop.call_at(due, self._give_up_late_ones)
                break
            call.give_up()

    async def _hand_over(self) -> None:
        while self._waiting:
            async with self._lock:
                calls, self._waiting = self._waiting, []
                done: asyncio.Future[Results] = self._loop.create_future()
                self._given.put((calls, done))
                results = await done
            for call, result in zip(calls, results, strict=True):
                _tell(call.rows, result)
        self._handing = None

    def _work(self) -> None:
        while given := self._given.get():
            calls, done = given
            results = [self._result(call) for call in calls]
            self._loop.call_soon_threadsafe(done.set_result, results)

    def _result(self, call: _Call) -> Rows | Exception:
        if not call.right.acquire(blocking=False) or call.rows.cancelled():
            return []
        self._limit.begin()
        try:
            self._check()
            with closing(self._connection.execute(call.statement, call.values)) as cursor:
                return cursor.fetchall() if call.most is None else read(cursor, call.most)[0]
        except Exception as error:
            return error


def _tell(rows: asyncio.Future[Rows], result: Rows | Exception) -> None:
    if rows.done():
        return  # the caller was cancelled
    if isinstance(result, Exception):
        rows.set_exception(result)
    else:
        rows.set_result(result)
