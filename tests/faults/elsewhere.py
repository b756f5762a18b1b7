"""Turns that go on at another process, or are stopped from there, after each of their events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from tests.databases import DATABASES, DatabaseKind, new_url
from tests.faults.audit import Audit
from tests.faults.connections import Strike, place_of
from tests.faults.fleet import COUNT, Fleet, carried_by, carriers_of, fleet
from tests.faults.losses import Losses, Report, Run
from tests.faults.person import Stream
from tests.faults.running import Job, Size, lost_time, some, together
from tests.faults.scripted import Script
from tests.faults.shown import check_pages
from tests.faults.world import Backstage
from tests.redis_server import redis_server

CANCEL_WITHIN = {True: 1.0, False: 3.0}
"""Seconds that a turn of another process may take to end: with Redis, and by its heartbeat."""

WATCHERS = 6

TURNS = {"disconnect": {"policy": "continue"}}


@dataclass(frozen=True)
class Fault:
    """A fault at each event of a turn; `strike` returns the stream that was hit."""

    name: str
    strike: Callable[[Strike, bool], Awaitable[Stream]]
    plain: bool = False


async def resumed(strike: Strike, redis: bool) -> Stream:
    """The connection breaks off, and the stream goes on at another process."""
    stream = await strike.begin()
    await (await stream.resume()).read()
    return stream


async def resumed_always(strike: Strike, redis: bool) -> Stream:
    """The connection breaks off after every event from the point on, always to another process."""
    stream = await strike.begin()
    while not stream.ended:
        await (await stream.resume()).read(len(stream.frames) + 1)
    return stream


async def watched(strike: Strike, redis: bool) -> Stream:
    """Many follow at all processes, each from an event of its own; half are cut off once."""
    stream = await strike.begin()
    heard = len(stream.frames)

    async def watch(number: int) -> None:
        other = await strike.person.watch(stream, heard * number // WATCHERS)
        if number % 2:
            await (await other.read(len(other.frames) + number)).resume()
        await other.read()

    await asyncio.gather(stream.read(), *(watch(number) for number in range(WATCHERS)))
    return stream


async def repeated(strike: Strike, redis: bool) -> Stream:
    """The same request comes again, to another process."""
    first = await strike.begin()
    second = await strike.person.send(strike.message)
    assert second is not None, strike.message.refused
    await asyncio.gather(first.read(), second.read())
    if first.turn_id != second.turn_id:
        strike.losses.add("doubled", f"{strike.message.tag}: {first.turn_id}, {second.turn_id}")
    return first


async def cancelled(strike: Strike, redis: bool) -> Stream:
    """The user stops the answer at another process, while a page follows it at a third one."""
    stream = await strike.begin()
    watcher = await strike.person.watch(stream)
    async with lost_time() as lost:
        begun = time.monotonic()
        state = await strike.person.cancel(stream.turn_id)
        seconds = time.monotonic() - begun - lost()
    await asyncio.gather(stream.read(), watcher.read())
    if seconds > CANCEL_WITHIN[redis] or state["state"] not in ("cancelled", "completed"):
        strike.losses.add("other", f"{stream.turn_id}: after {seconds:.1f} s it is {state}")
    if bool(stream.error) != (state["state"] == "cancelled") or watcher.error != stream.error:
        errors = f"{stream.error!r} and {watcher.error!r}"
        strike.losses.add("events", f"{stream.turn_id}: {state}, and it shows {errors}")
    return stream


FAULTS = (
    Fault("resumed elsewhere", resumed),
    Fault("resumed elsewhere at every event", resumed_always),
    Fault("many followers elsewhere", watched),
    Fault("repeated elsewhere, same key", repeated),
    Fault("cancelled from elsewhere", cancelled),
    Fault("plain, resumed elsewhere", resumed, plain=True),
    Fault("plain, resumed elsewhere at every event", resumed_always, plain=True),
)


async def strike_once(
    here: Fleet,
    database: str,
    redis: bool,
    fault: Fault,
    name: str,
    at: int,
    number: int,
    losses: Losses,
) -> Run:
    """Let a fault strike one turn of a new person, and count what it cost."""
    person = here.person()
    if number % 2 and not fault.plain:
        first = await person.say(Script())
        assert first is not None
        await first.read()
        await person.thread()
    # With Redis, an event is elsewhere within the pause; without it, some are seen a second later
    pace = 0.03 if redis else random_pace(number)
    message = person.compose(Script(pace=pace), fault.plain, Idempotency_Key="again")
    stream = await fault.strike(Strike(person, message, at, losses), redis)
    audit = Audit(person, here.stage.ledger)
    audit.losses = losses
    await audit.settled()
    await check_pages(audit)
    if not fault.plain:
        await audit.go_on(again=number % 4 > 1)
    await audit.check_items()
    place = place_of(stream, at)
    return Run(name, database, place, losses, place != "ended")


def random_pace(number: int) -> float:
    """Return the seconds between two chunks of the model."""
    return (0.02, 0.06, 0.15)[number % 3]


async def events_of(here: Fleet, *, plain: bool) -> int:
    """Return how many events a turn has in a new thread."""
    person = here.person()
    stream = await person.send(person.compose(Script(), plain))
    assert stream is not None
    return len((await stream.read()).frames)


async def elsewhere_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Let every fault strike at the points of a turn, with Redis and without it."""
    report = Report()
    async with redis_server() as server:
        lanes = [
            _runs(stage, new_url(kind, Path(mkdtemp(dir=where))), kind, size, random, redis)
            for redis in carriers_of(server.url, size, random)
        ]
        for runs in await asyncio.gather(*lanes):
            report.runs += runs
    return report


async def _runs(
    stage: Backstage,
    url: str,
    kind: DatabaseKind,
    size: Size,
    random: Random,
    redis: str | None,
) -> list[Run]:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(fleet(stage, url, COUNT[kind], redis, turns=TURNS))
        jobs = []
        for fault in FAULTS:
            last = await events_of(here, plain=fault.plain)
            name = fault.name + carried_by(redis)
            strike = partial(strike_once, here, kind, redis is not None, fault, name)
            points = enumerate(some(range(last + 1), size.hosted, random), DATABASES.index(kind))
            jobs += [Job(name, kind, partial(strike, at, number)) for number, at in points]
        return await together(jobs)
