"""How the events of a turn are written in a stream of Redis.

An entry has the events of a turn that were flushed together. Its id is `GENERATION-PLACE`, where
the place is four times the number of the last event, and more for what follows that event. Redis
takes only ids that increase: so it refuses what an older attempt writes, and what is sent twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatkit_server.storage import PART, NumberedEvent, Part

STEP = 4
_PARTED, _ENDED = 1, 2

Position = tuple[int, int]
"""The id of an entry."""

BEGIN: Position = (0, 0)

Entry = tuple[Position, dict[bytes, bytes]]
"""An entry: its position, and its fields."""

FIRST, PROCESS, DATA, STATUS = b"n", b"p", b"d", b"s"


@dataclass(slots=True)
class Batch:
    """Events of an attempt at a turn that are not written yet."""

    generation: int
    first: int
    last: int
    frames: list[bytes]
    size: int = 0
    parted: bool = False
    status: str | None = None

    def add(self, events: Sequence[NumberedEvent]) -> int:
        """Add events that come after those that are there; return the number of the last one."""
        for number, frame in events:
            self.parted = frame == PART
            if not self.frames and not self.parted:
                self.first = number
            self.last = number
            self.frames.append(frame)
            self.size += len(frame)
        return self.last

    @property
    def position(self) -> Position:
        """The id of its entry."""
        more = _ENDED if self.status is not None else _PARTED if self.parted else 0
        return self.generation, self.last * STEP + more


def parts_of(position: Position, fields: Mapping[bytes, bytes], after: int) -> Iterator[Part]:
    """Yield what an entry says of events after a number."""
    generation, last = position[0], position[1] // STEP
    data = fields[DATA]
    if data and (last > after or data == PART):
        yield Part(generation, int(fields[FIRST]), last, data)
    if STATUS in fields:
        yield Part(generation, last, last, b"", fields[STATUS].decode())


def position_of(entry_id: bytes) -> Position:
    """Return the position that an id means."""
    generation, _, place = entry_id.partition(b"-")
    return int(generation), int(place)


def written(position: Position) -> str:
    """Return the id for a position."""
    return f"{position[0]}-{position[1]}"


def entries_of(rows: list[Any]) -> list[Entry]:
    """Return entries as Redis has sent them, or as its library has parsed them."""
    found: list[Entry] = []
    for entry_id, fields in rows:
        if not isinstance(fields, dict):
            each = iter(fields)
            fields = dict(zip(each, each, strict=True))
        found.append((position_of(entry_id), fields))
    return found
