"""The parts of the benchmark. Each puts the same load on one server after another, in rounds."""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from .attacks import ATTACKS, STARTED
from .load import Load
from .machine import largest_resident, wait_until_idle
from .processes import Failed, output_of, python, serving, started
from .results import (
    ALONE,
    BESIDE,
    BUSY,
    FIRST,
    HELP,
    LARGEST,
    LISTEN,
    LONG,
    ONCE,
    ONE,
    PACE,
    PACE_LATE,
    PACED,
    RESIDENT,
    SHORT,
    STREAM,
    TOKENS,
    Results,
)
from .servers import (
    KINDS,
    Kind,
    Target,
    model_server,
    ours,
    target,
    write_abused,
    write_settings,
)

INTERVAL = 50
"""Milliseconds between tokens, when they come one by one."""

OWNER = "filler"

ABUSED_TOKENS = 20
"""The tokens of an honest user's turn beside an attack, one every `ABUSED_INTERVAL` ms."""
ABUSED_INTERVAL = 5

ABUSED_PATIENCE = 60.0
"""Seconds that an honest user's turns may take beside an attack, all together."""

_ATTACKING = re.compile(STARTED)


@dataclass(frozen=True)
class Size:
    """The size of the benchmark. `growth` counts turns, `long` and `short` items of a thread."""

    rounds: int = 3
    turns: int = 10
    one_token_turns: int = 20
    paced_chats: int = 200
    paced_turns: int = 3
    streams: int = 1000
    growth: tuple[int, int] = (1000, 10_000)
    long: int = 10_000
    short: int = 20
    thread_turns: int = 20
    starts: int = 7
    abused_turns: int = 100

    def with_rounds(self, rounds: int) -> Size:
        """Return the same with another number of rounds."""
        return replace(self, rounds=rounds)


QUICK = Size(
    rounds=1,
    turns=3,
    one_token_turns=5,
    paced_chats=50,
    paced_turns=1,
    streams=200,
    growth=(200, 600),
    long=1000,
    thread_turns=5,
    starts=2,
    abused_turns=30,
)


@dataclass
class Run:
    """One run of the benchmark: what to measure, its size, and the results."""

    kinds: Sequence[Kind]
    size: Size = Size()
    results: Results = field(default_factory=Results)
    tell: Callable[[str], None] = print

    @contextmanager
    def targets(self) -> Iterator[tuple[list[Target], str]]:
        """Run the servers and their model server; the value includes its URL."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="chatkit-benchmark-")))
            model = stack.enter_context(model_server())
            targets = []
            for kind in self.kinds:
                self.tell(f"  starting {kind.title}")
                targets.append(stack.enter_context(target(kind, model, folder)))
            yield targets, model

    def rounds(self) -> Iterator[int]:
        """Count the rounds."""
        for number in range(1, self.size.rounds + 1):
            self.tell(f"  round {number} of {self.size.rounds}")
            yield number


def tokens(run: Run) -> None:
    """CPU time per token and per turn, and the time to the first token."""
    size, add = run.size, run.results.add
    with run.targets() as (targets, _):
        for _ in run.rounds():
            for on in targets:
                name = on.kind.name
                once = on.load(TOKENS, chats=16, turns=size.turns).drive()
                add(name, ONCE, [once.cpu_per_turn])
            for on in targets:
                name = on.kind.name
                chats = 50 * on.kind.workers
                paced = on.load(TOKENS, interval=INTERVAL, chats=chats).drive()
                add(name, PACED, [paced.cpu_per_turn])
                add(name, FIRST, paced.first)
            for on in targets:
                one = on.load(1, chats=16, turns=size.one_token_turns).drive()
                add(on.kind.name, ONE, [one.cpu_per_turn])


def pace(run: Run) -> None:
    """How long turns take during many concurrent chats, relative to the model's time."""
    size, add = run.size, run.results.add
    seconds = TOKENS * INTERVAL / 1000
    with run.targets() as (targets, model):
        for _ in run.rounds():
            for on in targets:
                _times(model)
                load = on.load(
                    TOKENS,
                    interval=INTERVAL,
                    chats=size.paced_chats,
                    turns=size.paced_turns,
                    spread=seconds,
                )
                driven = load.drive()
                own = statistics.median(_times(model))
                turns = sorted(driven.turns)
                add(on.kind.name, PACE, [statistics.median(turns) / own])
                add(on.kind.name, PACE_LATE, [turns[int(0.99 * len(turns))] / own])
                add(on.kind.name, BUSY, [driven.cpu / driven.seconds])


def _times(model: str) -> list[float]:
    """Return the seconds that the model took for each answer since the last call."""
    with urlopen(f"{model}/times", timeout=10) as answer:
        times: list[float] = json.load(answer)
    return times


