"""One chat of the load: a connection that sends requests and reads streams.

It looks at the bytes as little as it can while they come, and at all of them when the stream has
ended.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, cast

import orjson

from .script import Answer

_END = b"\r\n0\r\n\r\n"
_DELTA = b"content_part.text_delta"
_DATA = re.compile(rb"^data: (.*)$", re.MULTILINE)


class Wrong(Exception):
    """A stream differs from what was requested."""


@dataclass(frozen=True)
class Heard:
    """A turn as the client saw it, in seconds from the request; `thread_id` is "" without one."""

    first: float
    seconds: float
    thread_id: str


class ChatConnection(asyncio.Protocol):
    """A connection that has one turn at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._tail = b""
        self._asked = 0.0
        self._first: float | None = None
        self._begun: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's is no asyncio.Transport by class
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        """Fail all waiters."""
        self._fail("the connection was closed")

    def data_received(self, data: bytes) -> None:
        """Note the first token and the end."""
        if not self._pieces and not data.startswith(b"HTTP/1.1 200"):
            self._fail(data[:1000].decode(errors="replace"))
            return
        self._pieces.append(data)
        if self._first is None and _DELTA in self._tail + data:
            self._first = self._loop.time() - self._asked
            self._resolve(self._begun)
        # the end and the first token may be split between two reads
        self._tail = (self._tail + data)[-len(_DELTA) :]
        if self._tail.endswith(_END):
            self._resolve(self._ended)

    def _fail(self, why: str) -> None:
        for future in (self._begun, self._ended):
            if future is not None and not future.done():
                future.set_exception(Wrong(why))
                future.exception()

    def _resolve(self, future: asyncio.Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self._pieces, self._tail, self._first = [], b"", None
        self._begun, self._ended = self._loop.create_future(), self._loop.create_future()
        self._asked = self._loop.time()
        self._transport.write(request)

    async def first_token(self) -> None:
        """Wait for the first token."""
        assert self._begun is not None
        await self._begun

    async def whole(self, answer: Answer, *, items: bool) -> Heard:
        """Wait for the end, and check the stream.

        With `items` the whole message must be there too, as a finished item, and a thread.
        Raises `Wrong`.
        """
        assert self._ended is not None
        await self._ended
        seconds = self._loop.time() - self._asked
        thread_id = check(b"".join(self._pieces), answer, items=items)
        if self._first is None:
            raise Wrong("no token came")
        return Heard(self._first, seconds, thread_id)

    def close(self) -> None:
        """Close the connection at once."""
        self._begun = self._ended = None
        self._transport.abort()


def check(response: bytes, answer: Answer, *, items: bool) -> str:
    """Check a whole HTTP response, and return its thread's id, "" if it has none."""
    events = [orjson.loads(line) for line in _DATA.findall(_body(response))]
    told = "".join(e["update"].get("delta", "") for e in events if "update" in e)
    if told != answer.text:
        raise Wrong(f"asked for {answer}, and the text is {told[:200]!r}")
    errors = [event for event in events if event["type"] == "error"]
    if errors:
        raise Wrong(f"an error event: {errors[0]}")
    if not items:
        return ""
    done = [e["item"] for e in events if e["type"] == "thread.item.done"]
    texts = [
        part["text"] for i in done if i["type"] == "assistant_message" for part in i["content"]
    ]
    if texts != [answer.text]:
        raise Wrong(f"asked for {answer}, and the finished messages are {texts!r}")
    return str(done[0]["thread_id"])


def _body(response: bytes) -> bytes:
    """Return the body of a response whose transfer encoding is chunked."""
    at = response.index(b"\r\n\r\n") + 4
    pieces: list[bytes] = []
    while True:
        line_end = response.index(b"\r\n", at)
        size = int(response[at:line_end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(pieces)
        pieces.append(response[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2


def request(port: int, path: str, user: str, answer: Answer, thread_id: str) -> bytes:
    """Return the HTTP request of a user's message, in a new thread if `thread_id` is ""."""
    message: dict[str, Any] = {
        "content": [{"type": "input_text", "text": answer.asked}],
        "attachments": [],
        "inference_options": {},
    }
    operation: dict[str, Any] = {"type": "threads.create", "params": {"input": message}}
    if thread_id:
        params = {"thread_id": thread_id, "input": message}
        operation = {"type": "threads.add_user_message", "params": params}
    body = orjson.dumps(operation)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\nX-User: {user}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
