"""The command line as its users run it: real processes, their output, their signals, their end.

Without a `command`, a process is forked from one that has imported everything, which saves seconds.
Tests of what is decided before or by the imports, such as the logs of libraries, name a `command`.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aiohttp import ClientSession

from tests.client import Chat
from tests.forks import Fork, fork

MODULE = (sys.executable, "-m", "chatkit_server")
SCRIPT = (str(Path(sys.executable).with_name("chatkit-server")),)

PATIENCE = 50.0
"""Seconds after which a process that does not do what is waited for is given up."""

_LISTENS = re.compile(r"listens on (http://[^/]+)(/\S*)")
_OURS = re.compile(r"CHATKIT_|CORS_|DATABASE_URL|PYTHON|[A-Z]+_API_KEY|[A-Z]+_PROXY", re.IGNORECASE)


def environment(**variables: str) -> dict[str, str]:
    """Return this process's variables without those that would change a server, and these."""
    kept = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
    return {**kept, **variables}


class Process:
    """A running command; its lines are read as they come."""

    def __init__(self, process: asyncio.subprocess.Process | Fork) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.output: list[str] = []
        self.errors: list[str] = []
        self._process = process
        self._news = asyncio.Event()
        self._readers = asyncio.gather(
            self._read(process.stdout, self.output), self._read(process.stderr, self.errors)
        )
        self._readers.add_done_callback(lambda _: self._news.set())

    async def _read(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        async for line in stream:
            lines.append(line.decode().rstrip("\n"))
            self._news.set()

    @property
    def said(self) -> str:
        """Everything that it wrote so far, errors last."""
        return "\n".join([*self.output, *self.errors])

    async def line(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """Wait for a line in which the pattern is found; fail if the process ends without it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for line in (*self.output, *self.errors):
                    if match := re.search(pattern, line):
                        return match
                assert not self._readers.done(), f"no line has {pattern!r}:\n{self.said}"
                self._news.clear()
                await self._news.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, as `kill` does."""
        self._process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """Interrupt the process and its children, as a terminal does."""
        os.killpg(self._process.pid, signal.SIGINT)

    async def end(self) -> int:
        """Wait for the end, and return the exit status; that of a signal is negative."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.shield(self._readers)
            return await self._process.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.send(number)
        return await self.end()

    async def reap(self) -> None:
        """End what is left of it, whatever happened."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self.end()


@asynccontextmanager
async def started(
    folder: Path, *arguments: str, env: Mapping[str, str], command: tuple[str, ...] | None = None
) -> AsyncIterator[Process]:
    """Start a command in a folder, and see to its end."""
    if command is None:
        process = Process(await fork(folder, arguments, env))
    else:
        process = Process(
            await asyncio.create_subprocess_exec(
                *command,
                *arguments,
                cwd=folder,
                env=env,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                start_new_session=True,
            )
        )
    try:
        yield process
    except Exception as error:
        error.add_note(f"The process said:\n{process.said}")
        raise
    finally:
        await process.reap()


@dataclass
class Server:
    """A process that listens at `url`; `session` is for requests to it, by path."""

    process: Process
    url: str
    path: str
    session: ClientSession

    def chat(self, **headers: str) -> Chat:
        """Return a client of the endpoint that sends these headers."""
        # a session with a base URL takes paths, as aiohttp's client for tests does
        chat = Chat(cast(Any, self.session), self.path)
        chat.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return chat

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON of an answer."""
        async with self.session.get(path) as response:
            return response.status, await response.json()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the process, and return its exit status."""
        return await self.process.stop(number)


@asynccontextmanager
async def running(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    command: tuple[str, ...] | None = None,
) -> AsyncIterator[Server]:
    """Run the server on a free port with `settings.yaml` of a folder, and wait until it listens."""
    env = environment() if env is None else env
    arguments = ("run", "--port", "0", *arguments)
    async with started(folder, *arguments, env=env, command=command) as process:
        found = await process.line(_LISTENS)
        async with ClientSession(found[1]) as session:
            yield Server(process, found[1], found[2], session)
