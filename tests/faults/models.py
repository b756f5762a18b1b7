"""Models that break off, fail, or fall silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from chatkit_server.testing.model_script import Break, End, Failure, Gate
from tests.databases import DatabaseKind, new_url
from tests.faults.audit import Audit
from tests.faults.losses import Losses, Report, Run
from tests.faults.running import Job, Size, some, together
from tests.faults.scripted import STEPS, Script, chunks_of
from tests.faults.world import Backstage, World, world

SILENT = {"limits": {"silence": "5s"}}


@dataclass(frozen=True)
class ModelFault:
    """A fault of the model; `script` makes it at a step and a chunk of it.

    `recovers` is whether the turn is to end well all the same, `turns` the
    settings that it needs.
    """

    name: str
    script: Callable[[int, int], Script]
    recovers: bool = False
    begins_only: bool = False
    turns: dict[str, Any] = field(default_factory=dict)

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield each step and chunk at which the fault can come."""
        for step in range(STEPS):
            yield from ((step, n) for n in range(1 if self.begins_only else chunks_of(step) + 1))


def _failing(status: int, times: int, step: int, _chunk: int) -> Script:
    # The wait of `Retry-After` keeps the runs short
    failure = Failure(status, headers={"Retry-After-Ms": "10"})
    return Script(at=(step, 0), failures=[failure] * times)


MODEL_FAULTS = (
    ModelFault("model breaks off", lambda step, n: Script(at=(step, n), stop=Break())),
    ModelFault("model ends early", lambda step, n: Script(at=(step, n), stop=End())),
    ModelFault(
        "model falls silent", lambda step, n: Script(at=(step, n), stop=Gate()), turns=SILENT
    ),
    ModelFault("model answers 503 once", partial(_failing, 503, 1), True, True),
    ModelFault("model answers 429 once", partial(_failing, 429, 1), True, True),
    ModelFault("model answers 500 always", partial(_failing, 500, 9), False, True),
    ModelFault("model answers 429 always", partial(_failing, 429, 9), False, True),
)


async def model_runs(
    stage: Backstage, kind: DatabaseKind, where: Path, size: Size, random: Random
) -> Report:
    """Let the model fail at every chunk of its answers."""
    report = Report()
    url = new_url(kind, where)
    for turns, faults in groupby(MODEL_FAULTS, key=lambda fault: fault.turns):
        async with world(stage, url, turns=turns) as here:
            jobs = [
                Job(fault.name, kind, partial(_run, here, kind, fault, place, number))
                for fault in faults
                for number, place in enumerate(some(list(fault.places()), size, random))
            ]
            report.runs += await together(jobs)
    return report


async def _run(
    world: World,
    kind: DatabaseKind,
    fault: ModelFault,
    place: tuple[int, int],
    number: int,
    losses: Losses,
) -> Run:
    person = world.person()
    stream = await person.say(fault.script(*place))
    assert stream is not None
    await stream.read()
    if (stream.error is None) != fault.recovers:
        losses.add("other", f"{fault.name} at {place}: the turn ended with {stream.error}")
    audit = Audit(person, world.stage.ledger)
    audit.losses = losses
    await audit.settled()
    await audit.compare_logs()
    await audit.go_on(again=number % 2 == 1)
    await audit.check_items()
    return Run(fault.name, kind, f"text {place[0] + 1} {_state(place[1])}", losses)


def _state(chunk: int) -> str:
    words = 1 + Script().words
    if chunk == 0:
        return "begun"
    return "half" if chunk < words else "whole"
