"""The tool calls of an answer, put together from their pieces."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...ids import new_id
from ...text import valid_text
from ..output import OutputMeter
from .arguments import read_arguments

log = logging.getLogger(__name__)

_NO_NAME = re.compile(r"[\x00-\x20\x7f]+")
_NUMBER = re.compile(r":\d+$")
"""What follows a name in ids that a model takes for the name."""

_PREFIX_ENDS = (".", ":", "/", "__")
"""What comes between a namespace that a model puts before a tool's name, and the name."""


_ENDS = ("}", '"', "]", "l", " ", "\n")
"""How a piece may end with which arguments are complete."""

_MOST_TRIES = 50
"""How often the arguments of one call are read while they come: long ones take time."""


@dataclass(frozen=True, slots=True)
class CallMade:
    """A tool call as it is kept: its id is unique, and its arguments are a JSON object.

    `given_id` is the provider's id, "" if there was none. `invalid` is what was written in place of
    arguments that are no object, which are then `{}`. `signature` has to go back with the call.
    """

    id: str
    name: str
    arguments: str
    given_id: str = ""
    invalid: str | None = None
    signature: str | None = None


@dataclass(slots=True)
class _Open:
    """A call of which more may come."""

    number: int
    index: int | None
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    signature: str | None = None
    tries: int = 0

    @property
    def begun(self) -> bool:
        """Whether something of the arguments has come."""
        return any(piece.strip() for piece in self.pieces)

    @property
    def complete(self) -> bool:
        """Whether the arguments are complete, as far as they have come."""
        if not self.pieces or self.tries > _MOST_TRIES or not self.pieces[-1].endswith(_ENDS):
            return False
        self.tries += 1
        return self.begun and read_arguments(self.pieces) is not None


@dataclass(frozen=True, slots=True)
class _Piece:
    index: int | None
    id: str
    name: str
    arguments: str
    signature: str | None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> _Piece:
        function = raw.get("function")
        inner: Mapping[str, Any] = function if isinstance(function, dict) else raw
        return cls(
            _index(raw.get("index")),
            _text(raw.get("id")).strip(),
            _text(inner.get("name")),
            _arguments(inner),
            _signature(raw),
        )


