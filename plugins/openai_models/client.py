"""The client of OpenAI: no redirects, and only so much of an answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import cache
from typing import Any, cast, get_args

import httpx2
import openai
from openai.types import responses

from chatkit_server.models import UNPACKED, BodyLimits, guard_client, note_date, refused

from .config import Config

_WIRE = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that describe the bytes on the wire."""

_MARK = b"\xef\xbb\xbf"
"""A byte-order mark."""


@cache
def _types() -> frozenset[str]:
    """Return the types that OpenAI's client knows."""
    named = [getattr(responses, name) for name in dir(responses)]
    models = [m for m in named if isinstance(m, type) and issubclass(m, openai.BaseModel)]
    fields = [model.model_fields["type"] for model in models if "type" in model.model_fields]
    names = [name for field in fields for name in get_args(field.annotation)]
    return frozenset(name for name in names if isinstance(name, str))


class GuardedClient(httpx2.AsyncClient):
    """A client that follows no redirects, and reads only so much of an answer."""

    def __init__(self, config: Config, **options: Any) -> None:
        super().__init__(**options)
        guard_client(self)
        self._max = (config.max_event, config.max_answer)

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **options: Any
    ) -> httpx2.Response:
        """Send a request; a redirect is returned as an error."""
        request.headers.update(UNPACKED)
        options["follow_redirects"] = False
        response = await super().send(request, stream=True, **options)
        note_date(request.url.host, response.headers.get("date"))
        try:
            error = await refused(response.status_code, response.headers, response.aiter_raw())
        except BaseException:
            await response.aclose()
            raise
        if error is None:
            limits = BodyLimits(*self._max, types=_types())
            response.stream = _LimitedBody(response, limits, _wants_stream(request))
            if not stream:
                await response.aread()
            return response
        await response.aclose()
        headers = [(k, v) for k, v in response.headers.items() if k.lower() not in _WIRE]
        return httpx2.Response(
            response.status_code, headers=headers, content=error, request=request
        )


def _wants_stream(request: httpx2.Request) -> bool:
    return b'"stream":true' in request.content.replace(b" ", b"")


class _LimitedBody(httpx2.AsyncByteStream):
    """The body of an answer; one in JSON, where a stream is wanted, becomes its last event."""

    def __init__(self, response: httpx2.Response, limits: BodyLimits, streams: bool) -> None:
        self._source = cast(httpx2.AsyncByteStream, response.stream)
        kind = response.headers.get("content-type", "")
        if not streams:
            self._pieces = limits.stream(kind, self._source)
        elif "application/json" in kind:
            self._pieces = _as_events(limits.stream(kind, self._source))
        else:
            self._pieces = _only_data(limits.lines(self._source))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def aclose(self) -> None:
        await self._source.aclose()


async def _only_data(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield lines without those that have no data: the client takes them for events."""
    async for piece in lines:
        whole = piece.removeprefix(_MARK).splitlines(keepends=True)
        yield b"".join([line for line in whole if _counts(line)])


def _counts(line: bytes) -> bool:
    if line.startswith(b"data"):
        return bool(line[5:].strip())
    return not line.startswith((b"event", b"id", b"retry"))


async def _as_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    whole = b"".join([piece async for piece in pieces])
    try:
        answer = json.loads(whole)
    except (ValueError, RecursionError):
        yield whole
        return
    if isinstance(answer, dict) and answer.get("object") == "response":
        ended = answer.get("status") in ("failed", "incomplete")
        kind = f"response.{answer['status'] if ended else 'completed'}"
        answer = {"type": kind, "sequence_number": 0, "response": answer}
    yield b"data: " + json.dumps(answer).encode() + b"\n\n"
