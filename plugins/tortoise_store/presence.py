"""Whether a process is the only one that uses a SQLite database."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def present(database: Path) -> Iterator[float | None]:
    """Hold a lock on a file beside the database while the block runs.

    Yields when it was that nobody else was there, in seconds since 1970: what is older belongs to
    processes that have ended. Yields None if somebody is there, or may be.

    The system takes the lock back when a process ends, in whatever way, and not before: a process
    that is slow, or stopped, or in another container, is there.
    """
    # Not on the database itself: to close it here would take SQLite's own locks away
    with open(f"{database}-lock", "ab") as file:
        yield _enter(file)


def _enter(file: IO[bytes]) -> float | None:
    alone_at = None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone_at = time.time()
        except BlockingIOError:
            pass
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError:
        # Such as a file system without these locks: nobody can be seen
        return None
    return alone_at
