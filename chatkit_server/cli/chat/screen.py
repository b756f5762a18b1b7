"""What is written to the terminal: nothing that it would act on, whoever said it."""

from __future__ import annotations

import re
from typing import TextIO

from ...lines import INVISIBLE

_UNSAFE = re.compile(f"(?![\n\t\u200c\u200d\ufe0e\ufe0f])[{INVISIBLE}]")
"""All of them but what text is made of: newlines, tabs, and what joins letters and emoji."""

_MARKS = re.compile(r"(\*\*|\n)")

DIM, BOLD, RED, YELLOW = "2", "1", "31", "33"


def safe(text: str) -> str:
    r"""Return text that a terminal only shows: an escape character becomes `\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def in_line(text: object) -> str:
    """Return text in one line, and safe: names, labels and titles."""
    return safe(" ".join(str(text).split()))


class Screen:
    """Writes lines, and text that comes piece by piece; knows whether a line has begun.

    Everything passes through `safe`. Without `colour`, no escape codes are written at all.
    """

    def __init__(self, out: TextIO | None, *, colour: bool = False) -> None:
        self.colour = colour
        self._out = out
        self._begun = False
        self._bold = False
        self._held = ""

    def line(self, text: str = "", style: str = "") -> None:
        """Write text on lines of its own."""
        self.fresh()
        for line in safe(text).split("\n"):
            self._write(f"{self._styled(line, style)}\n")

    def stream(self, piece: str, style: str = "") -> None:
        """Write a piece of text behind the one before it."""
        text = safe(piece)
        if not text:
            return
        if self.colour and not style:
            text = self._with_bold(text)
        self._begun = not text.endswith("\n")
        self._write(self._styled(text, style))

    def fresh(self) -> None:
        """End the line that has begun, if one has."""
        held, self._held = self._held, ""
        reset = "\033[0m" if self._bold else ""
        self._bold = False
        if held or reset:
            self._write(f"{held}{reset}")
        if self._begun:
            self._begun = False
            self._write("\n")

    def _with_bold(self, text: str) -> str:
        """Show `**words**` of a line in bold, with their stars; one may wait for the other."""
        text, self._held = self._held + text, ""
        if text.endswith("*") and not text.endswith("**"):
            text, self._held = text[:-1], "*"
        shown = ""
        for part in _MARKS.split(text):
            ends = self._bold and part in ("**", "\n")
            begins = not self._bold and part == "**"
            self._bold = begins or (self._bold and not ends)
            if part == "\n":
                shown += "\033[0m\n" if ends else "\n"
            else:
                shown += f"\033[{BOLD}m" * begins + part + "\033[0m" * ends
        return shown

    def _styled(self, text: str, style: str) -> str:
        return f"\033[{style}m{text}\033[0m" if self.colour and style and text else text

    def _write(self, text: str) -> None:
        if self._out is not None:
            self._out.write(text)
            self._out.flush()
