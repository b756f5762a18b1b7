"""MCP servers as turns use them, over real standard input and output and real HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agents.mcp import (
    MCPServer,
    MCPServerStdio,
    MCPServerStdioParams,
    MCPServerStreamableHttp,
    MCPToolMetaContext,
)
from mcp.types import CallToolResult, GetPromptResult, ListPromptsResult, Tool

from chatkit_server.errors import SettingsError, Unavailable
from chatkit_server.mcp.connection import ToolFailed
from chatkit_server.mcp.failures import address
from chatkit_server.mcp.manager import McpManager
from chatkit_server.mcp.timing import McpTiming
from tests.mcp_calls import connected, invoke, tools_of, until
from tests.mcp_http_server import HttpServer, http_server

ROOT = Path(__file__).parents[1]
FAST = McpTiming(
    start=10,
    recover=5,
    call=60,
    check=60,
    check_after=60,
    check_every=60,
    retry_first=0.02,
    retry_most=0.05,
)


class Stdio(MCPServerStdio):
    """The tests' server as a child process; `pipe` is what its slow tools wait for."""

    def __init__(self, name: str, pipe: Path | None = None, **told: Any) -> None:
        arguments = ["-m", "tests.mcp_stdio_server", *([str(pipe)] if pipe else [])]
        super().__init__(
            {"command": sys.executable, "args": arguments, "cwd": ROOT},
            name=name,
            cache_tools_list=True,
            client_session_timeout_seconds=20,
        )
        vars(self).update(told)


class Http(MCPServerStreamableHttp):
    """A client of the tests' server at an address."""

    def __init__(self, name: str, url: str, **told: Any) -> None:
        super().__init__(
            {"url": url}, name=name, cache_tools_list=True, client_session_timeout_seconds=20
        )
        vars(self).update(told)


class Counted(Http):
    """Counts how often it was connected."""

    connects = 0

    async def connect(self) -> None:
        self.connects += 1
        await super().connect()  # type: ignore[no-untyped-call]


class InProcess(MCPServer):
    """A server without a connection, with tools of any names."""

    def __init__(self, name: str, *tools: str, **told: Any) -> None:
        super().__init__()
        self._name = name
        self.names = list(tools)
        self.called: list[str] = []
        self.connect_gate = asyncio.Event()
        self.connect_gate.set()
        self.lists = 0
        self.fails: Exception | None = None
        vars(self).update(told)

    @property
    def name(self) -> str:
        return self._name

    async def connect(self) -> None:
        await self.connect_gate.wait()

    async def cleanup(self) -> None:
        pass

    async def list_tools(self, run_context: Any = None, agent: Any = None) -> list[Tool]:
        self.lists += 1
        if self.fails is not None:
            raise self.fails
        return [Tool(name=name, input_schema={"type": "object"}) for name in self.names]

    async def call_tool(
        self,
        tool_name: str,
        arguments: Any,
        meta: Any = None,
    ) -> CallToolResult:
        self.called.append(tool_name)
        if self.fails is not None:
            raise self.fails
        return CallToolResult(content=[])

    async def list_prompts(self) -> ListPromptsResult:
        return ListPromptsResult(prompts=[])

    async def get_prompt(self, name: str, arguments: Any = None) -> GetPromptResult:
        raise NotImplementedError


