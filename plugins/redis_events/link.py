"""A connection of its own for what is sent all the time."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from .connection import keeping_cancellation

IDLE = 1.0
"""Seconds after which the server may have closed a connection that nobody used."""


def word(value: bytes) -> bytes:
    """Return a word of a command as Redis reads it."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def command(*words: bytes) -> bytes:
    """Return a command as Redis reads it."""
    return b"*%d\r\n%b" % (len(words), b"".join(map(word, words)))


class Link:
    """Sends commands that are packed already, by a connection of the client's kind.

    The client's own way to send one has several turns of the event loop: it takes a connection from
    its pool, looks whether that was closed, and sends with a task and waits with a timer of its
    own. With fifty commands a second, that cost as much as all else together. Nothing is read
    before `answers`: each answer would wake the process, too.
    """

    def __init__(self, client: Redis, timeout: float) -> None:
        self._connection = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        self._timeout = timeout
        self._used = -math.inf
        self._waiting = 0
        """Answers that were not read yet."""

    async def send(self, commands: bytes, answers: int) -> None:
        """Send commands that will have so many answers. Those before it need not be read yet.

        After an error, no answer comes to what was sent before.
        """
        now = asyncio.get_running_loop().time()
        if not self._connection.is_connected or (not self._waiting and now - self._used > IDLE):
            await self._connect()
        try:
            # The library keeps it to itself
            writer: asyncio.StreamWriter = self._connection._writer
            transport = writer.transport
            if transport.is_closing():
                raise ConnectionError("Redis has closed the connection")
            if not self._waiting:
                cast(asyncio.ReadTransport, transport).pause_reading()
            self._used = now
            self._waiting += answers
            transport.write(commands)
            if transport.get_write_buffer_size():
                async with asyncio.timeout(self._timeout):
                    await writer.drain()
        except BaseException:
            await self._give_up()
            raise

    async def answers(self) -> list[Any]:
        """Return the answers to what was sent; errors of Redis are among them."""
        waiting, self._waiting = self._waiting, 0
        found: list[Any] = []
        try:
            if waiting:
                self._connection._writer.transport.resume_reading()
            async with asyncio.timeout(self._timeout):
                for _ in range(waiting):
                    try:
                        found.append(await self._connection.read_response())
                    except ResponseError as error:
                        found.append(error)
        except BaseException:
            await self._give_up()
            raise
        return found

    async def _give_up(self) -> None:
        """Leave the connection, with the answers that are still to come."""
        self._waiting = 0
        with suppress(RedisError, OSError, TimeoutError):
            await self._connection.disconnect(nowait=True)

    async def ask(self, commands: bytes, answers: int) -> list[Any]:
        """Send commands, and return the answers. Raises an error of Redis."""
        await self.send(commands, answers)
        found = await self.answers()
        for answer in found:
            if isinstance(answer, ResponseError):
                raise answer
        return found

    async def close(self) -> None:
        """Close the connection."""
        with suppress(RedisError, OSError, TimeoutError):
            await self._connection.disconnect()

    async def _connect(self) -> None:
        """Connect, unless the connection is there and was not closed."""
        connection = self._connection
        # The library's own timers are for what it does while it connects
        connection.socket_timeout = self._timeout
        if connection.is_connected and await connection.can_read():
            # There is nothing to read but its end
            await connection.disconnect(nowait=True)
        await keeping_cancellation(connection.connect())
        connection.socket_timeout = None
