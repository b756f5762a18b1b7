"""Limits what a server sends before its answer begins, for the HTTP clients of this process.

A server may send provisional responses (status 1xx) before an answer. Clients read and drop them,
as many as there are: without a limit, a server keeps this process busy until the time for an answer
is over.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from .bad_http import MOST, SIZE, NoAnswer, NotHttp

_STATUS = re.compile(rb"HTTP/\d\.\d 1\d\d")
_STATUS_LENGTH = 12
_END = re.compile(rb"\r?\n\r?\n")


class Beginning:
    """Looks at what arrives before one answer."""

    def __init__(self) -> None:
        self._rest = b""
        self._responses = self._size = 0

    def passed(self, data: bytes) -> bool:
        """Return whether the answer has begun with this data. Raises `NoAnswer`."""
        self._size += len(data)
        head = self._rest + data
        while True:
            head = head.lstrip(b"\r\n")
            if len(head) >= _STATUS_LENGTH and not _STATUS.match(head):
                return True
            end = _END.search(head)
            if end is None:
                break
            head = head[end.end() :]
            self._responses += 1
            if self._responses > MOST:
                raise NoAnswer
        if self._size > SIZE:
            raise NoAnswer
        self._rest = head
        return False


class _Handler(ResponseHandler):
    """A connection of aiohttp's client."""

    _beginning: Beginning | None = None

    def set_response_params(self, **params: Any) -> None:
        self._beginning = Beginning()
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self._beginning is None:
            payload = self._payload
            if data and payload is not None and payload.is_eof() and self.transport is not None:
                # After an answer, and asked for by nobody: aiohttp would keep all of it
                self.transport.abort()
                return
        else:
            try:
                if self._beginning.passed(data):
                    self._beginning = None
            except NoAnswer as error:
                if self.transport is not None:
                    self.transport.abort()
                self.set_exception(error)
                return
        super().data_received(data)

    def set_exception(self, exc: Any, *cause: Any) -> None:
        """Tell whoever waits for the answer, or for the rest of it, what is wrong with it."""
        if isinstance(exc, HttpProcessingError):
            exc = NotHttp(exc.message)
            if self._payload is not None and not self._payload.is_eof():
                # aiohttp tells nobody, and the rest would be waited for
                self._payload.set_exception(exc)
        super().set_exception(exc, *cause)


def guard_session(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Limit what servers may send before their answers, for a new session of aiohttp."""
    vars(session.connector)["_factory"] = partial(_Handler, loop=asyncio.get_running_loop())
    return session


def guard_transport(transport: Any) -> None:
    """Do the same for a transport of httpx or httpx2; others have no connections of their own."""
    pool = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if backend is not None and not isinstance(backend, _Backend):
        vars(pool)["_network_backend"] = _Backend(backend)


def guard_client(client: Any) -> None:
    """Do the same for an `AsyncClient` of httpx or httpx2."""
    for transport in (client._transport, *client._mounts.values()):
        guard_transport(transport)


class _Backend:
    """What makes the connections of httpx."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **options: Any) -> _Stream:
        return _Stream(await self._backend.connect_tcp(*args, **options))

    async def connect_unix_socket(self, *args: Any, **options: Any) -> _Stream:
        return _Stream(await self._backend.connect_unix_socket(*args, **options))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _Stream:
    """One connection of httpx; each request on it begins with something written."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._beginning: Beginning | None = None

    async def read(self, *args: Any, **options: Any) -> bytes:
        data: bytes = await self._stream.read(*args, **options)
        if self._beginning is not None and self._beginning.passed(data):
            self._beginning = None
        return data

    async def write(self, *args: Any, **options: Any) -> None:
        self._beginning = Beginning()
        await self._stream.write(*args, **options)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **options: Any) -> _Stream:
        return _Stream(await self._stream.start_tls(*args, **options))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
