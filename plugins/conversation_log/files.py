"""Where the lines go: standard output, or files that are renamed when they are full."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

OWNER_ONLY = 0o600
IN_FLIGHT = 0.2  # seconds in which a server writes a line that it has begun

log = logging.getLogger(__name__)


class Target(Protocol):
    """Where lines go; one thread at a time writes. All methods raise `OSError`."""

    def check(self) -> None: ...

    def write(self, line: bytes) -> None: ...

    def close(self) -> None: ...


class StandardOutput:
    """Writes to the process's standard output, whatever that is at the time."""

    def check(self) -> None:
        """Standard output needs no preparation."""

    def write(self, line: bytes) -> None:
        sys.stdout.write(line.decode())
        sys.stdout.flush()

    def close(self) -> None:
        """Standard output stays open."""


class RotatedFile:
    """A file that lines are appended to, each in one write, and that is renamed when it is full."""

    # Several applications in one process may write to the same file.
    _one_at_a_time = threading.Lock()

    def __init__(self, path: Path, max_size: int, keep: int) -> None:
        self.path = path
        self.max_size = max_size
        self.keep = keep
        self._descriptor: int | None = None

    def check(self) -> None:
        """Create the folder and the file; make those of earlier runs the owner's alone."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(self._open(self.path))
        for path in self._older():
            if path.exists():
                os.close(self._open(path))

    def write(self, line: bytes) -> None:
        with self._one_at_a_time:
            descriptor = self._current()
            size = os.fstat(descriptor).st_size
            if size and size + len(line) > self.max_size:
                self._rotate(descriptor)
                descriptor = self._current()
                size = os.fstat(descriptor).st_size
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def files(self) -> list[Path]:
        """Return all files, the oldest first."""
        return [*reversed(self._older()), self._aside, self.path]

    @property
    def _aside(self) -> Path:
        return Path(f"{self.path}.erasing")

    def remove(self, is_gone: Callable[[bytes], bool]) -> int:
        """Remove lines from all files, and return how many. Raises `OSError`.

        The newest file is renamed first, and servers go on in another one: what is kept of it is
        appended to that.
        """
        removed = 0
        for file in self._older():
            kept, count = _kept(file, is_gone)
            if count:
                new = Path(f"{file}.new")
                new.write_bytes(kept)
                new.chmod(OWNER_ONLY)
                new.replace(file)
            removed += count
        for file in (self._aside, self.path):
            # What is aside is of a removal that was interrupted
            kept, count = _kept(file, is_gone)
            if file == self.path and not count:
                break
            if file == self.path:
                file.replace(self._aside)
                # A line may be on its way
                time.sleep(IN_FLIGHT)
                kept, count = _kept(self._aside, is_gone)
            if kept:
                descriptor = self._open(self.path)
                try:
                    _write_whole(descriptor, kept)
                finally:
                    os.close(descriptor)
            self._aside.unlink(missing_ok=True)
            removed += count
        return removed

    def _open(self, path: Path) -> int:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, OWNER_ONLY)
        try:
            close_to_others(descriptor, path)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _older(self) -> list[Path]:
        return [Path(f"{self.path}.{n}") for n in range(1, self.keep + 1)]

    def _current(self) -> int:
        """Return the open file, reopened if it was renamed or deleted."""
        if self._descriptor is not None and not self._is_at_its_path(self._descriptor):
            self.close()
        if self._descriptor is None:
            self._descriptor = self._open(self.path)
        return self._descriptor

    def _is_at_its_path(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _rotate(self, descriptor: int) -> None:
        """Rename the files, unless another process has done so meanwhile."""
        # Closing it releases the lock; some file systems have none
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if self._is_at_its_path(descriptor):
            names = [self.path, *self._older()]
            for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
                if newer.exists():
                    newer.replace(older)
        self.close()


def _kept(file: Path, is_gone: Callable[[bytes], bool]) -> tuple[bytes, int]:
    """Return what stays of a file, and how many lines do not."""
    lines = read_lines(file)
    kept = [line for line in lines if not is_gone(line)]
    return b"".join(kept), len(lines) - len(kept)


def _write_whole(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def close_to_others(descriptor: int, path: Path) -> None:
    """Let only the owner read a file, whatever the umask was; raises `PermissionError`."""
    status = os.fstat(descriptor)
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode) or mode == OWNER_ONLY:
        return
    try:
        os.fchmod(descriptor, OWNER_ONLY)
    except PermissionError:
        told = "others may read it, and it belongs to another user"
        raise PermissionError(errno.EPERM, told) from None
    if mode & 0o077:
        log.warning("%s was open to other users: its mode was %04o, and is 0600 now", path, mode)


def read_lines(file: Path) -> list[bytes]:
    """Return the lines of a file, none if it is not there."""
    try:
        return file.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
