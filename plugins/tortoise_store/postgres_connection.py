"""Connections to PostgreSQL: what they are opened with, and statements that say why they failed."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from .postgres_watch import Watch

_OF_THE_POOL = (
    "acquire_timeout",
    "connection_name",
    "fetch_inserted",
    "keepalives",
    "max_inactive_connection_lifetime",
    "maxsize",
    "minsize",
    "reset",
)

_FAREWELL = 1.0
"""Seconds in which a connection is closed in peace."""


@asynccontextmanager
async def connected(credentials: Mapping[str, Any]) -> AsyncIterator[Any]:
    """Connect beside the pool while the block runs."""
    given = {key: value for key, value in credentials.items() if key not in _OF_THE_POOL}
    connection = await asyncpg.connect(**given)
    try:
        yield connection
    except BaseException:
        connection.terminate()
        raise
    # It ends the connection, also if the server does not answer
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=_FAREWELL)


class WatchedConnection(asyncpg.Connection):
    """A connection of the pool. `Watch` knows which statements wait; errors say what happened."""

    watch: Watch
    in_use = False
    is_lost = False

    async def execute(self, *args: Any, **options: Any) -> Any:
        """Run a statement; as asyncpg has it."""
        with self.watch.statement(self):
            return await super().execute(*args, **options)

    async def executemany(self, *args: Any, **options: Any) -> Any:
        """Run a statement for many rows; as asyncpg has it."""
        with self.watch.statement(self):
            return await super().executemany(*args, **options)

    async def fetch(self, *args: Any, **options: Any) -> Any:
        """Run a statement, and return its rows; as asyncpg has it."""
        with self.watch.statement(self):
            return await super().fetch(*args, **options)

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        """Run a statement, and return its first row; as asyncpg has it."""
        with self.watch.statement(self):
            return await super().fetchrow(*args, **options)

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        """Run a statement, and return one value; as asyncpg has it."""
        with self.watch.statement(self):
            return await super().fetchval(*args, **options)

    def lend(self) -> None:
        """Note that somebody has it; asyncpg's proxy passes the call on."""
        self.in_use = True

    def keep_alive(self, options: Mapping[str, int]) -> None:
        """Set options of the socket, by their names in the module `socket`."""
        own: Any = self
        given = own._transport.get_extra_info("socket")
        if given is None or given.family == socket.AF_UNIX:
            return
        given.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            # Some systems have only some of them
            if hasattr(socket, name):
                with suppress(OSError):
                    given.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
