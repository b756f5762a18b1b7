"""Whether a process is the only one that uses a SQLite database."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chatkit_server import SettingsError


@contextmanager
def present(database: Path) -> Iterator[float | None]:
    """Hold a lock on a file beside the database while the block runs.

    Yields when it was that nobody else was there, in seconds since 1970: what is older belongs to
    processes that have ended. Yields None if somebody is there, or may be.

    The system takes the lock back when a process ends, in whatever way, and not before: a process
    that is slow, or stopped, or in another container, is there. Raises `SettingsError` for a lock
    file that cannot be opened.
    """
    # Not on the database itself: to close it here would take SQLite's own locks away
    path = f"{database}-lock"
    try:
        file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)
    except OSError as error:
        # Whoever can open it would take this process for one that is gone
        raise SettingsError(
            f"cannot open {path}: {error.strerror}. This user must be able to read it, as all who "
            "use the database"
        ) from error
    try:
        yield _enter(file)
    finally:
        os.close(file)


def _enter(file: int) -> float | None:
    alone_at = None
    try:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone_at = time.time()
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError:
        # A file system without these locks: nobody can be seen
        return None
    return alone_at
