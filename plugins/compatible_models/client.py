"""Requests to one endpoint, over one connection pool."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterable, Mapping
from contextvars import Context
from copy import copy
from functools import cached_property
from typing import Any

import aiohttp
import httpx2
import openai
import orjson
from yarl import URL

from chatkit_server.models import (
    UNPACKED,
    BodyLimits,
    certificates,
    fitted,
    guard_session,
    is_probe,
    note_date,
    proxy_of,
    refused,
)

from .endpoint import Endpoint

log = logging.getLogger(__name__)

_OMITTED = (openai.NotGiven, openai.Omit)
_CONNECTIONS = 1000
_IDLE = 60.0
"""Seconds that an unused connection is kept open."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_LONGEST_RETRY_AFTER = 60.0
"""Seconds; a provider that asks to wait longer is not retried."""

_ERRORS: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}
_WIRE = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that describe the bytes on the wire."""

_QUOTED = 2000
"""Characters of an error in the message of its exception."""

_RETRIABLE = (408, 409, 429)


class Client:
    """The part of OpenAI's client that the Agents SDK uses: `client.chat.completions.create`.

    OpenAI's client makes dozens of objects for each request, which this one saves. It raises the
    errors of the package `openai`.
    """

    def __init__(self, endpoint: Endpoint, connect_timeout: float) -> None:
        assert endpoint.base_url is not None
        self.base_url = endpoint.base_url
        self.max_retries = endpoint.max_retries
        self._max = (endpoint.max_event, endpoint.max_answer)
        self.chat = self.completions = self
        self._url = URL(endpoint.base_url.rstrip("/") + "/chat/completions")
        self._pool = _Pool(self._url, connect_timeout)
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {endpoint.key or 'none'}",
            "Content-Type": "application/json",
            **endpoint.headers,
            **UNPACKED,
        }

    def with_options(self, *, max_retries: int) -> Client:
        """Return a client with another number of retries."""
        other = copy(self)
        other.chat = other.completions = other
        other.max_retries = max_retries
        return other

    async def create(
        self,
        *,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **body: Any,
    ) -> aiohttp.ClientResponse:
        """Request a chat completion; return the response, whose body is not read.

        A `timeout` in `body`, in seconds, limits the silence of the connection.
        """
        arguments = fitted(body).items()
        given = {key: value for key, value in arguments if not isinstance(value, _OMITTED)}
        silence = given.pop("timeout", None)
        options: dict[str, Any] = {
            "data": _dump({**given, **(extra_body or {})}),
            "headers": {**self._headers, **(extra_headers or {})},
        }
        if extra_query:
            options["params"] = extra_query
        if isinstance(silence, int | float):
            options["timeout"] = self._pool.timeout(silence)
        return await self._request_with_retries(options)

    def limits(self) -> BodyLimits:
        """Return the limits of one answer."""
        return BodyLimits(*self._max)

    async def _request_with_retries(self, options: dict[str, Any]) -> aiohttp.ClientResponse:
        """Send a request, with retries where that may help; return a response below 400."""
        tries = 0
        while True:
            try:
                return await self._send(options)
            except openai.APIError as error:
                pause = _pause(error, tries)
                if tries >= self.max_retries or pause is None or is_probe():
                    raise
                # Without a connection, the library's own words say no more than that
                lost = isinstance(error, openai.APIConnectionError) and error.__cause__
                place = f"{self._url.host}:{self._url.port}"
                log.info("%s: retrying in %.1f s: %s", place, pause, lost or error)
            tries += 1
            await asyncio.sleep(pause)

    async def _send(self, options: dict[str, Any]) -> aiohttp.ClientResponse:
        try:
            response = await self._pool.post(options)
            note_date(response.host, response.headers.get("Date"))
            error = await _error_in(response)
        except aiohttp.ClientError as failure:
            raise openai.APIConnectionError(request=self._request) from failure
        if error is None:
            return response
        response.close()
        raise _status_error(
            httpx2.Response(
                response.status,
                headers=[(k, v) for k, v in response.headers.items() if k.lower() not in _WIRE],
                content=error,
                request=self._request,
            )
        )

    @property
    def _request(self) -> httpx2.Request:
        """The request that the errors of `openai` refer to; it has no secrets."""
        return httpx2.Request("POST", str(self._url))

    async def aclose(self) -> None:
        """Close the connections; the client cannot be used after that."""
        await self._pool.aclose()


class _Pool:
    """The connections to an endpoint, made on first use because that needs an event loop."""

    def __init__(self, url: URL, connect_timeout: float) -> None:
        self._url = url
        self._connect_timeout = connect_timeout

    async def post(self, options: dict[str, Any]) -> aiohttp.ClientResponse:
        """Send a request; raises `aiohttp.ClientError`.

        A connection keeps a reference to the context that it was made in. An empty one keeps no
        turn in memory.
        """
        sending = asyncio.create_task(self._post(options), context=Context())
        try:
            return await sending
        except asyncio.CancelledError:
            sending.add_done_callback(_close)
            raise

    async def _post(self, options: dict[str, Any]) -> aiohttp.ClientResponse:
        return await self._session.post(self._url, allow_redirects=False, **options)

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """The session, with the proxy that the environment sets for this endpoint."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS,
                keepalive_timeout=_IDLE,
                ssl=certificates() if self._url.scheme == "https" else True,
            ),
            timeout=self.timeout(),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            # aiohttp would look it up for each request, in a thread
            proxy=proxy_of(self._url),
        )
        return guard_session(session)

    def timeout(self, silence: float | None = None) -> aiohttp.ClientTimeout:
        """Return the timeouts of a request; `ModelTimeouts` limit all other waiting."""
        return aiohttp.ClientTimeout(
            total=None, sock_connect=self._connect_timeout, sock_read=silence
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()


async def _error_in(response: aiohttp.ClientResponse) -> bytes | None:
    try:
        return await refused(response.status, response.headers, response.content.iter_any())
    except BaseException:
        response.close()
        raise


def _close(sent: asyncio.Task[aiohttp.ClientResponse]) -> None:
    """Close a response that came after its request was cancelled."""
    if not sent.cancelled() and sent.exception() is None:
        sent.result().close()


def _dump(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Lone surrogates, and numbers over 64 bits: a model may write either
        return json.dumps(body, default=_plain).encode()


def _plain(value: Any) -> Any:
    """Return a collection of another type, as in a tool's schema, as JSON can hold it."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def _status_error(response: httpx2.Response) -> openai.APIStatusError:
    try:
        body = orjson.loads(response.content)
    except ValueError:
        body = response.text
    error = body.get("error", body) if isinstance(body, dict) else body
    status = response.status_code
    default = openai.InternalServerError if status >= 500 else openai.APIStatusError
    text = response.text
    told = f"HTTP {status}: {text if len(text) <= _QUOTED else f'{text[:_QUOTED]}…'}"
    return _ERRORS.get(status, default)(told, response=response, body=error)


def _pause(error: openai.APIError, tries: int) -> float | None:
    """Return how many seconds to wait before a retry; None if a retry would not help."""
    pause = float(min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE) * (1 - random.random() / 4))
    if not isinstance(error, openai.APIStatusError):
        return pause
    if error.status_code < 500 and error.status_code not in _RETRIABLE:
        return None
    seconds = _retry_after(error.response.headers)
    if seconds is None:
        return pause
    return seconds if seconds <= _LONGEST_RETRY_AFTER else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a provider asks to wait, if it does."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if seconds > 0:
            return seconds
    return None
