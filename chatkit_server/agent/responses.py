"""How much a model's server may send; for plugins that bring model providers.

Whatever the HTTP client: no redirect is followed, no packed answer is unpacked, an error is read
and unpacked only so far, and an event has a size.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping
from contextlib import suppress

import orjson
from agents.exceptions import ModelBehaviorError

UNPACKED = {"Accept-Encoding": "identity"}
"""Headers of a request whose answer must not be packed: a small one could unpack to gigabytes."""

ERROR_SIZE = 64_000
"""Bytes of an error that are read."""

ERROR_SECONDS = 10.0
"""How long an error may take to arrive."""

EVENT_LINES = 1000
"""Lines of an event. Models send events of one or two."""

MOST_PARTS = 2000
"""Objects and lists in an event. Clients make an object of each, in up to 100 µs."""

UNKNOWN_COST = 20
"""What an object of an unknown type counts as: OpenAI's client tries each type that it has."""

_UNCHECKED = 200
"""Brackets and commas that an event may have before its parts are counted."""

_OF_SOME_TYPE = ("output", "content", "annotations", "summary", "tools")
"""Lists of objects that have a type."""

_FREE = ("tools", "text", "metadata")
"""What OpenAI repeats from the request, such as schemas of tools."""

AT_ONCE = 4000
"""Bytes that a client works at before other tasks run: some twenty events, ten milliseconds."""

_UNPACKABLE = ("gzip", "x-gzip", "deflate")

_BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")
_SHOWN = 200


async def refused(
    status: int, headers: Mapping[str, str], body: AsyncIterable[bytes]
) -> bytes | None:
    """Return the body of a response that is an error, None if it is an answer.

    A redirect is an error: the conversation and the headers with keys would go to another server.
    Its body is an error as OpenAI writes them. The body of a packed error is unpacked as far as
    `ERROR_SIZE`. Raises `ModelBehaviorError` for an answer that is packed, or no answer.
    """
    packing = headers.get("content-encoding") or "identity"
    if status < 200:
        raise ModelBehaviorError(f"the endpoint answered with status {status}, unasked")
    if 300 <= status < 400:
        return _error(
            f"the endpoint redirects to {_shown(headers.get('location', 'nowhere'))}. Requests "
            "to models do not follow redirects: set `base_url` to where the endpoint is"
        )
    if status < 400:
        if packing.lower() != "identity":
            raise ModelBehaviorError(
                f"the endpoint packed its answer as {_shown(packing)}, unasked"
            )
        return None
    beginning = await _beginning(body)
    if packing.lower() == "identity":
        return beginning
    unpacked = _unpacked(beginning) if packing.lower() in _UNPACKABLE else None
    return unpacked or _error(f"the endpoint packed this error as {_shown(packing)}, unasked")


def _unpacked(packed: bytes) -> bytes | None:
    """Return the beginning of what was packed with gzip or zlib; None if it was not."""
    # 32: either of them
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        return unpacker.decompress(packed, ERROR_SIZE)
    except zlib.error:
        return None


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _error(message: str) -> bytes:
    return orjson.dumps({"error": {"message": message}}, default=str)


async def _beginning(body: AsyncIterable[bytes]) -> bytes:
    """Return the beginning of an error, what arrives of it in time."""
    pieces: list[bytes] = []
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(ERROR_SECONDS):
            async for piece in body:
                pieces.append(piece)
                size += len(piece)
                if size >= ERROR_SIZE:
                    break
    return b"".join(pieces)[:ERROR_SIZE]


def has_more_parts(value: object, most: int, types: Collection[str] | None = None) -> bool:
    """Whether a value that was JSON has more than so many objects and lists.

    With `types`, it is an event of OpenAI's Responses API, whose objects have these types.
    """
    waiting = [value]
    found = 0
    while waiting and found <= most:
        part = waiting.pop()
        if isinstance(part, list):
            found += 1
            waiting += part
        elif isinstance(part, dict):
            found += 1
            if types is None:
                waiting += part.values()
            else:
                waiting += [inner for key, inner in part.items() if key not in _FREE]
                found += sum(_cost(part.get(key), types) for key in _OF_SOME_TYPE)
    return found > most


def _cost(listed: object, types: Collection[str]) -> int:
    """Return what the entries of a list count as, beside what is in them."""
    if not isinstance(listed, list):
        return 0
    named = [entry.get("type") if isinstance(entry, dict) else None for entry in listed]
    unknown = sum(not isinstance(name, str) or name not in types for name in named)
    return len(named) + UNKNOWN_COST * unknown


