"""The chunks of an answer, from the bytes on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
from agents.exceptions import ModelBehaviorError
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall
from pydantic import ValidationError

from chatkit_server.models import BodyLimits, OutputMeter, has_more_parts

Chunk = dict[str, Any]
"""A chat-completions chunk as it was received."""

_BLANK = (b"\n", b"\r\n", b"\r")
_DONE = b"[DONE]"
MOST_PARTS = 500
"""Objects and lists in a chunk. The SDK makes an object of each, which takes some 50 µs."""

_MAY_BE_MANY = 1000
"""Bytes of a chunk whose size and parts are checked."""

_TEXT_KEYS = ("content", "role")


class Parser:
    """Parses a stream of server-sent events, in whatever pieces its bytes arrive.

    `[DONE]` sets `done`; whatever follows it is ignored.
    """

    def __init__(self, limits: BodyLimits) -> None:
        self.done = False
        self._limits = limits
        self._left = limits.max_answer
        self._rest: list[bytes] = []
        self._data = b""
        self._earlier: list[bytes] = []
        """The event's lines of data before `_data`."""
        self._unfinished = 0

    def feed(self, block: bytes) -> list[Chunk]:
        """Return the chunks that these bytes complete.

        Raises `ValueError` or `TypeError` for an event that is not a JSON object, and
        `ModelBehaviorError` for one that is too large.
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
        chunks: list[Chunk] = []
        for line in lines:
            if line.startswith(b"data:"):
                if self._data:
                    self._earlier.append(self._data)
                self._data = line[5:]
            elif self._data and line in _BLANK:
                data, self._data = self._data, b""
                if self._earlier:
                    data = self._joined(data)
                if data.strip() == _DONE:
                    self.done = True
                    break
                chunks.append(self._object(data))
        if self._rest or self._data:
            self._check_unfinished()
        return chunks

    def _joined(self, last: bytes) -> bytes:
        pieces, self._earlier = [*self._earlier, last], []
        self._limits.check_event(sum(map(len, pieces)), len(pieces))
        return b"".join(pieces)

    def _check_unfinished(self) -> None:
        pieces = (*self._rest, *self._earlier, self._data)
        self._unfinished = sum(map(len, pieces))
        self._limits.check_event(self._unfinished, len(self._earlier) + 1)

    def _object(self, data: bytes) -> Chunk:
        chunk = orjson.loads(data)
        if not isinstance(chunk, dict):
            raise TypeError(f"expected an object, not a {type(chunk).__name__}")
        if len(data) > _MAY_BE_MANY:
            self._limits.check_event(len(data))
            check_parts(chunk, MOST_PARTS)
        return chunk


def check_parts(value: Any, most: int) -> None:
    """Raise `ValueError` if a value that was JSON has more objects and lists."""
    if has_more_parts(value, most):
        raise ValueError(f"it has more than {most} objects and lists")


@contextmanager
def malformed_is_model_error() -> Iterator[None]:
    """Raise `ModelBehaviorError` if the block fails on a malformed chunk."""
    try:
        yield
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise ModelBehaviorError(f"the endpoint sent a malformed chunk: {error!r}") from error


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
    choices = chunk.get("choices")
    if not choices or len(choices) != 1 or chunk.get("usage"):
        return None
    choice = choices[0]
    if choice.get("finish_reason") or choice.get("index") or choice.get("logprobs"):
        return None
    delta: dict[str, Any] | None = choice.get("delta")
    return delta


class Content(NamedTuple):
    """A chunk's text, and whether it has a finish reason or the usage."""

    text: str
    finish: bool
    usage: bool


def content_of(chunk: Chunk) -> Content | None:
    """Return what is in a chunk, None if it has anything else."""
    choices, usage = chunk.get("choices") or [], chunk.get("usage")
    if not choices:
        return Content("", False, bool(usage))
    [choice, *others] = choices
    delta, finish = choice.get("delta"), choice.get("finish_reason")
    if others or delta is None or choice.get("index") or choice.get("logprobs"):
        return None
    text = delta.get("content") or ""
    if finish not in (None, "stop") or not isinstance(text, str):
        return None
    if any(value for key, value in delta.items() if key not in _TEXT_KEYS):
        return None
    return Content(text, finish is not None, bool(usage))


def without_ends(chunk: Chunk) -> Chunk:
    """Return a chunk of text without its finish reason and usage."""
    [choice] = chunk["choices"]
    return {**chunk, "choices": [{**choice, "finish_reason": None}], "usage": None}


def with_text(chunk: Chunk, text: str | None) -> Chunk:
    """Return a chunk of text with its text replaced."""
    [choice] = chunk["choices"]
    return {**chunk, "choices": [{**choice, "delta": {**choice["delta"], "content": text}}]}


def as_typed(chunk: Chunk) -> ChatCompletionChunk:
    """Return a chunk as `openai`'s type, even if it does not match it."""
    try:
        return ChatCompletionChunk.model_validate(chunk)
    except ValidationError:
        # Accepts anything, at many times the cost
        return ChatCompletionChunk.construct(**chunk)


class CallIndexes:
    """Gives each tool call of an answer a unique index.

    Gemini and some proxies send each call in one chunk with the index 0, which would merge them
    into one call. A new id at a known index is another call. Calls are counted here, because the
    SDK collects those without a name before it tells of them.
    """

    def __init__(self, meter: OutputMeter) -> None:
        self._meter = meter
        self._ids: list[str] = []
        self._current: dict[int, int] = {}

    def correct(self, calls: list[ChoiceDeltaToolCall] | None) -> None:
        """Correct the indexes in place."""
        for call in calls or ():
            given = call.index or 0
            known = self._current.get(given)
            if known is None or (call.id and self._ids[known] not in ("", call.id)):
                self._current[given] = known = len(self._ids)
                self._ids.append("")
                self._meter.call("")
            if call.function is not None:
                written = len(call.function.arguments or "") + len(call.function.name or "")
                self._meter.arguments(known, written)
            self._ids[known] = call.id or self._ids[known]
            call.index = known
