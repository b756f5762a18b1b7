"""Whether a process is the only one that uses a SQLite database."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chatkit_server import SettingsError

from .files import lock_file, open_lock_file


@contextmanager
def present(database: Path) -> Iterator[float | None]:
    """Hold a lock on a file beside the database while the block runs.

    Yields the time, in seconds since 1970, at which no other process held the lock: turns with
    older heartbeats belong to processes that have ended. Yields None if another process holds it,
    or may hold it.

    The system releases the lock when a process ends, in whatever way, and not before: a process
    that is slow, stopped, or in another container still holds it. Raises `SettingsError` for a lock
    file that cannot be opened.
    """
    # Not on the database file: closing it here would release SQLite's locks
    try:
        file = open_lock_file(database)
    except OSError as error:
        # Other processes, which can open it, would think that this one has ended
        raise SettingsError(
            f"cannot open {lock_file(database)}: {error.strerror}. Every process that uses the "
            "database must be able to read it: run them as the same user"
        ) from error
    try:
        yield _enter(file)
    finally:
        os.close(file)


class Presence:
    """Stays present where somebody has deleted the lock file, while the server runs."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._files: list[int] = []

    def renew(self) -> None:
        """Hold the lock on the file that is there now. Raises `OSError`."""
        with suppress(FileNotFoundError):
            found = os.stat(lock_file(self._database))
            if any(os.path.samestat(os.fstat(file), found) for file in self._files):
                return
        file = open_lock_file(self._database)
        try:
            # Whoever holds it alone has just started: the next look comes soon
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        except OSError:
            # A file system without these locks
            self._files.append(file)
        else:
            self._files.append(file)

    def leave(self) -> None:
        """Release the locks."""
        while self._files:
            os.close(self._files.pop())


def _enter(file: int) -> float | None:
    alone_at = None
    try:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone_at = time.time()
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError:
        # A file system without these locks: other processes cannot be detected
        return None
    return alone_at
