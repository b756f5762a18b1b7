"""`python -m benchmarks [PART...] [--server NAME...] [--quick] [--profile] [--write FILE]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from .document import Profiled, write_page
from .parts import INTERVAL, PARTS, QUICK, Run, Size
from .processes import ROOT, Failed
from .profiles import profile
from .report import abuse_table, comparison, goal_table, many, profile_table
from .results import TOKENS
from .servers import KINDS, Kind

PAGE = ROOT / "docs" / "performance.md"

LOADS = {
    "tokens one by one": (TOKENS, {"interval": INTERVAL, "chats": 50, "turns": 2}),
    "tokens at once": (TOKENS, {"chats": 16, "turns": 10}),
    "turns of one token": (1, {"chats": 16, "turns": 30}),
}


def main() -> int:
    """Run the benchmark; return the exit status."""
    options = _parser().parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        print(f"no such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    # So that child processes are stopped on the way out
    signal.signal(signal.SIGTERM, _terminated)
    try:
        _run(options)
    except Failed as error:
        print("\n".join([str(error), *getattr(error, "__notes__", [])]), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130
    return 0


def _terminated(*_: object) -> None:
    _tell("terminated")
    sys.exit(143)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare this server's speed with others. Without a PART, runs all of them.",
        epilog="parts: "
        + "; ".join(f"{name}: {part.work.__doc__}" for name, part in PARTS.items()),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--server", nargs="+", choices=KINDS, metavar="NAME", help=", ".join(KINDS))
    parser.add_argument("--quick", action="store_true", help="one round, less of everything")
    parser.add_argument("--rounds", type=int, help="how many times to measure each server")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="show where the time of a token and of a turn goes, instead of measuring",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the page to FILE; a full run writes docs/performance.md",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.profile:
        for one in _profiles(_kinds(options.server, ("ours",))):
            print(f"\n{one.head}\n\n{one.text}")
        return
    load = os.getloadavg()[0]
    size = _size(options)
    run = Run([], size, tell=_tell)
    try:
        _measure(run, options)
    finally:
        # Minutes of measuring must not be lost to what went wrong last
        for text in (said(run.results) for said in (comparison, many, goal_table, abuse_table)):
            if text:
                print(f"\n{text}", flush=True)
    whole = not (options.parts or options.server or options.quick)
    page: Path | None = options.write or (PAGE if whole else None)
    if page is not None:
        try:
            profiled = _profiles([KINDS["ours"]])
        except Failed as error:
            _tell(f"the page has no profile: {error}")
            profiled = []
        write_page(page, run.results, size, load, profiled, TOKENS)
        _tell(f"wrote {page}")


def _measure(run: Run, options: argparse.Namespace) -> None:
    for name in options.parts or [name for name, part in PARTS.items() if part.usual]:
        part = PARTS[name]
        run.kinds = _kinds(options.server if part.others else None, part.servers)
        _tell(f"{name}: {part.work.__doc__}")
        part.work(run)


def _size(options: argparse.Namespace) -> Size:
    size = QUICK if options.quick else Size()
    return size if options.rounds is None else size.with_rounds(options.rounds)


def _kinds(named: Sequence[str] | None, usual: Sequence[str]) -> list[Kind]:
    return [KINDS[name] for name in named or usual]


def _profiles(kinds: list[Kind]) -> list[Profiled]:
    """Profile servers under each load."""
    found = []
    with Run(kinds, tell=_tell).targets() as (targets, _):
        for on in targets:
            for words, (tokens, options) in LOADS.items():
                _tell(f"  profiling {on.kind.title}: {words}")
                told = profile_table(profile(on.load(tokens, **options)), tokens)
                found.append(Profiled(f"Where the time goes: {on.kind.title}, {words}", told))
    return found


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
