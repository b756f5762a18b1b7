"""CPU time and memory of a process, from the kernel. Linux only."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

_OFTEN = 0.02
"""Seconds between two looks at the memory."""
_IDLE = 0.5
"""Seconds for which a process must do little to count as idle."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SCHEDULED = 2
"""The kernel's clock number for the CPU time of a process."""


def family(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its living children, user and system.

    It is read from the processes' own clocks, which count nanoseconds: those of `/proc` and
    psutil count hundredths of a second.
    """
    return sum(time.clock_gettime((~member << 3) | _SCHEDULED) for member in family(pid))


def wait_until_idle(pid: int, limit: float = 30.0) -> None:
    """Wait until a process uses less than a tenth of a core, `limit` seconds at most."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        used = cpu_seconds(pid)
        time.sleep(_IDLE)
        if cpu_seconds(pid) - used < _IDLE / 10:
            return


def main_thread_seconds(pid: int) -> float:
    """Return the CPU time of a process's first thread."""
    nanoseconds = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]
    return int(nanoseconds) / 1e9


def resident_bytes(pid: int) -> int:
    """Return the memory that a process and its children use."""
    pages = 0
    for member in family(pid):
        pages += int(Path(f"/proc/{member}/statm").read_text().split()[1])
    return pages * _PAGE


@contextmanager
def largest_resident(pid: int) -> Iterator[list[int]]:
    """Watch the memory of a process while the block runs; afterwards, the value has the largest."""
    largest = [resident_bytes(pid)]
    ended = Event()

    def watch() -> None:
        while not ended.wait(_OFTEN):
            largest[0] = max(largest[0], resident_bytes(pid))

    watching = Thread(target=watch)
    watching.start()
    try:
        yield largest
    finally:
        ended.set()
        watching.join()


def described() -> str:
    """Return one line about this machine."""
    model = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0))
    return (
        f"{model}, {cores} core{'s'[: cores - 1]}, Linux {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}"
    )
