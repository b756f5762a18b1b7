"""The load: many concurrent chats from a separate process, each checked to its last byte.

`python -m benchmarks.load JSON` drives a server with a `Load` and prints a `Driven` as JSON.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import count

import orjson

from .client import ChatConnection, Heard, request
from .command import command
from .machine import cpu_seconds, resident_bytes
from .processes import output_of, python, run_until_told
from .script import Answer

_OPENED_AT_ONCE = 50


@dataclass(frozen=True)
class Load:
    """A load: `chats` at once, each with this many `turns`.

    They begin within `spread` seconds, evenly. A thread has `thread_turns` turns, unless `threads`
    names those to go on with, one for each turn. With `hold` the streams are opened and left open.
    `items` is whether the server tells finished items. With `prompt` it goes before all other
    processes, if the system allows it: who attacks is not on the machine of the users.
    """

    pid: int
    port: int
    path: str
    items: bool
    tokens: int
    interval: int = 0
    chats: int = 1
    turns: int = 1
    spread: float = 0.0
    thread_turns: int = 4
    threads: list[str] = field(default_factory=list)
    user: str = ""
    hold: bool = False
    prompt: bool = False

    @property
    def answer(self) -> Answer:
        """The request of each turn."""
        return Answer(self.tokens, self.interval)

    def drive(self, limit: float = 600.0) -> Driven:
        """Drive the server from a new process.

        Raises `processes.Failed`, also if it takes longer than `limit` seconds.
        """
        command = python("benchmarks.load", orjson.dumps(asdict(self)).decode())
        told = output_of(command, limit=limit)
        return Driven(**orjson.loads(told))


@dataclass(frozen=True)
class Driven:
    """The result: CPU seconds and resident bytes of the server, seconds of each turn.

    `resident` is measured before the load and after it; with `hold`, while one stream is open and
    while all are.
    """

    cpu: float
    seconds: float
    first: list[float]
    turns: list[float]
    resident: tuple[int, int]

    @property
    def cpu_per_turn(self) -> float:
        """CPU seconds of a turn."""
        return self.cpu / len(self.turns)


async def drive(load: Load) -> Driven:
    """Drive a server; raises `Wrong` as soon as a stream is wrong."""
    connections = [await _connected(load) for _ in range(load.chats)]
    try:
        return await (_held(load, connections) if load.hold else _turns(load, connections))
    finally:
        for connection in connections:
            connection.close()


async def _connected(load: Load) -> ChatConnection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(ChatConnection, "127.0.0.1", load.port)
    return connection


async def _turns(load: Load, connections: list[ChatConnection]) -> Driven:
    heard: list[Heard] = []
    resident, cpu, begun = resident_bytes(load.pid), cpu_seconds(load.pid), time.monotonic()
    async with asyncio.TaskGroup() as chats:
        for number, connection in enumerate(connections):
            chats.create_task(_chat(load, number, connection, heard))
    return Driven(
        cpu=cpu_seconds(load.pid) - cpu,
        seconds=time.monotonic() - begun,
        first=[turn.first for turn in heard],
        turns=[turn.seconds for turn in heard],
        resident=(resident, resident_bytes(load.pid)),
    )


async def _chat(load: Load, number: int, connection: ChatConnection, heard: list[Heard]) -> None:
    user = load.user or f"user{number}"
    thread_id = ""
    await asyncio.sleep(load.spread * number / load.chats)
    for turn in range(load.turns):
        if load.threads:
            thread_id = load.threads[number * load.turns + turn]
        elif turn % load.thread_turns == 0:
            thread_id = ""
        connection.ask(request(load.port, load.path, user, load.answer, thread_id))
        told = await connection.whole(load.answer, items=load.items)
        thread_id = told.thread_id
        heard.append(told)


async def _held(load: Load, connections: list[ChatConnection]) -> Driven:
    numbers = count()
    begun, cpu = time.monotonic(), cpu_seconds(load.pid)
    await _open(load, numbers, connections[:1])
    one = resident_bytes(load.pid)
    for batch in _batches(connections[1:]):
        await _open(load, numbers, batch)
    return Driven(
        cpu=cpu_seconds(load.pid) - cpu,
        seconds=time.monotonic() - begun,
        first=[],
        turns=[],
        resident=(one, resident_bytes(load.pid)),
    )


async def _open(load: Load, numbers: count[int], connections: list[ChatConnection]) -> None:
    for connection in connections:
        user = f"user{next(numbers)}"
        connection.ask(request(load.port, load.path, user, load.answer, ""))
    for connection in connections:
        await connection.first_token()


def _batches(connections: list[ChatConnection]) -> Iterator[list[ChatConnection]]:
    for start in range(0, len(connections), _OPENED_AT_ONCE):
        yield connections[start : start + _OPENED_AT_ONCE]


async def _main(load: Load) -> None:
    if load.prompt:
        with suppress(PermissionError):
            os.nice(-15)
    sys.stdout.buffer.write(orjson.dumps(asdict(await drive(load))))


if __name__ == "__main__":
    parser = command("load", __doc__)
    parser.add_argument(
        "load", metavar="JSON", type=lambda text: Load(**orjson.loads(text)), help="of a `Load`"
    )
    run_until_told(_main(parser.parse_args().load))
