"""The event log of a turn: written once, followed by many."""

from __future__ import annotations

import asyncio
import random
import re
import tracemalloc
from typing import Any, ClassVar

import pytest

from chatkit_server import hookimpl
from chatkit_server.events.log import BATCH, EventLog, EventLogFactory, MemoryEventLog
from tests.conftest import MakeChat

FRAME = re.compile(rb"id: turn_1:(\d+)\ndata: (\{[^\n]*\})\n\n")


async def read(log: EventLog, after: int = 0, pauses: random.Random | None = None) -> list[int]:
    """Follow to the end, at a speed of one's own; return the numbers of the frames."""
    numbers: list[int] = []
    async for frames in log.follow(after):
        found = FRAME.findall(frames)
        assert b"".join(b"id: turn_1:%b\ndata: %b\n\n" % frame for frame in found) == frames
        assert all(data == b'{"n":%b}' % number for number, data in found)
        numbers += [int(number) for number, _ in found]
        for _ in range(pauses.randrange(4) if pauses else 0):
            await asyncio.sleep(0)
    return numbers


def append(log: EventLog) -> None:
    log.append(b'{"n":%d}' % (len(log) + 1))


async def test_followers_miss_nothing_and_hear_nothing_twice() -> None:
    pauses = random.Random(7)
    log = MemoryEventLog("turn_1")
    followers: dict[asyncio.Task[list[int]], int] = {}

    def join(after: int) -> None:
        speed = random.Random(pauses.random())
        followers[asyncio.create_task(read(log, after, speed))] = after

    join(0)
    for number in range(1, 201):
        append(log)
        for _ in range(pauses.randrange(3)):
            await asyncio.sleep(0)
        if number % 10 == 0:
            # from the start, from the middle, from now, and from what is still to come
            for after in (0, number // 2, number, number + 5):
                join(after)
    log.end()
    join(0)
    join(200)
    for follower, after in followers.items():
        assert await follower == list(range(after + 1, 201))


async def test_a_follower_that_leaves_does_not_disturb_the_others() -> None:
    log = MemoryEventLog("turn_1")
    staying = [asyncio.create_task(read(log)) for _ in range(3)]
    leaving = [asyncio.create_task(read(log)) for _ in range(3)]
    await asyncio.sleep(0)
    append(log)
    await asyncio.sleep(0)
    for follower in leaving:
        follower.cancel()
    append(log)
    await asyncio.sleep(0)
    append(log)
    log.end()
    assert [await follower for follower in staying] == [[1, 2, 3]] * 3
    for follower in leaving:
        with pytest.raises(asyncio.CancelledError):
            await follower


async def test_what_waits_comes_in_one_piece() -> None:
    log = MemoryEventLog("turn_1")
    for _ in range(3):
        append(log)
    following = log.follow()
    assert len(FRAME.findall(await anext(following))) == 3
    append(log)
    assert len(FRAME.findall(await anext(following))) == 1
    log.end()
    assert [frames async for frames in following] == []


async def test_a_log_that_has_ended_is_replayed() -> None:
    log = MemoryEventLog("turn_1")
    assert not log.ended
    append(log)
    append(log)
    log.end()
    assert log.ended
    assert len(log) == 2
    assert await read(log) == [1, 2]
    assert await read(log, 1) == [2]
    assert await read(log, 2) == []
    assert await read(log, 99) == []


async def test_those_who_follow_stop_where_the_log_parts() -> None:
    log = MemoryEventLog("turn_1")
    append(log)
    early, slow = asyncio.create_task(read(log)), log.follow(0)
    await asyncio.sleep(0)
    append(log)
    log.part()
    append(log)
    assert await early == [1, 2]
    late = asyncio.create_task(read(log, 2))
    await asyncio.sleep(0)
    append(log)
    log.end()
    assert await late == [3, 4]
    assert await read(log) == [1, 2, 3, 4]
    # One that has not begun to read follows from where it begins
    assert len([frames async for frames in slow]) == 1


async def test_an_empty_log_ends() -> None:
    log = MemoryEventLog("turn_1")
    waiting = asyncio.create_task(read(log))
    await asyncio.sleep(0)
    log.end()
    assert await waiting == []


@pytest.mark.parametrize("count", [0, 1, BATCH, 2 * BATCH + 7])
async def test_a_packed_log_is_followed_as_before(count: int) -> None:
    log, same = MemoryEventLog("turn_1"), MemoryEventLog("turn_1")
    for _ in range(count):
        append(log)
        append(same)
    log.end()
    same.end()
    log.compress()
    assert (len(log), log.size) == (len(same), same.size)
    for after in {0, 1, count // 2, BATCH - 1, BATCH, count - 1, count, count + 5}:
        told = b"".join([frames async for frames in log.follow(max(after, 0))])
        assert told == b"".join([frames async for frames in same.follow(max(after, 0))])


async def test_a_follower_goes_on_while_the_log_is_packed() -> None:
    log = MemoryEventLog("turn_1")
    for _ in range(BATCH + 3):
        append(log)
    following = log.follow(BATCH - 2)
    first = await anext(following)
    append(log)
    log.end()
    log.compress()
    told = first + b"".join([frames async for frames in following])
    numbers = [int(number) for number, _ in FRAME.findall(told)]
    assert numbers == list(range(BATCH - 1, BATCH + 5))


def test_a_packed_log_takes_little_room() -> None:
    log = MemoryEventLog("turn_1")
    for _ in range(500):
        append(log)
    log.end()
    tracemalloc.start()
    try:
        log.compress()
        packed, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert packed < log.size / 4
    assert not log._frames


async def test_a_follower_that_waits_is_offered_frames_before_its_task_wakes() -> None:
    log = MemoryEventLog("turn_1")
    taken: list[bytes] = []
    takes = True

    def take(frames: bytes) -> bool:
        if takes:
            taken.append(frames)
        return takes

    following = log.follow(0, take)
    waiting = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    append(log)
    append(log)
    await asyncio.sleep(0)
    assert [len(FRAME.findall(frames)) for frames in taken] == [2]
    assert not waiting.done()
    takes = False
    append(log)
    assert FRAME.findall(await waiting) == [(b"3", b'{"n":3}')]
    takes = True
    rest = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    append(log)
    log.end()
    # the last ones are for the task, which has an end to write
    assert FRAME.findall(await rest) == [(b"4", b'{"n":4}')]
    assert [frames async for frames in following] == []
    assert len(taken) == 1


async def test_more_than_a_batch_of_frames_is_offered_at_once() -> None:
    log = MemoryEventLog("turn_1")
    taken: list[int] = []

    def take(frames: bytes) -> bool:
        taken.extend(int(number) for number, _ in FRAME.findall(frames))
        return len(taken) < 3 * BATCH

    following = log.follow(0, take)
    waiting = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    for _ in range(2 * BATCH + 7):
        append(log)
    await asyncio.sleep(0)
    assert taken == [*range(1, 2 * BATCH + 8)], "what is left would wait for the next event"
    for _ in range(2 * BATCH):
        append(log)
    # `take` refuses the first batch, after it has noted its numbers
    assert FRAME.findall(await waiting)[0][0] == b"%d" % (2 * BATCH + 8)


@pytest.mark.parametrize("seed", range(5))
async def test_what_is_taken_and_what_is_left_is_all_of_it_in_order(seed: int) -> None:
    chance = random.Random(seed)
    log = MemoryEventLog("turn_1")

    async def follow(after: int, speed: random.Random) -> list[int]:
        numbers: list[int] = []

        def take(frames: bytes) -> bool:
            takes = speed.random() < 0.7
            if takes:
                numbers.extend(int(number) for number, _ in FRAME.findall(frames))
            return takes

        async for frames in log.follow(after, take):
            numbers.extend(int(number) for number, _ in FRAME.findall(frames))
            for _ in range(speed.randrange(4)):
                await asyncio.sleep(0)
        return numbers

    followers = {
        after: asyncio.create_task(follow(after, random.Random(chance.random())))
        for after in (0, 3, 50, 250)
    }
    for _ in range(300):
        append(log)
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
    log.end()
    for after, follower in followers.items():
        assert await follower == list(range(after + 1, 301))


class CountingLog(MemoryEventLog):
    """Another event log: it counts what it is given."""

    made: ClassVar[list[CountingLog]] = []

    def __init__(self, turn_id: str) -> None:
        super().__init__(turn_id)
        self.appended = 0
        self.made.append(self)

    def append(self, data: bytes) -> None:
        self.appended += 1
        super().append(data)


class Brings:
    """Makes the event logs of turns."""

    def __init__(self, factory: Any) -> None:
        self.factory = factory

    @hookimpl
    def event_log(self) -> EventLogFactory:
        made: EventLogFactory = self.factory
        return made


async def test_the_first_plugin_that_answers_makes_the_event_logs(make_chat: MakeChat) -> None:
    chat = await make_chat(Brings(None), Brings(CountingLog), Brings(MemoryEventLog))
    streamed = await chat.say("hello")
    [log] = CountingLog.made
    assert log.turn_id == streamed.response.headers["X-Turn-Id"]
    assert log.appended == len(streamed.data) == len(log)


async def test_a_factory_that_makes_something_else_is_named(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    makes = [list[bytes], MemoryEventLog]
    chat = await make_chat(Brings(lambda turn_id: makes[0](turn_id)))
    status, _ = await chat.refused({"messages": [{"role": "user", "content": "hello"}]})
    assert status == 500
    assert ": event_log: the factory returned a list, expected a chatkit_server." in caplog.text
    del makes[0]
    assert (await chat.say("hello")).text
