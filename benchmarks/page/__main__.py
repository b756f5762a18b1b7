"""`python -m benchmarks.page [SCENE...] [--check] [--quick] [--why]`: prints a table.

The page has to be built: `cd plugins/chat_page && npm ci && npm run build`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..processes import Failed, python, serving
from .browser import LONG_TASK, Figures
from .scenes import SCENES, Load, measure

FULL = Load(tokens=20_000, rate=200, items=5000)
QUICK = Load(tokens=3000, rate=200, items=1000)
FIRST_LOAD = 150_000
"""Bytes, gzipped, of the module that a page loads at first."""
GROWTH = 15e6
"""Bytes by which the heap may grow in a scene: a table of 20,000 tokens takes 11 MB."""
HEAD = (
    "scene",
    "s",
    "tasks over 50 ms",
    "longest",
    "by the clock",
    "frame gap",
    "heap",
    "nodes",
    "CPU",
)


def main() -> int:
    """Measure, print, and return the exit status."""
    options = _parser().parse_args()
    load = QUICK if options.quick else FULL
    try:
        broken = asyncio.run(_run(options.scenes or list(SCENES), load, why=options.why))
    except Failed as error:
        print(error, file=sys.stderr)
        return 2
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken and options.check else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description="Measure the chat page in Chromium."
    )
    parser.add_argument("scenes", nargs="*", choices=[[], *SCENES], metavar="SCENE")
    parser.add_argument("--check", action="store_true", help="fail above the limits")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--why", action="store_true", help="say which scripts took long")
    return parser


async def _run(names: list[str], load: Load, *, why: bool) -> list[str]:
    """Measure scenes, print a line for each; return what is above the limits."""
    broken: list[str] = []
    print("| " + " | ".join(HEAD) + " |")
    print("|" + "---|" * len(HEAD))
    loaded: dict[str, int] = {}
    for name in names:
        with serving(python("benchmarks.page.server", str(load.items))) as server:
            figures, loaded = await measure(name, server.url, load)
        print("| " + " | ".join(_cells(name, figures)) + " |", flush=True)
        broken += _above(name, figures)
        if why:
            _explain(figures)
    print()
    for url, size in loaded.items():
        print(f"{size:8} {urlsplit(url).path}")
    first = sum(size for url, size in loaded.items() if url.endswith(".js"))
    print(f"{first:8} bytes of scripts, gzipped, are loaded at first (at most {FIRST_LOAD})")
    return broken + [f"the first load has {first} bytes"] * (first > FIRST_LOAD)


def _cells(name: str, figures: Figures) -> Iterator[str]:
    before, after = (size / 1e6 for size in figures.heap)
    yield from (name, f"{figures.seconds:.0f}", str(len(figures.busy_tasks)))
    yield f"{figures.busiest:.0f} ms"
    yield f"{len(figures.long_tasks)}, {max(figures.long_tasks, default=0):.0f} ms"
    yield f"{figures.gap:.0f} ms"
    yield f"{before:.1f} → {after:.1f} MB"
    yield " → ".join(f"{count:.0f}" for count in figures.nodes)
    yield f"{figures.cpu:.1f} s"


def _above(name: str, figures: Figures) -> Iterator[str]:
    if figures.busy_tasks:
        longest = ", ".join(f"{duration:.0f}" for duration in figures.busy_tasks[:10])
        yield f"{name}: {len(figures.busy_tasks)} tasks over {LONG_TASK} ms: {longest}"
    before, after = figures.heap
    if after - before > GROWTH:
        yield f"{name}: the heap grew by {(after - before) / 1e6:.1f} MB"


def _explain(figures: Figures) -> None:
    """Print where the time of long frames went."""
    times: Counter[str] = Counter()
    for frame in figures.frames:
        times["(style, layout and paint)"] += frame["render"]
        for script in frame["scripts"]:
            times[f"{script['invoker']} {script['where']}"] += script["duration"]
            times["(layout forced by scripts)"] += script["layout"]
    for where, duration in times.most_common(12):
        print(f"    {duration:8.0f} ms  {where}")


if __name__ == "__main__":
    sys.exit(main())
