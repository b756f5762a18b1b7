"""A hostile MCP server: over standard input and output, streamable HTTP, and HTTP with SSE.

A `Behaviour` is what it answers to each request: messages (dicts), or raw bytes. What a behaviour
does not answer is answered well, with the tool `echo`. Over standard input and output, a behaviour
is named: `python -m tests.security.hostile_mcp NAME`.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Message = dict[str, Any]
Behaviour = Callable[[Message], "Iterable[Message | bytes] | None"]

OBJECT = {"type": "object", "properties": {"text": {"type": "string"}}}
ECHO = {"name": "echo", "description": "Say the text again.", "inputSchema": OBJECT}


def result(request: Message, value: Message) -> Message:
    """Return the answer to a request."""
    return {"jsonrpc": "2.0", "id": request["id"], "result": value}


def text(request: Message, value: str, **more: Any) -> Message:
    """Return a tool's result."""
    return result(request, {"content": [{"type": "text", "text": value}], **more})


def notice(method: str, **params: Any) -> Message:
    """Return a notification."""
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}


def polite(request: Message) -> list[Message]:
    """Answer as a server should."""
    method = request["method"]
    if method == "initialize":
        info = {"name": "hostile", "version": "1"}
        capabilities = {"tools": {"listChanged": True}}
        return [
            result(
                request,
                {
                    "protocolVersion": "2025-06-18",
                    "capabilities": capabilities,
                    "serverInfo": info,
                },
            )
        ]
    if method == "tools/list":
        return [result(request, {"tools": [ECHO]})]
    if method == "tools/call":
        return [text(request, str(request["params"].get("arguments", {}).get("text")))]
    if method == "ping":
        return [result(request, {})]
    error = {"code": -32601, "message": "Method not found"}
    return [{"jsonrpc": "2.0", "id": request["id"], "error": error}]


def answers(behaviour: Behaviour, request: Message) -> Iterable[Message | bytes]:
    """Return what the server sends for a request."""
    given = behaviour(request)
    return polite(request) if given is None else given


def listing(*tools: Any) -> Behaviour:
    """List these tools."""

    def behave(request: Message) -> list[Message] | None:
        if request["method"] == "tools/list":
            return [result(request, {"tools": list(tools)})]
        return None

    return behave


BROKEN = {
    "deep": b"[" * 5000 + b"]" * 5000,
    "a little too deep": b'{"a":' * 200 + b"[]" + b"}" * 200,
    "half a character": rb'"\\ \ud83d\ude00 \ud83d"',
    "no character": b'"\xff\xfe"',
}
"""What the client libraries do not parse."""


def with_broken(value: bytes, start: bytes = b"", end: bytes = b"\n") -> Behaviour:
    """List `echo`, a tool with this value in its schema and its title, and `last`."""

    def behave(request: Message) -> list[bytes] | None:
        if request["method"] != "tools/list":
            return None
        tools = [ECHO, {**ECHO, "name": "odd", "title": "<>", "inputSchema": {"x": "<>"}}]
        answer = json.dumps(result(request, {"tools": [*tools, {**ECHO, "name": "last"}]}))
        return [start + answer.encode().replace(b'"<>"', value) + end]

    return behave


def endless_pages(request: Message) -> list[Message] | None:
    """List one more page of tools each time, for ever."""
    if request["method"] != "tools/list":
        return None
    page = int((request.get("params") or {}).get("cursor") or 0)
    tool = {**ECHO, "name": f"tool_{page}"}
    return [result(request, {"tools": [tool], "nextCursor": str(page + 1)})]


def when_called(*messages: Message | bytes) -> Behaviour:
    """Send these before the result of a tool that is called with the text `attack`."""

    def behave(request: Message) -> Iterable[Message | bytes] | None:
        return (*messages, *polite(request)) if _is_attack(request) else None

    return behave


def returning(value: Message) -> Behaviour:
    """Return this as the result of a tool that is called with the text `attack`."""

    def behave(request: Message) -> list[Message] | None:
        return [result(request, value)] if _is_attack(request) else None

    return behave


def _is_attack(request: Message) -> bool:
    arguments = (request.get("params") or {}).get("arguments") or {}
    return request["method"] == "tools/call" and arguments.get("text") == "attack"


HUGE = 3_000_000


def huge(request: Message) -> list[Message] | None:
    """Answer with more than fits."""
    return [text(request, "x" * HUGE)] if _is_attack(request) else None


def dense(request: Message) -> list[Message] | None:
    """Answer with two hundred thousand lists."""
    value = {"content": [], "structuredContent": {"parts": [[]] * 200_000}}
    return [result(request, value)] if _is_attack(request) else None


def huge_id_last(request: Message) -> list[bytes] | None:
    """Answer with more than fits, and say last to what."""
    if not _is_attack(request):
        return None
    answer = text(request, "x" * HUGE)
    ordered = {key: answer[key] for key in ("result", "jsonrpc", "id")}
    return [json.dumps(ordered).encode() + b"\n"]


def endless_line(request: Message) -> Iterator[bytes] | None:
    """Answer with a line that does not end."""
    return itertools.repeat(b"x" * 65_536) if _is_attack(request) else None


