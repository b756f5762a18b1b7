"""Tortoise's connection to SQLite, with limits: how long to wait for it, and for a statement."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Any

from tortoise.backends.base.client import ConnectionWrapper, TransactionalDBClient
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.connection import get_connections

from .guard import FileGuard

_STEPS = 1_000_000
"""Steps of SQLite's virtual machine between two looks at the clock, some 20 ms. For each look, the
thread waits until the event loop lets it run Python."""


class StatementLimit:
    """Interrupts the statements of a connection that take too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = float("inf")

    def begin(self, _statement: str = "") -> None:
        """Note that a statement begins."""
        self._until = time.monotonic() + self._seconds

    def is_over(self) -> bool:
        """Whether the statement has taken too long: SQLite's progress handler."""
        return time.monotonic() > self._until

    def watch(self, connection: sqlite3.Connection) -> None:
        """Interrupt statements of this connection. Whoever runs one calls `begin` before."""
        connection.set_progress_handler(self.is_over, _STEPS)


class Client(SqliteClient):
    """A connection that one task uses at a time; `TimeoutError` tells of a wait that was too long.

    A statement that takes too long fails as an interrupted one.
    """

    def __init__(
        self, file_path: str, *, acquire_timeout: float, statement_timeout: float, **pragmas: Any
    ) -> None:
        super().__init__(file_path, **pragmas)
        self.acquire_timeout = acquire_timeout
        self._statement_timeout = statement_timeout
        self.guard: FileGuard | None = None

    async def create_connection(self, with_db: bool) -> None:
        is_new = self._connection is None
        await super().create_connection(with_db)
        if is_new and self._connection is not None:
            limit = StatementLimit(self._statement_timeout)
            await self._connection.set_progress_handler(limit.is_over, _STEPS)
            await self._connection.set_trace_callback(limit.begin)

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return _Acquired(self._lock, self)

    def check(self) -> None:
        """Raise `Unavailable` if the file is not the one that was opened."""
        if self.guard is not None:
            self.guard.check()

    @property
    def lock(self) -> asyncio.Lock:
        """Held while somebody uses the connection."""
        return self._lock

    def _in_transaction(self) -> SqliteTransactionContext:
        return _Transaction(SqliteTransactionWrapper(self), self._lock)


client_class = Client
"""What Tortoise looks for in the module of an engine."""


class _Acquired(ConnectionWrapper[Any]):
    __slots__ = ()

    async def __aenter__(self) -> Any:
        client: Any = self.client
        async with asyncio.timeout(client.acquire_timeout):
            await self._lock.acquire()
        try:
            # It would open what is at the path now
            client.check()
            self.connection = client._connection
            await self.ensure_connection()
        except BaseException:
            self._lock.release()
            raise
        return self.connection


class _Transaction(SqliteTransactionContext):
    """A transaction that lets others go on if it cannot begin."""

    __slots__ = ()

    async def __aenter__(self) -> TransactionalDBClient:
        client: Any = self.connection._parent
        async with asyncio.timeout(client.acquire_timeout):
            await self._trxlock.acquire()
        self.token = get_connections().set(self.connection_name, self.connection)
        try:
            client.check()
            # It may have been opened anew
            self.connection._connection = client._connection
            await self.connection.begin()
        except BaseException as error:
            # If this task was cancelled, the connection's thread begins it all the same
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        transaction: TransactionalDBClient = self.connection
        return transaction
