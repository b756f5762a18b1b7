"""A server that sends provisional responses (1xx) without an end gets no time of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from agents.mcp import MCPServer, MCPServerSse, MCPServerStreamableHttp
from chatkit_plugins.jwt_auth.config import Config
from chatkit_plugins.jwt_auth.jwks import KeySet

from chatkit_server import Unavailable
from chatkit_server.bad_http import MOST, SIZE, NoAnswer
from chatkit_server.interim import Beginning
from chatkit_server.models import guard_session
from chatkit_server.turns import failures
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.security.hostile_interim import BEGINNINGS, HostileBeginning
from tests.security.test_hostile_mcp import beside_a_good_one
from tests.security.test_hostile_model import PROVIDERS, message, sections

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")

CONTINUE = BEGINNINGS["100"]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture(params=BEGINNINGS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[HostileBeginning]:
    async with HostileBeginning(BEGINNINGS[request.param]) as server:
        yield server


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_model(
    provider: str,
    server: HostileBeginning,
    make_chat: MakeChat,
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat = await make_chat(**sections(provider, server.url))
    assert message(await chat.say("hello")) == failures.NO_ANSWER
    assert "provisional responses (status 1xx)" in caplog.text
    await until(lambda: server.ended == server.asked)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_few_do_no_harm(provider: str, make_chat: MakeChat) -> None:
    problem = b'{"error": {"message": "no more", "code": "insufficient_quota"}}'
    head = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
    answer = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(problem), problem)
    async with HostileBeginning(b"", CONTINUE * MOST + answer) as server:
        chat = await make_chat(**sections(provider, server.url))
        assert message(await chat.say("hello")) == failures.NO_QUOTA


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_another_protocol_is_no_answer(provider: str, make_chat: MakeChat) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    async with HostileBeginning(b"junk", switch) as server:
        chat = await make_chat(**sections(provider, server.url))
        assert message(await chat.say("hello")) in (failures.NONSENSE, failures.NOT_HTTP)
        await until(lambda: server.ended == server.asked)


@pytest.mark.parametrize("kind", [MCPServerStreamableHttp, MCPServerSse])
async def test_an_mcp_server(
    kind: type[MCPServerStreamableHttp] | type[MCPServerSse], server: HostileBeginning
) -> None:
    bad: MCPServer = kind({"url": server.url}, name="bad", client_session_timeout_seconds=60)
    async with beside_a_good_one(bad) as (servers, tools):
        assert "bad_echo" not in tools
        assert "provisional responses" in str(servers.status()["bad"]["error"])


async def test_the_keys_of_a_sign_in_service(
    server: HostileBeginning, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(jwks_url=server.url, jwks_timeout="60s")
    keys = KeySet(config)
    async for _ in keys.run(aiohttp.web.Application()):
        with pytest.raises(Unavailable):
            await keys.find(None, "RS256")
    assert "provisional responses" in caplog.text


async def test_nothing_is_kept_of_what_follows_an_answer() -> None:
    async with (
        HostileBeginning(CONTINUE, ANSWER) as server,
        guard_session(aiohttp.ClientSession()) as session,
    ):
        async with session.get(server.url) as response:
            assert await response.read() == b"hi"
        await until(lambda: server.ended == 1)


async def test_an_unused_connection_may_not_send() -> None:
    more = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await more.wait()
        writer.write(CONTINUE)
        assert await reader.read() == b""
        writer.close()
        ended.set()

    ended = asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with guard_session(aiohttp.ClientSession()) as session:
            async with session.get(f"http://127.0.0.1:{port}/") as response:
                assert await response.read() == b"hi"
            more.set()
            await ended.wait()


def has_begun(data: bytes, size: int) -> bool:
    """Whether an answer begins in data that comes in pieces of this size."""
    beginning = Beginning()
    return any(beginning.passed(data[at : at + size]) for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_pieces_of_any_size(size: int) -> None:
    assert has_begun(CONTINUE * MOST + ANSWER, size)
    with pytest.raises(NoAnswer):
        has_begun(CONTINUE * (MOST + 1) + ANSWER, size)


@pytest.mark.parametrize("piece", [b"HTTP/1.1 100 Continue\r\n", b"\r\n"])
def test_what_has_no_end_is_limited(piece: bytes) -> None:
    with pytest.raises(NoAnswer):
        has_begun(piece * SIZE, 500)
