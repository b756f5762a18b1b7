"""Break each part at each point of a turn, and print what was lost.

python -m tests.faults.matrix                       # all, in about half an hour
python -m tests.faults.matrix --short               # a few of each
python -m tests.faults.matrix --only kills --answering agent --seed 7 --kills 20
python -m tests.faults.matrix --write docs/faults.md
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

from tests.databases import DATABASES, DatabaseKind, postgres
from tests.faults.carriers import carrier_runs
from tests.faults.connections import connection_runs
from tests.faults.elsewhere import elsewhere_runs
from tests.faults.hooks import hook_runs
from tests.faults.kills import drain_runs, kill_runs, replica_runs
from tests.faults.losses import Report
from tests.faults.models import model_runs
from tests.faults.outages import outage_runs
from tests.faults.owners import owner_runs, rolling_runs
from tests.faults.page import page, with_several
from tests.faults.running import FULL, SHORT, Size
from tests.faults.tools import tool_runs
from tests.faults.world import Answering, Backstage, backstage

Runs = Callable[[Backstage, DatabaseKind, Path, Size, Random], Awaitable[Report]]

BUSY: dict[str, Runs] = {
    "connections": connection_runs,
    "models": model_runs,
    "hooks": hook_runs,
    "elsewhere": elsewhere_runs,
}
WAITING: dict[str, Runs] = {
    "tools": tool_runs,
    "outages": outage_runs,
    "kills": kill_runs,
    "replicas": replica_runs,
    "drains": drain_runs,
    "carriers": carrier_runs,
    "owners": owner_runs,
    "rolling": rolling_runs,
}
GROUPS = (*BUSY, *WAITING)
SEVERAL = {"elsewhere", "carriers", "owners", "rolling"}
"""The groups with deployments of several processes: they run alone, for their part of the page."""

Plan = Mapping[Answering, Mapping[str, Sequence[DatabaseKind]]]
"""What answers, and the groups to run then, each with its databases."""

Reports = dict[Answering, Report]

ALL: Plan = {
    "agent": dict.fromkeys(GROUPS, DATABASES),
    # Its tools are its own, and no MCP server's
    "ours": dict.fromkeys((name for name in GROUPS if name != "tools"), DATABASES),
    # Its store is in the folder of its process, so these runs need one
    "theirs": dict.fromkeys(("kills", "replicas", "drains"), DATABASES),
}
FEW: Plan = {
    "agent": {
        "connections": ("sqlite",),
        "models": ("postgresql",),
        "hooks": ("sqlite",),
        "tools": ("sqlite",),
        "outages": DATABASES,
        "kills": DATABASES,
        "drains": ("postgresql",),
        "elsewhere": ("sqlite",),
        "carriers": ("sqlite",),
        "owners": ("sqlite",),
        "rolling": ("postgresql",),
    },
    "ours": {"connections": ("postgresql",), "kills": ("postgresql",)},
    "theirs": {"kills": ("sqlite",)},
}


async def run(size: Size, seed: int, plan: Plan, say: Callable[[str], None] = print) -> Reports:
    """Make the runs of a plan, and return what they lost.

    Groups that mostly wait all run at once, beside one busy group.
    """
    reports: Reports = {answering: Report() for answering in plan}

    async def one_by_one() -> None:
        for answering, groups in plan.items():
            for name, runs in BUSY.items():
                for kind in groups.get(name, ()):
                    await make(answering, name, runs, kind)

    async def make(answering: Answering, name: str, runs: Runs, kind: DatabaseKind) -> None:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            async with backstage(answering) as stage:
                random = Random(f"{seed} {name} {kind}")
                few = size if answering == "agent" else size.hosted
                made = await runs(stage, kind, Path(folder), few, random)
        reports[answering].add(made)
        seconds = time.monotonic() - begun
        turns, lost = len(made.runs), len(made.losses)
        say(f"{answering}: {name}, {kind}: {turns} turns in {seconds:.0f} s, {lost} losses")

    postgres()
    # Collecting garbage among all imported objects would delay the servers of this process
    gc.collect()
    gc.freeze()
    waiting = [
        make(answering, name, runs, kind)
        for answering, groups in plan.items()
        for name, runs in WAITING.items()
        for kind in groups.get(name, ())
    ]
    await asyncio.gather(one_by_one(), *waiting)
    return reports


async def one_after_another(
    size: Size, seed: int, plan: Plan, say: Callable[[str], None]
) -> Reports:
    """Do the same, with all that answers in one way at a time."""
    reports: Reports = {}
    for answering, groups in plan.items():
        reports |= await run(size, seed, {answering: groups}, say)
    return reports


def main() -> int:
    """Run the command; its status is 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--short", action="store_true", help="only a few runs of each fault")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--answering", nargs="+", choices=tuple(ALL), default=tuple(ALL))
    parser.add_argument("--seed", type=int, help="repeats the random choices of another run")
    parser.add_argument("--kills", type=int, help="how many kills on each database")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else Random().randrange(10**6)
    size, plan = (SHORT, FEW) if given.short else (FULL, ALL)
    if given.kills is not None:
        size = replace(size, kills=given.kills)
    logging.basicConfig(level=logging.CRITICAL)
    print(f"seed {seed}", flush=True)
    whole = ""
    if given.write is not None and given.write.exists():
        whole = given.write.read_text(encoding="utf-8")
    is_lost = False
    for names, put in ((set(GROUPS) - SEVERAL, page), (SEVERAL, with_several)):
        part = chosen(plan, given.answering, names & set(given.only))
        if not part:
            continue
        begun = time.monotonic()
        reports = asyncio.run(one_after_another(size, seed, part, partial(print, flush=True)))
        whole = put(whole, reports, seed, time.monotonic() - begun)
        is_lost = is_lost or any(report.losses for report in reports.values())
    print(f"\n{whole}")
    if given.write is not None:
        given.write.write_text(whole, encoding="utf-8")
    return 1 if is_lost else 0


def chosen(plan: Plan, answering: Sequence[Answering], names: set[str]) -> Plan:
    """Return the part of a plan with these groups, where these answer."""
    parts = {
        each: {name: kinds for name, kinds in plan[each].items() if name in names}
        for each in answering
        if each in plan
    }
    return {each: groups for each, groups in parts.items() if groups}


if __name__ == "__main__":
    sys.exit(main())
