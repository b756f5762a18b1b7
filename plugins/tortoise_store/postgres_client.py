"""Tortoise's pool of connections to PostgreSQL. Each wait has a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContextPooled,
)
from tortoise.connection import get_connections

from .failures import cause
from .postgres_connection import WatchedConnection
from .postgres_watch import Silent, Watch

_FAREWELL = 2.0
"""Seconds in which a connection must get over a failed statement, or be closed. After that it is
ended."""


ABANDONED = 5.0
"""Seconds without a statement after which PostgreSQL ends a transaction: its locks would stay for
as long as the server does not see that the connection is lost."""

ABANDONED_MIGRATION = 30.0
"""The same for migrations, which may do more than statements."""


class Client(AsyncpgDBClient):
    """A pool; `TimeoutError` tells of a wait that was too long, and says what for."""

    def __init__(
        self, *, acquire_timeout: float, keepalives: Mapping[str, int] | None, **credentials: Any
    ) -> None:
        super().__init__(
            connection_class=WatchedConnection, init=self._init, reset=_leave, **credentials
        )
        self._acquire_timeout = acquire_timeout
        self._keepalives = keepalives
        self.abandoned = ABANDONED if credentials["command_timeout"] else ABANDONED_MIGRATION
        self._settling: set[asyncio.Task[None]] = set()
        self._watch = Watch(
            {**credentials, "acquire_timeout": acquire_timeout}, credentials["command_timeout"]
        )

    async def _init(self, connection: WatchedConnection) -> None:
        self._watch.add(connection)
        if self._keepalives is not None:
            connection.keep_alive(self._keepalives)

    def acquire_connection(self) -> PoolConnectionWrapper[Any]:
        return _Acquired(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContextPooled:
        return _Transaction(_Statements(self), self._pool_init_lock)

    async def acquire(self) -> Any:
        """Return a connection of the pool."""
        if self._watch.problem:
            raise Silent(self._watch.problem)
        pool: Any = self._pool
        try:
            async with asyncio.timeout(self._acquire_timeout):
                connection = await pool.acquire()
        except TimeoutError:
            raise self._not_acquired(pool) from None
        connection.lend()
        return connection

    def _not_acquired(self, pool: Any) -> Silent:
        seconds = f"{self._acquire_timeout:g} s"
        if pool.get_size() >= pool.get_max_size():
            return Silent(
                f"no free connection within {seconds}: all {pool.get_max_size()} of pool_size "
                "are in use"
            )
        self._watch.look()
        return Silent(f"no connection within {seconds}")

    async def give_back(
        self,
        connection: Any,
        error: BaseException | None,
        rollback: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Return a connection to the pool, or end it if it does not get over the error soon.

        Whoever had no answer, or left, does not wait for that.
        """
        pool: Any = self._pool
        if pool is None:
            return
        if error is None:
            await pool.release(connection)
            return
        if isinstance(cause(error), asyncpg.ReadOnlySQLTransactionError):
            # A new connection may lead to the new primary
            _end(connection)
            self._watch.drop_idle()
        settling = asyncio.create_task(_settle(pool, connection, rollback))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        if not isinstance(error, TimeoutError | asyncio.CancelledError):
            await asyncio.shield(settling)

    async def _close(self) -> None:
        pool: Any
        pool, self._pool = self._pool, None
        await self._watch.close()
        if pool is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                # If it is cancelled, it ends the connections that are left
                await pool.close()
        if self._settling:
            await asyncio.wait(self._settling, timeout=_FAREWELL)


client_class = Client
"""What Tortoise looks for in the module of an engine."""


async def _leave(connection: WatchedConnection) -> None:
    """Leave the session as it is when a connection goes back to the pool.

    asyncpg would send a query that undoes `SET` and `LISTEN`, which nobody here uses: one more
    round trip for every statement. It ends open transactions without it.
    """
    connection.in_use = False


def _end(connection: Any) -> None:
    # asyncpg refuses it for one that is back in the pool
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _settle(
    pool: Any, connection: Any, rollback: Callable[[], Awaitable[None]] | None
) -> None:
    """Wait until a failed statement is over, roll back, and give the connection back."""
    try:
        async with asyncio.timeout(_FAREWELL):
            if rollback is not None:
                await rollback()
            await pool.release(connection)
    except Exception:
        _end(connection)


class _Acquired(PoolConnectionWrapper[Any]):
    __slots__ = ()

    async def __aenter__(self) -> Any:
        await self.ensure_connection()
        client: Any = self.client
        self.connection = await client.acquire()
        return self.connection

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        client: Any = self.client
        await client.give_back(self.connection, error)


class _Statements(TransactionWrapper):
    """The statements of a transaction, which the server ends if no more come."""

    async def begin(self) -> None:
        """Begin; raises what asyncpg raises."""
        await super().begin()
        parent: Any = self._parent
        # Not as a parameter of the connection, which poolers refuse
        await self._connection.execute(
            f"SET LOCAL idle_in_transaction_session_timeout = '{1000 * parent.abandoned:.0f} ms'"
        )


class _Transaction(TransactionContextPooled):
    """A transaction that gives its connection back, also if it cannot begin or end."""

    __slots__ = ()

    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        client: Any = self.client
        client._connection = connection = await client._parent.acquire()
        begun = asyncio.ensure_future(client.begin())
        try:
            await asyncio.shield(begun)
        except BaseException as error:

            async def rollback() -> None:
                await begun
                await client.rollback()

            await client._parent.give_back(connection, error, rollback)
            raise
        self.token = get_connections().set(self.connection_name, client)
        return self.client

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        client: Any = self.client
        get_connections().reset(self.token)
        rollback = None if client._finalized else client.rollback
        try:
            if error is None and rollback is not None:
                await client.commit()
                rollback = None
        except BaseException as failed:
            error = failed
            _end(client._connection)
            raise
        finally:
            await client._parent.give_back(client._connection, error, rollback)
