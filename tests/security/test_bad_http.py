"""A server that speaks no valid HTTP is told of as such, with its address and what to do."""

from __future__ import annotations

import re

import aiohttp
import pytest
from agents.mcp import MCPServer, MCPServerSse, MCPServerStreamableHttp
from chatkit_plugins.jwt_auth.config import Config
from chatkit_plugins.jwt_auth.jwks import KeySet

from chatkit_server import Unavailable, bad_http
from chatkit_server.bad_http import http_problem, server_of
from chatkit_server.interim import guard_session
from chatkit_server.turns import failures
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.security.hostile_http import BAD, CUT, BadHttp
from tests.security.test_hostile_mcp import beside_a_good_one, warnings
from tests.security.test_hostile_model import PROVIDERS, message, sections

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")


@pytest.mark.parametrize("provider", [*PROVIDERS, "anthropic"])
@pytest.mark.parametrize("kind", BAD)
async def test_a_model(
    provider: str, kind: str, make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    async with BadHttp(BAD[kind]) as server:
        chat = await make_chat(**settings(provider, server.url))
        assert message(await chat.say("hello")) == failures.NOT_HTTP
        await until(lambda: server.asked == 1)
    place = server.url.removesuffix("/v1")
    assert f"the server at {place} {bad_http.NOT_HTTP}; check its address" in caplog.text


@pytest.mark.parametrize("provider", [*PROVIDERS, "anthropic"])
@pytest.mark.parametrize("kind", CUT)
async def test_a_connection_that_ends_early_is_not_bad_http(
    provider: str, kind: str, make_chat: MakeChat
) -> None:
    async with BadHttp(CUT[kind], closes=True) as server:
        chat = await make_chat(**settings(provider, server.url))
        assert message(await chat.say("hello")) == failures.BROKEN_OFF


def settings(provider: str, url: str) -> dict[str, object]:
    if provider != "anthropic":
        return sections(provider, url)
    made = sections("litellm", url)
    plugin = made["plugins"]["litellm_models"]
    plugin["providers"] = {"anthropic": {"base_url": url, "api_key": "sk-1"}}
    return made | {"agent": {"model": "litellm/anthropic/any"}}


@pytest.mark.parametrize(
    "kind", [name for name in BAD if "chunk" not in name and "trail" not in name]
)
@pytest.mark.parametrize("client", [MCPServerStreamableHttp, MCPServerSse])
async def test_an_mcp_server(
    client: type[MCPServerStreamableHttp] | type[MCPServerSse],
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with BadHttp(BAD[kind]) as server:
        bad: MCPServer = client({"url": server.url}, name="bad", client_session_timeout_seconds=60)
        async with beside_a_good_one(bad) as (servers, tools):
            assert "bad_echo" not in tools
            told = str(servers.status()["bad"]["error"])
            if kind == "TLS":
                assert told.startswith("answered with what is not HTTP, probably TLS")
            else:
                assert told.startswith(f"{bad_http.NOT_HTTP}; check its address")
            assert str(server.port) not in told
        assert re.search(rf"MCP server bad \(.*127\.0\.0\.1:{server.port}\): ", caplog.text)


@pytest.mark.parametrize("kind", [name for name in BAD if "chunk" in name and "JSON" not in name])
async def test_the_stream_of_an_mcp_server(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with BadHttp(BAD[kind]) as server:
        bad: MCPServer = MCPServerStreamableHttp(
            {"url": server.url}, name="bad", client_session_timeout_seconds=60
        )
        async with beside_a_good_one(bad):
            await until(lambda: any(bad_http.NOT_HTTP in line for line in warnings(caplog)))


@pytest.mark.parametrize("kind", BAD)
async def test_the_keys_of_a_sign_in_service(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with BadHttp(BAD[kind]) as server:
        keys = KeySet(Config(jwks_url=server.url, jwks_timeout="60s"))
        async for _ in keys.run(aiohttp.web.Application()):
            with pytest.raises(Unavailable):
                await keys.find(None, "RS256")
        assert (
            f"cannot fetch the keys at {server.url}: the server {bad_http.NOT_HTTP}" in caplog.text
        )


async def test_the_session_of_a_plugin() -> None:
    async with (
        BadHttp(BAD["another protocol"]) as server,
        aiohttp.ClientSession() as plain,
        guard_session(aiohttp.ClientSession()) as guarded,
    ):
        for session in (plain, guarded):
            with pytest.raises(aiohttp.ClientError) as raised:
                await session.get(server.url)
            assert http_problem(raised.value) == bad_http.NOT_HTTP


@pytest.mark.parametrize("session", ["plain", "guarded"])
async def test_other_errors_of_a_client_are_none(session: str) -> None:
    async def refuse(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=400)

    app = aiohttp.web.Application()
    app.router.add_get("/", refuse)
    async with aiohttp.test_utils.TestServer(app) as server:
        made = aiohttp.ClientSession()
        async with guard_session(made) if session == "guarded" else made:
            response = await made.get(server.make_url("/"))
            with pytest.raises(aiohttp.ClientResponseError) as raised:
                response.raise_for_status()
    assert http_problem(raised.value) is None
    assert server_of(raised.value) is None
