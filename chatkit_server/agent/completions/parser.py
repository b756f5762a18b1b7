"""The chunks of an answer, from the bytes on the wire."""

from __future__ import annotations

import json
import logging
from typing import Any

import orjson
from agents.exceptions import ModelBehaviorError

from ..responses import BodyLimits, has_more_parts
from .endings import WEB_PAGE

log = logging.getLogger(__name__)

Chunk = dict[str, Any]
"""A chat-completions chunk as it was received."""

_BLANK = (b"\n", b"\r\n", b"\r")
_DONE = b"[DONE]"
_FIELDS = (b"data:", b"event:", b"retry:", b"id:")
_BOM = b"\xef\xbb\xbf"
MOST_PARTS = 500
"""Objects and lists in a chunk. To go through each takes time."""

_MOST_PARTS_OF_ALL = 20_000
"""Objects and lists in an answer that is one JSON object."""

_MAY_BE_MANY = 1000
"""Bytes of a chunk whose size and parts are checked."""

_QUOTED = 200
"""Characters of what is no chunk in the message of an error."""

_KEEP_ALIVE = {"", "ping", "pong", "keepalive", "keep-alive", "heartbeat"}
"""Data that is no chunk, and says nothing."""

_TEXT_KEYS = ("content", "role")


class OddChunk(dict[str, Any]):
    """A chunk that is not strict JSON: its texts may have half characters."""


class Parser:
    """Parses an answer, in whatever pieces its bytes arrive.

    It should be a stream of server-sent events. A JSON object is one chunk, and lines of JSON are
    one each. `[DONE]` sets `done`, as the end of a JSON object does; whatever follows is ignored.
    """

    def __init__(self, limits: BodyLimits) -> None:
        self.done = False
        self._limits = limits
        self._left = limits.max_answer
        self._rest: list[bytes] = []
        self._data = b""
        self._earlier: list[bytes] = []
        """The event's lines of data before `_data`."""
        self._event = b""
        self._unfinished = 0
        self._began = False
        self._json: list[bytes] | None = None
        """The lines of an answer that is JSON; None if it is a stream of events."""
        self._stray = b""
        """The first line that belongs to no event."""
        self._some = self._whole_answer = False

    def feed(self, block: bytes) -> list[Chunk]:
        """Return the chunks that these bytes complete.

        Raises `ValueError` or `TypeError` for an event that is neither JSON nor known to say
        nothing, and `ModelBehaviorError` for one that is too large.
        """
        self._left -= len(block)
        if self._left < 0:
            raise self._limits.too_long()
        if self._rest:
            self._rest.append(block)
            if b"\n" not in block and b"\r" not in block:
                # To join a long line with each piece of it takes quadratic time
                self._unfinished += len(block)
                self._limits.check_event(self._unfinished)
                return []
            block = b"".join(self._rest)
            self._rest = []
        lines = block.splitlines(keepends=True)
        # A carriage return at the end may be followed by a line feed
        if lines and not lines[-1].endswith(b"\n"):
            self._rest = [lines.pop()]
        if not self._began and lines:
            self._begin(lines)
        chunks: list[Chunk] = []
        self._read(lines, chunks)
        if self._rest or self._data:
            self._check_unfinished()
        return chunks

    def end(self) -> list[Chunk]:
        """Return the chunks that the end of the answer completes.

        Raises `ModelBehaviorError` if it was no answer. A line that was cut off is ignored.
        """
        if self.done:
            return []
        rest, self._rest = b"".join(self._rest), []
        lines = [] if any(name.startswith(rest) for name in _FIELDS) else [rest]
        if not self._began:
            self._begin(lines)
        chunks: list[Chunk] = []
        try:
            self._read([*lines, b"\n"], chunks)
            if self._json:
                chunks += self._whole(b"".join(self._json))
        except (ValueError, TypeError):
            log.debug("the end of an answer is cut off")
        self.done = self.done or self._whole_answer
        if self._stray and not self._some:
            raise _no_answer(self._stray)
        return chunks

    def _begin(self, lines: list[bytes]) -> None:
        """See from its first lines what the answer is."""
        while lines and not lines[0].removeprefix(_BOM).strip():
            del lines[0]
        if not lines:
            return
        self._began = True
        lines[0] = lines[0].removeprefix(_BOM)
        if lines[0].lstrip()[:1] in (b"{", b"["):
            self._json = []

    def _read(self, lines: list[bytes], chunks: list[Chunk]) -> None:
        if self._json is not None:
            self._read_json(lines, chunks)
            return
        for line in lines:
            if line.startswith(b"data:"):
                if self._data:
                    self._go_on(chunks)
                    if self.done:
                        return
                self._data = line[5:]
            elif line in _BLANK:
                data = self._data
                if data and len(data) < _MAY_BE_MANY and not (self._earlier or self._event):
                    # The commonest event, without another call
                    try:
                        chunk = orjson.loads(data)
                    except ValueError:
                        chunk = None
                    if type(chunk) is dict:
                        self._data = b""
                        self._some = True
                        chunks.append(chunk)
                        continue
                if data:
                    self._finish(chunks)
                    if self.done:
                        return
                self._event = b""
            else:
                self._other(line, chunks)

    def _go_on(self, chunks: list[Chunk]) -> None:
        """Take the data before another line of it: some servers forget the line between events."""
        pending = self._data
        if not self._earlier and (pending.strip() == _DONE or _is_json(pending)):
            self._finish(chunks)
        else:
            self._earlier.append(pending)

    def _finish(self, chunks: list[Chunk]) -> None:
        data, self._data = self._data, b""
        if self._earlier:
            data = self._joined(data)
        try:
            chunk = orjson.loads(data)
        except ValueError:
            if data.strip().upper() == _DONE:
                self.done = True
                return
            chunk = self._odd(data)
        if chunk == "[DONE]":
            self.done = True
            return
        self._some = True
        if len(data) > _MAY_BE_MANY:
            self._limits.check_event(len(data))
            check_parts(chunk, MOST_PARTS)
        if self._event or not isinstance(chunk, dict):
            chunks += self._named(chunk)
        else:
            chunks.append(chunk)

    def _other(self, line: bytes, chunks: list[Chunk]) -> None:
        """Take a line that is no data; some servers write an error as JSON alone."""
        if line.startswith(b"{") and not self._data and _is_json(line):
            self._data = line
            self._finish(chunks)
        elif line.startswith(b"event:"):
            self._event = line[6:].strip()
        elif not line.startswith((b":", b"id:", b"id\n", b"retry:")) and not self._stray:
            self._stray = line[:_QUOTED]

    def _joined(self, last: bytes) -> bytes:
        pieces, self._earlier = [*self._earlier, last], []
        self._limits.check_event(sum(map(len, pieces)), len(pieces))
        return b"".join(pieces)

    def _check_unfinished(self) -> None:
        pieces = (*self._rest, *self._earlier, self._data)
        self._unfinished = sum(map(len, pieces))
        self._limits.check_event(self._unfinished, len(self._earlier) + 1)

    def _read_json(self, lines: list[bytes], chunks: list[Chunk]) -> None:
        assert self._json is not None
        for line in lines:
            if not self._json and line.strip() and _is_json(line):
                found: list[Chunk] = []
                self._data = line
                self._finish(found)
                self._whole_answer = self._whole_answer or any(map(_is_whole, found))
                chunks += found
            elif line.strip():
                self._json.append(line)
                self._unfinished += len(line)
                self._limits.check_event(self._unfinished)

    def _whole(self, data: bytes) -> list[Chunk]:
        """Return an answer that is one JSON value."""
        value = _loads(data)
        check_parts(value, _MOST_PARTS_OF_ALL)
        self.done = self._some = True
        return self._dicts(value)

    def _odd(self, data: bytes) -> Any:
        """Return data that is not strict JSON: JSON of another kind, or a text."""
        text = data.decode(errors="replace").strip()
        try:
            return _loads(data)
        except ValueError:
            if text.lower() in _KEEP_ALIVE or self._event:
                return text
            raise

    def _named(self, value: Any) -> list[Chunk]:
        """Return the chunks in an event with a name, or in data that is no object."""
        if self._event == b"error":
            return [value if isinstance(value, dict) and "error" in value else {"error": value}]
        if self._event:
            # Most are to keep the connection alive
            told = isinstance(value, dict) and ("choices" in value or "error" in value)
            return [value] if told else []
        return self._dicts(value)

    def _dicts(self, value: Any) -> list[Chunk]:
        chunks = [one for one in (value if isinstance(value, list) else [value]) if one]
        for one in chunks:
            if not isinstance(one, dict):
                raise TypeError(f"expected an object, not a {type(one).__name__}")
        return chunks


