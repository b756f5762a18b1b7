"""Whether SQLite's file is still the one that was opened, and whether its disk has room."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from chatkit_server import Unavailable

_APPLIED = "SELECT app, name FROM tortoise_migrations ORDER BY app, name"

# The bytes of a database, and of the index of its log, on which each connection of SQLite holds a
# lock, by its file format
_SHARED_FIRST = 0x40000002
_SHARED_SIZE = 510
_INDEX_USED = 128

_FRESH = 0.01
"""Seconds for which a look at the file is good."""

Inode = tuple[int, int]


class FileLost(Unavailable):
    """What is at the path is not the file that was opened; `reason` says what happened."""

    def __init__(self, reason: str) -> None:
        super().__init__("The conversations are not available right now. Try again in a moment.")
        self.reason = reason


class DiskFull(Unavailable):
    """Nothing new may begin; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "The server's disk is full, so new messages cannot be saved. Earlier ones are safe. "
            "Try again later."
        )
        self.reason = reason


class FileGuard:
    """Compares the file at a path with the one that was opened, and watches its disk.

    A process goes on writing into a file that somebody has deleted, or replaced by another one,
    and what users say would be lost. Reasons name no folder: anybody may read them.
    """

    def __init__(self, path: Path, min_free: int) -> None:
        self.path = path
        self._min_free = min_free
        self._real = str(path)
        self._inode: Inode | None = None
        self._log: Inode | None = None
        self._size = 0
        self._closed = False
        self._fresh_until = 0.0
        self._failure: str | None = None

    def remember(self) -> None:
        """Note which file is at the path: it is opened now. Raises `OSError`."""
        # SQLite follows links too
        self._real = str(self.path.resolve(strict=True))
        status = os.lstat(self._real)
        self._inode, self._size = _inode(status), status.st_size
        self._log = None
        self._closed = False

    def forget(self) -> None:
        """Note that the file is closed: no statement may run."""
        self._closed = True

    def check(self) -> None:
        """Raise `FileLost` if what is written would not be in the file at the path.

        Of many statements in a row, few pay for the look: it takes up to 10 µs.
        """
        if self._closed or time.monotonic() >= self._fresh_until:
            self._inspect()

    def _inspect(self) -> None:
        try:
            status = os.lstat(self._real)
        except OSError as error:
            raise FileLost(self._gone(error)) from None
        found = (status.st_dev, status.st_ino)
        if found != self._inode or status.st_size < self._size or self._closed:
            raise FileLost(self._changed(status))
        self._fresh_until = time.monotonic() + _FRESH

    def problem(self) -> str | None:
        """Return what happened to the file or to its write-ahead log, None if it is sound."""
        self._fresh_until = 0.0
        try:
            self._inspect()
        except FileLost as lost:
            return lost.reason
        if str(self.path.resolve()) != self._real:
            return f"{self.path.name} is a link to another file now"
        log = _inode_of(self.log)
        if self._log is not None and log != self._log:
            return f"the write-ahead log {self.log.name} was deleted or replaced"
        self._log = log
        self._size = os.lstat(self._real).st_size
        return None

    @property
    def log(self) -> Path:
        """The write-ahead log of the file that was opened."""
        return Path(f"{self._real}-wal")

    def _gone(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return f"{self.path.name} was deleted or moved"
        return f"{self.path.name} cannot be reached: {error.strerror}"

    def _changed(self, status: os.stat_result) -> str:
        if _inode(status) != self._inode:
            return f"{self.path.name} was replaced by another file"
        if status.st_size < self._size:
            return f"{self.path.name} was truncated or overwritten"
        return f"{self.path.name} is being opened again"

    # Another file at the path

    def is_another(self) -> bool:
        """Whether a file is at the path, and not the one that was opened."""
        found = _inode_of(self.path)
        return found is not None and (
            found != self._inode or str(self.path.resolve()) != self._real
        )

    def may_reopen(self) -> bool:
        """Whether there is something to open: another file, or the same one without its log."""
        if self.is_another():
            return True
        return _inode_of(self.path) == self._inode and (self._closed or _inode_of(self.log) is None)

    def is_shorter(self) -> bool:
        """Whether the file that was opened has lost bytes."""
        return _inode_of(self.path) == self._inode and self.path.stat().st_size < self._size

    def shrank(self, size: int) -> bool:
        """Note the size of the database; return whether the file shrank with it, as VACUUM does."""
        if size >= self._size:
            return False
        self._size = self.path.stat().st_size
        return True

    def unfit(self, applied: list[tuple[str, str]]) -> str | None:
        """Return why the file at the path is not this server's database, with these migrations."""
        if _inode_of(self.path) == self._inode:
            return None
        name = self.path.name
        try:
            if not _is_complete(self.path):
                return f"{name} was replaced by a file that is no database, or not complete"
            if applied_in(self.path) == applied:
                return None
        except (OSError, sqlite3.Error) as error:
            return f"{name} was replaced by a file that cannot be read: {error}"
        return f"{name} was replaced by a file without this server's tables"

    def discard_log(self) -> bool:
        """Delete what the lost file has left beside its path; return whether nothing is left.

        SQLite would take its log for that of the file that is there now. Call this when the file
        is closed here. If another process uses it, nothing is deleted.
        """
        if _inode_of(self.path) == self._inode and not self.is_another():
            return not _is_locked(self.path, _SHARED_FIRST, _SHARED_SIZE)
        if self._log is None or _inode_of(self.log) != self._log:
            return True
        index = Path(f"{self._real}-shm")
        if _is_locked(index, _INDEX_USED, 1):
            return False
        index.unlink(missing_ok=True)
        self.log.unlink(missing_ok=True)
        return True

    # Room on the disk

    def check_room(self) -> None:
        """Raise `DiskFull` if what a new turn says could perhaps not be saved."""
        if reason := self.no_room():
            raise DiskFull(reason)

    def no_room(self) -> str | None:
        """Return why nothing new may begin, None if there is room."""
        if reason := self.full_disk():
            return reason
        if self._failure is None:
            return None
        return f"{self.path.name} takes no writes: {self._failure}"

    def full_disk(self) -> str | None:
        """Return how little room is left, None if that is enough."""
        with suppress(OSError):
            disk = os.statvfs(self._real)
            # Some file systems do not know
            if disk.f_blocks and disk.f_bavail * disk.f_frsize < self._min_free:
                least = self._min_free / 1_000_000
                return f"the disk of {self.path.name} has less than {least:g} MB left (min_free)"
        return None

    @property
    def write_failed(self) -> bool:
        """Whether a write has failed because of the disk, and none of that size worked since."""
        return self._failure is not None

    def note_failure(self, error: Exception) -> None:
        """Note that a write failed because of the disk."""
        self._failure = str(error)

    def note_success(self) -> None:
        """Note that a write as large as a message's worked."""
        self._failure = None


def applied_in(path: Path) -> list[tuple[str, str]]:
    """Return the migrations applied in a file that nobody writes to. Raises `sqlite3.Error`.

    It is read without its write-ahead log: the one beside it may belong to a file before it.
    """
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        return connection.execute(_APPLIED).fetchall()


def applied(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the migrations applied in a database."""
    return [tuple(row) for row in connection.execute(_APPLIED).fetchall()]


def _is_complete(path: Path) -> bool:
    """Whether a file has all the pages that its header tells of: it may be being copied."""
    with path.open("rb") as file:
        header = file.read(100)
        size = os.fstat(file.fileno()).st_size
    if not header.startswith(b"SQLite format 3\0"):
        return False
    page = int.from_bytes(header[16:18]) & 0xFFFE or 65536
    return size >= page * int.from_bytes(header[28:32])


def _is_locked(path: Path, first: int, size: int) -> bool:
    """Whether another process holds a lock on these bytes of a file."""
    with suppress(FileNotFoundError), path.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, size, first)
        except OSError:
            return True
    return False


def _inode(status: os.stat_result) -> Inode:
    return status.st_dev, status.st_ino


def _inode_of(path: Path) -> Inode | None:
    try:
        return _inode(path.stat())
    except OSError:
        return None