def memory(run: Run) -> None:
    """Memory of an open stream that waits for its model."""
    size = run.size
    with run.targets() as (targets, _):
        for on in targets:
            on.load(TOKENS, chats=16, turns=4).drive()
            driven = on.load(2, interval=600_000, chats=size.streams, hold=True).drive()
            one, all_of_them = driven.resident
            run.results.add(on.kind.name, STREAM, [(all_of_them - one) / (size.streams - 1)])


def growth(run: Run) -> None:
    """Memory over thousands of turns: after the first ones, and after each tenth of them."""
    first, last = run.size.growth
    with run.targets() as (targets, _):
        for on in targets:
            done = 0
            while done < last:
                step = min(first, last - done)
                driven = on.load(TOKENS, chats=10, turns=step // 10).drive()
                done += step
                run.tell(f"  {on.kind.title}: {done} turns, {driven.resident[1] / 1e6:.0f} MB")
                run.results.add(on.kind.name, RESIDENT, [driven.resident[1]])


def long(run: Run) -> None:
    """A turn on a very long thread compared with short ones; this server only."""
    size = run.size
    with TemporaryDirectory(prefix="chatkit-benchmark-") as temporary, model_server() as model:
        endpoint = {"base_url": model, "api_key": "none"}
        file = write_settings(
            Path(temporary, "ours"),
            "bench/bench",
            {"compatible_models": {"endpoints": {"bench": endpoint}}},
        )
        run.tell(f"  filling a thread with {size.long} items")
        short_ones = size.rounds * size.thread_turns
        sizes = [size.long, *[size.short] * short_ones]
        fill = python("benchmarks.fill", str(file), OWNER, *map(str, sizes))
        long_one, *shorts = output_of(fill, limit=600).split()
        with serving(ours(file)) as server:
            on = Target(KINDS["ours"], server)
            on.load(20, chats=4, turns=8).drive()
            for _ in run.rounds():
                some = [shorts.pop() for _ in range(size.thread_turns)]
                for figure, threads in ((LONG, [long_one] * len(some)), (SHORT, some)):
                    driven = on.load(20, turns=len(some), threads=threads, user=OWNER).drive()
                    run.results.add("ours", figure, [driven.cpu_per_turn])


def start(run: Run) -> None:
    """The time of `--help`, and the time until the server listens; warm."""
    with TemporaryDirectory(prefix="chatkit-benchmark-") as temporary, model_server() as model:
        command = KINDS["ours"].command(model, Path(temporary))
        for number in range(run.size.starts + 1):
            begun = time.monotonic()
            output_of(python("chatkit_server", "--help"), limit=60)
            told = time.monotonic() - begun
            with serving(command) as server:
                # The first one warms the disk up
                if number:
                    run.results.add("ours", HELP, [told])
                    run.results.add("ours", LISTEN, [server.seconds])


def abuse(run: Run) -> None:
    """An honest user's first token, and the memory, beside ten attacks; this server only."""
    size, add = run.size, run.results.add
    with (
        TemporaryDirectory(prefix="chatkit-benchmark-") as temporary,
        model_server() as model,
        serving(python("benchmarks.hostile")) as hostile,
    ):
        file = write_abused(Path(temporary, "ours"), model, hostile.url)
        for name in ATTACKS:
            run.tell(f"  {name}")
            with serving(ours(file)) as server:
                on = Target(KINDS["ours"], server)
                honest = on.load(
                    ABUSED_TOKENS,
                    interval=ABUSED_INTERVAL,
                    chats=4,
                    turns=size.abused_turns,
                    prompt=True,
                )
                attack = python("benchmarks.attacks", name, str(server.port), server.path)
                with largest_resident(server.pid) as largest:
                    # What libraries do once, on first use, is done here
                    with started(attack, _ATTACKING):
                        _first(run, honest)
                    wait_until_idle(server.pid)
                    add(name, ALONE, honest.drive().first)
                    with started(attack, _ATTACKING):
                        add(name, BESIDE, _first(run, honest))
                add(name, LARGEST, largest)


def _first(run: Run, honest: Load) -> list[float]:
    """Return the seconds to the first tokens, infinite ones if the server is lost."""
    try:
        return honest.drive(ABUSED_PATIENCE).first
    except Failed as error:
        run.tell(f"    {str(error)[-300:]}")
        return [math.inf, math.inf]


@dataclass(frozen=True)
class Part:
    """A part, its default servers, whether it can measure others, and whether a run has it if it
    is not named."""

    work: Callable[[Run], None]
    servers: tuple[str, ...]
    others: bool = True
    usual: bool = True


PARTS = {
    "tokens": Part(tokens, tuple(name for name, kind in KINDS.items() if kind.usual)),
    "pace": Part(pace, ("floor", "ours", "official")),
    "memory": Part(memory, ("ours", "official")),
    "growth": Part(growth, ("ours",)),
    "long": Part(long, ("ours",), others=False),
    "start": Part(start, ("ours",), others=False),
    "abuse": Part(abuse, ("ours",), others=False, usual=False),
}
