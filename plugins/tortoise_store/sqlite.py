"""A SQLite connection for single statements, in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
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

    What is asked while the thread works goes to it together, and comes back together. To hand
    something to a thread that shares the interpreter with a busy event loop, and to hear of it
    again, costs several times what a statement costs.
    """

    def __init__(self, file: Path, pragmas: Mapping[str, Any]) -> None:
        self._file = file
        self._pragmas = pragmas
        self._executor = ThreadPoolExecutor(1, "sqlite")
        self._waiting: list[_Call] = []
        self._works = False

    async def open(self) -> None:
        """Connect; raises `sqlite3.Error`."""
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(self._executor, self._connect)

    async def close(self) -> None:
        """Close the connection and end the thread; what was asked before is done."""
        await self._loop.run_in_executor(self._executor, self._connection.close)
        self._executor.shutdown()

    async def rows(self, statement: str, values: Sequence[Any]) -> Rows:
        """Run a statement with parameters written `?1`, and return its rows.

        Raises `sqlite3.Error`. If this is cancelled, the statement may be run or not.
        """
        call = _Call(statement, values, self._loop.create_future())
        self._waiting.append(call)
        if not self._works:
            self._works = True
            # Others that are ready to run may ask for something too
            self._loop.call_soon(self._hand_over)
        return await call.rows

    def _hand_over(self) -> None:
        calls, self._waiting = self._waiting, []
        self._executor.submit(self._run, calls)

    def _take_back(self, calls: list[_Call], results: list[Rows | Exception]) -> None:
        for call, result in zip(calls, results, strict=True):
            if call.rows.done():
                continue
            if isinstance(result, Exception):
                call.rows.set_exception(result)
            else:
                call.rows.set_result(result)
        if self._waiting:
            self._hand_over()
        else:
            self._works = False

    # In the thread:

    def _connect(self) -> None:
        self._connection = sqlite3.connect(
            self._file, isolation_level=None, cached_statements=_STATEMENTS_KEPT
        )
        self._connection.row_factory = sqlite3.Row
        for name, value in self._pragmas.items():
            self._connection.execute(f"PRAGMA {name} = {value}")

    def _run(self, calls: list[_Call]) -> None:
        results = [self._result(call) for call in calls]
        self._loop.call_soon_threadsafe(self._take_back, calls, results)

    def _result(self, call: _Call) -> Rows | Exception:
        if call.rows.cancelled():
            return []
        try:
            return self._connection.execute(call.statement, call.values).fetchall()
        except Exception as error:
            return error
