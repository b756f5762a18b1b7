"""Events that logs are tried with, and followers that read them."""

from __future__ import annotations

import asyncio
import inspect
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from ...events.log import EventLog, EventLogFactory, FrameWriter
from .claims import Broken, holds, shown

GivenLog = EventLog | EventLogFactory

MANY = 700
"""More events than a log may pass on in one piece."""

FRAME = re.compile(rb"id: ([^\n]*):(\d+)\ndata: ([^\n]*)\n\n", re.DOTALL)


def log_of(given: GivenLog, turn_id: str = "turn_1") -> EventLog:
    """Return a log of what the fixture gives."""
    made = given if isinstance(given, EventLog) else given(turn_id)
    holds(isinstance(made, EventLog), f"the factory returned {shown(made)}, which is no EventLog")
    return made


def event(number: int, size: int = 0) -> bytes:
    """Return an event's data, with a number."""
    return b'{"n":%d,"text":"%b"}' % (number, b"x" * size)


def append(log: EventLog, data: bytes) -> None:
    """Append, and be sure that there is nothing to wait for."""
    appending: Callable[[bytes], object] = log.append
    given = appending(data)
    if inspect.isawaitable(given):
        close(given)
        raise Broken("`append` returned something to await")


def close(given: object) -> None:
    """Close a coroutine that nobody awaits."""
    if inspect.iscoroutine(given):
        given.close()


def joined(frames: list[tuple[bytes, bytes, bytes]]) -> Iterator[bytes]:
    """Yield the frames that were taken apart."""
    for frame in frames:
        yield b"id: %b:%b\ndata: %b\n\n" % frame


def pairs(frames: bytes) -> list[tuple[int, int]]:
    """Return the numbers of frames, and those in their data."""
    found = FRAME.findall(frames)
    if b"".join(joined(found)) != frames:
        raise Broken(f"a follower got {shown(frames)}, which are no whole frames")
    return [(int(number), int(data.split(b":")[1].split(b",")[0])) for _, number, data in found]


def data_of(frames: bytes) -> list[int]:
    """Return the numbers in the data of frames."""
    return [data for _, data in pairs(frames)]


async def next_piece(pieces: AsyncIterator[bytes]) -> bytes:
    """Return what a follower gets next."""
    try:
        return await anext(pieces)
    except StopAsyncIteration:
        raise Broken("a follower ended before the log did") from None


async def read(log: EventLog, after: int = 0) -> list[int]:
    """Follow to the end."""
    return [number async for frames in log.follow(after) for number in data_of(frames)]


async def read_some(log: EventLog, count: int, after: int = 0) -> list[tuple[int, int]]:
    """Follow a log that goes on, for so many events."""
    found: list[tuple[int, int]] = []
    pieces = log.follow(after)
    while len(found) < count:
        found += pairs(await next_piece(pieces))
    if inspect.isasyncgen(pieces):
        await pieces.aclose()
    return found


async def read_slowly(log: EventLog, after: int, speed: random.Random) -> list[int]:
    """Follow to the end, at a speed of one's own."""
    found: list[int] = []
    async for frames in log.follow(after):
        found += data_of(frames)
        for _ in range(speed.randrange(4)):
            await asyncio.sleep(0)
    return found


async def read_written(log: EventLog, speed: random.Random) -> list[int]:
    """Follow with a `write` that takes most frames."""
    found: list[int] = []

    def take(frames: bytes) -> bool:
        takes = speed.random() < 0.7
        if takes:
            found.extend(data_of(frames))
        return takes

    async for frames in log.follow(0, take):
        found.extend(data_of(frames))
        for _ in range(speed.randrange(4)):
            await asyncio.sleep(0)
    return found


@asynccontextmanager
async def following(log: EventLog, write: FrameWriter | None = None) -> AsyncIterator[list[bytes]]:
    """Have somebody follow, who has begun to wait; give what is yielded."""
    pieces: list[bytes] = []
    note = pieces.append

    async def follow() -> None:
        async for frames in log.follow(0, write):
            note(frames)

    task = asyncio.ensure_future(follow())
    await asyncio.sleep(0)
    try:
        yield pieces
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
