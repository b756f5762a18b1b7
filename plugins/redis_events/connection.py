"""The clients of the plugin, and how it asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost

from chatkit_server.redis import RedisAddress, new_client

_ONCE_MORE = 0.1
"""Seconds until a task that has not ended is cancelled again."""

T = TypeVar("T")


def connected(address: RedisAddress, timeout: float, *, blocks: bool = False) -> Redis:
    """Return a client that connects when it is used.

    An answer has to come within `timeout` seconds; from a client that `blocks`, later by those that
    it asked the server to wait. Commands are not repeated: their caller knows which may be.
    """
    return new_client(
        address,
        socket_timeout=timeout + 1.0 if blocks else timeout,
        socket_connect_timeout=timeout,
        socket_keepalive=True,
    )


async def ask(client: Redis, *words: bytes | str | int) -> Any:
    """Send one command that may be repeated, and return the answer as Redis gave it.

    Redis, or what is between, may have closed a connection that nobody used: then it is sent again,
    by a new one. Raises what the library raises.
    """
    try:
        return await keeping_cancellation(client.execute_command(*words))  # type: ignore[no-untyped-call]
    except ConnectionLost:
        return await keeping_cancellation(client.execute_command(*words))  # type: ignore[no-untyped-call]


async def keeping_cancellation(work: Awaitable[T]) -> T:
    """Return what the library's work returns. It loses a cancellation while it connects."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    answer = await work
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return answer


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks that use a client, and wait for them."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        # The library loses a cancellation while it connects
        _, left = await asyncio.wait(left, timeout=_ONCE_MORE)
    await asyncio.gather(*tasks, return_exceptions=True)
