"""Where the CPU time of a server goes: py-spy's samples under load."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from .load import Load
from .machine import cpu_seconds, main_thread_seconds
from .processes import Failed

_RATE = 500
_LOOP = "_run_module_as_main"
_THREAD = ("Thread._bootstrap", "_bootstrap")
_WAITS = "EpollSelector.select "
"""Frames of an idle server, which py-spy often takes for work."""

_FILE = re.compile(r" \(([^()<>]+?)(?::\d+)?\)$")
_COUNT = re.compile(r"[0-9]{1,9}")

Stack = tuple[list[str], int]
Shares = list[tuple[str, float]]


@dataclass(frozen=True)
class Profile:
    """Shares of the samples by function: `own` without callees, `within` with them.

    `packages` are the shares of packages, without callees. `cpu` is the CPU time of a turn, in
    seconds; sampling adds little to it.
    """

    cpu: float
    packages: Shares
    own: Shares
    within: Shares


def profile(load: Load, *, keep: Path | None = None) -> Profile:
    """Put a load on a server while sampling it; `keep` is a file for the stacks, for flame graphs.

    Raises `Failed` if py-spy is missing or may not look at processes.
    """
    with TemporaryDirectory(prefix="chatkit-benchmark-") as folder:
        file = keep or Path(folder, "stacks")
        loop, whole = main_thread_seconds(load.pid), cpu_seconds(load.pid)
        with _sampled(load.pid, file):
            driven = load.drive()
        loop = main_thread_seconds(load.pid) - loop
        whole = cpu_seconds(load.pid) - whole
        stacks = list(_read(file))
    return _counted(stacks, driven.cpu_per_turn, loop / whole)


@contextmanager
def _sampled(pid: int, file: Path) -> Iterator[None]:
    """Sample a process while the block runs, and write its stacks to a file."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise Failed("py-spy is not installed: pip install -e '.[bench]'")
    command = [spy, "record", "--pid", str(pid), "--rate", str(_RATE), "--nonblocking"]
    command += ["--function", "--format", "raw", "--output", str(file), "--duration", "600"]
    recorder = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield
    finally:
        recorder.send_signal(signal.SIGINT)  # it then writes what it has
        try:
            _, errors = recorder.communicate(timeout=60)
        finally:
            recorder.kill()
    if not file.exists():
        raise Failed(f"py-spy could not sample the server: {errors.decode()[-500:]}")


def _read(file: Path) -> Iterator[Stack]:
    """Yield the complete stacks: py-spy doesn't stop the process, so some are incomplete."""
    for line in file.read_text("utf-8", "replace").split("\n"):
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        if not frames[0].startswith((_LOOP, *_THREAD)) or not _COUNT.fullmatch(samples):
            continue
        if not frames[-1].startswith(_WAITS):
            yield frames, int(samples)


def _counted(stacks: list[Stack], cpu: float, loop: float) -> Profile:
    """Count samples, those of the event loop's thread as its share of the CPU time.

    py-spy samples by the clock, and cannot always tell a thread that works from one that waits
    for a disk or a lock: the kernel knows what each had.
    """
    totals: dict[bool, int] = defaultdict(int)
    for frames, number in stacks:
        totals[frames[0].startswith(_LOOP)] += number
    own: dict[str, float] = defaultdict(float)
    within: dict[str, float] = defaultdict(float)
    packages: dict[str, float] = defaultdict(float)
    for frames, number in stacks:
        main = frames[0].startswith(_LOOP)
        share = number / totals[main] * (loop if main else 1 - loop)
        own[frames[-1]] += share
        packages[_package(frames[-1])] += share
        for frame in set(frames):
            within[frame] += share
    return Profile(cpu, _most(packages), _most(own), _most(within))


def _most(shares: dict[str, float]) -> Shares:
    return sorted(shares.items(), key=itemgetter(1), reverse=True)


def _package(frame: str) -> str:
    """Return the package of a frame's file, or the module of the standard library."""
    found = _FILE.search(frame)
    return found[1].split("/")[0].removesuffix(".py") if found else "others"
