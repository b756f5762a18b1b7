"""The response of an ASGI application, sent as it comes."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import HttpVersion11, hdrs, web
from multidict import CIMultiDict

from ..endings import UNTYPED
from .messages import Message

_OF_THE_CONNECTION = (hdrs.CONNECTION, hdrs.KEEP_ALIVE, hdrs.TRANSFER_ENCODING)
_EMPTY = (204, 304)


class Reply:
    """A response that begins with its first piece, with the status and headers of `start`."""

    def __init__(self, request: web.Request, start: Message) -> None:
        self.status: int = start["status"]
        self.response: web.StreamResponse | None = None
        """None before the response has begun."""
        self._request = request
        self._headers = _decoded(start.get("headers", ()))
        self._has_body = request.method != hdrs.METH_HEAD and self.status not in _EMPTY
        self._missing = 0
        """Bytes that are still to come, if the response has told its length."""

    async def send(self, body: bytes, *, more: bool) -> web.StreamResponse:
        """Send a piece, and wait while the client reads too slowly.

        Raises `ConnectionError` if the client has left, and `RuntimeError` if the response ends
        before the length that it has told.
        """
        response = self.response
        if response is None:
            response = self._stream() if more else self.whole(body)
            await self._begin(response)
            self.response = response
        if self._has_body and body and not isinstance(response, web.Response):
            self._missing -= len(body)
            await response.write(body)
        if not more:
            if self._missing > 0:
                raise RuntimeError(f"the response is {self._missing} bytes shorter than it said")
            await response.write_eof()
        return response

    def whole(self, body: bytes) -> web.Response:
        """Return a response that is not sent."""
        response = web.Response(status=self.status, headers=self._own_headers(), body=body)
        if self._has_body:
            # It is counted again
            response.headers.pop(hdrs.CONTENT_LENGTH, None)
        return response

    def _stream(self) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status, headers=self._own_headers())
        if self._has_body:
            self._missing = response.content_length or 0
        return response

    def _own_headers(self) -> CIMultiDict[str]:
        headers = self._headers.copy()
        for name in _OF_THE_CONNECTION:
            headers.popall(name, None)
        return headers

    async def _begin(self, response: web.StreamResponse) -> None:
        closes = self._headers.get(hdrs.CONNECTION, "").lower() == "close"
        if closes or not self._request.content.is_eof():
            # Who has not sent the whole body by now cannot send another request after it
            response.force_close()
        if hdrs.CONTENT_TYPE not in response.headers:
            self._request[UNTYPED] = response
        await response.prepare(self._request)

    def cut(self) -> None:
        """Close the connection, so that the client sees that the response is incomplete."""
        if self.response is not None:
            self.response.force_close()
        if self._request.version < HttpVersion11:
            # There, the end of a connection may be that of a response
            self.abort()
        elif self._request.transport is not None:
            self._request.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._request.transport is not None:
            self._request.transport.abort()


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> CIMultiDict[str]:
    return CIMultiDict((_text(name), _text(value)) for name, value in headers)


def _text(header: bytes) -> str:
    try:
        # As aiohttp will encode it again
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")
