"""Ten attacks on a server, each from a process of its own.

`python -m benchmarks.attacks NAME PORT PATH` is one of them.
They come from another address than the honest users, and repeat until the process is stopped.
Strangers send no `X-User`; one user is signed in and sends all he can; the others ask a hostile
model or MCP server, see `hostile`.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from .command import command
from .processes import run_until_told

FROM = "127.0.0.66"
"""The attacker's address: an attack must not use up what the honest users' address may have."""

MODEL = "hostile/hostile"
STARTED = "attacking"
"""What the process prints when the first round is on its way."""

_PAUSE = 0.2
"""Seconds between two rounds: an attack must not need a core of its own."""


@dataclass(frozen=True)
class Victim:
    """The server to attack."""

    port: int
    path: str

    def head(self, *headers: str, user: str = "", method: str = "POST", path: str = "") -> bytes:
        """Return the head of a request, from a stranger unless it names a user."""
        lines = [
            f"{method} {path or self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Content-Type: application/json",
            *([f"X-User: {user}"] if user else []),
            *headers,
        ]
        return "\r\n".join([*lines, "\r\n"]).encode()

    def request(self, body: bytes, *headers: str, user: str = "") -> bytes:
        """Return a whole request."""
        return self.head(*headers, f"Content-Length: {len(body)}", user=user) + body

    def message(self, text: str, user: str, model: str = MODEL, **params: str) -> bytes:
        """Return the request of a user's message."""
        body = {
            "type": "threads.add_user_message" if params else "threads.create",
            "params": {
                **params,
                "input": {
                    "content": [{"type": "input_text", "text": text}],
                    "attachments": [],
                    "inference_options": {"model": model},
                },
            },
        }
        return self.request(orjson.dumps(body), user=user)

    async def send(self, data: bytes, *, wait: float = 5.0) -> bytes:
        """Send bytes on a new connection; return what came back within `wait` seconds."""
        heard = bytearray()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(wait):
                reader, writer = await self.connect()
                try:
                    writer.write(data)
                    while piece := await reader.read(65_536):
                        heard += piece
                        if heard.endswith((b"0\r\n\r\n", b"}")):
                            break
                finally:
                    writer.transport.abort()
        return bytes(heard)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a new connection from the attacker's address."""
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(FROM, 0))

    async def send_all(self, requests: list[bytes], *, wait: float = 5.0) -> None:
        """Send requests at once, each on its own connection, and wait for the answers."""
        await asyncio.gather(*(self.send(request, wait=wait) for request in requests))


Attack = Callable[[Victim], Coroutine[Any, Any, None]]


async def packed_bodies(victim: Victim) -> None:
    """a stranger's 20 packed bodies, 16 MB each when unpacked"""
    request = victim.request(_bomb(), "Content-Encoding: gzip")
    await victim.send_all([request] * 20)


@cache
def _bomb() -> bytes:
    return gzip.compress(b'{"messages": [' + b"[]," * 5_300_000 + b"0]}", 6)


async def large_bodies(victim: Victim) -> None:
    """a stranger's 4 bodies of 8 MB, all containers"""
    await victim.send_all([victim.request(_containers(8_000_000))] * 4)


async def users_bodies(victim: Victim) -> None:
    """a user's 2 bodies of 15 MB, all containers"""
    await victim.send_all([victim.request(_containers(15_000_000), user="attacker")] * 2)


@cache
def _containers(size: int) -> bytes:
    return b'{"messages": [' + b"[]," * (size // 3) + b"0]}"


async def slow_heads(victim: Victim) -> None:
    """300 connections that send a header's byte every 0.2 s"""
    await _dribble(victim, victim.head("X-Slow: ")[:-4])


async def slow_bodies(victim: Victim) -> None:
    """300 connections that send a body's byte every 0.2 s"""
    await _dribble(victim, victim.head("Content-Length: 100000", user="attacker") + b'{"a": "')


async def _dribble(victim: Victim, start: bytes) -> None:
    async def one() -> None:
        with suppress(OSError):
            _, writer = await victim.connect()
            writer.write(start)
            try:
                while not writer.is_closing():
                    await asyncio.sleep(_PAUSE)
                    writer.write(b"x")
                    await writer.drain()
            finally:
                writer.transport.abort()
        await asyncio.sleep(_PAUSE)

    async def always() -> None:
        while True:
            await one()

    print(STARTED, flush=True)
    await asyncio.gather(*(always() for _ in range(300)))


async def connections(victim: Victim) -> None:
    """2,000 connections at once that send nothing"""
    opened = await asyncio.gather(*(victim.connect() for _ in range(2000)), return_exceptions=True)
    print(STARTED, flush=True)
    await asyncio.sleep(1)
    for made in opened:
        if not isinstance(made, BaseException):
            made[1].transport.abort()


async def many_turns(victim: Victim) -> None:
    """a user's 100 messages at once, in new threads"""
    request = victim.message("slow", "attacker")
    await victim.send_all([request] * 100)


async def reasoning(victim: Victim) -> None:
    """a model that thinks without end"""
    await victim.send_all([victim.message("reasoning", "attacker")] * 2)


async def long_line(victim: Victim) -> None:
    """a model whose answer is one line of 50 MB, or an error of that size"""
    texts = ("line", "error")
    await victim.send_all([victim.message(text, "attacker") for text in texts])


async def tool_pattern(victim: Victim) -> None:
    """an MCP tool with a pattern that takes for ever, and a result of 20 MB"""
    texts = ("pattern", "flood")
    await victim.send_all([victim.message(text, "attacker") for text in texts])


ATTACKS: dict[str, Attack] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (
        packed_bodies,
        large_bodies,
        users_bodies,
        slow_heads,
        slow_bodies,
        connections,
        many_turns,
        reasoning,
        long_line,
        tool_pattern,
    )
}
"""The attacks by name; the first line of each docstring says what it does."""


async def _main(name: str, victim: Victim) -> None:
    attack = ATTACKS[name]
    first = asyncio.create_task(attack(victim))
    await asyncio.wait([first], timeout=_PAUSE)
    print(STARTED, flush=True)
    await first
    while True:
        await asyncio.sleep(_PAUSE)
        await attack(victim)


if __name__ == "__main__":
    parser = command("attacks", __doc__)
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("port", type=int, help="the server's, on this machine")
    parser.add_argument("path", help="of the server's chat endpoint")
    given = parser.parse_args()
    run_until_told(_main(given.name, Victim(given.port, given.path)), fast=False, elsewhere=True)
