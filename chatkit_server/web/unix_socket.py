"""Listening on a Unix socket: a file that only its owner and group can connect to."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import SettingsError
from ..settings.schema import Settings

_LONGEST = 107 if os.uname().sysname == "Linux" else 103
"""Bytes of a path that a socket address has room for."""


def check_socket(settings: Settings) -> None:
    """Raise `SettingsError` for a `server.socket` that cannot be made."""
    path = settings.server.socket
    if path is None:
        return
    folder = path.absolute().parent
    problem = None
    if len(os.fsencode(path)) > _LONGEST:
        problem = f"the path is too long: a socket's can have {_LONGEST} bytes"
    elif not folder.is_dir():
        problem = f"there is no folder {folder}. Create it"
    elif path.exists() and not path.is_socket():
        problem = f"{path} is there already, and is no socket. Choose another path"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = f"this user may not create files in the folder {folder}"
    if problem is not None:
        raise SettingsError(f"{settings.source.where(('server', 'socket'))}: {problem}")


def refuse_used(path: Path) -> None:
    """Raise `OSError` if a server listens at this path, or nobody can know."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        try:
            client.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            pass  # it listens, and is busy
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


class UnixSocket:
    """A listening socket. A file that a killed server left behind is replaced. Raises `OSError`."""

    def __init__(self, path: Path, mode: int, backlog: int) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            with _alone_in(path.absolute().parent):
                refuse_used(path)
                if path.is_socket():
                    path.unlink()
                before = os.umask(0o177)
                try:
                    # The path as it is written may be shorter
                    self.socket.bind(os.fspath(path))
                finally:
                    os.umask(before)
                self.socket.listen(backlog)
                path.chmod(mode)
        except BaseException:
            self.socket.close()
            raise
        # What removes it may run elsewhere
        self.file = SocketFile(path.absolute())


class SocketFile:
    """The file of a listening socket."""

    def __init__(self, path: Path) -> None:
        """Remember the file that is there. Raises `OSError`."""
        self._path = path
        self._file = self._identity()

    def remove(self) -> None:
        """Remove the file, unless another server has replaced it."""
        with suppress(OSError):
            if self._identity() == self._file:
                self._path.unlink()

    def _identity(self) -> tuple[int, int]:
        found = self._path.lstat()
        return found.st_dev, found.st_ino


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one server at a time look for a socket and make its own."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
