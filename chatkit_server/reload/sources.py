"""The files that a server is made from, and whether they changed."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

SUFFIXES = {
    *(".py", ".toml", ".yaml", ".yml"),
    *(".css", ".html", ".j2", ".jinja", ".js", ".md", ".mo", ".po", ".txt", ".widget"),
}
"""What counts in a folder of plugins. JSON and databases do not: plugins write them."""

_State = tuple[tuple[int, ...], bytes]
"""When a file was written, as the system tells, and a digest of its content."""

_NONE: _State = ((), b"")

_LARGE = 1_000_000
"""Bytes of a file whose content is not read: its time and size tell of a change."""

_INSTALLED = tuple(
    sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


class Sources:
    """Files, and folders with all that is in them, as they were when somebody last looked."""

    def __init__(self) -> None:
        self._files: set[Path] = set()
        self._folders: set[Path] = set()
        self._seen: dict[Path, _State] = {}

    def add(self, files: Iterable[Path], folders: Iterable[Path]) -> None:
        """Look at these from now on, too. Those that are missing count once they are there."""
        new = set(files) - self._files, set(folders) - self._folders
        self._files |= new[0]
        self._folders |= new[1]
        for file in _found(*new):
            if file not in self._seen:
                self._seen[file] = _state(file, None)

    def changed(self) -> list[Path]:
        """Return the files that came, went, or have another content than at the last look."""
        before = self._seen
        self._seen = {
            file: _state(file, before.get(file)) for file in _found(self._files, self._folders)
        }
        files = before.keys() | self._seen.keys()
        return sorted(
            file for file in files if before.get(file, _NONE)[1] != self._seen.get(file, _NONE)[1]
        )

    def directories(self) -> set[Path]:
        """Return the folders in which something can change; those inside are listed, too."""
        found = {file.parent for file in self._files} | {each.parent for each in self._folders}
        for folder in self._folders:
            found.update(Path(path) for path, _ in _walk(folder))
        return {folder for folder in found if folder.is_dir()}


def _found(files: Iterable[Path], folders: Iterable[Path]) -> Iterator[Path]:
    """Yield those of the files that are there, and what counts in the folders."""
    yield from (file for file in files if file.is_file())
    for folder in folders:
        for path, names in _walk(folder):
            for name in names:
                if os.path.splitext(name)[1] in SUFFIXES and not name.startswith("."):
                    yield Path(path, name)


def imported_from(but: Collection[str]) -> tuple[set[Path], set[Path]]:
    """Return the files and packages of this process's own modules: those that are not installed.

    `but` are the names of modules that do not count.
    """
    files: set[Path] = set()
    folders: set[Path] = set()
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        file = getattr(module, "__file__", None)
        if name in but or top in ("__main__", "chatkit_server") or not file:
            continue
        if os.path.abspath(file).startswith(_INSTALLED):
            continue
        around = getattr(sys.modules.get(top), "__path__", None)
        if around:
            folders.update(Path(os.path.abspath(path)) for path in around)
        else:
            files.add(Path(os.path.abspath(file)))
    return files, folders


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for path, inner, names in os.walk(folder):
        inner[:] = [
            name
            for name in inner
            if not name.startswith(".") and name not in ("__pycache__", "node_modules")
        ]
        if "pyvenv.cfg" in names:
            inner.clear()
            continue
        yield path, names


def _state(file: Path, before: _State | None) -> _State:
    """Return the state of a file; that of none has the digest `b""`."""
    try:
        stat = file.stat()
        when = stat.st_mtime_ns, stat.st_size, stat.st_ino
        if before is not None and before[0] == when:
            return before
        content = file.read_bytes() if stat.st_size < _LARGE else str(when).encode()
    except OSError:
        return _NONE
    return when, blake2b(content, digest_size=16).digest()
