"""Tortoise's pool of connections to PostgreSQL, with a limit: how long to wait for one."""

from __future__ import annotations

import asyncio
from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContextPooled,
)
from tortoise.connection import get_connections


class Client(AsyncpgDBClient):
    """A pool; `TimeoutError` tells of a wait for a connection that was too long."""

    def __init__(self, *, acquire_timeout: float, **credentials: Any) -> None:
        super().__init__(**credentials)
        self.acquire_timeout = acquire_timeout

    def acquire_connection(self) -> PoolConnectionWrapper[Any]:
        return _Acquired(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContextPooled:
        return _Transaction(TransactionWrapper(self), self._pool_init_lock)


client_class = Client
"""What Tortoise looks for in the module of an engine."""


class _Acquired(PoolConnectionWrapper[Any]):
    __slots__ = ()

    async def __aenter__(self) -> Any:
        await self.ensure_connection()
        self.connection = await _acquire(self.client)
        return self.connection


class _Transaction(TransactionContextPooled):
    """A transaction that gives its connection back if it cannot begin."""

    __slots__ = ()

    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        client: Any = self.client
        client._connection = connection = await _acquire(client._parent)
        begun = asyncio.ensure_future(client.begin())
        try:
            await asyncio.shield(begun)
        except BaseException:
            await asyncio.shield(self._give_back(connection, begun))
            raise
        self.token = get_connections().set(self.connection_name, client)
        return self.client

    async def _give_back(self, connection: Any, begun: asyncio.Future[None]) -> None:
        client: Any = self.client
        try:
            await asyncio.wait([begun])
            if begun.exception() is None:
                await client.rollback()
        finally:
            await client._parent._pool.release(connection)


async def _acquire(client: Any) -> Any:
    async with asyncio.timeout(client.acquire_timeout):
        return await client._pool.acquire()
