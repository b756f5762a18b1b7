"""Where an export goes: standard output, a JSON file, a zip file or a folder."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import SettingsError
from ..user_file import UserFile

DATA = "data.json"

_UNSAFE = re.compile(r"[^\w.() -]+")
_LONGEST = 100


class Output:
    """An export in the making: its JSON in `data`, and its files beside it.

    Only when all is written does it get its name, so nobody takes a part of it for the whole. Only
    its owner may read it.
    """

    def __init__(self, folder: Path, *, takes_files: bool) -> None:
        self.folder = folder
        self.takes_files = takes_files
        self.files = 0
        self.data: IO[bytes] = (folder / DATA).open("wb")

    async def add(self, plugin: str, file: UserFile) -> str | None:
        """Write a file; return its path in the export, None if files are left out."""
        self.files += 1
        if not self.takes_files:
            return None
        path = Path("files", _safe(plugin), f"{self.files}-{_safe(file.name)}")
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as written:
            async for piece in _pieces(file.content):
                written.write(piece)
        return path.as_posix()


@contextmanager
def opened(target: Path | None) -> Iterator[Output]:
    """Make an export at `target`, on standard output without one. Raises `SettingsError`."""
    kind = _kind(target)
    place = None if target is None else target.absolute().parent
    try:
        folder = Path(tempfile.mkdtemp(prefix=".export-", dir=place))
    except OSError as error:
        raise SettingsError(f"--output: cannot write in {place}: {error.strerror}") from None
    try:
        output = Output(folder, takes_files=kind in ("zip", "folder"))
        with output.data:
            yield output
        _finish(folder, kind, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _kind(target: Path | None) -> str:
    """Return what the target is to be: `folder` if its name has no ending."""
    if target is None:
        return "stdout"
    if target.is_dir():
        if any(target.iterdir()):
            raise SettingsError(f"--output: the folder {target} is not empty")
        return "folder"
    if target.exists():
        raise SettingsError(f"--output: {target} exists already: choose another name")
    return {".zip": "zip", "": "folder"}.get(target.suffix.lower(), "json")


def _finish(folder: Path, kind: str, target: Path | None) -> None:
    if target is None:
        with (folder / DATA).open("rb") as data:
            shutil.copyfileobj(data, sys.stdout.buffer)
        sys.stdout.flush()
        return
    if kind == "folder":
        if target.is_dir():
            target.rmdir()
        folder.rename(target)
        return
    made = folder / DATA
    if kind == "zip":
        made = folder / "export.zip"
        _pack(folder, made)
    made.chmod(0o600)
    os.replace(made, target)


def _pack(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file != target:
                packed.write(file, file.relative_to(folder))


async def _pieces(content: bytes | AsyncIterable[bytes]) -> AsyncIterable[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    async for piece in content:
        yield piece


def _safe(name: str) -> str:
    """Return a name that is no path, whatever a user has called a file."""
    return _UNSAFE.sub("_", name).strip(". ")[-_LONGEST:] or "file"
