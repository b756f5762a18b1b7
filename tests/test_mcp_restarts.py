"""MCP servers that restart, and what they answer to sessions from before."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agents import FunctionTool
from chatkit_plugins.mcp_servers import HttpServer, ServerConfig, StdioServer

from chatkit_server import __version__
from chatkit_server.mcp.connection import ToolFailed
from chatkit_server.mcp.manager import McpManager
from chatkit_server.mcp.outcome import is_about_session
from chatkit_server.mcp.timing import McpTiming
from tests.mcp_calls import connected, invoke, tools_of, until
from tests.mcp_restarting import (
    Answer,
    RestartingServer,
    breaks_off,
    closes,
    ends,
    fails,
    hangs,
    restarting_server,
    says,
    tells,
)

ROOT = Path(__file__).parents[1]
FAST = McpTiming(
    start=20, call=20, recover=5, check=20, retry_first=0.01, retry_most=0.02, list_pause=0
)
MANY = replace(FAST, renewals=100, doubts=100)
NOT_KNOWN = "may have been carried out or not"
LOGIN = {"Location": "/login"}
AWAY = {"Location": "http://127.0.0.2:9/"}

REFUSED = {
    "400": says(400),
    "401": says(401),
    "403": says(403),
    "404": says(404),
    "405": says(405),
    "410": says(410),
    "500 that names the session": says(500, '{"error": "unknown session"}', "application/json"),
    "a redirect": says(302, headers=LOGIN),
    "a redirect to elsewhere": says(307, headers=AWAY),
    "a web page": says(200, "<html>", "text/html"),
    "JSON-RPC: no session": fails(-32001, "Session not found"),
    "JSON-RPC: not initialized": fails(-32000, "Bad Request: Server not initialized", 400),
    "JSON-RPC: invalid request": fails(-32600, "Invalid Request"),
    "JSON-RPC: invalid parameters": fails(-32602, "Invalid request parameters"),
}
"""Answers that say that nothing was done."""

UNKNOWN = {
    "500": says(500),
    "500 of a database": says(500, "sqlalchemy: this Session's transaction was rolled back"),
    "500 with JSON-RPC": fails(-32603, "Internal server error", 500),
    "502": says(502, "<html>", "text/html"),
    "503": says(503),
    "202": says(202),
    "nothing": says(200),
    "empty JSON": says(200, "", "application/json"),
    "a closed connection": closes,
}
"""Answers after which the tool may have run."""


@asynccontextmanager
async def given(
    server: RestartingServer, timing: McpTiming = FAST, **more: Any
) -> AsyncIterator[tuple[McpManager, dict[str, FunctionTool]]]:
    """Connect to a server, and yield its tools."""
    client = HttpServer(ServerConfig(name="web", url=server.url, **more))
    servers = McpManager([client], timing)
    async with servers.run():
        yield servers, await tools_of(servers)


async def test_a_call_that_was_refused_because_of_the_session_is_made_again() -> None:
    async with restarting_server() as server, given(server, MANY) as (servers, tools):
        for answer, gone in REFUSED.items():
            server.restart(gone)
            assert await invoke(tools["write"]) == "done", answer
            assert server.runs.pop("write") == 1, answer
            assert connected(servers), answer


@pytest.mark.parametrize(
    "gone",
    [
        tells({}),
        tells({"content": [{"type": "text", "text": "Session not found"}], "isError": True}),
    ],
)
async def test_a_session_is_replaced_though_its_end_is_told_as_a_result(gone: Answer) -> None:
    async with restarting_server() as server, given(server) as (_, tools):
        server.restart(gone)
        with pytest.raises(ToolFailed):
            await invoke(tools["write"])
        assert await invoke(tools["write"]) == "done"


async def test_a_call_that_may_have_run_is_not_made_again() -> None:
    async with restarting_server() as server, given(server, MANY) as (servers, tools):
        for answer, gone in UNKNOWN.items():
            server.restart(gone)
            with pytest.raises(ToolFailed, match=NOT_KNOWN):
                await invoke(tools["write"])
            assert not connected(servers), answer
            # The next call has a new session
            assert await invoke(tools["write"]) == "done", answer
            assert server.runs.pop("write") == 1, answer
            assert connected(servers), answer


async def test_a_call_of_a_tool_that_may_be_repeated_is_made_again() -> None:
    async with restarting_server() as server, given(server, MANY) as (_, tools):
        for gone in (says(500), closes):
            for tool in ("read", "set"):
                server.restart(gone)
                assert await invoke(tools[tool]) == "done"
        assert server.runs == {"read": 2, "set": 2}


async def test_a_session_that_hangs_is_replaced() -> None:
    timing = replace(FAST, check=0.1, leave=0.1)
    async with (
        restarting_server() as server,
        given(server, timing, timeout="200ms") as (servers, tools),
    ):
        server.restart(hangs)
        with pytest.raises(
            ToolFailed, match=rf"did not answer within 0\.2 s\. The tool {NOT_KNOWN}"
        ):
            await invoke(tools["write"])
        assert not connected(servers)
        server.always = None
        assert await invoke(tools["write"]) == "done"
        assert connected(servers)


async def test_any_error_of_a_call_has_the_session_looked_at() -> None:
    async with restarting_server() as server, given(server) as (_, tools):
        server.restart(fails(-32603, "Internal error"))
        with pytest.raises(ToolFailed, match="Internal error"):
            await invoke(tools["write"])
        assert await invoke(tools["write"]) == "done"
        assert server.seen["initialize"] == 2


@pytest.mark.parametrize("gone", [says(400), says(500), hangs], ids=["400", "500", "hangs"])
async def test_any_failed_listing_leads_to_a_new_session(gone: Answer) -> None:
    timing = replace(FAST, check=0.1, leave=0.1, check_after=0)
    async with restarting_server() as server, given(server, timing) as (servers, tools):
        server.restart(gone)
        # A turn looks at a session that was silent, and its call waits for the outcome
        await tools_of(servers)
        assert await invoke(tools["write"]) == "done"
        assert server.runs == {"write": 1}


async def test_the_end_of_a_stream_shows_a_restart_before_a_call_meets_it() -> None:
    async with restarting_server() as server:
        server.streams = True
        async with given(server) as (servers, tools):
            await until(lambda: server.seen["stream"] == 1)
            server.restart(says(500))
            await until(lambda: server.seen["initialize"] == 2 and connected(servers))
            assert await invoke(tools["write"]) == "done"


async def test_calls_side_by_side_share_a_new_session() -> None:
    async with restarting_server() as server, given(server) as (_, tools):
        server.restart(says(400))
        assert await asyncio.gather(*(invoke(tools["write"]) for _ in range(8))) == ["done"] * 8
        assert server.runs == {"write": 8}
        assert server.seen["initialize"] == 2


async def test_a_tool_that_always_fails_has_few_new_sessions() -> None:
    async with restarting_server() as server, given(server) as (servers, tools):
        server.during = says(401)
        for _ in range(10):
            with pytest.raises(ToolFailed, match="was not carried out"):
                await invoke(tools["write"])
        assert server.seen["initialize"] <= 4
        server.during = None
        assert await invoke(tools["write"]) == "done"
        assert connected(servers)


NOT_PACKED = says(200, "not packed", "application/json", {"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says(500), "HTTP 500 "),
        (ends, "ended its answer without the result"),
        (breaks_off, "broke off its answer"),
        (closes, "closed the connection without an answer"),
        (NOT_PACKED, "cannot be unpacked"),
        (tells(None), "not as MCP has it"),
        (tells({}), "not as MCP has it"),
    ],
)
async def test_a_call_that_fails_does_not_end_those_of_others(answer: Answer, words: str) -> None:
    entered, gate = asyncio.Event(), asyncio.Event()

    async def waits(request: Any, message: Any) -> Any:
        entered.set()
        await gate.wait()
        return await fails(-32000, "The waiting is over")(request, message)

    async with restarting_server() as server, given(server) as (servers, tools):
        server.during = waits
        slow = asyncio.create_task(invoke(tools["write"]))
        await entered.wait()
        server.during = answer
        with pytest.raises(ToolFailed, match=f"`web` .*{words}") as told:
            await invoke(tools["set"])
        assert "check `url`" not in str(told.value)
        await until(lambda: connected(servers))
        gate.set()
        with pytest.raises(ToolFailed, match="The waiting is over"):
            await slow
        assert server.seen["initialize"] == 1


@pytest.mark.parametrize("answer", [fails(-32602, "No such colour", 400), says(429)])
async def test_errors_of_a_server_that_works_change_nothing(answer: Answer) -> None:
    async with restarting_server() as server, given(server) as (servers, tools):
        server.during = answer
        with pytest.raises(ToolFailed):
            await invoke(tools["write"])
        await invoke_again(servers, server)
        assert server.seen["initialize"] == 1
        assert server.runs["write"] == 1


async def invoke_again(servers: McpManager, server: RestartingServer) -> None:
    server.during = None
    assert await invoke((await tools_of(servers))["read"]) == "done"
    assert connected(servers)


async def test_a_call_waits_for_a_server_that_is_away_for_a_moment() -> None:
    async with restarting_server() as server, given(server) as (servers, tools):
        await server.stop()
        call = asyncio.create_task(invoke(tools["write"]))
        await until(lambda: not connected(servers))
        # Nothing reached it: the call is made when it is back
        await server.start()
        assert await call == "done"
        assert server.runs == {"write": 1}


def test_errors_of_tools_have_sessions_in_them_too() -> None:
    for words in (
        "Session not found",
        "No valid session ID provided",
        "Bad Request: Missing session ID",
        "Invalid or expired session ID",
        "Could not find session",
        "Session has been terminated",
        "Server not initialized",
        "Received request before initialization was complete",
    ):
        assert is_about_session(400, words.encode())
    for words in (
        "sqlalchemy.orm.exc.DetachedInstanceError: Instance is not bound to a Session",
        "This Session's transaction has been rolled back due to a previous exception",
        "the session of parliament begins on Monday",
    ):
        assert not is_about_session(500, words.encode())


# Child processes


@asynccontextmanager
async def child(file: Path) -> AsyncIterator[tuple[McpManager, dict[str, FunctionTool]]]:
    arguments = ["-IS", str(ROOT / "tests" / "mcp_small_server.py"), str(file)]
    config = ServerConfig(name="files", command=sys.executable, args=arguments)
    servers = McpManager([StdioServer(config)], FAST)
    async with servers.run():
        yield servers, await tools_of(servers)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_child_that_died_idle_is_started_again_before_the_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chatkit_server.mcp")
    file = tmp_path / "file"
    async with child(file) as (servers, tools):
        pid = int(await invoke(tools["process"]))
        os.kill(pid, signal.SIGKILL)
        while is_running(pid):
            pass
        # Nothing was noticed yet
        pid = int(await invoke(tools["write"]))
        os.kill(pid, signal.SIGTERM)
        await until(lambda: not connected(servers))
        await invoke(tools["write"])
        assert connected(servers)
    assert file.read_text() == "once\n" * 2
    told = [(r.levelname, r.getMessage().partition(";")[0]) for r in caplog.records]
    assert [level for level, _ in told] == ["INFO", "WARNING", "INFO", "WARNING", "INFO"]
    assert "was killed by SIGKILL" in told[1][1]
    assert "connected again, 3 tools" in told[2][1]


async def test_a_child_that_dies_in_a_call_is_started_again(tmp_path: Path) -> None:
    async with child(tmp_path / "file") as (servers, tools):
        pid = await invoke(tools["process"])
        with pytest.raises(ToolFailed, match=NOT_KNOWN):
            await invoke(tools["die"])
        assert not connected(servers)
        assert await invoke(tools["process"]) != pid
        assert connected(servers)


# Who is who


async def test_both_tell_their_versions(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chatkit_server.mcp")
    async with restarting_server() as server, given(server):
        [client] = server.clients
        assert client == {"name": "chatkit-server", "version": __version__}
    assert "connected, 3 tools, version '1.2.3'" in caplog.text
