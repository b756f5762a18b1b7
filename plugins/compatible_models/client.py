"""Asks one endpoint, over one pool of connections."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
from collections.abc import Iterable, Mapping
from contextvars import Context
from copy import copy
from functools import cache, cached_property
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import certifi
import httpx2
import openai
import orjson
from openai.types.chat import ChatCompletion
from yarl import URL

from .endpoint import Endpoint

log = logging.getLogger(__name__)

_LEFT_OUT = (openai.NotGiven, openai.Omit)
_CONNECTIONS = 1000
_IDLE = 60.0
"""Seconds that a connection which nobody uses is kept."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_LONGEST_WISH = 60.0
"""Seconds that a provider may ask to wait before it is asked again; else it is not."""

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
"""Headers that speak of the bytes on the wire."""

_WORTH_ANOTHER_TRY = (408, 409, 429)


class Client:
    """What the Agents SDK uses of OpenAI's client: `client.chat.completions.create`.

    That one builds some dozens of objects for a request, and is made for more than one endpoint.
    Errors are those of the package `openai`.
    """

    def __init__(self, endpoint: Endpoint, connect_timeout: float) -> None:
        assert endpoint.base_url is not None
        self.base_url = endpoint.base_url
        self.max_retries = endpoint.max_retries
        self.chat = self.completions = self
        self._url = URL(endpoint.base_url.rstrip("/") + "/chat/completions")
        self._pool = _Pool(self._url, connect_timeout)
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {endpoint.key or 'none'}",
            "Content-Type": "application/json",
            **endpoint.headers,
        }

    def with_options(self, *, max_retries: int) -> Client:
        """Return the same with another number of retries."""
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
    ) -> aiohttp.ClientResponse | ChatCompletion:
        """Ask for a chat completion; the response is returned unread if `body` says `stream`.

        A `timeout` in `body`, in seconds, is the longest silence of the connection.
        """
        given = {key: value for key, value in body.items() if not isinstance(value, _LEFT_OUT)}
        silence = given.pop("timeout", None)
        options: dict[str, Any] = {
            "data": _dump({**given, **(extra_body or {})}),
            "headers": {**self._headers, **(extra_headers or {})},
        }
        if extra_query:
            options["params"] = extra_query
        if isinstance(silence, int | float):
            options["timeout"] = self._pool.timeout(silence)
        response = await self._insist(options)
        if given.get("stream"):
            return response
        async with response:
            return ChatCompletion.construct(**orjson.loads(await response.read()))

    async def _insist(self, options: dict[str, Any]) -> aiohttp.ClientResponse:
        """Ask, and ask again if that may help; return an answer that is no error."""
        tries = 0
        while True:
            try:
                return await self._ask(options)
            except openai.APIError as error:
                pause = _pause(error, tries)
                if tries >= self.max_retries or pause is None:
                    raise
                log.info("%s: retrying in %.1f s: %s", self._url.host, pause, error)
            tries += 1
            await asyncio.sleep(pause)

    async def _ask(self, options: dict[str, Any]) -> aiohttp.ClientResponse:
        try:
            response = await self._pool.post(options)
            if response.status < 400:
                return response
            async with response:
                refused = httpx2.Response(
                    response.status,
                    headers=[(k, v) for k, v in response.headers.items() if k.lower() not in _WIRE],
                    content=await response.read(),
                    request=self._request,
                )
        except aiohttp.ClientError as error:
            raise openai.APIConnectionError(request=self._request) from error
        raise _status_error(refused)

    @property
    def _request(self) -> httpx2.Request:
        """What the errors of `openai` want to know of a request; it has no secrets."""
        return httpx2.Request("POST", str(self._url))

    async def aclose(self) -> None:
        """Close the connections; nothing can be asked after."""
        await self._pool.aclose()


class _Pool:
    """The connections to an endpoint; the first use opens them, as that needs an event loop."""

    def __init__(self, url: URL, connect_timeout: float) -> None:
        self._url = url
        self._connect_timeout = connect_timeout

    async def post(self, options: dict[str, Any]) -> aiohttp.ClientResponse:
        """Send a request; raises `aiohttp.ClientError`.

        A connection keeps the context that it was made in, and a turn's has all of the turn.
        """
        asking = asyncio.create_task(self._post(options), context=Context())
        try:
            return await asking
        except asyncio.CancelledError:
            asking.add_done_callback(_close)
            raise

    async def _post(self, options: dict[str, Any]) -> aiohttp.ClientResponse:
        return await self._session.post(self._url, **options)

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """The session, by way of the proxy that the environment names for this endpoint."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS,
                keepalive_timeout=_IDLE,
                ssl=_certificates() if self._url.scheme == "https" else True,
            ),
            timeout=self.timeout(),
            cookie_jar=aiohttp.DummyCookieJar(),
            # aiohttp itself would look for it in a thread, for each request
            proxy=_proxy(self._url),
        )

    def timeout(self, silence: float | None = None) -> aiohttp.ClientTimeout:
        """Return the timeouts of a request; longer waiting is watched from outside."""
        return aiohttp.ClientTimeout(
            total=None, sock_connect=self._connect_timeout, sock_read=silence
        )

    async def aclose(self) -> None:
        """Close the connections, and open none any more."""
        await self._session.close()


def _close(asked: asyncio.Task[aiohttp.ClientResponse]) -> None:
    """Close a response that came as nobody waited for it any more."""
    if not asked.cancelled() and asked.exception() is None:
        asked.result().close()


def _proxy(url: URL) -> str | None:
    """Return the proxy of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` for this address."""
    if url.host is None or proxy_bypass(url.host):
        return None
    return getproxies().get(url.scheme)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust: as the system says, and where it says nothing, as browsers do."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _dump(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Halves of characters, and numbers beyond 64 bits: a model may have written either
        return json.dumps(body, default=_plain).encode()


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a collection of another kind, such as in a tool's schema."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def _status_error(response: httpx2.Response) -> openai.APIStatusError:
    try:
        body = response.json()
    except ValueError:
        body = response.text
    told = body.get("error", body) if isinstance(body, dict) else body
    status = response.status_code
    default = openai.InternalServerError if status >= 500 else openai.APIStatusError
    return _ERRORS.get(status, default)(f"HTTP {status}: {body}", response=response, body=told)


def _pause(error: openai.APIError, tries: int) -> float | None:
    """Return how many seconds to wait before another try; None if it would not help."""
    pause = float(min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE) * (1 - random.random() / 4))
    if not isinstance(error, openai.APIStatusError):
        return pause
    if error.status_code < 500 and error.status_code not in _WORTH_ANOTHER_TRY:
        return None
    wish = _wish(error.response.headers)
    if wish is None:
        return pause
    return wish if wish <= _LONGEST_WISH else None


def _wish(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a provider asks to wait, if it does."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wish = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if wish > 0:
            return wish
    return None