def _marks(data: bytes) -> int:
    return data.count(b"{") + data.count(b"[") + data.count(b",")


async def _in_turns(lines: bytes) -> AsyncIterator[bytes]:
    """Yield lines in parts of `AT_ONCE` bytes, a line more at most; other tasks run in between."""
    start = 0
    while len(lines) - start > AT_ONCE:
        end = lines.find(b"\n", start + AT_ONCE) + 1
        if not end:
            break
        yield lines[start:end]
        await asyncio.sleep(0)
        start = end
    yield lines[start:]


class BodyLimits:
    """Counts the bytes of one answer; `max_event` is for one event, `max_answer` for all of them.

    An answer that is not streamed is one event. With `types`, it is one of the Responses API. The
    methods raise `ModelBehaviorError` beyond a limit.
    """

    def __init__(
        self, max_event: int, max_answer: int, types: Collection[str] | None = None
    ) -> None:
        self._types = types
        self._max_event = max_event
        self.max_answer = max_answer
        self._left = max_answer

    def count(self, size: int) -> None:
        """Count some bytes of the answer."""
        self._left -= size
        if self._left < 0:
            raise self.too_long()

    def too_long(self) -> ModelBehaviorError:
        """Return the error of an answer beyond `max_answer`; for code that counts by itself."""
        return ModelBehaviorError(
            f"the endpoint's answer has more than {self.max_answer} bytes (max_answer)"
        )

    def check_event(self, size: int, lines: int = 0) -> None:
        """Check an event that has come so far."""
        if size > self._max_event or lines > EVENT_LINES:
            raise ModelBehaviorError(
                f"the endpoint sent an event of {size} bytes in {lines} lines; allowed are "
                f"{self._max_event} bytes (max_event) in {EVENT_LINES} lines"
            )

    def stream(self, content_type: str, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces of a body, in the way that suits its kind."""
        if "event-stream" in content_type:
            return self.lines(body)
        return self._in_one(body) if "application/json" in content_type else self._counted(body)

    async def _counted(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for piece in body:
            self.count(len(piece))
            yield piece

    async def _in_one(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        whole = await self.whole(body)
        self._check_parts(whole)
        yield whole

    async def whole(self, body: AsyncIterable[bytes]) -> bytes:
        """Return a body that is not a stream."""
        pieces: list[bytes] = []
        size = 0
        async for piece in body:
            size += len(piece)
            self.check_event(size)
            pieces.append(piece)
        return b"".join(pieces)

    def _check_parts(self, *lines: bytes) -> None:
        """Check how many objects and lists these lines have, if the marks may be too many.

        Most marks may be in the text of the answer.
        """
        marks = sum(map(_marks, lines))
        if marks <= _UNCHECKED:
            return
        for line in lines:
            try:
                value = orjson.loads(line.removeprefix(b"data:"))
            except ValueError:
                continue
            marks -= _marks(line)
            if has_more_parts(value, MOST_PARTS, self._types):
                marks = MOST_PARTS + 1
                break
        if marks > MOST_PARTS:
            raise ModelBehaviorError(
                f"the endpoint sent an event of more than {MOST_PARTS} objects and lists"
            )

    async def lines(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yield a stream of events in whole lines, for a client that joins pieces of lines.

        A line is given out in one piece: to join its pieces one by one takes quadratic time.
        """
        rest: list[bytes] = []
        size = lines = marks = 0
        tail = b""
        async for piece in body:
            self.count(len(piece))
            size += len(piece)
            lines += max(piece.count(b"\n"), piece.count(b"\r"))
            marks += _marks(piece)
            end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
            if end and marks > _UNCHECKED:
                self._check_parts(*b"".join((*rest, piece[:end])).splitlines())
            # A blank line may come in two pieces
            tail += piece
            blank = max(map(tail.rfind, _BLANK_LINES))
            if blank >= 0:
                size = len(tail) - blank
                lines = tail.count(b"\n", blank)
                marks = _marks(tail[blank:])
            tail = tail[-3:]
            self.check_event(size, lines)
            if end:
                async for part in _in_turns(b"".join((*rest, piece[:end]))):
                    yield part
                rest = [piece[end:]]
            else:
                rest.append(piece)
        yield b"".join(rest)
