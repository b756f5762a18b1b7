"""Server processes that are killed or told to stop while users have turns running."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import yaml
from aiohttp import ClientSession

from tests.databases import DatabaseKind, new_url
from tests.faults.audit import PATIENCE, RECOVERY
from tests.faults.crowd import Victim, crowd, struck
from tests.faults.losses import Report
from tests.faults.person import Person
from tests.faults.running import Size, guarded
from tests.faults.world import Backstage, client
from tests.processes import Process, running

SAVED_EVERY = 2.0
"""Seconds; text shown longer ago must survive its process, because it is saved every second."""

KILL = "kill -9"
REPLICA = "kill -9 beside a replica"
TERM = "SIGTERM, time to finish"
SHORT_TERM = "SIGTERM, cut off"

SWEPT = "of a dead process"
"""What a server logs when it ends the turn of a dead process."""

DRAIN = {TERM: "50s", SHORT_TERM: "200ms"}


@dataclass
class Deployment:
    """The settings of a server in a folder, with a database of its own."""

    stage: Backstage
    kind: DatabaseKind
    folder: Path
    random: Random
    size: Size

    def write(self, drain: str) -> None:
        """Write the settings."""
        sections = self.stage.sections(new_url(self.kind, self.folder))
        sections["plugins"] = {"anonymous_auth": {"user_header": "X-User"}, **sections["plugins"]}
        sections["server"] = {"drain": drain}
        sections["turns"] = {"disconnect": {"policy": "continue"}}
        sections["log"] = {"level": "warning"}
        (self.folder / "settings.yaml").write_text(yaml.safe_dump(sections))

    @asynccontextmanager
    async def started(self) -> AsyncIterator[tuple[Process, ClientSession]]:
        """Run the server while the block runs."""
        async with running(self.folder) as server, client(server.url) as session:
            yield server.process, session

    async def crowd(self, session: ClientSession) -> list[Victim]:
        """Return people about to use the server."""

        def person() -> Person:
            return self.stage.person(session, "/api/chat")

        return await crowd(person, self.size.people, self.random, slow=self.size.slow)


def deploy(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random, drain: str
) -> Deployment:
    """Prepare a deployment; `drain` is how long it may take to end."""
    made = Deployment(stage, kind, Path(mkdtemp(dir=where)), Random(random.random()), size)
    made.write(drain)
    return made


async def kill_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Kill servers at random moments, and look what is left when they are back."""
    report = Report()
    share = -(-size.kills // size.lanes)
    made = [deploy(stage, kind, where, size, random, DRAIN[TERM]) for _ in range(size.lanes)]
    await asyncio.gather(*(_lane(lane, KILL, share, report) for lane in made))
    return report


async def replica_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Kill servers beside a replica, which looks after what they left; on PostgreSQL alone."""
    report = Report()
    if kind == "sqlite" or not size.replicas:
        return report
    deployment = deploy(stage, kind, where, size, random, DRAIN[TERM])
    async with deployment.started() as (_, replica):
        for _ in range(size.replicas):
            async with deployment.started() as (server, session):
                victims = await deployment.crowd(session)
                await _strike(deployment, REPLICA, victims, server)
                report.strikes[REPLICA, kind] += 1
            await _look_back(deployment, REPLICA, victims, replica, report)
    return report


async def drain_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Tell servers to stop, with and without time for the turns under way."""
    report = Report()
    lanes = [
        _lane(deploy(stage, kind, where, size, random, drain), fault, size.drains, report)
        for fault, drain in DRAIN.items()
    ]
    await asyncio.gather(*lanes)
    return report


async def _lane(deployment: Deployment, fault: str, strikes: int, report: Report) -> None:
    """Strike at one server after the other; the next one shows what the last one left."""
    victims: list[Victim] = []
    for number in range(strikes + 1):
        async with deployment.started() as (server, session):
            await _look_back(deployment, fault, victims, session, report)
            if fault in DRAIN and SWEPT in server.said:
                victims[0].losses.add("locked", f"a sweep had to end a turn: {server.said}")
            if number < strikes:
                victims = await deployment.crowd(session)
                await _strike(deployment, fault, victims, server)
                report.strikes[fault, deployment.kind] += 1


async def _strike(
    deployment: Deployment, fault: str, victims: list[Victim], server: Process
) -> None:
    async def end() -> None:
        server.send(signal.SIGTERM if fault in DRAIN else signal.SIGKILL)

    await struck(victims, deployment.random, end, slow=deployment.size.slow)
    status = await server.end()
    if fault in DRAIN and status != 0:
        victims[0].losses.add("other", f"exit status {status}: {server.said}")


async def _look_back(
    deployment: Deployment,
    fault: str,
    victims: list[Victim],
    session: ClientSession,
    report: Report,
) -> None:
    async def look(victim: Victim) -> None:
        victim.person.session = session
        await _check(deployment, fault, victim)

    for victim in victims:
        report.runs.append(victim.run(fault, deployment.kind))
    await asyncio.gather(*(guarded(look(victim), victim.losses) for victim in victims))


async def _check(deployment: Deployment, fault: str, victim: Victim) -> None:
    drained = fault in DRAIN
    until = float("inf") if drained else victim.struck - SAVED_EVERY
    patience = PATIENCE if drained else RECOVERY
    audit = victim.audit(deployment.stage.ledger, until, patience)
    since = None if drained else victim.struck
    again = deployment.random.random() < 0.3
    if victim.stream is not None:
        audit.check_numbers(victim.stream)
        if drained:
            _check_end(fault, victim)
    elif victim.retried is None and not drained and await _repeat(victim):
        since = None
    if again:
        # What is answered again goes, and what was recovered with it
        await audit.settled()
    await audit.go_on(since, again=again)
    await audit.check_items()


async def _repeat(victim: Victim) -> bool:
    """Send the request again that was never answered, as ChatKit does; 409 if it had begun.

    Return whether it begins now.
    """
    stream = await victim.person.send(victim.message)
    if stream is not None:
        await stream.read()
    elif victim.message.refused != [409]:
        victim.losses.add("other", f"{victim.message.tag}: repeated: {victim.message.refused}")
    return stream is not None


def _check_end(fault: str, victim: Victim) -> None:
    """Look whether the turn was ended as a client understands it."""
    assert victim.stream is not None
    if not victim.stream.ended:
        victim.losses.add("other", f"{victim.message.tag}: the stream broke off at {victim.point}")
    if fault == TERM and victim.stream.error:
        victim.losses.add("other", f"{victim.message.tag}: had time, and {victim.stream.error}")
