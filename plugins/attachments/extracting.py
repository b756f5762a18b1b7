"""The text of PDFs and of texts, read once when a file has arrived."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .config import PdfLimits
from .kinds import encoding_of
from .text_of_pdf import BROKEN, PASSWORD

_SCRIPT = Path(__file__).with_name("text_of_pdf.py")

_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG")
"""What the child process gets of the environment: no secrets."""

_AT_ONCE = 2
"""PDFs that are read at the same time in this process; others wait."""

CUT = "[cut off here: the file goes on]"

_REASONS = {
    PASSWORD: "it is protected by a password",
    BROKEN: "it is broken",
    -signal.SIGXCPU: "it takes too long",
}


@dataclass(frozen=True, slots=True)
class Extract:
    """A file's text. `note` says what is missing of it, `pages` how many a PDF has."""

    text: str = ""
    note: str = ""
    pages: int | None = None


class Extractor:
    """Reads texts up to `characters`, and PDFs in a child process, within limits."""

    def __init__(self, characters: int, limits: PdfLimits) -> None:
        self._characters = characters
        self._limits = limits
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def text(self, path: Path) -> Extract:
        """Return what a text says, decoded, up to the limit."""
        return await asyncio.to_thread(self._text, path)

    def _text(self, path: Path) -> Extract:
        encoding = encoding_of(path) or "utf-8"
        with path.open(encoding=encoding, errors="replace") as file:
            text = file.read(self._characters + 1)
        return _cut(text.replace("\0", ""), self._characters)

    async def pdf(self, path: Path) -> Extract:
        """Return the text of a PDF as far as it can be read. It raises no error for the file."""
        limits = self._limits
        arguments = (limits.pages, self._characters + 1, max(1, round(limits.time)), limits.memory)
        async with self._places:
            # `-P` keeps the files beside the script from being taken for modules of its own
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", str(_SCRIPT), str(path), *map(str, arguments)),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
                env={name: os.environ[name] for name in _VARIABLES if name in os.environ},
            )
            try:
                written, is_late = await self._output(process)
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return self._extract(written, process.returncode or 0, is_late=is_late)

    async def _output(self, process: asyncio.subprocess.Process) -> tuple[bytes, bool]:
        """Return what the process wrote, and whether it was too slow to end."""
        assert process.stdout is not None
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(self._limits.time):
                while piece := await process.stdout.read(65536):
                    pieces.append(piece)
                await process.wait()
        except TimeoutError:
            return b"".join(pieces), True
        return b"".join(pieces), False

    def _extract(self, written: bytes, status: int, *, is_late: bool) -> Extract:
        head, _, text = written.decode(errors="replace").partition("\n")
        pages = json.loads(head)["pages"] if head.startswith("{") else None
        reason = "it takes too long" if is_late else _REASONS.get(status, "it cannot be read")
        if status or is_late:
            note = f"not all of it could be read: {reason}" if text.strip() else reason
            return Extract(_cut(text, self._characters).text, note, pages)
        if not text.strip():
            return Extract("", "it has no text, only pictures perhaps", pages)
        found = _cut(text, self._characters)
        if pages is not None and pages > self._limits.pages and not found.note:
            note = f"only the first {self._limits.pages} pages were read"
            return Extract(found.text, note, pages)
        return Extract(found.text, found.note, pages)


def _cut(text: str, characters: int) -> Extract:
    if len(text) <= characters:
        return Extract(text.rstrip())
    return Extract(f"{text[:characters]}\n{CUT}", "only its beginning is given")
