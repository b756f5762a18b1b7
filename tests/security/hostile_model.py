"""A model server that means harm: each `Behaviour` is one way to hurt the server that asks it.

    async with HostileModel(endless(b": nothing\n\n")) as model:
        ...  # ask it at `model.url`, in either protocol
        assert model.asked == 1

`scripted` serves what `chatkit_server.testing.model_script` can say, in the protocol that is asked.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import orjson
from aiohttp import web

from chatkit_server.testing.model_script import Json, Part, Reply
from chatkit_server.testing.model_wire import ChatWire, ResponsesWire, Wire, part_events

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]

STREAM = {"Content-Type": "text/event-stream"}
FOREVER = 10**9


class HostileModel:
    """The server; use it as an async context manager. `sent` counts the bytes of its bodies."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.asked = 0
        self.port = 0
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        """The base URL that clients take."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> HostileModel:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        # The client closes the connection as soon as it has had enough
        with suppress(ConnectionError):
            return await self.behaviour(request)
        return web.Response(status=500)


def redirect(url: str, status: int = 307) -> Behaviour:
    """Send the client, with all that it has sent, to another server."""

    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": url})

    return behave


def bytes_of(pieces: Callable[[], Iterable[bytes]], status: int = 200, **headers: str) -> Behaviour:
    """Send these pieces as the body."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers=STREAM | headers)
        await response.prepare(request)
        for piece in pieces():
            await response.write(piece)
        return response

    return behave


def endless(piece: bytes, times: int = FOREVER, before: bytes = b"") -> Behaviour:
    """Send the same bytes until the client has had enough."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=STREAM)
        await response.prepare(request)
        await response.write(before)
        for _ in range(times):
            await response.write(piece)
        return response

    return behave


def endless_error(piece: bytes, status: int = 400) -> Behaviour:
    """Send an error without an end."""
    return bytes_of(lambda: (piece for _ in range(FOREVER)), status)


def stalled_error(start: bytes, status: int = 400) -> Behaviour:
    """Send the start of an error, and nothing more."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers=STREAM)
        await response.prepare(request)
        await response.write(start)
        await asyncio.Event().wait()
        return response

    return behave


def packed(unpacked: int, status: int = 200) -> Behaviour:
    """Send zeros that take a thousandth of their size."""
    bomb = gzip.compress(bytes(unpacked))

    async def behave(_: web.Request) -> web.StreamResponse:
        headers = STREAM | {"Content-Encoding": "gzip"}
        return web.Response(status=status, body=bomb, headers=headers)

    return behave


def packed_error(body: bytes, status: int, encoding: str = "gzip") -> Behaviour:
    """Send an error packed, as it is packed already or not."""

    async def behave(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Content-Encoding": encoding})

    return behave


def scripted(*parts: Part) -> Behaviour:
    """Send an answer made of these parts, in the protocol that is asked."""

    async def behave(request: web.Request) -> web.StreamResponse:
        body: Json = orjson.loads(await request.read())
        wire: Wire = ResponsesWire(body) if request.path.endswith("responses") else ChatWire(body)
        response = web.StreamResponse(headers=STREAM)
        await response.prepare(request)
        reply = Reply(parts)
        events: list[Json] = [*wire.begin()]
        for part in parts:
            events += part_events(wire, part)
        events += wire.finish(reply.finish_reason, (1, 1))
        for event in events:
            await response.write(wire.encode(event))
        return response

    return behave


def chunk(delta: Any, finish: str | None = None) -> bytes:
    """A chat-completions chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "c", "choices": [choice]}) + b"\n\n"


def chunks(deltas: Iterable[Any]) -> Behaviour:
    """Send these deltas as chat-completions chunks, and the end of the answer."""
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    end = b"data: " + orjson.dumps({"choices": [], "usage": usage}) + b"\n\ndata: [DONE]\n\n"
    given = list(deltas)
    return bytes_of(lambda: [*map(chunk, given), chunk({}, "stop"), end])
