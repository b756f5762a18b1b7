"""An MCP server that stops and restarts, between turns and during calls."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

from tests.databases import DatabaseKind, new_url
from tests.faults.crowd import Victim, crowd, struck
from tests.faults.losses import Losses, Report
from tests.faults.running import Size, guarded
from tests.faults.scripted import Script
from tests.faults.world import Backstage, World, world

DURING = "MCP server killed, turns under way"
CALLED = "MCP server killed during calls"
BETWEEN = "MCP server killed between turns"

BACK_WITHIN = 5.0
"""Seconds after which turns that begin must have the tools again, however long they then take."""


async def tool_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Take the MCP server away at random moments, and bring it back."""
    report = Report()
    async with world(stage, new_url(kind, where)) as here:
        for _ in range(size.outages):
            for fault in (DURING, CALLED, BETWEEN):
                await _round(here, kind, fault, size, random, report)
    return report


async def _round(
    here: World, kind: DatabaseKind, fault: str, size: Size, random: Random, report: Report
) -> None:
    ledger = here.stage.ledger
    down = random.choice((0.0, random.uniform(0.1, 1.0)))

    async def kill() -> None:
        await ledger.stop()
        await asyncio.sleep(down)
        await ledger.start()

    async def kill_in_calls() -> None:
        for victim in victims:
            here.stage.model.scripts[victim.message.tag] = Script(tool=30.0)
        noted = sum(ledger.notes.values()) + len(victims)
        async with asyncio.timeout(20):
            while sum(ledger.notes.values()) < noted:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for victim in victims:
            victim.strike()
            here.stage.model.scripts[victim.message.tag] = Script()
        await kill()

    victims: list[Victim] = await crowd(here.person, size.people, random)
    if fault == CALLED:
        listening = [asyncio.create_task(victim.listen(0)) for victim in victims]
        await kill_in_calls()
        await asyncio.gather(*listening)
    elif fault == BETWEEN:
        await kill()
        await asyncio.gather(*(victim.listen(0) for victim in victims))
    else:
        await struck(victims, random, kill)
    report.strikes[fault, kind] += 1
    report.runs += [victim.run(fault, kind) for victim in victims]
    await asyncio.gather(*(guarded(_check(here, victim), victim.losses) for victim in victims))
    await _tools_are_back(here, victims[0].losses)


async def _check(here: World, victim: Victim) -> None:
    if victim.stream is None or victim.stream.error or not victim.stream.ended:
        error = victim.stream.error if victim.stream else victim.message.refused
        victim.losses.add("other", f"{victim.message.tag}: the turn failed: {error}")
    audit = victim.audit(here.stage.ledger, float("inf"))
    await audit.settled()
    await audit.compare_logs()
    await audit.go_on()
    await audit.check_items()


async def _tools_are_back(here: World, losses: Losses) -> None:
    """Check that new turns soon have the tools again."""
    late = time.monotonic() + BACK_WITHIN
    while True:
        begun = time.monotonic()
        person = here.person()
        stream = await person.say(Script())
        assert stream is not None
        await stream.read()
        if any(n.startswith(f"{person.name}.") for n in here.stage.ledger.notes):
            return
        if begun > late:
            kinds = [frame.kind for frame in stream.frames]
            losses.add("other", f"no tools after {BACK_WITHIN:g} s; the last turn: {kinds}")
            return
