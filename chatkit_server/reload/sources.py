"""The files that a server is made from, and whether they changed."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path
from stat import S_ISREG

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
        # The system tells of a link's own folder, and not of what it stands for
        links = (file for file in _found(self._files, self._folders) if file.is_symlink())
        found.update(Path(os.path.realpath(file)).parent for file in links)
        return {folder for folder in found if folder.is_dir()}


def _found(files: Iterable[Path], folders: Iterable[Path]) -> Iterator[Path]:
    """Yield those of the files that are there, and what counts in the folders."""
    yield from (file for file in files if file.is_file())
    for folder in folders:
        for path, names in _walk(folder):
            for name in names:
                if os.path.splitext(name)[1] in SUFFIXES and not name.startswith("."):
                    yield Path(path, name)


class Imports(MetaPathFinder):
    """What this process imports from now on, also where that fails."""

    def __init__(self, but: Collection[str]) -> None:
        """Begin. `but` are the names of modules that do not count."""
        self._but = but
        self._asked: set[str] = set()
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Note the name, and leave it to others to find the module."""
        if path is None:
            self._asked.add(name)

    def sources(self) -> tuple[set[Path], set[Path]]:
        """Return the files and packages of this process's own modules: those not installed."""
        found = _Found()
        for name, module in list(sys.modules.items()):
            top = name.partition(".")[0]
            if name not in self._but and top not in ("__main__", "chatkit_server"):
                around = getattr(sys.modules.get(top), "__path__", None)
                found.add(getattr(module, "__file__", None), around)
        for name in self._asked - sys.modules.keys():
            with suppress(ImportError, ValueError):
                if spec := find_spec(name):
                    found.add(spec.origin, spec.submodule_search_locations)
        return found.files, found.folders


class _Found:
    def __init__(self) -> None:
        self.files: set[Path] = set()
        self.folders: set[Path] = set()

    def add(self, file: str | None, around: Iterable[str] | None) -> None:
        """Add the file of a module, or the folders `around` it if it is part of a package."""
        if not file or os.path.abspath(file).startswith(_INSTALLED):
            return
        if around:
            self.folders.update(Path(os.path.abspath(path)) for path in around)
        elif os.path.isfile(file):
            self.files.add(Path(os.path.abspath(file)))


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    followed: set[str] = set()
    for path, inner, names in os.walk(folder, followlinks=True):
        inner[:] = [name for name in inner if _counts(path, name, followed)]
        if "pyvenv.cfg" in names:
            inner.clear()
            continue
        yield path, names


def _counts(path: str, name: str, followed: set[str]) -> bool:
    """Whether a folder in another one counts. Of links, those to packages do, each of them once."""
    if name.startswith(".") or name in ("__pycache__", "node_modules"):
        return False
    inner = os.path.join(path, name)
    if not os.path.islink(inner):
        return True
    real = os.path.realpath(inner)
    if real in followed or not os.path.exists(os.path.join(real, "__init__.py")):
        return False
    followed.add(real)
    return True


def _state(file: Path, before: _State | None) -> _State:
    """Return the state of a file; that of none has the digest `b""`."""
    try:
        stat = file.stat()
        if not S_ISREG(stat.st_mode):
            # Reading a pipe would wait for its writer
            return _NONE
        when = stat.st_mtime_ns, stat.st_size, stat.st_ino
        if before is not None and before[0] == when:
            return before
        content = file.read_bytes() if stat.st_size < _LARGE else str(when).encode()
    except OSError:
        return _NONE
    return when, blake2b(content, digest_size=16).digest()
