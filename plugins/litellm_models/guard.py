"""What LiteLLM's requests may not do: follow redirects, or read answers without a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx
from litellm.llms.custom_httpx.aiohttp_handler import BaseLLMAIOHTTPHandler
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

from chatkit_server import TurnFailed
from chatkit_server.models import UNPACKED, BodyLimits, guard_session, guard_transport, refused

from .errors import NOT_OFFERED

_WIRE = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that describe the bytes on the wire."""

Handle = Callable[[httpx.Request], Awaitable[httpx.Response]]

_plain_transport = AsyncHTTPHandler._create_async_transport
_init_sync = HTTPHandler.__init__


_responses: ContextVar[list[httpx.Response] | None] = ContextVar("responses", default=None)


@contextmanager
def responses_of() -> Iterator[list[httpx.Response]]:
    """Collect the responses to the requests that LiteLLM sends in the block."""
    responses: list[httpx.Response] = []
    token = _responses.set(responses)
    try:
        yield responses
    finally:
        _responses.reset(token)


def guard_requests(max_event: int, max_answer: int) -> None:
    """Guard all requests that LiteLLM sends through clients that it makes from now on."""

    def guarded_transport(
        ssl_context: Any = None, ssl_verify: Any = None, shared_session: Any = None
    ) -> Any:
        transport: Any = _plain_transport(ssl_context, ssl_verify, shared_session)
        if transport is None:
            transport = httpx.AsyncHTTPTransport(verify=_verify(ssl_context, ssl_verify))
        _guard_connections(transport)
        handle: Handle = transport.handle_async_request

        async def guarded(request: httpx.Request) -> httpx.Response:
            response = await _guarded(handle, request, BodyLimits(max_event, max_answer))
            collected = _responses.get()
            if collected is not None:
                collected.append(response)
            return response

        transport.handle_async_request = guarded
        return transport

    def init_without_redirects(self: Any, *args: Any, **options: Any) -> None:
        _init_sync(self, *args, **options)
        self.client.follow_redirects = False
        _limit_sync(self.client, max_event)

    setattr(AsyncHTTPHandler, "_create_async_transport", staticmethod(guarded_transport))  # noqa: B010
    setattr(HTTPHandler, "__init__", init_without_redirects)  # noqa: B010
    # However it is chosen: by a model's name, by `custom_llm_provider`, as a fallback
    setattr(BaseLLMAIOHTTPHandler, "completion", _refuse)  # noqa: B010


def _refuse(*_: Any, **__: Any) -> None:
    raise TurnFailed(NOT_OFFERED, allow_retry=False)


def _limit_sync(client: httpx.Client, most: int) -> None:
    """Limit the answers to what LiteLLM looks up beside a request, such as tokens and models."""
    client.headers.update(UNPACKED)
    hooks, limit = client.event_hooks["response"], _SyncLimit(most)
    if limit not in hooks:
        hooks.append(limit)


@dataclass(frozen=True)
class _SyncLimit:
    most: int

    def __call__(self, response: httpx.Response) -> None:
        body = response.stream
        if isinstance(body, httpx.SyncByteStream):
            response.stream = _LimitedSyncBody(body, self.most)


def _guard_connections(transport: Any) -> None:
    """Limit what comes before answers, on the connections of either kind of transport."""
    guard_transport(transport)
    make = getattr(transport, "client", None)
    if callable(make):
        # LiteLLM calls it for each event loop
        transport.client = transport._client_factory = lambda: guard_session(make())


def _verify(context: Any, verify: Any) -> Any:
    if context is not None:
        return context
    return True if verify is None else verify


async def _guarded(handle: Handle, request: httpx.Request, limits: BodyLimits) -> httpx.Response:
    """Send a request; a redirect is returned as an error."""
    request.headers.update(UNPACKED)
    response = await handle(request)
    body: Any = response.stream
    try:
        error = await refused(response.status_code, response.headers, body)
    except BaseException:
        await response.aclose()
        raise
    if error is None:
        response.stream = _LimitedBody(response.headers.get("content-type", ""), body, limits)
        return response
    await response.aclose()
    hidden = (*_WIRE, "location")
    headers = [(k, v) for k, v in response.headers.items() if k.lower() not in hidden]
    return httpx.Response(response.status_code, headers=headers, content=error, request=request)


class _LimitedBody(httpx.AsyncByteStream):
    def __init__(self, content_type: str, body: httpx.AsyncByteStream, limits: BodyLimits) -> None:
        self._body = body
        self._pieces = limits.stream(content_type, body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def aclose(self) -> None:
        await self._body.aclose()


class _LimitedSyncBody(httpx.SyncByteStream):
    def __init__(self, body: httpx.SyncByteStream, most: int) -> None:
        self._body = body
        self._limits = BodyLimits(most, most)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            self._limits.count(len(piece))
            yield piece

    def close(self) -> None:
        self._body.close()
