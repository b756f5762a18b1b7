"""MCP over HTTP: sessions that a server forgets, the older transport, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from chatkit_server.app import create_app
from chatkit_server.checking.mcp import check_mcp_servers
from chatkit_server.finding import Finding
from chatkit_server.mcp.connection import ToolFailed
from chatkit_server.mcp.exchange import response_problem
from chatkit_server.mcp.manager import McpManager
from chatkit_server.mcp.server import SESSION_GONE
from chatkit_server.mcp.timing import McpTiming
from chatkit_server.settings.load import load
from tests.mcp_calls import connected, invoke, tools_of, until
from tests.mcp_http_server import HttpServer, http_server
from tests.plugins.test_mcp_servers import given, until_connected

PLAIN_NOT_FOUND = PlainTextResponse("Not Found", 404)
NO_SESSION = JSONResponse(
    {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "Session not found"}}, 404
)
NO_VALID_ID = JSONResponse(
    {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32000, "message": "Bad Request: No valid session ID provided"},
    },
    400,
)


class Forgetful(HttpServer):
    """A server that answers requests of sessions which it does not know as it is told."""

    def __init__(self, answer: Response, **kind: Any) -> None:
        super().__init__(legacy=not kind, **kind)
        self.gone = answer
        self.forgets = self.again = False

    def _guarded(self, app: Any) -> Any:
        inner = super()._guarded(app)

        async def guard(scope: Any, receive: Any, send: Any) -> None:
            headers = dict(scope.get("headers", ()))
            posted = scope["type"] == "http" and scope["method"] == "POST"
            if posted and self.forgets and (self.older or b"mcp-session-id" in headers):
                self.forgets = self.again
                await self.gone(scope, receive, send)
            else:
                await inner(scope, receive, send)

        return guard


def entry(server: HttpServer, **more: Any) -> dict[str, Any]:
    """The entry of a server in the settings."""
    if server.older:
        more = {"transport": "sse", **more}
    return {"name": "web", "url": server.sse_url if server.older else server.url, **more}


async def error_of(servers: McpManager) -> str:
    """Return why the server is not connected, once that was tried."""
    await until(lambda: servers.status()["web"]["error"] != "not connected yet")
    return servers.status()["web"]["error"] or ""


@pytest.mark.parametrize("answer", [PLAIN_NOT_FOUND, NO_SESSION, NO_VALID_ID])
async def test_a_call_in_a_forgotten_session_is_made_again(
    answer: Response, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = Forgetful(answer)
    await server.start()
    try:
        servers = given(tmp_path, entry(server))
        async with servers.run():
            tools = await until_connected(servers)
            server.forgets = True
            # Not read-only: after a lost connection, it would not be repeated
            assert await invoke(tools["echo"], text="again") == "again"
            assert connected(servers)
    finally:
        await server.stop()
    assert SESSION_GONE in caplog.text


async def test_a_call_after_a_restart_is_made_again(tmp_path: Any) -> None:
    async with http_server(legacy=True) as server:
        servers = given(tmp_path, entry(server))
        async with servers.run():
            tools = await until_connected(servers)
            await server.stop()
            await server.start()
            assert await invoke(tools["echo"], text="again") == "again"


async def test_calls_side_by_side_in_a_forgotten_session_share_a_new_one(tmp_path: Any) -> None:
    async with http_server(legacy=True) as server:
        servers = given(tmp_path, entry(server))
        async with servers.run():
            tools = await until_connected(servers)
            await server.stop()
            await server.start()
            echoes = [invoke(tools["echo"], text=str(number)) for number in range(5)]
            assert await asyncio.gather(*echoes) == [str(number) for number in range(5)]


async def test_a_session_is_made_again_once_for_a_call(tmp_path: Any) -> None:
    server = Forgetful(NO_SESSION)
    await server.start()
    try:
        servers = given(tmp_path, entry(server))
        async with servers.run():
            tools = await until_connected(servers)
            server.forgets = server.again = True
            with pytest.raises(ToolFailed):
                await invoke(tools["echo"], text="again")
            server.again = False
    finally:
        await server.stop()


async def test_a_list_in_a_forgotten_session_is_asked_for_again(tmp_path: Any) -> None:
    async with http_server(legacy=True) as server:
        servers = given(tmp_path, entry(server))
        async with servers.run():
            await until_connected(servers)
            [connection] = servers._connections.values()
            await server.stop()
            await server.start()
            connection._wake.set()
            await until(lambda: not connected(servers))
            await until(lambda: connected(servers))
            assert await invoke((await tools_of(servers))["echo"], text="hi") == "hi"


# The older transport


async def test_the_older_transport_works_and_reconnects(tmp_path: Any) -> None:
    async with http_server(older=True, token="Bearer sesame") as server:
        servers = given(tmp_path, entry(server, headers={"Authorization": "Bearer sesame"}))
        async with servers.run():
            tools = await until_connected(servers)
            assert await invoke(tools["echo"], text="hi") == "hi"
            slow = asyncio.create_task(invoke(tools["slow"]))
            await server.entered.wait()
            assert await invoke(tools["add"], a=1, b=2) == "3"
            server.gate.set()
            assert await slow == "done"
            await server.stop()
            await until(lambda: not connected(servers))
            await server.start()
            await until(lambda: connected(servers))
            assert await invoke((await tools_of(servers))["echo"], text="back") == "back"


@pytest.mark.parametrize("status", [404, 400])
async def test_a_session_of_the_older_transport_that_is_forgotten(
    status: int, tmp_path: Any
) -> None:
    server = Forgetful(PlainTextResponse("Could not find session", status), older=True)
    await server.start()
    try:
        servers = given(tmp_path, entry(server))
        async with servers.run():
            tools = await until_connected(servers)
            server.forgets = True
            assert await invoke(tools["echo"], text="again") == "again"
            assert connected(servers)
    finally:
        await server.stop()


async def test_limits_hold_for_the_older_transport(tmp_path: Any) -> None:
    async with http_server(older=True) as server:
        few = given(tmp_path, entry(server, max_tools=3))
        async with few.run():
            assert "more than 3" in await error_of(few)
        short = given(tmp_path, entry(server, timeout="100ms", max_message="10kB"))
        async with short.run():
            tools = await until_connected(short)
            with pytest.raises(ToolFailed, match=r"did not answer within 0\.1 s"):
                await invoke(tools["slow"])
            with pytest.raises(ToolFailed):
                await invoke(tools["much"], bytes=20_000)
            await until(lambda: connected(short))


# What goes wrong


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (PlainTextResponse("no", 401), ["HTTP 401 (Unauthorized)", "set `Authorization`"]),
        (PlainTextResponse("no", 403), ["HTTP 403 (Forbidden)", "does not allow"]),
        (PlainTextResponse("no", 404), ["HTTP 404 (Not Found)", "check `url`", "transport: sse"]),
        (PlainTextResponse("no", 405), ["HTTP 405 (Method Not Allowed)", "`transport: sse`"]),
        (HTMLResponse("<html>"), ["web page (HTTP 200 (OK), text/html)", "login page"]),
        (PlainTextResponse("hi"), ["text/plain", "in place of JSON"]),
        (HTMLResponse("<html>", 502), ["HTTP 502 (Bad Gateway)", "check whether it runs"]),
        (PlainTextResponse("no", 429), ["HTTP 429 (Too Many Requests)", "too often"]),
        (PlainTextResponse("no", 499), ["HTTP 499"]),
        (PlainTextResponse("no", 501), ["HTTP 501 (Not Implemented)", "`transport: sse`"]),
    ],
)
async def test_what_a_server_answers_is_told_with_its_cause(
    answer: Response, words: list[str], tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with http_server() as server:
        server.answer = answer
        servers = given(tmp_path, entry(server), timing=McpTiming(call=0.1))
        async with servers.run():
            told = await error_of(servers)
            for part in words:
                assert part in told
                assert part in caplog.text
            server.answer = None
            tools = await until_connected(servers)
            server.answer = answer
            server.answered = ("POST",)
            with pytest.raises(ToolFailed) as failed:
                await invoke(tools["echo"], text="hi")
            assert words[0] in str(failed.value)


async def test_a_server_of_the_older_transport_is_told_so(tmp_path: Any) -> None:
    async with http_server(older=True) as server:
        servers = given(tmp_path, {"name": "web", "url": server.sse_url})
        async with servers.run():
            told = await error_of(servers)
    assert "HTTP 405 (Method Not Allowed)" in told
    assert "set `transport: sse`" in told


async def test_check_says_why_a_server_is_not_connected(tmp_path: Any) -> None:
    async with http_server(older=True) as server:
        file = tmp_path / "settings.yaml"
        servers = [{"name": "web", "url": server.sse_url}]
        plugins = {"anonymous_auth": None, "demo_model": None, "mcp_servers": {"servers": servers}}
        store = {"tortoise_store": {"url": f"sqlite://{tmp_path}/chat.db"}}
        file.write_text(json.dumps({"plugins": plugins | store}))
        told: list[Finding] = []
        await check_mcp_servers(create_app(load(file, {})), told.append, patience=0)
        await check_mcp_servers(create_app(load(file, {})), told.append)
    late, refused = map(str, told)
    assert late.startswith("MCP server web: not connected yet, after 0 s. Look whether it runs")
    assert refused.startswith("MCP server web: answered with HTTP 405 (Method Not Allowed)")


async def test_a_server_of_the_newer_transport_is_told_so(tmp_path: Any) -> None:
    async with http_server(legacy=True) as server:
        servers = given(tmp_path, {"name": "web", "url": server.url, "transport": "sse"})
        async with servers.run():
            told = await error_of(servers)
    assert "HTTP 400 (Bad Request)" in told
    assert "remove `transport: sse`" in told


async def test_errors_of_the_server_itself_are_told_in_its_words(tmp_path: Any) -> None:
    error = {"code": -32602, "message": "no such colour"}
    async with http_server() as server:
        servers = given(tmp_path, entry(server))
        async with servers.run():
            tools = await until_connected(servers)
            server.answer = JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)
            server.answered = ("POST",)
            with pytest.raises(ToolFailed, match="no such colour"):
                await invoke(tools["echo"], text="hi")


def test_responses_that_are_right_are_no_problem() -> None:
    for kind in ("application/json", "text/event-stream"):
        assert response_problem(200, kind) is None
    assert response_problem(202, "") is None
    assert response_problem(200, "text/event-stream", older=True) is None
    assert "remove `transport: sse`" in (
        response_problem(200, "application/json", older=True) or ""
    )
