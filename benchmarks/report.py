"""Results as text: tables, goals and profiles, for the terminal and for the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from .attacks import ATTACKS
from .chart import bars
from .goals import goals
from .profiles import Profile
from .results import (
    ALONE,
    BESIDE,
    BUSY,
    FIRST,
    LARGEST,
    ONCE,
    ONE,
    PACE,
    PACE_LATE,
    PACED,
    RESIDENT,
    STREAM,
    Results,
    ratio,
)
from .servers import KINDS

_AROUND = re.compile(r"\((<frozen runpy>|threading\.py|asyncio/|chatkit_server/(__main__|cli))")
"""Frames that contain everything, and so say nothing."""

Column = tuple[str, Callable[[str], float | None], str]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are aligned, the first one to the left."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    aligned = [
        [cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in cells]
        for cells in (enumerate(zip(line, widths, strict=True)) for line in lines)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [aligned[0], rule, *aligned[1:]])


def comparison(results: Results) -> str:
    """Return the table of the servers under the same load."""
    columns: list[Column] = [
        ("token at once, µs", lambda s: _times(results.per_token(s, ONCE), 1e6), ",.0f"),
        ("by floor", lambda s: _by_floor(results, s, ONCE), ".1f"),
        ("token one by one, µs", lambda s: _times(results.per_token(s, PACED), 1e6), ",.0f"),
        ("by floor", lambda s: _by_floor(results, s, PACED), ".1f"),
        ("extra, at once", lambda s: _times(results.per_further_token(s, ONCE), 1e6), ",.0f"),
        ("extra, one by one", lambda s: _times(results.per_further_token(s, PACED), 1e6), ",.0f"),
        ("1-token turn, ms", lambda s: _times(results.median(s, ONE), 1e3), ".1f"),
        ("first p50, ms", lambda s: _times(results.percentile(s, FIRST, 50), 1e3), ",.0f"),
        ("first p99, ms", lambda s: _times(results.percentile(s, FIRST, 99), 1e3), ",.0f"),
    ]
    return _measured(columns)


def many(results: Results) -> str:
    """Return the table of many concurrent chats, and of memory."""
    columns: list[Column] = [
        ("turn ÷ model time", lambda s: results.median(s, PACE), ".2f"),
        ("same, p99", lambda s: results.median(s, PACE_LATE), ".2f"),
        ("cores in use", lambda s: results.median(s, BUSY), ".2f"),
        ("open stream, kB", lambda s: _times(results.median(s, STREAM), 1e-3), ".0f"),
        ("memory early, MB", lambda s: _times(_resident(results, s, 0), 1e-6), ".0f"),
        ("memory late, MB", lambda s: _times(_resident(results, s, -1), 1e-6), ".0f"),
    ]
    return _measured(columns)


def _measured(columns: list[Column]) -> str:
    """Return a table of the servers and columns that have figures, "" if there are none."""
    figures = {name: [figure(name) for _, figure, _ in columns] for name in KINDS}
    rows = {name: row for name, row in figures.items() if any(f is not None for f in row)}
    used = [n for n in range(len(columns)) if any(row[n] is not None for row in rows.values())]
    if not rows:
        return ""
    return table(
        ["", *(columns[n][0] for n in used)],
        (
            [KINDS[name].title, *(_said(row[n], columns[n][2]) for n in used)]
            for name, row in rows.items()
        ),
    )


def abuse_table(results: Results) -> str:
    """Return what attacks do to an honest user and to the memory, "" if none was measured."""
    rows = []
    for name, attack in ATTACKS.items():
        alone, beside = (results.percentile(name, figure, 99) for figure in (ALONE, BESIDE))
        if alone is None or beside is None:
            continue
        median = results.median(name, BESIDE) or 0.0
        largest = max(results.values(name, LARGEST))
        cells = (median * 1e3, alone * 1e3, beside * 1e3, beside / alone, largest / 1e6)
        words = (attack.__doc__ or "").strip()
        rows.append([words, *map(format, cells, (",.0f", ",.0f", ",.0f", ".1f", ",.0f"))])
    heads = ("attack", "first p50, ms", "p99 without, ms", "p99, ms", "times", "memory, MB")
    return table(heads, rows) if rows else ""


def goal_table(results: Results) -> str:
    """Return the measured goals with their figures, "" if there are none."""
    rows = [
        (
            goal.words,
            f"{goal.figure:.2f} {goal.unit}",
            f"{goal.most:.2f} {goal.unit}",
            "yes" if goal.reached else "**no**",
        )
        for goal in goals(results)
    ]
    return table(["goal", "measured", "at most", "reached"], rows) if rows else ""


def unreached(results: Results) -> str:
    """Return a list of why goals were missed, "" if none was."""
    return "\n".join(
        f"- {goal.words}: {goal.why or 'the reason is not known.'}"
        for goal in goals(results)
        if not goal.reached
    )


def profile_table(profile: Profile, tokens: int, longest: int = 25) -> str:
    """Return where the CPU time of a token goes, by package and by function, in µs."""
    token = profile.cpu / tokens * 1e6
    within = [(name, share) for name, share in profile.within if not _AROUND.search(name)]
    parts = []
    for head, shares in (
        ("package, own time", profile.packages),
        ("function, own time", profile.own),
        ("function, including calls", within),
    ):
        rows = [
            (f"`{name}`", f"{share:.1%}", f"{share * token:.1f}")
            for name, share in shares[:longest]
        ]
        parts.append(table([head, "share", f"µs of {token:,.0f}"], rows))
    return "\n\n".join(parts)


def chart(results: Results) -> str:
    """Return the chart of the CPU time per token."""
    rows = [
        (
            kind.title,
            _times(results.per_token(name, ONCE), 1e6),
            _times(results.per_token(name, PACED), 1e6),
        )
        for name, kind in KINDS.items()
    ]
    measured = [row for row in rows if row[1] is not None or row[2] is not None]
    title = "CPU time per token, in µs: less is better"
    return bars(title, ("all at once", "one by one"), measured)


def _by_floor(results: Results, server: str, figure: str) -> float | None:
    return ratio(results.per_token(server, figure), results.per_token("floor", figure))


def _resident(results: Results, server: str, place: int) -> float | None:
    values = results.values(server, RESIDENT)
    return values[place] if values else None


def _times(figure: float | None, factor: float) -> float | None:
    return None if figure is None else figure * factor


def _said(figure: float | None, form: str) -> str:
    return "" if figure is None else format(figure, form)