class CallCollector:
    """Collects the calls of one answer; `tools` are the names that the model was offered.

    Pieces belong together by their index, or else by their id, or else by their order. What is
    written for the calls is counted as it comes: see `OutputMeter`.
    """

    def __init__(self, tools: Collection[str], meter: OutputMeter) -> None:
        self._tools = tools
        self._meter = meter
        self._calls: list[_Open] = []
        self._touched: list[_Open] = []
        """The calls that the current chunk has gone on with."""

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, raw: Any) -> None:
        """Take the `tool_calls` of a delta or a message; what is no call is left out."""
        self._touched = []
        for one in raw if isinstance(raw, list) else [raw]:
            if isinstance(one, dict):
                self._take(_Piece.of(one))
            else:
                log.debug("a tool call is left out that is a %s", type(one).__name__)

    def _take(self, piece: _Piece) -> None:
        repeated = next((c for c in self._calls if self._repeats(c, piece)), None)
        call = repeated or self._belonging(piece)
        if call is None or (piece.name and call in self._touched):
            self._meter.call("")
            call = _Open(len(self._calls), piece.index)
            self._calls.append(call)
        self._touched.append(call)
        if call is repeated:
            return
        name = piece.name if piece.name != call.name else ""
        self._meter.arguments(call.number, len(piece.arguments) + len(name))
        call.name += name
        call.id = call.id or piece.id
        call.signature = piece.signature or call.signature
        if piece.arguments:
            call.pieces.append(piece.arguments)

    def _belonging(self, piece: _Piece) -> _Open | None:
        """Return the call that a piece goes on with, None if it begins one."""
        by_id = [call for call in self._calls if piece.id and call.id == piece.id]
        if piece.index is None:
            of_index = self._calls
        else:
            of_index = [call for call in self._calls if call.index == piece.index]
            if not of_index:
                return by_id[-1] if by_id and not piece.name else None
        same = [call for call in by_id if call in of_index]
        if same:
            return None if self._is_another(same[-1], piece) else same[-1]
        if not of_index:
            return None
        last = of_index[-1]
        return None if self._begins(last, piece) else last

    def _is_another(self, call: _Open, piece: _Piece) -> bool:
        """Whether a piece with the id of a call begins another one, for ids can be shared."""
        return bool(piece.name) and call.complete and bool(piece.arguments.strip())

    def _begins(self, last: _Open, piece: _Piece) -> bool:
        """Whether a piece begins another call than the last one at its place.

        Its id is not that of the last call, or missing in one of them.
        """
        if not piece.name or not last.name:
            return False
        if piece.id and last.id:
            # If that is a new id in each piece of one call, they are joined at the end
            return True
        if last.begun:
            return last.complete
        # The rest of a name, or the name once more
        return piece.name != last.name and piece.name in self._tools

    def _repeats(self, call: _Open, piece: _Piece) -> bool:
        """Whether a piece is what a call has already, as in a summary at an answer's end."""
        if piece.name != call.name or not piece.arguments.strip() or call in self._touched:
            return False
        same_place = piece.index is not None and piece.index == call.index
        same_id = piece.id == call.id or not (piece.id and call.id)
        if not (same_place or (same_id and piece.index is None) or piece.id == call.id != ""):
            return False
        if not call.complete:
            return False
        return _values(read_arguments([piece.arguments])) == _values(read_arguments(call.pieces))

    def made(self) -> Iterator[CallMade]:
        """Yield the calls that are complete: the answer has ended."""
        for call in self._without_rests():
            name = self._tool(call.name)
            found = read_arguments(call.pieces)
            invalid = valid_text("".join(call.pieces)) if found is None else None
            for number, arguments in enumerate(found or ["{}"]):
                if number:
                    self._meter.call(name)
                given = call.id if not number else ""
                yield CallMade(new_id("call"), name, arguments, given, invalid, call.signature)

    def _without_rests(self) -> Iterator[_Open]:
        """Yield the calls with a name, together with their rests.

        Some servers give the pieces of one call other ids, or places, or no name: the calls after
        one with broken arguments are its rest, if they complete it. What else has no name is none.
        """
        rest = list(self._calls)
        while rest:
            call = rest.pop(0)
            if not _NO_NAME.sub("", call.name):
                log.debug("a tool call without a name is left out")
                continue
            if call.begun and read_arguments(call.pieces) is None:
                rest = self._completed(call, rest)
            yield call

    def _completed(self, call: _Open, rest: list[_Open]) -> list[_Open]:
        """Complete a call with those after it, if that is possible; return those that are left."""
        pieces = list(call.pieces)
        for number, other in enumerate(rest[:_MOST_TRIES], 1):
            if other.name not in ("", call.name) or read_arguments(other.pieces) is not None:
                break
            pieces += other.pieces
            if read_arguments(pieces) is not None:
                call.pieces = pieces
                return rest[number:]
        return rest

    def _tool(self, written: str) -> str:
        """Return the name of the tool that a model means."""
        name = valid_text(_NO_NAME.sub("", written))
        if name in self._tools:
            return name
        numbered = _NUMBER.sub("", name)
        meant = (numbered, *(numbered.rpartition(end)[2] for end in _PREFIX_ENDS))
        return next((one for one in meant if one in self._tools), name)


def _values(arguments: list[str] | None) -> list[Any] | None:
    return None if arguments is None else [json.loads(one) for one in arguments]


def _index(value: Any) -> int | None:
    """Return an index, also one that is a text or a float; None if there is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _arguments(function: Mapping[str, Any]) -> str:
    """Return a piece of arguments as it is written; an object is written as JSON."""
    value = next((function[k] for k in ("arguments", "parameters", "input") if k in function), None)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value)


def _signature(raw: Mapping[str, Any]) -> str | None:
    """Return the signature of the thought before a call, which Gemini wants back with it."""
    extra = raw.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    for holder in (google, raw.get("provider_specific_fields"), raw):
        if isinstance(holder, dict) and isinstance(holder.get("thought_signature"), str):
            return str(holder["thought_signature"])
    return None