def flood(request: Message) -> Iterator[Message] | None:
    """Write notifications for ever, instead of an answer."""
    if not _is_attack(request):
        return None
    return itertools.cycle(
        [
            notice("message", level="info", data="x" * 100),
            notice("tools/list_changed"),
            notice("progress", progressToken=1, progress=1),
            notice("\x1b[31mno such thing"),
        ]
    )


def questions(request: Message) -> Iterator[Message] | None:
    """Ask the client a thousand things before the answer."""
    if not _is_attack(request):
        return None
    asked: list[Message] = [
        {"jsonrpc": "2.0", "id": f"q{number}", "method": "roots/list"} for number in range(1000)
    ]
    return itertools.chain(asked, polite(request))


def shouting(request: Message) -> None:
    """Write ten thousand lines to standard error, and one of a megabyte."""
    if _is_attack(request):
        for number in range(10_000):
            print(f"\x1b[31mline {number}", file=sys.stderr)
        print("y" * 1_000_000, file=sys.stderr, flush=True)


STDIO: dict[str, Behaviour] = {
    **{name: with_broken(value) for name, value in BROKEN.items()},
    "polite": polite,
    "dense": dense,
    "huge": huge,
    "huge_id_last": huge_id_last,
    "endless_line": endless_line,
    "endless_pages": endless_pages,
    "flood": flood,
    "questions": questions,
    "shouting": shouting,
}


def main(behaviour: Behaviour) -> None:
    """Serve standard input and output."""
    out = sys.stdout.buffer
    for line in sys.stdin:
        request = json.loads(line)
        if "method" not in request or "id" not in request:
            continue
        for message in answers(behaviour, request):
            if isinstance(message, bytes):
                out.write(message)
                out.flush()
            else:
                out.write(json.dumps(message).encode() + b"\n")
        out.flush()


class HostileServer:
    """The server over HTTP: `url` for streamable HTTP, `sse_url` for HTTP with SSE.

    `requests` are the HTTP requests as they came. `redirect` is a status and an address for all of
    them. `endpoint` is what the SSE stream calls the address for messages. With `packed`, JSON is
    packed with gzip; `bomb`, packed as `encoding`, takes the place of an answer to `attack`. With
    `streams`, answers come in event streams. A GET request gets an event stream with `pushed`,
    which ends there. `cookie` is the value of a new cookie with each answer.
    """

    def __init__(self, behaviour: Behaviour = polite) -> None:
        self.behaviour = behaviour
        self.requests: list[web.BaseRequest] = []
        self.messages: list[Message] = []
        self.redirect: tuple[int, str] | None = None
        self.endpoint = "/messages"
        self.packed = self.streams = False
        self.bomb = b""
        self.encoding = "gzip"
        self.cookie = ""
        self.pushed: bytes | None = None
        self.port = 0
        self._streams: list[web.StreamResponse] = []

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address for streamable HTTP."""
        return f"{self.origin}/mcp"

    @property
    def sse_url(self) -> str:
        """The address for HTTP with SSE."""
        return f"{self.origin}/sse"

    def called(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(message.get("method") == method for message in self.messages)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        body = await request.read()
        if self.redirect is not None:
            status, place = self.redirect
            if request.path != place.removeprefix(self.origin):
                return web.Response(status=status, headers={"Location": place})
        if request.method == "GET":
            return await self._stream(request)
        if request.method != "POST":
            return web.Response(status=405)
        message = json.loads(body)
        self.messages.append(message)
        if "id" not in message or "method" not in message:
            return web.Response(status=202)
        if request.path == "/messages":
            await self._write(self._streams[-1], answers(self.behaviour, message))
            return web.Response(status=202)
        if self.streams:
            response = await self._begin(request)
            await self._write(response, answers(self.behaviour, message))
            return response
        return self._json(message)

    def _json(self, message: Message) -> web.Response:
        if self.bomb and _is_attack(message):
            body, packed = self.bomb, True
        else:
            [answer] = answers(self.behaviour, message)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            packed = self.packed
            body = gzip.compress(body) if packed else body
        headers = {"Mcp-Session-Id": "s1"} | (
            {"Content-Encoding": self.encoding if body is self.bomb else "gzip"} if packed else {}
        )
        if self.cookie:
            headers["Set-Cookie"] = f"c{len(self.requests)}={self.cookie}"
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def _begin(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {"Content-Type": "text/event-stream", "Mcp-Session-Id": "s1"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        return response

    async def _write(
        self, response: web.StreamResponse, messages: Iterable[Message | bytes]
    ) -> None:
        for message in messages:
            if isinstance(message, bytes):
                await response.write(message)
            else:
                await response.write(b"event: message\ndata: %s\n\n" % json.dumps(message).encode())
            await asyncio.sleep(0)

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/mcp" and self.pushed is None:
            return web.Response(status=405)
        response = await self._begin(request)
        if request.path == "/mcp":
            await response.write(self.pushed or b"")
            return response
        self._streams.append(response)
        await response.write(b"event: endpoint\ndata: %s\n\n" % self.endpoint.encode())
        await asyncio.Event().wait()
        return response

    @asynccontextmanager
    async def run(self) -> AsyncIterator[HostileServer]:
        """Listen while the block runs."""
        server = web.Server(self._handle, handler_cancellation=True)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    main(STDIO[sys.argv[1]])
