"""The head of a request as it arrives in pieces: its size, the page that sent it, its language."""

from __future__ import annotations

import re

MAX_HEAD = 65_536
"""Bytes of a request's first line and headers together."""

MAX_DISCARDED = 1_000_000
"""Bytes of a larger head that are read, so that its client gets to the answer."""

END_OF_HEAD = b"\r\n\r\n"

_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([!-~]{1,300})[ \t]*\r\n", re.IGNORECASE)

_LANGUAGES = re.compile(rb"\r\naccept-language:[ \t]*([ -~]{1,300})\r\n", re.IGNORECASE)

_LONGEST_LINE = 400
"""Bytes that are kept of a piece, in which one of these lines may have begun."""


def languages_in(head: bytes) -> str:
    """Return the header `Accept-Language` of a head, or of a part of it; "" without one."""
    match = _LANGUAGES.search(head)
    return "" if match is None else match[1].decode("ascii")


class Head:
    """What is known of the head that a connection receives. A head of one piece costs nothing."""

    __slots__ = ("_tail", "has_line", "is_read", "languages", "origin", "size")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin with the next head."""
        self.size = 0
        self.has_line = False
        """Whether the first line has ended."""
        self.is_read = False
        """Of a head that is too large: whether enough of it has arrived to answer it."""
        self.origin: str | None = None
        self.languages = ""
        self._tail = b""

    def add(self, data: bytes) -> bool:
        """Count a piece; return whether the head is too large, without the body that follows it."""
        size, self.size = self.size, self.size + len(data)
        if self.size <= MAX_HEAD:
            return False
        before = self._tail[-3:]
        end = (before + data).find(END_OF_HEAD)
        self.is_read = end >= 0 or self.size > MAX_DISCARDED
        return end < 0 or size - len(before) + end > MAX_HEAD

    def look(self, data: bytes) -> None:
        """Look for origin and languages in a piece after which the head is not complete."""
        text = self._tail + data
        if self.size <= MAX_HEAD:
            self.has_line = self.has_line or b"\n" in data
        if self.origin is None and (match := _ORIGIN.search(text)):
            self.origin = match[1].decode("ascii")
        self.languages = self.languages or languages_in(text)
        self._tail = text[-_LONGEST_LINE:]
