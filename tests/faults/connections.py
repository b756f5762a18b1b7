"""Connections that close, break and are resumed, and requests that are sent twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from chatkit_server.testing.model_script import Gate
from tests.databases import DATABASES, DatabaseKind, new_url
from tests.faults.audit import Audit
from tests.faults.losses import Losses, Report, Run
from tests.faults.person import Message, Person, Stream, point
from tests.faults.running import Job, Size, lost_time, some, together
from tests.faults.scripted import STEPS, Script, chunks_of
from tests.faults.world import Backstage, World, world

CANCEL_WITHIN = 1.0
"""Seconds that a cancelled turn may take to end."""

FOLLOWERS = 12

BEFORE = -1
"""The point before the server has answered; the others are the number of events heard."""


@dataclass
class Strike:
    """One run of a fault: a message is sent, and `at` is when the fault comes."""

    person: Person
    message: Message
    at: int
    losses: Losses

    async def begin(self) -> Stream:
        """Send the message, and read its answer as far as the point of the fault."""
        stream = await self.person.send(self.message)
        assert stream is not None, self.message.refused
        return await stream.read(self.at)


@dataclass(frozen=True)
class Fault:
    """A fault at each event of a turn; `strike` returns the stream that was hit, if any.

    `late` is whether the fault makes sense after the model's last chunk.
    """

    name: str
    strike: Callable[[Strike], Awaitable[Stream | None]]
    turns: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    late: bool = True
    at_once: int = 0
    """If set: strike this often before the answer, at random moments, and never later."""

    def points(self, last: int) -> Sequence[int]:
        """Return the points to strike at, in a turn of which `last` is the end."""
        if self.at_once:
            return [BEFORE] * self.at_once
        # Without a new thread there is an event less
        return range(BEFORE, last + 1 if self.late else last - 3)


async def gone(strike: Strike) -> Stream | None:
    """The client closes its connection."""
    if strike.at == BEFORE:
        sending = asyncio.create_task(strike.person.send(strike.message))
        await asyncio.sleep(Random(strike.message.tag).uniform(0, 0.015))
        sending.cancel()
        with suppress(asyncio.CancelledError):
            (await sending).cut()  # type: ignore[union-attr]
        await asyncio.sleep(0.1)
        return None
    stream = await strike.begin()
    stream.cut()
    return stream


async def resumed(strike: Strike) -> Stream | None:
    """The connection breaks off, and the client resumes the stream."""
    stream = await strike.begin()
    await (await stream.resume()).read()
    return stream


async def resumed_always(strike: Strike) -> Stream | None:
    """The connection breaks off after every event from the point on."""
    stream = await strike.begin()
    while not stream.ended:
        await (await stream.resume()).read(len(stream.frames) + 1)
    return stream


async def followed(strike: Strike) -> Stream | None:
    """Many follow, each from a point of its own; half of them are cut off once."""
    stream = await strike.begin()

    async def follow(number: int) -> None:
        heard = len(stream.frames)
        other = await strike.person.follow(stream.turn_id, heard * number // FOLLOWERS)
        if number % 2:
            await (await other.read(number)).resume()
        await other.read()

    await asyncio.gather(stream.read(), *(follow(number) for number in range(FOLLOWERS)))
    return stream


async def repeated(strike: Strike) -> Stream | None:
    """The same request comes again while the turn runs, or three times at once."""
    gate = strike.person.model.scripts[strike.message.tag].stop
    if strike.at == BEFORE:
        sent = await asyncio.gather(*(strike.person.send(strike.message) for _ in range(3)))
        streams = [stream for stream in sent if stream is not None]
    else:
        first = await strike.begin()
        second = await strike.person.send(strike.message)
        streams = [first, *([second] if second else [])]
    if isinstance(gate, Gate):
        gate.open()
    await asyncio.gather(*(stream.read() for stream in streams))
    if len({stream.turn_id for stream in streams}) > 1:
        strike.losses.add("doubled", f"{strike.message.tag}: turns {[s.turn_id for s in streams]}")
    if strike.message.refused:
        strike.losses.add("other", f"{strike.message.tag}: refused {strike.message.refused}")
    return streams[0]


async def cancelled(strike: Strike) -> Stream | None:
    """The user stops the answer."""
    stream = await strike.begin()
    async with lost_time() as lost:
        begun = time.monotonic()
        state = await strike.person.cancel(stream.turn_id)
        seconds = time.monotonic() - begun - lost()
    again = await strike.person.cancel(stream.turn_id)
    await stream.read()
    if seconds > CANCEL_WITHIN or state["state"] not in ("cancelled", "completed"):
        strike.losses.add("other", f"{stream.turn_id}: after {seconds:.1f} s it is {state}")
    if again != state:
        strike.losses.add("other", f"{stream.turn_id}: cancelled twice: {state}, then {again}")
    return stream


CONNECTION_FAULTS = (
    Fault("client gone, cancel", gone, {"disconnect": {"policy": "cancel", "grace": "20ms"}}),
    Fault(
        "client gone as the turn begins",
        gone,
        {"disconnect": {"policy": "cancel", "grace": "20ms"}},
        at_once=40,
    ),
    Fault("client gone, continue", gone, {"disconnect": {"policy": "continue", "grace": "20ms"}}),
    Fault("cut and resumed", resumed),
    Fault("cut at every event", resumed_always),
    Fault("many followers", followed),
    Fault("repeated, same key", repeated, headers={"Idempotency_Key": "again"}),
    Fault(
        "repeated, same body and frame",
        repeated,
        headers={"chatkit_frame_instance_id": "frame"},
        late=False,
    ),
    Fault("cancelled", cancelled),
)


async def strike_once(
    world: World, database: str, fault: Fault, at: int, number: int, losses: Losses
) -> Run:
    """Let a fault strike one turn of a new person, and count what it cost."""
    person = world.person()
    if number % 2:
        first = await person.say(Script())
        assert first is not None
        await first.read()
        await person.thread()
    script = Script()
    if not fault.late:
        script.at, script.stop = (STEPS - 1, chunks_of(STEPS - 1)), Gate()
    message = person.compose(script, **fault.headers)
    stream = await fault.strike(Strike(person, message, at, losses))
    place = "nothing received" if stream is None else place_of(stream, at)
    audit = Audit(person, world.stage.ledger)
    audit.losses = losses
    await audit.settled()
    await audit.compare_logs()
    await audit.go_on(again=number % 4 > 1)
    await audit.check_items()
    return Run(fault.name, database, place, losses, place != "ended")


def place_of(stream: Stream, at: int) -> str:
    """Return the point of the turn at which the fault came."""
    return "ended" if at > len(stream.frames) else point(stream.frames[: max(at, 0)])


async def events_of(world: World) -> int:
    """Return how many events a turn has in a new thread."""
    stream = await world.person().say(Script())
    assert stream is not None
    return len((await stream.read()).frames)


async def connection_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Let every fault of connections strike at the points of a turn."""
    report = Report()
    url = new_url(kind, where)
    for turns, faults in groupby(CONNECTION_FAULTS, key=lambda fault: fault.turns):
        async with world(stage, url, turns=turns) as here:
            last = await events_of(here) + 1
            jobs = [
                Job(fault.name, kind, partial(strike_once, here, kind, fault, at, number))
                for fault in faults
                for number, at in enumerate(
                    some(fault.points(last), size, random), DATABASES.index(kind)
                )
            ]
            report.runs += await together(jobs)
    return report
