"""Starts commands quickly: forks them from a process that has imported everything already.

Importing takes a command most of its start. Each runs `main` in a forked process with its own
folder, environment, output and session, and ends as the interpreter ends. What is decided before
`main`, such as the encoding of the output, is that of the first process.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import chatkit_plugins

from chatkit_server.cli.main import main

_ROOT = Path(__file__).parent.parent
_LARGEST = 1_000_000
_PARTS = ("chatkit_server.serve", "tortoise.backends.asyncpg", "tortoise.backends.sqlite")


class Fork:
    """A command that runs, as `asyncio.subprocess.Process` has one."""

    def __init__(self, pid: int, pipes: list[_Pipe]) -> None:
        self.pid = pid
        self.stdout, self.stderr, status = (pipe.reader for pipe in pipes)
        self._pipes = pipes
        self._ended = asyncio.ensure_future(status.read())

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it is there."""
        if not self._ended.done():
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Wait for the end, and return the exit status; that of a signal is negative."""
        for pipe in self._pipes:
            await pipe.closed.wait()
        return int(await asyncio.shield(self._ended))


class _Pipe(asyncio.StreamReaderProtocol):
    """Reads a pipe up to its end, and tells when it is closed."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        self.closed = asyncio.Event()
        super().__init__(self.reader)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.closed.set()


async def fork(folder: Path, arguments: tuple[str, ...], env: Mapping[str, str]) -> Fork:
    """Run a command in a folder."""
    pipes = [os.pipe() for _ in range(3)]
    asked = json.dumps({"folder": str(folder), "arguments": arguments, "env": dict(env)})
    try:
        socket.send_fds(_first(), [asked.encode()], [write for _, write in pipes])
    finally:
        for _, write in pipes:
            os.close(write)
    loop = asyncio.get_running_loop()
    made = [
        (await loop.connect_read_pipe(_Pipe, os.fdopen(read, "rb", buffering=0)))[1]
        for read, _ in pipes
    ]
    return Fork(int(await made[-1].reader.readline()), made)


@functools.cache
def _first() -> socket.socket:
    """Start the process that forks the others, and return what it is asked through."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(theirs.fileno())],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        # Those of a forked process are pipes too, which Python looks at when it starts
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=kept,
        pass_fds=[theirs.fileno()],
        start_new_session=True,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.communicate()

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> list[str] | None:
    """Fork what is asked for. Return the arguments in the forked process, None at the end."""
    running: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is requests:
                    asked, given, _, _ = socket.recv_fds(requests, _LARGEST, 3)
                    if not asked:
                        _kill(running)
                        return None
                    pid = os.fork()
                    if pid == 0:
                        for watched, (_, status) in running.items():
                            os.close(watched)
                            os.close(status)
                        requests.close()
                        return _become(given, **json.loads(asked))
                    for descriptor in given[:2]:
                        os.close(descriptor)
                    watched = os.pidfd_open(pid)
                    running[watched] = pid, given[2]
                    selector.register(watched, selectors.EVENT_READ)
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _report(*running.pop(key.fd))


def _become(given: list[int], folder: str, arguments: list[str], env: dict[str, str]) -> list[str]:
    """Make the forked process what a shell would have started."""
    os.setsid()
    os.chdir(folder)
    sys.path[0] = folder
    os.environ.clear()
    os.environ.update(env)
    output, errors, status = given
    for source, target in ((output, 1), (errors, 2)):
        os.dup2(source, target)
        os.close(source)
    os.write(status, f"{os.getpid()}\n".encode())
    os.close(status)
    return arguments


def _report(pid: int, status: int) -> None:
    _, ended = os.waitpid(pid, 0)
    # The test may be over
    with suppress(BrokenPipeError):
        os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os.close(status)


def _kill(running: dict[int, tuple[int, int]]) -> None:
    """Kill what still runs: who asked for it is gone."""
    for pid, _ in running.values():
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    # What is imported stays until the end: to look for garbage in it, and to take it apart, takes
    # longer than most commands
    gc.disable()
    # The commands end with their terminal, though the tests may run under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for part in _PARTS:
        import_module(part)
    for plugin in pkgutil.iter_modules(chatkit_plugins.__path__, "chatkit_plugins."):
        import_module(plugin.name)
    gc.freeze()
    gc.enable()
    asked_for = _serve(socket.socket(fileno=int(sys.argv[1])))
    if asked_for is not None:
        sys.argv[1:] = asked_for
        sys.exit(main(asked_for))