def _is_whole(chunk: Chunk) -> bool:
    """Whether a chunk is an answer that is not streamed."""
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and "message" in first and "delta" not in first


def _is_json(data: bytes) -> bool:
    try:
        _loads(data)
    except ValueError:
        return False
    return True


def _loads(data: bytes) -> Any:
    """Return JSON that may have half characters, control characters and bytes that are no UTF-8."""
    try:
        return orjson.loads(data)
    except ValueError:
        value = json.loads(data.decode(errors="replace"), strict=False)
        return OddChunk(value) if isinstance(value, dict) else value


def _no_answer(words: bytes) -> ModelBehaviorError:
    text = words.decode(errors="replace").strip()
    told = WEB_PAGE if text.startswith("<") else "the endpoint answered with no stream"
    return ModelBehaviorError(f"{told}: {text[:_QUOTED]!r}")


def check_parts(value: Any, most: int) -> None:
    """Raise `ValueError` if a value that was JSON has more objects and lists."""
    if has_more_parts(value, most):
        raise ValueError(f"it has more than {most} objects and lists")


def only_text(chunk: Chunk) -> str | None:
    """Return the text of a chunk that has nothing else."""
    delta = only_delta(chunk)
    if not delta:
        return None
    text = delta.get("content")
    if len(delta) > 1 and any(v for k, v in delta.items() if k not in _TEXT_KEYS):
        return None
    return text if isinstance(text, str) else None


def only_delta(chunk: Chunk) -> dict[str, Any] | None:
    """Return the delta of a chunk's only choice, None if the chunk has anything else."""
    if type(chunk) is not dict or chunk.get("usage") or "error" in chunk:
        return None
    if "citations" in chunk or "search_results" in chunk:
        return None
    try:
        [choice] = chunk["choices"]
        if choice.get("finish_reason") or choice.get("index") or choice.get("logprobs"):
            return None
        delta = choice.get("delta")
    except (LookupError, ValueError, TypeError, AttributeError):
        return None
    return delta if isinstance(delta, dict) else None
