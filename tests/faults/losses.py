"""What was lost, by column, and the tables that show it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

COLUMNS = {
    "lost": "acknowledged items lost",
    "doubled": "items duplicated",
    "events": "events missing or duplicated",
    "tools": "tools run twice",
    "locked": "threads left locked",
    "status": "5xx after a write",
    "text": "shown text lost",
    "history": "wrong history for the model",
    "other": "other errors",
}


@dataclass
class Losses:
    """What a run lost: by column, one line for each loss."""

    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, column: str, line: str) -> None:
        """Note a loss."""
        assert column in COLUMNS
        self.found[column].append(line)

    def count(self, column: str) -> int:
        """Return how much was lost in a column."""
        return len(self.found.get(column, ()))

    @property
    def lines(self) -> list[str]:
        """All losses, with their columns."""
        return [
            f"{COLUMNS[column]}: {line}" for column, lines in self.found.items() for line in lines
        ]


@dataclass(frozen=True)
class Run:
    """One run of a fault: the point of the turn, and the losses.

    `cut` is whether the turn was still running.
    """

    fault: str
    database: str
    point: str
    losses: Losses
    cut: bool = True


@dataclass
class Report:
    """All runs, and how often a whole server was hit for them."""

    runs: list[Run] = field(default_factory=list)
    strikes: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    @property
    def losses(self) -> list[str]:
        """Every loss, with the run it was in."""
        return [
            f"{run.fault}, {run.database}, {run.point}: {line}"
            for run in self.runs
            for line in run.losses.lines
        ]

    def summary(self) -> str:
        """Return a table with a row for each fault on each database."""
        keys = sorted({(run.fault, run.database) for run in self.runs})
        rows = {
            key: self._counts([r for r in self.runs if (r.fault, r.database) == key])
            for key in keys
        }
        for key, row in rows.items():
            row[0] = self.strikes.get(key) or row[0]
        totals = [sum(column) for column in zip(*rows.values(), strict=True)]
        head = ["fault", "database", "strikes", "turns", "cut", *COLUMNS.values()]
        return table(head, [*([*key, *row] for key, row in rows.items()), ["all", "", *totals]])

    def _counts(self, runs: Sequence[Run]) -> list[int]:
        lost = [sum(run.losses.count(column) for run in runs) for column in COLUMNS]
        return [len(runs), len(runs), sum(run.cut for run in runs), *lost]

    def points(self) -> list[str]:
        """Return tables of the turns at each point: their number, and how many lost something."""
        of_turns = [run for run in self.runs if run.point in POINTS]
        others = [run for run in self.runs if run.point not in POINTS]
        return [_pivot(runs) for runs in (of_turns, others) if runs]

    def add(self, other: Report) -> None:
        """Add what another report has."""
        self.runs += other.runs
        self.strikes.update(other.strikes)


def _pivot(runs: Sequence[Run]) -> str:
    """Return a table of how many runs there were of each fault at each point, and bad ones."""
    places = {run.point: None for run in runs}
    ordered = [place for place in POINTS if place in places] or sorted(places)
    faults = sorted({run.fault for run in runs})
    cells = [[fault, *(_cell(runs, fault, place) for place in ordered)] for fault in faults]
    return table(["fault", *ordered], cells) + "\n"


def _cell(runs: Sequence[Run], fault: str, place: str) -> str:
    here = [run for run in runs if (run.fault, run.point) == (fault, place)]
    bad = sum(bool(run.losses.lines) for run in here)
    return (str(len(here)) if here else "") + (f" ({bad} lost)" if bad else "")


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


POINTS = (
    "not sent",
    "nothing received",
    "thread created",
    "message saved",
    "answer announced",
    *(f"text {n} {state}" for n in (1, 2, 3) for state in ("begun", "half", "whole", "saved")),
    "error received",
    "ended",
)
"""The points of a turn, as its client sees them; a tool is called after texts 1 and 2."""
