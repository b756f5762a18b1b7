"""Writes the text of a PDF to standard output. Arguments: file, pages, characters, seconds, bytes.

It is a process of its own, because a PDF may be made to crash, hang or fill the memory of what
reads it. The first line is a JSON object with the number of `pages`. The exit status says what
went wrong: 3 for a password, 4 for a file that is no PDF.
"""

from __future__ import annotations

import json
import resource
import sys
from importlib import import_module
from typing import Any

PASSWORD = 3
BROKEN = 4

_PASSWORD_ERROR = 4
"""`FPDF_ERR_PASSWORD` of the library."""


def main(path: str, pages: int, characters: int, seconds: int, size: int) -> int:
    """Write the text; return the exit status."""
    library = import_module("pypdfium2")
    _limit(seconds, size)
    try:
        document = library.PdfDocument(path)
        count = len(document)
    except library.PdfiumError as error:
        return PASSWORD if getattr(error, "err_code", None) == _PASSWORD_ERROR else BROKEN
    out = sys.stdout.buffer
    out.write(json.dumps({"pages": count}).encode() + b"\n")
    out.flush()
    left = characters
    for number in range(min(count, pages)):
        text = _text_of(document, number)
        out.write(f"{text[:left]}\n".encode(errors="replace"))
        out.flush()
        left -= len(text)
        if left <= 0:
            break
    return 0


def _text_of(document: Any, number: int) -> str:
    try:
        text = str(document[number].get_textpage().get_text_bounded())
    except RuntimeError:
        return f"[page {number + 1} cannot be read]"
    return text.replace("\r\n", "\n").replace("\0", "")


def _limit(seconds: int, size: int) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    # The signal of the first limit says why it ended
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
