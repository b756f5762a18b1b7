"""Text from anywhere becomes a line of a log, which it can neither end nor make long."""

from __future__ import annotations

import re

INVISIBLE = (
    "\x00-\x1f\x7f-\x9f"  # control characters: newlines, ESC, and those of 8 bits (C1)
    "\u2028\u2029"  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # those that change the direction of text
    "\xad\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff"  # half characters, which cannot be written
)
"""Characters that a terminal or a reader would act on, and those that nobody sees."""

_PLAIN_NAME = re.compile(r"[\w.@+|:=~-]+")

_UNSAFE = re.compile(f"[{INVISIBLE}]")


def escape(text: str) -> str:
    r"""Return text as one line: what a terminal or a reader would act on is shown as `\x1b`."""
    return text if text.isprintable() else _UNSAFE.sub(_as_python, text)


def short(text: str, most: int = 200) -> str:
    """Return text as a part of a line: its first `most` characters, and `…` if there are more."""
    return f"{escape(text[:most])}…" if len(text) > most else escape(text)


def quoted(text: str, most: int = 200) -> str:
    """Return a name that a client chose, in quotes if they are needed to see where it ends.

    `…` after the quotes says that there are more than `most` characters.
    """
    if len(text) <= most and _PLAIN_NAME.fullmatch(text):
        return text
    told = text[:most].replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escape(told)}'{'…' if len(text) > most else ''}"


def _as_python(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def cut(text: str, size: int, removed: int = 0) -> str:
    """Return text of at most `size` bytes; its end says how much was left out.

    `removed` is how many characters were removed from it before.
    """
    if not removed and fits(text, size):
        return text
    kept = first_bytes(text, size - len(mark(len(text) + removed).encode()) - 1)
    return f"{kept} {mark(len(text) - len(kept) + removed)}"


def mark(count: int) -> str:
    """Return what stands where characters were left out."""
    return f"… [{count} characters left out]"


def fits(text: str, size: int) -> bool:
    """Return whether text is at most `size` bytes."""
    return len(text) <= size and (text.isascii() or len(_encoded(text)) <= size)


def first_bytes(text: str, size: int) -> str:
    """Return the beginning of text, whole characters of at most `size` bytes."""
    return _encoded(text[: max(size, 0)])[: max(size, 0)].decode(errors="ignore")


def last_bytes(text: str, size: int) -> str:
    """Return the end of text, whole characters of at most `size` bytes."""
    return _encoded(text[-size:])[-size:].decode(errors="ignore") if size > 0 else ""


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
