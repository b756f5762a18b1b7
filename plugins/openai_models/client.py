"""The client of OpenAI: no redirects, and only so much of an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Any, cast, get_args

import httpx2
import openai
from openai.types import responses

from chatkit_server.models import UNPACKED, BodyLimits, guard_client, refused

from .config import Config

_WIRE = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that describe the bytes on the wire."""


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
        try:
            error = await refused(response.status_code, response.headers, response.aiter_raw())
        except BaseException:
            await response.aclose()
            raise
        if error is None:
            response.stream = _LimitedBody(response, BodyLimits(*self._max, types=_types()))
            if not stream:
                await response.aread()
            return response
        await response.aclose()
        headers = [(k, v) for k, v in response.headers.items() if k.lower() not in _WIRE]
        return httpx2.Response(
            response.status_code, headers=headers, content=error, request=request
        )


class _LimitedBody(httpx2.AsyncByteStream):
    def __init__(self, response: httpx2.Response, limits: BodyLimits) -> None:
        self._source = response.stream
        self._pieces = limits.stream(
            response.headers.get("content-type", ""), cast(httpx2.AsyncByteStream, self._source)
        )

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def aclose(self) -> None:
        await cast(httpx2.AsyncByteStream, self._source).aclose()
