"""Databases that stop and restart, or fall silent, and one that another process has locked."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from tests.databases import DatabaseKind, Front, new_url, postgres
from tests.faults.audit import RECOVERY
from tests.faults.crowd import Victim, crowd, struck
from tests.faults.losses import Report
from tests.faults.running import Size, guarded
from tests.faults.world import Backstage, World, world

SAVED_EVERY = 2.0
"""Seconds; text shown longer ago must survive an outage, because it is saved every second."""

NOTICED = 3.0
"""Seconds after which the server has replaced connections that are silent."""

STOPPED = "database stopped and started"
SILENT = "network to the database silent"
LOCKED_SHORT = "database locked, shorter than its timeout"
LOCKED_LONG = "database locked, longer than its timeout"

BUSY = 0.5
"""Seconds that SQLite waits for a lock in these runs."""

_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA busy_timeout = 10000")
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""

TURNS = {"disconnect": {"policy": "continue"}, "stale": "8s"}

Outage = Callable[[float], Awaitable[None]]


async def outage_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Make the database unavailable at random moments."""
    if kind == "postgresql":
        return await _away(stage, size, random)
    return await _locked(stage, where, size, random)


async def _away(stage: Backstage, size: Size, random: Random) -> Report:
    report = Report()
    async with Front(postgres().port) as front:
        url = postgres().new_url().replace(f":{postgres().port}/", f":{front.port}/")

        async def stop(seconds: float) -> None:
            await front.close()
            await asyncio.sleep(seconds)
            await front.open()

        async def silence(seconds: float) -> None:
            front.hold()
            await asyncio.sleep(seconds)
            front.go_on(forget=random.choice((True, False)))
            # Until the heartbeats have found the connections that stay silent
            await asyncio.sleep(NOTICED)

        outages: tuple[tuple[str, Outage], ...] = ((STOPPED, stop),)
        sections = {}
        if size.slow:
            outages += ((SILENT, silence),)
            sections["plugins"] = _impatient(stage, url)
        async with world(stage, url, turns=TURNS, **sections) as here:
            for _ in range(size.outages):
                for fault, outage in outages:
                    seconds = random.choice((0.0, random.uniform(0.1, 2.0)))
                    await _round(here, "postgresql", fault, outage, seconds, size, random, report)
    return report


def _impatient(stage: Backstage, url: str) -> dict[str, Any]:
    """Return the plugins of the runs; silence is noticed within two seconds."""
    plugins: dict[str, Any] = stage.sections(url)["plugins"]
    plugins["tortoise_store"] |= {"acquire_timeout": "2s", "statement_timeout": "4s"}
    return plugins


async def _locked(stage: Backstage, where: Path, size: Size, random: Random) -> Report:
    report = Report()
    url = new_url("sqlite", where)
    file = url.removeprefix("sqlite://")
    timeout = f"?busy_timeout={int(BUSY * 1000)}"

    async def outage(seconds: float) -> None:
        async with _lock(file):
            await asyncio.sleep(seconds)

    async with world(stage, url + timeout, turns=TURNS) as here:
        for _ in range(size.outages):
            for fault, seconds in ((LOCKED_SHORT, BUSY / 3), (LOCKED_LONG, BUSY * 3)):
                await _round(here, "sqlite", fault, outage, seconds, size, random, report)
    return report


@asynccontextmanager
async def _lock(file: str) -> AsyncIterator[None]:
    """Hold the lock of writers from another process while the block runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LOCKER, file, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"locked\n"
    try:
        yield
    finally:
        await process.communicate(b"")


async def _round(
    here: World,
    kind: DatabaseKind,
    fault: str,
    outage: Outage,
    seconds: float,
    size: Size,
    random: Random,
    report: Report,
) -> None:
    victims: list[Victim] = await crowd(here.person, size.people, random)
    await struck(victims, random, lambda: outage(seconds))
    report.strikes[fault, kind] += 1
    report.runs += [victim.run(fault, kind) for victim in victims]
    checks = (guarded(_check(here, fault, victim), victim.losses) for victim in victims)
    await asyncio.gather(*checks)


async def _check(here: World, fault: str, victim: Victim) -> None:
    if fault == LOCKED_SHORT and (victim.stream is None or victim.stream.error):
        victim.losses.add("other", f"{victim.message.tag}: the turn failed")
    audit = victim.audit(here.stage.ledger, victim.struck - SAVED_EVERY, RECOVERY)
    await audit.compare_logs()
    await audit.go_on()
    await audit.check_items()
