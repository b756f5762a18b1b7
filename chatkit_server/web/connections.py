"""Connections: how many, and how long a client may take for each part of a request.

aiohttp limits how long a connection is idle. What it leaves unlimited is limited here: heads and
bodies that never end, answers that nobody reads, and the number of connections.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from socket import socket
from typing import cast

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import ERROR, _ErrInfo

from ..languages import Languages, accepted
from ..settings.schema import ServerSettings
from ..words import words
from ..workers import Seat
from .addresses import Proxies, network_of
from .cors import headers_for
from .head import MAX_HEAD, Head
from .malformed import BodyTimeout, SmallChunks, answer_to
from .overflow import LINGER, Overflow, last_response
from .refusals import RefusalLog

_FULL = words("The server has too many connections. Try again in a minute.")
_FULL_ADDRESS = words("Your address has too many connections. Close some of them, and try again.")
_SLOW_HEAD = "The request's headers did not arrive in time."
_LARGE_HEAD = words(
    "The request's headers are larger than {limit} bytes. The cause is usually a sign-in token "
    "with too many groups or roles in it, or too many cookies. Sign in again.",
    limit=MAX_HEAD,
)
_LONG_LINE = f"The request's address is longer than {MAX_HEAD} bytes."
_EXPECTATION = "Expect: only 100-continue is known."
_FAILED = "Something went wrong on the server. Try again later."


_AT_ONCE = 8192
"""Bytes between two looks at what a body is made of."""

_FRAMING = 16_384
"""Bytes by which what frames the chunks of a body may exceed the body; each chunk takes time."""


class Connections:
    """Makes the protocol of each connection, and ends those whose client takes too long.

    A `Listener` asks it for them. `most` connections may be open, and `overflow` more are told
    that there are too many; those of trusted proxies have no limit per address.
    """

    def __init__(
        self,
        server: web.Server,
        settings: ServerSettings,
        most: int,
        refusals: RefusalLog,
        overflow: int,
        languages: Languages,
    ) -> None:
        self.languages = languages
        self.settings = settings
        self.limits = settings.limits
        self.max_body = settings.max_body
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time()
        """The time at the last sweep, which is precise enough."""
        self._server = server
        self._most = most
        self._refusals = refusals
        self._proxies = Proxies(settings.trusted_proxies, unix=settings.socket is not None)
        self._served: dict[_Connection, str | None] = {}
        self._by_network: Counter[str] = Counter()
        self._waiting: dict[_Connection, None] = {}
        self._overflow = Overflow(overflow, settings.max_body, languages)
        self._make_request = server.request_factory
        server.request_factory = self._began
        limits = self.limits
        shortest = min(limits.headers, limits.body, limits.unread, limits.idle)
        self.interval = min(max(shortest / 4, 0.02), 1.0)
        self._was_late = False
        self.seat: Seat | None = None
        """Where other workers see how many connections there are."""
        self._move: Callable[[socket], None] | None = None
        self._empty: asyncio.Future[None] | None = None
        self._timer = self._loop.call_soon(self._sweep)

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return _Arrival(self)

    @property
    def open(self) -> int:
        """How many connections are served."""
        return len(self._served)

    def close(self) -> None:
        """Limit nothing any more."""
        self._timer.cancel()
        self._overflow.close()

    async def all_closed(self) -> None:
        """Wait until no connection is served. Only one can wait."""
        if self._served:
            self._empty = self._loop.create_future()
            await self._empty

    def retire(self, move: Callable[[socket], None]) -> None:
        """Move each connection to another process once it waits for a request.

        `move` gets a socket of its own for it, and closes that. What the client has sent in the
        meantime is still to be read there, so it sees nothing of this.
        """
        self._move = move
        for connection in list(self._waiting):
            connection.move(move)

    def arrived(self, transport: asyncio.Transport) -> None:
        """Serve a new connection, or say that there are too many."""
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        network = self._network(address)
        if self._has_too_many(network):
            self._refuse(transport, address, 429, _FULL_ADDRESS)
            return
        if len(self._served) >= self._most and not self._make_room():
            self._refuse(transport, address, 503, _FULL)
            return
        connection = _Connection(self, self._server, self._loop, self.limits.idle)
        self._served[connection] = network
        if network is not None:
            self._by_network[network] += 1
        transport.set_protocol(connection)
        connection.connection_made(transport)

    def flooded(self, address: str) -> bool:
        """Whether an address has too many connections, and more come than can be told so.

        A new one is then logged as refused: close it.
        """
        flooded = self._has_too_many(self._network(address)) and self._overflow.flooded
        if flooded:
            self.log(logging.WARNING, address, 429, _FULL_ADDRESS)
        return flooded

    def _network(self, address: str) -> str | None:
        """Return what an address counts as, None for proxies."""
        return None if self._proxies.trusts(address) else network_of(address)

    def _has_too_many(self, network: str | None) -> bool:
        return network is not None and self._by_network[network] >= self.limits.address

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for a request, if there is one."""
        longest = next(iter(self._waiting), None)
        if longest is not None:
            longest.abort()
            self.lost(longest)
        return longest is not None

    def _refuse(self, transport: asyncio.Transport, address: str, status: int, why: str) -> None:
        self.log(logging.WARNING, address, status, why)
        self._overflow.refuse(transport, status, why)

    def log(
        self, level: int, address: str, status: int, why: str, what: str = "connection"
    ) -> None:
        """Write a line for a connection, or a request, that is refused."""
        line = f"refused a {what} from {address or 'unknown'}: {status} {why}"
        self._refusals.write(f"{what}: {status}", level, why, line)

    def log_full(self, problem: str) -> None:
        """Write a line for connections that the system does not let the process accept."""
        reason = f"{problem}. Lower server.limits.connections, or raise the limit of files"
        line = f"cannot accept connections: {reason}"
        self._refusals.write("accepting connections:", logging.ERROR, reason, line)

    def lost(self, connection: _Connection) -> None:
        """Count a connection no more. Repeating it changes nothing."""
        self._waiting.pop(connection, None)
        network = self._served.pop(connection, None)
        if self.seat is not None:
            self.seat.connections = len(self._served)
        if network is not None:
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]
        if self._empty is not None and not self._served and not self._empty.done():
            self._empty.set_result(None)

    def waits(self, connection: _Connection) -> None:
        """Note that the connection waits for a request."""
        if connection in self._served:
            self._waiting[connection] = None
            if self._move is not None:
                connection.move(self._move)

    def _began(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """Make the request whose head has arrived."""
        connection = cast(_Connection, protocol)
        self._waiting.pop(connection, None)
        connection.began(payload)
        if message is ERROR:
            # What could not be read is answered in the version that the server speaks
            message = message._replace(version=HttpVersion11)
        return self._make_request(message, payload, protocol, writer, task)

    def _sweep(self) -> None:
        self._timer = self._loop.call_later(self.interval, self._sweep)
        before, self.now = self.now, self._loop.time()
        late = self.now - before > 5 * self.interval
        if late and not self._was_late:
            # The process was stopped or busy: what has arrived meanwhile is still to be read
            self._was_late = True
            return
        self._was_late = late
        for connection in list(self._served):
            connection.check(self.now)
        self._overflow.check(self.now)


class _Arrival(asyncio.Protocol):
    """The protocol of a connection until it is known where it comes from."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.arrived(cast(asyncio.Transport, transport))


class _Connection(web.RequestHandler):
    """A connection that is served."""

    __slots__ = (
        "_closing_since",
        "_connections",
        "_discards",
        "_framed",
        "_head",
        "_head_since",
        "_large_since",
        "_request_body",
        "_request_since",
        "_unread_since",
        "_wire",
    )

    def __init__(
        self,
        connections: Connections,
        server: web.Server,
        loop: asyncio.AbstractEventLoop,
        idle: float,
    ) -> None:
        # A packed body would be unpacked before anything is known of the request
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=idle,
            lingering_time=LINGER,
            auto_decompress=False,
            # The whole head has a limit
            max_line_size=MAX_HEAD,
            max_field_size=MAX_HEAD,
            access_log=None,  # type: ignore[arg-type]
        )
        self._connections = connections
        self._wire: asyncio.Transport
        self._head_since: float | None = None
        self._head = Head()
        self._large_since: float | None = None
        self._request_since = 0.0
        self._request_body: StreamReader | None = None
        self._unread_since: float | None = None
        self._closing_since: float | None = None
        self._discards: int | None = None
        self._framed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        super().connection_made(transport)
        self._connections.waits(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.lost(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Usually once; what is empty has to be handled too
        for start in range(0, max(1, len(data)), _AT_ONCE):
            self._received(data[start : start + _AT_ONCE])

    def _received(self, data: bytes) -> None:
        if self._wire.is_closing():
            return
        if self._discards is not None:
            self._discards -= len(data)
            if self._discards < 0:
                self.abort()
            return
        if data and self._arriving is None:
            if self._request_body is None and self._head_since is None:
                self._head_since = self._connections.now
            if self._head.add(data):
                self._head.look(data)
                self._refuse_head()
                return
        waiting = len(self._messages)
        super().data_received(data)
        if len(self._messages) > waiting:
            self._head.clear()
            self._framed = 0
            self._end_malformed_body()
        elif (body := self._arriving) is not None:
            self._framed += len(data)
            if self._framed - body.total_bytes > body.total_bytes + _FRAMING:
                self._discards = self._connections.max_body
                body.set_exception(SmallChunks())
        elif data:
            self._head.look(data)

    @property
    def _arriving(self) -> StreamReader | None:
        """The body that is being received, None for a head."""
        body = self._messages[-1][1] if self._messages else self._request_body
        return None if body is None or body.is_eof() else body

    def _refuse_head(self) -> None:
        """Answer a head that is too large when all of it has arrived, so that this can be read."""
        status, why = (431, _LARGE_HEAD) if self._head.has_line else (414, _LONG_LINE)
        now = self._connections.now
        self._large_since = self._large_since or now
        if self._request_body is not None or self._messages:
            self._refuse(status, why)
        elif self._head.is_read or now - self._large_since > self._connections.interval:
            self._large_since = None
            self._connections.log(logging.INFO, self._address, status, why)
            headers = headers_for(self._head.origin, self._connections.settings)
            told = self._connections.languages.say(why, accepted(self._head.languages))
            self._wire.write(last_response(status, {"message": told}, headers=headers))
            self._wire.write_eof()
            self._discards = self._connections.max_body
            self._closing_since = now

    def _end_malformed_body(self) -> None:
        """Tell who reads a body that the rest of it is malformed, which aiohttp does not."""
        body = self._request_body
        if (
            body is not None
            and not body.is_eof()
            and body.exception() is None
            and any(isinstance(message, _ErrInfo) for message, _ in self._messages)
        ):
            body.set_exception(web.RequestPayloadError("malformed"))

    def move(self, move: Callable[[socket], None]) -> None:
        """Move to another process, unless a request has begun."""
        if self._wire.is_closing() or self._head_since is not None or self._arriving is not None:
            return
        self._wire.pause_reading()
        if self._waiter is None:
            # The response was sent, and aiohttp has yet to see whether the connection stays open
            self._loop.call_soon(self.move, move)
            return
        move(self._wire.get_extra_info("socket").dup())
        self.abort()

    def began(self, body: StreamReader) -> None:
        """The head of a request is complete."""
        self._head_since = None
        self._request_since = self._connections.now
        self._request_body = body
        self._end_malformed_body()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what aiohttp could not read, or what failed outside of the application."""
        # It logs the error
        super().handle_error(request, status, exc, message)
        status, why = answer_to(exc) or (status, _FAILED)
        response = web.json_response({"message": why}, status=status)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        body = self._request_body
        if isinstance(resp, web.HTTPExpectationFailed):
            # aiohttp raises it outside of the application's middlewares
            self._connections.log(logging.INFO, self._address, 417, _EXPECTATION, "request")
            resp = web.json_response({"message": _EXPECTATION}, status=417)
        if body is not None and not body.is_eof():
            # Nobody reads the rest, but it is received, so that the client gets to the answer
            resp.force_close()
            self._discards = self._connections.max_body
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._request_body = None
            self._connections.waits(self)

    def pause_writing(self) -> None:
        self._unread_since = self._connections.now
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread_since = None
        super().resume_writing()

    def check(self, now: float) -> None:
        """End what has taken the client too long."""
        limits = self._connections.limits
        if self._unread_since is not None and now - self._unread_since > limits.unread:
            self.abort()
        elif self._wire.is_closing() or self._closing_since is not None:
            # What was written last is not read
            self._closing_since = self._closing_since or now
            if now - self._closing_since > LINGER:
                self.abort()
        elif self._request_body is not None:
            if now - self._request_since > limits.body:
                self._end_body(self._request_body)
        elif self._large_since is not None:
            self._refuse_head()
        elif self._head_since is not None and now - self._head_since > limits.headers:
            self._refuse(408, _SLOW_HEAD)

    def _end_body(self, body: StreamReader) -> None:
        if not body.is_eof() and body.exception() is None:
            body.set_exception(BodyTimeout())

    def _refuse(self, status: int, why: str) -> None:
        self._connections.log(logging.INFO, self._address, status, why)
        if self._request_body is None and not self._messages:
            self._wire.write(last_response(status, {"message": why}))
        self.force_close()

    @property
    def _address(self) -> str:
        peer = self._wire.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""

    def abort(self) -> None:
        """Close the connection at once, whatever is still to be sent."""
        self._wire.abort()
