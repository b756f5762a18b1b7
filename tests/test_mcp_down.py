"""MCP servers that cannot start: they hold up nothing, and the log says so once."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace

import pytest
from agents.mcp import MCPServer, MCPServerStdio
from aiohttp import web

from chatkit_server.errors import Unavailable
from chatkit_server.mcp.connection import ToolFailed
from chatkit_server.mcp.manager import McpManager
from chatkit_server.testing.model_server import ModelServer
from tests.conftest import MakeChat
from tests.mcp_calls import connected, invoke, tools_of, until
from tests.mcp_restarting import hangs, restarting_server, says
from tests.serving import served_by
from tests.test_many_tools import MANY, Servers, server
from tests.test_mcp import FAST, Counted, Http, InProcess

# A turn that waited would wait for long
SLOW = replace(FAST, start=0.05, recover=60, call=60)


class Child(MCPServerStdio):
    """Counts how often the command was started."""

    connects = 0

    def __init__(self, name: str, *command: str) -> None:
        super().__init__({"command": command[0], "args": list(command[1:])}, name=name)

    async def connect(self) -> None:
        self.connects += 1
        await super().connect()  # type: ignore[no-untyped-call]


def warnings(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    found = rf"MCP server {name}\b"
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and re.match(found, record.getMessage())
    ]


async def test_servers_that_cannot_start_hold_up_no_turn(caplog: pytest.LogCaptureFixture) -> None:
    missing = Child("missing", "/no/such/command")
    crashes = Child("crashes", "sh", "-c", "echo '<oh no>'; exit 3")
    refuses = Counted("refuses", "http://127.0.0.1:9/mcp")
    async with restarting_server() as server:
        server.always = hangs
        silent = Http("silent", server.url, connect_timeout=600)
        fails = Counted("fails", server.url.replace("/mcp", "/nothing"))
        down: list[MCPServer] = [missing, crashes, refuses, silent, fails]
        servers = McpManager([*down, InProcess("local", "ping")], SLOW)
        async with asyncio.timeout(20), servers.run():
            while min(each.connects for each in (missing, crashes, refuses, fails)) < 4:
                assert list(await tools_of(servers)) == ["ping"]
                await asyncio.sleep(0.01)
    for each in down[:3] + down[4:]:
        assert len(warnings(caplog, each.name)) == 1, caplog.text
    assert warnings(caplog, "silent") == []


async def test_a_server_that_comes_back_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chatkit_server.mcp")
    async with restarting_server() as server:
        client = Counted("web", server.url)
        servers = McpManager([client], FAST)
        async with servers.run():
            await until(lambda: connected(servers))
            for answer in (says(502), says(401), says(200, "<html>", "text/html")):
                server.always = answer
                connects = client.connects
                [connection] = servers._connections.values()
                connection._look()
                await until(lambda: client.connects > connects + 3)  # noqa: B023
            server.always = None
            await until(lambda: connected(servers))
    assert len(warnings(caplog, "web")) == 1
    assert caplog.text.count("connected again, 3 tools") == 1
    # Why it is still down, for who wants to know
    assert "HTTP 401" in caplog.text


async def test_a_reason_with_a_new_number_is_not_told_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with restarting_server() as server:

        async def counts(request: web.Request, message: object) -> web.Response:
            return web.json_response({"request": server.seen.total()})

        server.always = counts
        client = Counted("web", server.url)
        async with McpManager([client], FAST).run():
            await until(lambda: client.connects > 3)
    told = [text for text in caplog.messages if "is no MCP message" in text]
    assert len(told) == 1


async def test_a_turn_without_a_required_server_is_refused_at_once() -> None:
    refuses = Http("refuses", "http://127.0.0.1:9/mcp", required=True)
    slow = InProcess("slow", "late", required=True)
    slow.connect_gate.clear()
    for given, reason in ((refuses, "refused the connection"), (slow, "not connected yet")):
        servers = McpManager([given], replace(SLOW, start=0.01 if given is slow else 10))
        async with servers.run():
            async with asyncio.timeout(10):
                with pytest.raises(Unavailable) as told:
                    await tools_of(servers)
            assert told.value.message.startswith(
                f"The assistant needs `{given.name}`, which is not available right now: {reason}. "
            )


async def test_a_server_that_ends_again_and_again_is_started_less_often() -> None:
    client = Child("brief", "sh", "-c", "exit 0")
    servers = McpManager([client], replace(FAST, retry_first=0.01, retry_most=600))
    async with servers.run():
        await until(lambda: client.connects > 4)
        [connection] = servers._connections.values()
        assert connection._delay > 0.1


async def test_a_server_of_short_life_is_not_made_anew_without_a_pause() -> None:
    local = InProcess("local", "ping")
    servers = McpManager([local], replace(FAST, renewals=3, retry_first=0.01, retry_most=600))
    async with servers.run():
        [connection] = servers._connections.values()
        for _ in range(8):
            await until(lambda: connected(servers))
            connection._lose("gone")
            await until(lambda: not connection._recovering)
        assert connection._delay >= 0.01 * 2**4


async def test_too_many_tools_are_told_while_another_server_fails(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    slow = server("shop", 50)
    slow.connect_gate.clear()
    servers = Servers(Child("missing", "/no/such/command"), server("files", 100), slow)
    chat = await make_chat(servers, **served_by(model_server))
    assert MANY not in caplog.text
    # It comes after the start
    slow.connect_gate.set()
    await until(lambda: MANY in caplog.text)
    assert (await chat.say("Hello")).error is None
    assert caplog.text.count(MANY) == 1


async def test_a_call_to_a_server_that_is_gone_says_so() -> None:
    local = InProcess("local", "write")
    servers = McpManager([local], replace(FAST, call=0.05))
    async with servers.run():
        tools = await tools_of(servers)
        local.connect_gate.clear()
        [connection] = servers._connections.values()
        connection._lose("gone")
        with pytest.raises(ToolFailed, match=r"not available right now\. The tool was not"):
            await invoke(tools["write"])
        assert local.called == []
