"""Processes that are killed, or replaced one after the other, while users chat with all of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random

from tests.databases import DatabaseKind
from tests.faults.audit import RECOVERY
from tests.faults.cluster import Cluster, cluster
from tests.faults.crowd import crowd, script
from tests.faults.fleet import Roamer, carried_by, carriers_of
from tests.faults.kills import SWEPT
from tests.faults.losses import Report
from tests.faults.running import Size, guarded
from tests.faults.scripted import Script
from tests.faults.shown import check_pages
from tests.faults.world import Backstage
from tests.redis_server import redis_server

KILL = "kill -9 of the owner, followed elsewhere"
ROLLING = "rolling restart"

EVENTS = 32
"""After how many events of a turn its process is killed, at most; the last ones come at its end."""

Strikes = Callable[[Cluster, str, Size, Random, Report], Awaitable[None]]


async def owner_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Kill the process of a turn after each of its events."""
    return await _with_and_without(KILL, _kills, stage, kind, where, size, random)


async def rolling_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Replace all processes one after the other while users chat."""
    return await _with_and_without(ROLLING, _rolls, stage, kind, where, size, random)


async def _with_and_without(
    name: str,
    strikes: Strikes,
    stage: Backstage,
    kind: DatabaseKind,
    where: Path,
    size: Size,
    random: Random,
) -> Report:
    """Strike at a deployment with Redis, and at one without it; a short run at one of them."""
    report = Report()

    async def lane(redis: str | None, random: Random) -> None:
        async with cluster(stage, kind, where, redis) as here:
            await strikes(here, name + carried_by(redis), size, random, report)

    async with redis_server() as server:
        lanes = [
            lane(redis, Random(random.random())) for redis in carriers_of(server.url, size, random)
        ]
        await asyncio.gather(*lanes)
    return report


async def _kills(here: Cluster, fault: str, size: Size, random: Random, report: Report) -> None:
    for at in random.sample(range(EVENTS), size.owners):
        roamers = await crowd(here.person, size.people, random, slow=size.slow, kind=Roamer)
        # All its events are within reach, and each is elsewhere within the pause
        first = roamers[0]
        first.person.model.scripts[first.message.tag] = Script(pace=0.03)
        delays = [0.0, *(random.uniform(0, 0.8) for _ in roamers[1:])]
        listening = asyncio.create_task(
            _each(roamers, lambda roamer: roamer.listen(delays[roamers.index(roamer)]))  # noqa: B023
        )
        await first.reached(at)
        for roamer in roamers:
            roamer.strike()
        await here.end(here.front.asked[first.person.name], signal.SIGKILL)
        await here.start()
        await listening
        await _look_back(here, fault, roamers, first.struck - here.saved_every, report)


async def _rolls(here: Cluster, fault: str, size: Size, random: Random, report: Report) -> None:
    for _ in range(size.rolls):
        roamers = await crowd(here.person, size.people, random, kind=Roamer)
        over = asyncio.Event()

        async def chat(roamer: Roamer) -> None:
            await roamer.listen(random.uniform(0, 0.8))
            while not over.is_set():  # noqa: B023
                await roamer.person.thread()
                key = f"{len(roamer.person.messages)}"
                message = roamer.person.compose(script(random, slow=False), Idempotency_Key=key)
                await roamer.talk(message)

        chatting = asyncio.create_task(_each(roamers, chat))
        try:
            await _replace_all(here, roamers, random)
        finally:
            over.set()
            await chatting
        for roamer in roamers:
            _check_whole(roamer)
        await _look_back(here, fault, roamers, float("inf"), report)


async def _replace_all(here: Cluster, roamers: Sequence[Roamer], random: Random) -> None:
    for port in list(here.processes):
        await asyncio.sleep(random.uniform(0.2, 1.0))
        await here.start()
        for roamer in roamers:
            roamer.strike()
        status, said = await here.end(port, signal.SIGTERM)
        if status != 0 or SWEPT in said:
            roamers[0].losses.add("other", f"exit status {status}: {said}")


def _check_whole(roamer: Roamer) -> None:
    """Check that nobody has noticed anything."""
    for stream in roamer.person.streams:
        if stream.error or not stream.ended:
            roamer.losses.add("other", f"{stream.turn_id}: {stream.point}, {stream.error}")
    if len(roamer.person.messages) < 2:
        roamer.losses.add("other", f"{roamer.person.name} has not chatted")


async def _look_back(
    here: Cluster, fault: str, roamers: Sequence[Roamer], shown_until: float, report: Report
) -> None:
    async def check(roamer: Roamer) -> None:
        audit = roamer.audit(here.stage.ledger, shown_until, RECOVERY)
        await audit.settled()
        await check_pages(audit)
        await audit.go_on()
        await audit.check_items()

    report.strikes[fault, here.kind] += 1
    report.runs += [roamer.run(fault, here.kind) for roamer in roamers]
    await _each(roamers, check)


async def _each(roamers: Sequence[Roamer], work: Callable[[Roamer], Awaitable[None]]) -> None:
    """Do it for all at once; an error counts as a loss of that user."""
    await asyncio.gather(*(guarded(work(roamer), roamer.losses) for roamer in roamers))
