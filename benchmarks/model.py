"""A cheap model server: it only streams chat completions.

It writes chunks that were encoded beforehand straight to the connection, so that what is measured
is the server that reads them. The last user message says how many tokens, and how fast; see
`script`. `GET /times` tells how long the answers took since it was last asked.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache, partial
from typing import Any, cast

import orjson

from .command import command
from .processes import run_until_told
from .script import Answer, token

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_END = b"0\r\n\r\n"


class Connection(asyncio.Protocol):
    """A client's connection, with one request at a time."""

    def __init__(self, times: list[float]) -> None:
        self._times = times
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's is no asyncio.Transport by class
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        """Stop writing."""
        if self._next is not None:
            self._next.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer the request when it is complete."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head + b"\r\n")
        size = int(length[1]) if length else 0
        if len(rest) < size:
            return
        self._received = rest[size:]
        if head.startswith(b"POST"):
            self._answer(orjson.loads(rest[:size]))
        else:
            self._tell_times()

    def _answer(self, body: dict[str, Any]) -> None:
        answer = Answer.to(_last_user_message(body["messages"]))
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        started = self._loop.time()
        if answer.interval:
            self._transport.write(_HEAD + _ROLE)
            self._say(answer, usage, started, 0)
        else:
            self._transport.write(_whole(answer.tokens, usage))
            self._times.append(self._loop.time() - started)

    def _say(self, answer: Answer, usage: bool, started: float, number: int) -> None:
        """Write a token, and schedule the next ones. A late token doesn't delay the others."""
        self._transport.write(_token(number))
        number += 1
        if number < answer.tokens:
            due = started + number * answer.interval / 1000
            step = partial(self._say, answer, usage, started, number)
            self._next = self._loop.call_at(due, step)
        else:
            self._next = None
            self._transport.write(_finish(answer.tokens, usage))
            self._times.append(self._loop.time() - started)

    def _tell_times(self) -> None:
        body = orjson.dumps(self._times)
        self._times.clear()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def _last_user_message(messages: list[dict[str, Any]]) -> str:
    said = next(m["content"] for m in reversed(messages) if m["role"] == "user")
    return said if isinstance(said, str) else "".join(part["text"] for part in said)


def _chunk(choices: list[dict[str, Any]], **rest: Any) -> bytes:
    chunk = {
        "id": "chatcmpl-Bq7nGJ0xq5k3mSMJgJ4rT1uYw2hZp",
        "object": "chat.completion.chunk",
        "created": 1_750_000_000,
        "model": "bench",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": choices,
        **rest,
    }
    return _framed(b"data: " + orjson.dumps(chunk) + b"\n\n")


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _choice(delta: dict[str, str], finish: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


_ROLE = _chunk(_choice({"role": "assistant", "content": ""}))


@cache
def _token(number: int) -> bytes:
    return _chunk(_choice({"content": token(number)}))


@cache
def _finish(tokens: int, usage: bool) -> bytes:
    used = {"prompt_tokens": 50, "completion_tokens": tokens, "total_tokens": 50 + tokens}
    told = _chunk([], usage=used) if usage else b""
    return _chunk(_choice({}, "stop")) + told + _framed(b"data: [DONE]\n\n") + _END


@cache
def _whole(tokens: int, usage: bool) -> bytes:
    said = b"".join(_token(number) for number in range(tokens))
    return _HEAD + _ROLE + said + _finish(tokens, usage)


async def serve() -> None:
    """Listen on a free port until the process is told to end."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(times), "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    print(f"listens on http://127.0.0.1:{port}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    command("model", __doc__).parse_args()
    run_until_told(serve())
