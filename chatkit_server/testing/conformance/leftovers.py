"""What is left of a server that has stopped: tasks, connections, threads."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from aiohttp import ClientSession

_ROUNDS = 20


class Leftovers:
    """Finds what began within `watch` and has not ended: `await found()`, after the block."""

    def __init__(self) -> None:
        self._tasks = set(asyncio.all_tasks())
        self._threads = set(threading.enumerate())
        self._sessions: weakref.WeakSet[ClientSession] = weakref.WeakSet()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Take note of the sessions and sockets that are made in the block."""
        made, opened = ClientSession.__init__, socket.socket.__init__

        def session(it: ClientSession, *args: Any, **kwargs: Any) -> None:
            self._sessions.add(it)
            made(it, *args, **kwargs)

        def connection(it: socket.socket, *args: Any, **kwargs: Any) -> None:
            opened(it, *args, **kwargs)
            self._sockets.add(it)

        with (
            patch.object(ClientSession, "__init__", session),
            patch.object(socket.socket, "__init__", connection),
        ):
            yield

    async def found(self) -> list[str]:
        """Return a line for each thing that is left."""
        for _ in range(_ROUNDS):
            if not self._left():
                return []
            await asyncio.sleep(0.005)
        gc.collect()
        return self._left()

    def _left(self) -> list[str]:
        tasks = asyncio.all_tasks() - self._tasks
        lines = [f"the task of {_name(task)} still runs" for task in tasks]
        lines += [
            "an aiohttp.ClientSession is not closed" for one in self._sessions if not one.closed
        ]
        if not lines:
            # A session has sockets, too
            lines += [f"{_socket(one)} is open" for one in self._sockets if one.fileno() != -1]
        for thread in set(threading.enumerate()) - self._threads:
            if not (thread.daemon or _of_pool(thread)):
                lines.append(f"the thread `{thread.name}` still runs")
        return sorted(lines)


def _name(task: asyncio.Task[Any]) -> str:
    work: Any = task.get_coro()
    code = getattr(work, "cr_code", None)
    name = getattr(work, "__qualname__", task.get_name())
    place = "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"
    return f"`{name}`{place}"


def _socket(one: socket.socket) -> str:
    try:
        return f"a connection to {one.getpeername()}"
    except OSError:
        return "a socket"


def _of_pool(thread: threading.Thread) -> bool:
    """Whether a thread waits for work of `asyncio.to_thread`, as it does for the whole loop."""
    return thread.name.startswith(("asyncio_", "ThreadPoolExecutor"))
