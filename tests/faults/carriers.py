"""What carries turns between processes goes away in the middle of them: Redis, or PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from tests.databases import DatabaseKind, Front, new_url, postgres
from tests.faults.audit import RECOVERY
from tests.faults.crowd import crowd, struck
from tests.faults.fleet import COUNT, Fleet, Roamer, carried_by, fleet
from tests.faults.losses import Report
from tests.faults.outages import SAVED_EVERY
from tests.faults.running import Size, guarded, some
from tests.faults.shown import check_pages
from tests.faults.world import Backstage
from tests.redis_server import RedisServer, redis_server

TURNS = {"disconnect": {"policy": "continue"}, "stale": "8s"}

RESTARTED = "database restarted, followed elsewhere"

Strike = Callable[[float], Awaitable[None]]


async def carrier_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Take Redis away at random moments, and on PostgreSQL the database."""
    report = Report()
    lanes = [_redis_away(stage, kind, where, size, random, report)]
    if kind == "postgresql":
        lanes += [_restarts(stage, size, random, redis, report) for redis in (True, False)]
    await asyncio.gather(*lanes)
    return report


async def _redis_away(
    stage: Backstage,
    kind: DatabaseKind,
    where: Path,
    size: Size,
    random: Random,
    report: Report,
) -> None:
    url = new_url(kind, where)
    async with (
        redis_server() as server,
        fleet(stage, url, COUNT[kind], server.url, turns=TURNS) as here,
    ):
        for fault, strike in some(list(_strikes(server).items()), size, random):
            for _ in range(size.outages):
                await _round(here, kind, fault, strike, size, random, report)


def _strikes(server: RedisServer) -> Mapping[str, Strike]:
    async def restart(seconds: float) -> None:
        await server.stop()
        await asyncio.sleep(seconds)
        await server.start()

    async def flush(seconds: float) -> None:
        await server.command("FLUSHALL")

    async def fill(seconds: float) -> None:
        await server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await server.command("CONFIG", "SET", "maxmemory", 1)
        await asyncio.sleep(seconds)
        await server.command("CONFIG", "SET", "maxmemory", 0)

    async def silence(seconds: float) -> None:
        server.pause()
        await asyncio.sleep(2 * seconds)
        server.go_on()

    return {
        "Redis stopped and started": restart,
        "Redis flushed": flush,
        "Redis full": fill,
        "Redis silent": silence,
    }


async def _restarts(
    stage: Backstage, size: Size, random: Random, redis: bool, report: Report
) -> None:
    async with redis_server() as server, _front() as (front, url):
        carrier = server.url if redis else None

        async def restart(seconds: float) -> None:
            await front.close()
            await asyncio.sleep(seconds)
            await front.open()

        async with fleet(stage, url, COUNT["postgresql"], carrier, turns=TURNS) as here:
            for _ in range(size.outages):
                fault = RESTARTED + carried_by(carrier)
                await _round(here, "postgresql", fault, restart, size, random, report)


@asynccontextmanager
async def _front() -> AsyncIterator[tuple[Front, str]]:
    """Take connections to a new database, whose URL is returned too, at a port of its own."""
    async with Front(postgres().port) as front:
        yield front, postgres().new_url().replace(f":{postgres().port}/", f":{front.port}/")


async def _round(
    here: Fleet,
    kind: DatabaseKind,
    fault: str,
    strike: Strike,
    size: Size,
    random: Random,
    report: Report,
) -> None:
    seconds = random.choice((0.0, random.uniform(0.1, 2.0)))
    roamers = await crowd(here.person, size.people, random, kind=Roamer)
    await struck(roamers, random, lambda: strike(seconds))
    report.strikes[fault, kind] += 1
    report.runs += [roamer.run(fault, kind) for roamer in roamers]
    checks = (guarded(_check(here, fault, roamer), roamer.losses) for roamer in roamers)
    await asyncio.gather(*checks)


async def _check(here: Fleet, fault: str, roamer: Roamer) -> None:
    is_lost = fault.startswith(RESTARTED)
    if roamer.stream is not None and roamer.stream.error and not is_lost:
        roamer.losses.add("other", f"{roamer.message.tag}: failed: {roamer.stream.error}")
    until = roamer.struck - SAVED_EVERY if is_lost else float("inf")
    audit = roamer.audit(here.stage.ledger, until, RECOVERY)
    await audit.settled()
    await check_pages(audit)
    await audit.go_on()
    await audit.check_items()
