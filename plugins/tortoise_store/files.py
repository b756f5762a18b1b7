"""The files of a SQLite database are readable by their owner alone."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

log = logging.getLogger(__name__)

PRIVATE = 0o600

_SQLITE = ("", "-wal", "-shm", "-journal")
"""What the names of SQLite's files end with. It makes them with the mode of the database."""


def make_private(database: Path) -> None:
    """Make the file of a database, if it is missing, and close all of its files to others.

    Versions before this one, and other programs, leave them open to whoever the umask lets in.
    Raises `OSError` if the file cannot be made.
    """
    # SQLite follows links too
    real = database.resolve()
    # One that exists must not be opened: closing it would release SQLite's locks in this process
    with suppress(FileExistsError):
        os.close(_make(real))
    files = [Path(f"{real}{end}") for end in _SQLITE]
    closed = [path.name for path in (*files, lock_file(database)) if _close_to_others(path)]
    if closed:
        log.warning(
            "other users of this machine could read %s in %s: now only the owner can",
            ", ".join(closed),
            real.parent,
        )


def problem_of(database: Path) -> str | None:
    """Return why the file of a database cannot be used or made, None if nothing speaks against it.

    For a process that has not opened it.
    """
    folder = database.parent
    if problem := wrong_place(database):
        return problem
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"this user may not create files in the folder {folder}"
    if not database.exists():
        return None
    try:
        # SQLite itself opens it: see `make_private`. So it makes no other files
        unlocked = f"{database.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(unlocked, uri=True)) as file:
            file.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        return str(error)
    if not os.access(database, os.W_OK):
        return "this user may not write to the file"
    return None


def wrong_place(database: Path) -> str | None:
    """Return why no file can be at this path, None if one can."""
    if not database.parent.is_dir():
        return f"there is no folder {database.parent}"
    return "this is a folder. Name a file in it" if database.is_dir() else None


def lock_file(database: Path) -> Path:
    """Return the file on which the processes that use a database hold a lock."""
    return Path(f"{database}-lock")


def open_lock_file(database: Path) -> int:
    """Open that file, and make it if it is missing. Raises `OSError`."""
    path = lock_file(database)
    try:
        return _make(path)
    except FileExistsError:
        return os.open(path, os.O_RDONLY | os.O_CREAT, PRIVATE)


def _make(path: Path) -> int:
    """Make a file for its owner alone, whatever the umask."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE)
    os.fchmod(file, PRIVATE)
    return file


def _close_to_others(path: Path) -> bool:
    """Take the rights of others away; return whether they had any."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or not mode & 0o077:
            return False
        path.chmod(stat.S_IMODE(mode) & ~0o077)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning(
            "other users of this machine can read %s, and this process cannot change that (%s). "
            "Run: chmod 600 %s",
            path,
            error.strerror,
            path,
        )
        return False
    return True
