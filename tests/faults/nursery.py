"""Starts servers quickly: forks them from a process that has already imported everything.

Each server runs the command's `main` in a forked process, in its own folder. By hand, line by line:
`python -m tests.faults.nursery`, then `{"folder": FOLDER, "log": FILE}`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import selectors
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from io import FileIO
from pathlib import Path
from typing import Any

from chatkit_server.cli.main import main

_PATIENCE = 60.0
_PARTS = (
    "chatkit_server.serve",
    "chatkit_plugins.anonymous_auth",
    "chatkit_plugins.compatible_models",
    "chatkit_plugins.mcp_servers",
    "chatkit_plugins.tortoise_store",
    "tortoise.backends.asyncpg",
    "tortoise.backends.sqlite",
)
_LISTENS = re.compile(r"listens on (http://[^/]+)/")


class Child:
    """A running server, with its output in a log file."""

    def __init__(self, log: Path, pid: int) -> None:
        self.pid = pid
        self.url = ""
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._log = log

    @property
    def said(self) -> str:
        """Everything that it wrote so far."""
        return self._log.read_text()

    async def listens(self) -> None:
        """Wait until it takes requests."""
        async with asyncio.timeout(_PATIENCE):
            while (found := _LISTENS.search(self.said)) is None:
                assert not self.ended.done(), self.said
                await asyncio.sleep(0.02)
        self.url = found[1]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, number)

    async def end(self) -> int:
        """Wait for the end, and return the exit status; that of a signal is negative."""
        async with asyncio.timeout(_PATIENCE):
            return await asyncio.shield(self.ended)


class Nursery:
    """The process that forks servers; `started` runs one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._children: dict[int, Child] = {}
        self._asked: dict[str, asyncio.Future[Child]] = {}
        self._numbers = itertools.count(1)

    async def read(self) -> None:
        """Read the process's messages until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "log" in told:
                child = self._children[told["pid"]] = Child(Path(told["log"]), told["pid"])
                self._asked.pop(told["log"]).set_result(child)
            else:
                self._children.pop(told["pid"]).ended.set_result(told["status"])

    @asynccontextmanager
    async def started(self, folder: Path) -> AsyncIterator[Child]:
        """Run the server of a folder's `settings.yaml`, and see to its end."""
        log = self._new_log(folder)
        asked = self._asked[log] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), "log": log}).encode() + b"\n")
        child = await asked
        try:
            await child.listens()
            yield child
        finally:
            with suppress(ProcessLookupError):
                child.send(signal.SIGKILL)
            await child.end()

    def _new_log(self, folder: Path) -> str:
        log = folder / f"server-{next(self._numbers)}.log"
        log.touch()
        return str(log)


@asynccontextmanager
async def nursery(environment: dict[str, str]) -> AsyncIterator[Nursery]:
    """Run a nursery while the block runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, env=environment
    )
    made = Nursery(process)
    reading = asyncio.create_task(made.read())
    try:
        yield made
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await reading


def _tell(**told: Any) -> None:
    print(json.dumps(told), flush=True)


def _fork(folder: str, log: str) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _become_a_server(folder, log)
            status = main(["run", "--port", "0"])
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return pid


def _become_a_server(folder: str, log: str) -> None:
    os.setsid()
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    # The pipes and pidfds of the other servers
    os.closerange(3, 256)


def _serve() -> None:
    for part in _PARTS:
        import_module(part)
    # Unbuffered, so that no line waits unseen
    requests = FileIO(0, closefd=False)
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd != 0:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _, status = os.waitpid(key.data, 0)
                    _tell(pid=key.data, status=os.waitstatus_to_exitcode(status))
                elif line := requests.readline():
                    asked = json.loads(line)
                    pid = _fork(**asked)
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                    _tell(log=asked["log"], pid=pid)
                else:
                    _end(selector)
                    return


def _end(selector: selectors.BaseSelector) -> None:
    """Kill the remaining servers: the process that requested them is gone."""
    for key in selector.get_map().values():
        if key.data is not None:
            os.kill(key.data, signal.SIGKILL)


if __name__ == "__main__":
    _serve()
