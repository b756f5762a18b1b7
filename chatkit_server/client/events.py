"""The events of a stream, put together from the pieces in which they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

TURN_ID = "X-Turn-Id"
"""The header of a stream that names its turn."""

_END = b": end"


class StreamedEvent(NamedTuple):
    """An event with its id; the stream can go on after it."""

    id: str
    data: dict[str, Any]


class EventReader:
    """Makes events of bytes. `is_whole` says whether the server's last line has come.

    Only an event whose empty line has come counts: of a cut connection, the rest comes again.
    Nor do events without an id, until the next one with an id has come: the stream cannot go on in
    between. A server whose events are not `numbered` has no ids at all.
    """

    def __init__(self, *, numbered: bool = True) -> None:
        self.is_whole = False
        # Lines may be longer than what `readline` of aiohttp takes
        self._rest = b""
        self._id = ""
        self._data = b""
        self._numbered = numbered
        self._has_id = False
        self._waiting: list[dict[str, Any]] = []

    def read(self, chunk: bytes) -> Iterator[StreamedEvent]:
        """Yield the events that a piece completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"id: "):
                self._id = line[4:].decode()
                self._has_id = True
            elif line.startswith(b"data: "):
                self._data = line[6:]
            elif line.startswith(_END):
                self.is_whole = True
            elif not line and self._data:
                self._waiting.append(orjson.loads(self._data))
                self._data = b""
                if self._has_id or not self._numbered:
                    yield from self._complete()
        self.is_whole = self.is_whole or self._rest.startswith(_END)

    def _complete(self) -> Iterator[StreamedEvent]:
        waiting, self._waiting, self._has_id = self._waiting, [], False
        for data in waiting:
            yield StreamedEvent(self._id, data)
