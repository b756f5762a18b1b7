"""The log of a turn in its process: written once, followed by many, and passed on to others."""

from __future__ import annotations

import asyncio
import random
import re
import tracemalloc

import orjson
import pytest

from chatkit_server import hookimpl
from chatkit_server.events.log import BATCH, TurnLog
from chatkit_server.events.shared import KEPT
from chatkit_server.storage import PART, EventLog, MemoryEventLog, Part
from tests.conftest import MakeChat

FRAME = re.compile(rb"id: turn_1:(\d+)\ndata: (\{[^\n]*\})\n\n")


async def read(log: TurnLog, after: int = 0, pauses: random.Random | None = None) -> list[int]:
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


def append(log: TurnLog) -> None:
    log.append(b'{"n":%d}' % (len(log) + 1))


async def test_followers_miss_nothing_and_hear_nothing_twice() -> None:
    pauses = random.Random(7)
    log = TurnLog("turn_1")
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
    log = TurnLog("turn_1")
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
    log = TurnLog("turn_1")
    for _ in range(3):
        append(log)
    following = log.follow()
    assert len(FRAME.findall(await anext(following))) == 3
    append(log)
    assert len(FRAME.findall(await anext(following))) == 1
    log.end()
    assert [frames async for frames in following] == []


async def test_a_log_that_has_ended_is_replayed() -> None:
    log = TurnLog("turn_1")
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
    log = TurnLog("turn_1")
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


async def test_an_event_is_a_frame_whatever_is_in_it() -> None:
    log = TurnLog("turn_1")
    data = ['{"text":"Grüße, 世界 🦜 \u2028 \\n"}'.encode(), b'{"x":"%b"}' % (b"y" * 100_000)]
    for each in data:
        size = log.size
        log.append(each)
        assert log.size >= size + len(each)
    log.end()
    frames = b"".join([frames async for frames in log.follow()])
    wanted = [b"id: turn_1:%d\ndata: %b\n\n" % one for one in enumerate(data, 1)]
    assert frames == b"".join(wanted)


async def test_an_empty_log_ends() -> None:
    log = TurnLog("turn_1")
    waiting = asyncio.create_task(read(log))
    await asyncio.sleep(0)
    log.end()
    assert await waiting == []


@pytest.mark.parametrize("count", [0, 1, BATCH, 2 * BATCH + 7])
async def test_a_packed_log_is_followed_as_before(count: int) -> None:
    log, same = TurnLog("turn_1"), TurnLog("turn_1")
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
    log = TurnLog("turn_1")
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
    log = TurnLog("turn_1")
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
    log = TurnLog("turn_1")
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
    log = TurnLog("turn_1")
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
    log = TurnLog("turn_1")

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


async def passed_on(events: EventLog, turn: str) -> tuple[bytes, Part]:
    """Return the frames and the last part of a turn, as another process gets them."""
    parts = [part async for part in events.follow(turn, 0) if part is not None]
    return b"".join(part.frames for part in parts), parts[-1]


async def test_what_is_appended_is_passed_on_to_other_processes() -> None:
    events = MemoryEventLog()
    log = TurnLog("turn_1", events, 3)
    append(log)
    append(log)
    log.part()
    append(log)
    log.end("completed")
    log.end("failed")
    whole = b"".join([frames async for frames in log.follow()])
    rest = b"".join([frames async for frames in log.follow(2)])
    frames, end = await passed_on(MemoryEventLog(events), "turn_1")
    assert frames == whole.removesuffix(rest) + PART + rest
    assert end == Part(3, 3, 3, b"", "completed")


async def test_a_log_without_events_tells_other_processes_nothing() -> None:
    events = MemoryEventLog()
    log = TurnLog("turn_1", events)
    log.part()
    log.end("completed")
    assert not events._hub.turns


class Brings:
    """Brings an event log, or none."""

    def __init__(self, events: EventLog | None) -> None:
        self.events = events

    @hookimpl
    def event_log(self) -> EventLog | None:
        return self.events


async def test_the_first_event_log_that_a_plugin_returns_carries_the_events(
    make_chat: MakeChat,
) -> None:
    first, second = MemoryEventLog(), MemoryEventLog()
    chat = await make_chat(Brings(None), Brings(first), Brings(second))
    streamed = await chat.say("hello")
    turn_id = streamed.response.headers["X-Turn-Id"]
    frames, end = await passed_on(first, turn_id)
    data = re.findall(rb"data: ([^\n]*)\n\n", frames)
    assert [orjson.loads(each) for each in data] == streamed.data
    assert (end.last, end.status) == (len(streamed.data), "completed")
    assert not second._hub.turns


def test_the_last_turns_that_ended_are_kept_in_memory() -> None:
    events = MemoryEventLog()
    events.append("running", 1, [(1, b"")])
    for number in range(KEPT + 5):
        events.append(f"turn_{number}", 2, [(1, b"")])
        events.end(f"turn_{number}", 1, "failed")
        events.end(f"turn_{number}", 2, "completed")
    assert [*events._hub.turns] == ["running", *(f"turn_{at}" for at in range(5, KEPT + 5))]
