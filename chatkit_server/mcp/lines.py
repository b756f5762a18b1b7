"""Splits what a child process writes into lines, and keeps no line that is too long."""

from __future__ import annotations

_BEGIN, _END = 1000, 200
"""How many bytes are kept of a line that is too long: one of a message's ends has its id."""


class Overlong:
    """A line that was too long: what it begins and ends with."""

    def __init__(self, begin: bytes) -> None:
        self.begin = begin
        self.end = b""

    @classmethod
    def of(cls, line: bytes | bytearray) -> Overlong:
        overlong = cls(bytes(line[:_BEGIN]))
        overlong.skip(bytes(line[-_END:]))
        return overlong

    def skip(self, data: bytes) -> None:
        self.end = (self.end + data[-_END:])[-_END:]


class Lines:
    """Splits bytes into lines of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = bytearray()
        self.overlong: Overlong | None = None

    @property
    def rest(self) -> bytearray:
        """The line that has not ended yet, if it is not too long."""
        return self._line

    @property
    def pending(self) -> bool:
        """Whether a line has not ended yet."""
        return bool(self._line) or self.overlong is not None

    def clear(self) -> None:
        """Forget the line that has not ended yet."""
        self._line.clear()
        self.overlong = None

    def feed(self, chunk: bytes) -> list[bytes | Overlong]:
        """Return the lines that end in this chunk."""
        *ended, rest = chunk.split(b"\n")
        lines: list[bytes | Overlong] = []
        for part in ended:
            self._add(part)
            lines.append(self.overlong or bytes(self._line))
            self._line.clear()
            self.overlong = None
        self._add(rest)
        return lines

    def _add(self, part: bytes) -> None:
        if self.overlong is not None:
            self.overlong.skip(part)
            return
        self._line += part
        if len(self._line) > self._limit:
            self.overlong = Overlong.of(self._line)
            self._line.clear()