def alarming(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as an error, the test servers' own messages aside."""
    return [
        f"{record.name}: {record.getMessage()}"
        for record in caplog.records
        if record.levelno >= logging.ERROR and not record.name.startswith(("uvicorn", "mcp.server"))
    ]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


async def test_tools_are_listed_once_and_work_over_stdio(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    servers = McpManager([Stdio("files")], FAST)
    async with servers.run():
        tools = await tools_of(servers)
        assert await invoke(tools["echo"], text="hé") == "hé"
        assert await invoke(tools["add"], a=2, b=3) == "5"
        assert len(await invoke(tools["much"], bytes=300_000)) == 300_000
        assert tools["echo"] is (await tools_of(servers))["echo"]
        assert tools["echo"]._tool_origin is not None
        assert tools["echo"]._tool_origin.mcp_server_name == "files"
        pid = int(await invoke(tools["process"]))
        assert servers.status() == {"files": {"connected": True, "required": False, "error": None}}
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert [r.getMessage() for r in caplog.records if r.name.startswith("chatkit")] == [
        "MCP server files: connected, 10 tools"
    ]
    assert {r.name for r in caplog.records if r.levelno > logging.DEBUG} == {
        "chatkit_server.mcp.server"
    }


@pytest.mark.parametrize("legacy", [False, True])
async def test_tools_work_over_http(legacy: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with http_server(legacy=legacy) as server:
        servers = McpManager([Http("web", server.url)], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            assert await invoke(tools["add"], a=2, b=3) == "5"
    assert alarming(caplog) == []


async def test_what_a_tool_says_of_its_failure_reaches_the_model() -> None:
    async with http_server() as server:
        servers = McpManager([Http("web", server.url)], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            with pytest.raises(ToolFailed, match="required"):
                await invoke(tools["add"], a=1)
            with pytest.raises(ToolFailed, match="fail"):
                await invoke(tools["fail"])
            assert connected(servers)


async def test_a_server_that_is_down_at_the_start_gets_its_tools_when_it_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "chatkit_server.mcp.manager")
    server = HttpServer()
    servers = McpManager([Http("web", server.url), InProcess("local", "ping")], FAST)
    async with servers.run():
        assert list(await tools_of(servers)) == ["ping"]
        assert "runs without MCP servers web" in caplog.text
        status = servers.status()["web"]
        assert (status["connected"], status["required"]) == (False, False)
        assert str(status["error"]).startswith("refused the connection")
        await server.start()
        try:
            await until(lambda: connected(servers))
            assert "echo" in await tools_of(servers)
        finally:
            await server.stop()
    [down] = [text for text in caplog.messages if "refused the connection" in text]
    place = server.url.removeprefix("http://").partition("/")[0]
    assert down.startswith(f"MCP server web ({place}): refused the connection; ")
    assert alarming(caplog) == []


def test_addresses_are_logged_without_secrets() -> None:
    url = "https://ann:secret@[::1]:8443/secret/mcp?key=secret"
    assert address(Http("web", url)) == "[::1]:8443"
    params: MCPServerStdioParams = {
        "command": "npx",
        "args": ["--key", "secret"],
        "env": {"KEY": "secret"},
    }
    assert address(MCPServerStdio(params, name="files")) == "command npx"
    assert address(InProcess("local")) is None


async def test_connecting_to_a_server_is_logged_for_debugging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "chatkit_server.mcp")
    servers = McpManager([Stdio("files"), InProcess("local", "ping")], FAST)
    async with servers.run():
        await until(lambda: connected(servers))
    assert {text for text in caplog.messages if text.endswith("connecting")} == {
        f"MCP server files (command {sys.executable}): connecting",
        "MCP server local: connecting",
    }


async def test_the_start_does_not_wait_for_a_slow_server() -> None:
    slow, quick = InProcess("slow", "late"), InProcess("quick", "ping")
    slow.connect_gate.clear()
    servers = McpManager([slow, quick], McpTiming(start=0.05))
    async with servers.run():
        assert list(await tools_of(servers)) == ["ping"]
        slow.connect_gate.set()
        await until(lambda: connected(servers))
        assert list(await tools_of(servers)) == ["late", "ping"]


async def test_closing_does_not_wait_for_a_connection_being_made() -> None:
    slow = InProcess("slow", "late")
    slow.connect_gate.clear()
    servers = McpManager([slow], McpTiming(start=0.01))
    async with asyncio.timeout(5), servers.run():
        pass
    assert not slow.connect_gate.is_set()


async def test_a_command_that_is_not_there_is_said_so(caplog: pytest.LogCaptureFixture) -> None:
    server = MCPServerStdio({"command": "/no/such/command"}, name="files")
    silent = MCPServerStdio({"command": "true"}, name="silent")
    servers = McpManager([server, silent], FAST)
    async with servers.run():
        status = servers.status()
    assert str(status["files"]["error"]).startswith("the command was not found")
    assert str(status["silent"]["error"]).startswith("exited with status 0")
    assert alarming(caplog) == []


async def test_a_turn_without_a_required_server_is_refused() -> None:
    server = HttpServer()
    pace = McpTiming(start=10, recover=0.05, retry_first=0.02, retry_most=0.05)
    servers = McpManager([Http("web", server.url, required=True)], pace)
    async with servers.run():
        with pytest.raises(Unavailable, match="needs `web`") as refused:
            await tools_of(servers)
        assert int(refused.value.headers["Retry-After"]) >= 1
        await server.start()
        try:
            await until(lambda: connected(servers))
            assert "echo" in await tools_of(servers)
        finally:
            await server.stop()


async def test_a_child_killed_between_turns_is_back_for_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    servers = McpManager(
        [Stdio("files")], McpTiming(start=10, recover=10, call=60, check=60, check_after=0)
    )
    async with servers.run():
        tools = await tools_of(servers)
        first = int(await invoke(tools["process"]))
        os.kill(first, signal.SIGKILL)
        # a turn begins: the connection was silent, so it is checked while the model thinks
        await tools_of(servers)
        await until(lambda: not connected(servers))
        tools = await tools_of(servers)
        assert await invoke(tools["echo"], text="again") == "again"
        assert int(await invoke(tools["process"])) != first
    assert caplog.text.count("trying again in the background") == 1
    assert alarming(caplog) == []


async def test_a_child_killed_during_a_call(pipe: Path, caplog: pytest.LogCaptureFixture) -> None:
    servers = McpManager([Stdio("files", pipe)], McpTiming(start=10, recover=10, call=60))
    async with servers.run():
        tools = await tools_of(servers)
        pid = int(await invoke(tools["process"]))
        write = asyncio.create_task(invoke(tools["slow"]))
        read = asyncio.create_task(invoke(tools["slow_read"]))
        gate = await asyncio.to_thread(pipe.open, "w")
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ToolFailed, match="may have been carried out or not"):
            await write
        gate.close()
        # what changes nothing is called once more, in the new process
        (await asyncio.to_thread(pipe.open, "w")).close()
        assert await read == "done"
    assert alarming(caplog) == []


async def test_an_http_server_that_stops_during_a_call() -> None:
    async with http_server() as server:
        servers = McpManager([Http("web", server.url)], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            write = asyncio.create_task(invoke(tools["slow"]))
            await server.entered.wait()
            await server.stop()
            with pytest.raises(ToolFailed, match="may have been carried out or not"):
                await write
            assert not connected(servers)
            await server.start()
            await until(lambda: connected(servers))
            assert await invoke((await tools_of(servers))["echo"], text="back") == "back"


async def test_a_session_forgotten_by_a_restarted_server_is_made_again() -> None:
    async with http_server(legacy=True) as server:
        servers = McpManager([Http("web", server.url)], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            await server.stop()
            await server.start()
            assert int(await invoke(tools["process"])) == os.getpid()
            assert connected(servers)


async def test_a_turn_has_a_server_that_is_tried_seldom_tried_sooner() -> None:
    server = HttpServer()
    client = Counted("web", server.url)
    servers = McpManager([client], replace(FAST, retry_most=600, retry_asked=0.05))
    async with servers.run():
        while client.connects < 3:
            # No turn waits for an attempt
            async with asyncio.timeout(1):
                assert await tools_of(servers) == {}
            await asyncio.sleep(FAST.retry_first)
        [connection] = servers._connections.values()
        connection._delay = 600
        await server.start()
        try:
            while not await tools_of(servers):  # noqa: ASYNC110
                await asyncio.sleep(FAST.retry_first)
        finally:
            await server.stop()


async def test_what_hangs_as_a_server_is_lost_is_not_in_the_way_of_its_return() -> None:
    server = InProcess("local", "ping", connect_timeout=600)
    servers = McpManager([server], replace(FAST, recover=0.05))
    async with servers.run():
        tools = await tools_of(servers)
        server.fails = ConnectionResetError()
        server.connect_gate.clear()
        with pytest.raises(ToolFailed, match="was lost"):
            await invoke(tools["ping"])
        assert await tools_of(servers) == {}
        # only attempts from now on get through
        server.fails, server.connect_gate = None, asyncio.Event()
        server.connect_gate.set()
        await until(lambda: connected(servers))
        assert "ping" in await tools_of(servers)


async def test_a_server_that_takes_long_to_come_back_gets_the_time() -> None:
    server = InProcess("local", "ping", connect_timeout=600)
    servers = McpManager([server], replace(FAST, recover=0.02))
    async with servers.run():
        tools = await tools_of(servers)
        server.fails = ConnectionResetError()

        async def connect() -> None:
            server.fails = None
            await asyncio.sleep(0.3)

        server.connect = connect  # type: ignore[method-assign]
        with pytest.raises(ToolFailed, match="was lost"):
            await invoke(tools["ping"])
        await until(lambda: connected(servers))


async def test_waiting_calls_share_one_new_connection() -> None:
    async with http_server(legacy=True) as server:
        client = Counted("web", server.url)
        servers = McpManager([client], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            await server.stop()
            await server.start()
            await asyncio.gather(*(invoke(tools["process"]) for _ in range(8)))
            assert client.connects == 2


async def test_a_lost_connection_is_tried_once_more_and_no_oftener() -> None:
    local = InProcess("local", "write")
    servers = McpManager([local], FAST)
    async with servers.run():
        tools = await tools_of(servers)
        local.fails = ConnectionResetError()
        with pytest.raises(ToolFailed, match="was lost"):
            await invoke(tools["write"])
        assert local.called == ["write"]


class Reconnecting(InProcess):
    """Has a session, another with each connection; its call of `late` waits for the test."""

    session: object = None
    connects = 0

    def __init__(self, name: str, *tools: str) -> None:
        super().__init__(name, *tools)
        self.entered = asyncio.Event()
        self.late = asyncio.Event()

    async def connect(self) -> None:
        self.session = object()
        self.connects += 1

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> CallToolResult:
        if tool_name == "late":
            self.entered.set()
            await self.late.wait()
        raise ConnectionResetError


async def test_news_of_an_old_connection_does_not_end_the_new_one() -> None:
    server = Reconnecting("local", "now", "late")
    servers = McpManager([server], FAST)
    async with servers.run():
        tools = await tools_of(servers)
        late = asyncio.create_task(invoke(tools["late"]))
        await server.entered.wait()
        with pytest.raises(ToolFailed):
            await invoke(tools["now"])
        await until(lambda: connected(servers))
        server.late.set()
        with pytest.raises(ToolFailed, match="was lost"):
            await late
        assert connected(servers)
    assert server.connects == 2


async def test_a_call_that_takes_too_long_ends() -> None:
    async with http_server() as server:
        servers = McpManager([Http("web", server.url, timeout=0.2)], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            with pytest.raises(ToolFailed, match=re.escape("`web` did not answer within 0.2 s")):
                # well before the client's own timeout
                async with asyncio.timeout(10):
                    await invoke(tools["slow"])
            await until(lambda: connected(servers))
            assert await invoke(tools["echo"], text="still here") == "still here"


async def test_an_error_of_the_server_object_is_not_told_and_is_left_to_the_log() -> None:
    local = InProcess("local", "write")
    servers = McpManager([local], FAST)
    async with servers.run():
        tools = await tools_of(servers)
        local.fails = KeyError("password=1234")
        with pytest.raises(ToolFailed) as failed:
            await invoke(tools["write"])
    assert "1234" not in str(failed.value)
    assert failed.value.unexpected
    assert isinstance(failed.value.__cause__, KeyError)


async def test_the_second_server_with_a_name_puts_its_own_in_front() -> None:
    one, two = InProcess("one", "search", "read"), InProcess("two", "search", "write")
    own = InProcess("own", "list", prefix="mine")
    servers = McpManager([one, two, own], McpTiming(start=10, recover=0.05))
    async with servers.run():
        assert list(await tools_of(servers)) == [
            "search", "read", "two_search", "write", "mine_list",
        ]  # fmt: skip
        await invoke((await tools_of(servers))["two_search"])
        assert (one.called, two.called) == ([], ["search"])
        # the names stay when one of the two is lost
        two.fails = ConnectionResetError()
        with pytest.raises(ToolFailed):
            await invoke((await tools_of(servers))["write"])
        two.connect_gate.clear()
        assert "search" in await tools_of(servers)
        tools = await servers.tools([one], taken={"read"})
        assert [tool.name for tool in tools] == ["search", "one_read"]


async def test_every_name_is_legal_and_there_once() -> None:
    long = "t" * 70
    names = [f"{long}a", f"{long}b", "größe.x", "größe/x"]
    servers = McpManager([InProcess("a b", *names), InProcess("a.b", *names)], FAST)
    async with servers.run():
        tools = await servers.tools(servers.servers)
        assert len({tool.name for tool in tools}) == 8
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool.name) for tool in tools)
        again = await servers.tools(servers.servers)
        assert [tool.name for tool in again] == [tool.name for tool in tools]


async def test_a_tool_that_comes_later_is_offered() -> None:
    async with http_server(legacy=True) as server:
        servers = McpManager([Http("web", server.url)], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            await invoke(tools["grow"], name="later")
            await until(lambda: "later" in names(servers))
            assert await invoke((await tools_of(servers))["later"]) == "later"


def names(servers: McpManager) -> list[str]:
    return [tool.name for link in servers._connections.values() for tool in link.tools]


async def test_a_turn_lists_nothing_unless_the_connection_was_silent() -> None:
    local = InProcess("local", "one")
    servers = McpManager([local], FAST)
    async with servers.run():
        for _ in range(5):
            await tools_of(servers)
        assert local.lists == 1
    idle = McpManager([local], McpTiming(check_after=0))
    local.lists = 0
    async with idle.run():
        local.names.append("two")
        await tools_of(idle)
        await until(lambda: local.lists == 2)
        assert list(await tools_of(idle)) == ["one", "two"]


async def test_a_server_of_a_turn_is_used_as_it_is() -> None:
    servers = McpManager([InProcess("ours", "search")], FAST)
    theirs = InProcess("theirs", "search", "buy")
    broken = InProcess("broken", "never")
    broken.fails = ConnectionResetError()
    async with servers.run():
        tools = await servers.tools([theirs, *servers.servers, broken, theirs])
        assert [tool.name for tool in tools] == ["theirs_search", "buy", "search"]
        await invoke(tools[1])
        assert theirs.called == ["buy"]
        vars(broken)["required"] = True
        with pytest.raises(Unavailable):
            await servers.tools([broken])


async def test_calls_run_side_by_side(pipe: Path) -> None:
    servers = McpManager([Stdio("files", pipe)], FAST)
    async with servers.run():
        tools = await tools_of(servers)
        slow = asyncio.create_task(invoke(tools["slow"]))
        gate = await asyncio.to_thread(pipe.open, "w")
        sums = await asyncio.gather(*(invoke(tools["add"], a=n, b=n) for n in range(20)))
        assert sums == [str(2 * n) for n in range(20)]
        assert not slow.done()
        gate.close()
        assert await slow == "done"


async def test_a_cancelled_call_leaves_the_connection_for_others() -> None:
    async with http_server() as server:
        servers = McpManager([Http("web", server.url)], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            call = asyncio.create_task(invoke(tools["slow"]))
            await server.entered.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await invoke(tools["echo"], text="next") == "next"


async def test_what_the_server_is_told_of_the_user_comes_from_its_resolver() -> None:
    def resolve(context: MCPToolMetaContext) -> dict[str, Any]:
        return {"example/user": context.run_context.context}

    async with http_server() as server:
        client = Http("web", server.url)
        client.tool_meta_resolver = resolve
        servers = McpManager([client], FAST)
        async with servers.run():
            tools = await tools_of(servers)
            told = json.loads(await invoke(tools["meta"], context="anna", user="bert"))
        assert told["example/user"] == "anna"


def test_two_servers_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="the name is used twice"):
        McpManager([InProcess("a"), InProcess("a")])


def test_a_filter_that_depends_on_the_turn_is_refused() -> None:
    server = MCPServerStdio({"command": "x"}, name="x", tool_filter=lambda _, __: True)
    with pytest.raises(SettingsError, match="use a static filter"):
        McpManager([server])


async def test_the_libraries_log_as_before_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with McpManager([]).run():
        logging.getLogger("mcp.client.stdio").error("inside")
        logging.getLogger("openai.agents").error("not about MCP")
    logging.getLogger("mcp.client.stdio").error("outside")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
        "not about MCP",
        "outside",
    ]
