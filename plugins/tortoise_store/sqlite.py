"""A SQLite connection for single statements, with a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

Rows = list[sqlite3.Row]

_STATEMENTS_KEPT = 256
"""More prepared statements than the plugin has."""


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    statement: str
    values: Sequence[Any]
    rows: asyncio.Future[Rows]


class SqliteThread:
    """Runs statements in their order, each a transaction of its own.

    What is asked while the thread works goes to it together, and comes back together: beside a busy
    event loop, the way to a thread and back costs several times what a statement costs.
    """

    def __init__(self, file: Path, pragmas: Mapping[str, Any]) -> None:
        """Connect; raises `sqlite3.Error`."""
        self._connection = sqlite3.connect(
            file,
            isolation_level=None,
            cached_statements=_STATEMENTS_KEPT,
            check_same_thread=False,
        )
        self._connection.row_factory = sqlite3.Row
        for name, value in pragmas.items():
            self._connection.execute(f"PRAGMA {name} = {value}")
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Call] = []
        self._given: SimpleQueue[list[_Call]] = SimpleQueue()
        self._works = False
        self._thread = Thread(target=self._work, name="sqlite", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """End the thread, when what was asked before is done, and close the connection."""
        self._hand_over()
        self._given.put([])
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    async def rows(self, statement: str, values: Sequence[Any]) -> Rows:
        """Run a statement with parameters written `?1`, and return its rows.

        Raises `sqlite3.Error`. If this is cancelled, the statement may be run or not.
        """
        call = _Call(statement, values, self._loop.create_future())
        self._waiting.append(call)
        if not self._works:
            self._works = True
            self._loop.call_soon(self._hand_over)
        return await call.rows

    def _hand_over(self) -> None:
        self._works = bool(self._waiting)
        if self._works:
            self._given.put(self._waiting)
            self._waiting = []

    def _take_back(self, calls: list[_Call], results: list[Rows | Exception]) -> None:
        for call, result in zip(calls, results, strict=True):
            if call.rows.done():
                continue
            if isinstance(result, Exception):
                call.rows.set_exception(result)
            else:
                call.rows.set_result(result)
        self._hand_over()

    def _work(self) -> None:
        while calls := self._given.get():
            results = [self._result(call) for call in calls]
            self._loop.call_soon_threadsafe(self._take_back, calls, results)

    def _result(self, call: _Call) -> Rows | Exception:
        if call.rows.cancelled():
            return []
        try:
            return self._connection.execute(call.statement, call.values).fetchall()
        except Exception as error:
            return error
