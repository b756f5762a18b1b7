"""One request of an ASGI application, from its body to the end of its response."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from starlette.requests import ClientDisconnect

from ...errors import TooLarge
from ...words import words
from ..cors import is_preflight
from ..errors import log_failure
from ..expect import ask_for_body
from .messages import Message
from .reply import Reply

Answered = asyncio.Future[web.StreamResponse]

_STARLETTES = (500, b"Internal Server Error")
"""What Starlette sends before it raises the error of a route."""

log = logging.getLogger(__name__)


class Exchange:
    """What an application receives for a request, and what it sends.

    `answered` becomes the response, which has been sent, or the error to answer with. The response
    to a preflight has not been sent, so that the server can answer in its place.
    """

    def __init__(self, request: web.Request, limit: int, answered: Answered) -> None:
        self._request = request
        self._limit = limit
        self._answered: Answered | None = answered
        self._over = asyncio.Event()
        self._size = 0
        self._body_read = False
        self._reply: Reply | None = None
        self._is_preflight = is_preflight(request)
        self._held: web.Response | None = None
        """A response to send if no error follows."""
        self._sent = False

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the response any more."""
        return self._over.is_set()

    def leave(self) -> None:
        """Tell the application that nobody waits for its response any more."""
        self._over.set()
        # Its error would be in a cycle with what is in the error's traceback
        self._answered = None

    def abort(self) -> None:
        """Stop a response that nobody waits for: it may wait for a client that does not read."""
        if self._reply is not None and self._reply.response is not None and not self._sent:
            self._reply.abort()

    def broken_off(self) -> web.StreamResponse:
        """Return the response as far as it has come."""
        begun = self._reply.response if self._reply is not None else None
        return web.Response(status=503) if begun is None else begun

    async def receive(self) -> Message:
        """Return a piece of the body; after that, wait until nobody waits for the response."""
        if not self._body_read and not self._over.is_set():
            try:
                return await self._piece()
            except Exception as error:
                self._refuse(error)
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _piece(self) -> Message:
        await ask_for_body(self._request)
        content = self._request.content
        # If it is at its end, an `auth` plugin may have read it
        piece = await (self._request.read() if content.at_eof() else content.readany())
        self._size += len(piece)
        if self._size > self._limit:
            raise TooLarge(words("The request is larger than {limit} bytes.", limit=self._limit))
        self._body_read = content.at_eof()
        return {"type": "http.request", "body": piece, "more_body": not self._body_read}

    async def send(self, message: Message) -> None:
        """Send a part of the response, and wait while the client reads too slowly."""
        kind = message["type"]
        if self._over.is_set():
            # An application that only sends can be cancelled here, and blocks nobody
            await asyncio.sleep(0)
        elif kind == "http.response.start" and self._reply is None:
            self._reply = Reply(self._request, message)
        elif kind == "http.response.body" and self._reply is not None:
            try:
                await self._add(self._reply, message.get("body", b""), message.get("more_body"))
            except ConnectionError as error:
                self._refuse(error)
        else:
            raise RuntimeError(f"the ASGI message {kind} does not belong here")

    async def _add(self, reply: Reply, body: bytes, more: object) -> None:
        if self._is_preflight:
            # Its body, perhaps in pieces, is for nobody
            self._answer(reply.whole(body))
        elif not more and reply.response is None and (reply.status, body) == _STARLETTES:
            self._held = reply.whole(body)
        else:
            response = await reply.send(body, more=bool(more))
            if not more:
                self._sent = True
                self._answer(response)

    def _answer(self, response: web.StreamResponse) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(response)
        self.leave()

    def _refuse(self, error: Exception) -> None:
        """End the exchange for an error of the request, or because the client has left."""
        answered, reply = self._answered, self._reply
        if reply is not None and reply.response is not None:
            self._cut(reply, reply.response)
        elif answered is not None and not answered.done():
            if isinstance(error, ConnectionError):
                answered.cancel()
            else:
                answered.set_exception(error)
        self.leave()

    def _cut(self, reply: Reply, response: web.StreamResponse) -> None:
        reply.cut()
        self._answer(response)

    def ended(self) -> None:
        """The application has returned."""
        if self._over.is_set():
            return
        if self._held is not None:
            self._answer(self._held)
        elif self._reply is None:
            self.failed(RuntimeError("the application sent no response"))
        else:
            self.failed(RuntimeError("the application ended before its response"))

    def failed(self, error: Exception) -> None:
        """The application has raised an error: answer with it, or log it if that is too late."""
        answered, reply = self._answered, self._reply
        if answered is not None and not answered.done() and (reply is None or not reply.response):
            answered.set_exception(error)
            self.leave()
        elif not self._sent and isinstance(error, ClientDisconnect | ConnectionError):
            log.debug("the client of an ASGI application has left: %r", error)
        else:
            log_failure(self._request, error)
            if reply is not None and reply.response is not None and not self._sent:
                self._cut(reply, reply.response)
