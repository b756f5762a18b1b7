"""The plugin mcp_servers: from the settings to tools that work."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from agents import FunctionTool
from chatkit.types import ThreadMetadata

from chatkit_server import SettingsError, Turn, User
from chatkit_server.mcp.connection import ToolFailed
from chatkit_server.mcp.manager import McpManager
from chatkit_server.mcp.timing import McpTiming
from chatkit_server.plugin.load import load_plugins
from chatkit_server.settings.load import load
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore
from tests.mcp_calls import connected, invoke, tools_of, until
from tests.mcp_http_server import http_server

ROOT = Path(__file__).parents[2]
STDIO = {"command": sys.executable, "args": ["-m", "tests.mcp_stdio_server"], "cwd": str(ROOT)}


def given(folder: Path, *servers: dict[str, Any], timing: McpTiming | None = None) -> McpManager:
    """Return the servers that these entries of a settings file make."""
    file = folder / "settings.yaml"
    file.write_text(json.dumps({"plugins": {"mcp_servers": {"servers": servers}}}))
    hooks = load_plugins(load(file, {}))
    made = [server for _, answer in hooks.boot_all("mcp_servers") for server in answer]
    return McpManager(made, timing or McpTiming())


async def until_connected(servers: McpManager) -> dict[str, FunctionTool]:
    """Wait until all are connected, and return their tools."""
    await until(lambda: connected(servers))
    return await tools_of(servers)


def turn_of(user: User) -> Turn:
    thread = ThreadMetadata(id="thr_1", created_at=datetime.now(UTC))
    context = StoreContext(user)
    return Turn(
        thread=thread, store=MemoryStore(), request_context=context, user=user, operation="plain"
    )


async def test_a_command_and_an_address(tmp_path: Path) -> None:
    async with http_server(token="Bearer sesame") as web:
        servers = given(
            tmp_path,
            {"name": "files", **STDIO, "env": {"GREETING": "hi", "LEVEL": 3}},
            {"name": "web", "url": web.url, "headers": {"Authorization": "Bearer sesame"}},
        )
        async with servers.run():
            tools = await until_connected(servers)
            assert await invoke(tools["echo"], text="one") == "one"
            assert await invoke(tools["web_echo"], text="two") == "two"
            assert await invoke(tools["environment"], name="GREETING") == "hi"
            assert await invoke(tools["environment"], name="LEVEL") == "3"


async def test_chosen_tools_and_a_prefix(tmp_path: Path) -> None:
    async with http_server() as web:
        servers = given(
            tmp_path,
            {"name": "a", "url": web.url, "allowed_tools": ["add", "echo"], "prefix": "web"},
            {"name": "b", "url": web.url, "allowed_tools": ["add", "fail"],
             "blocked_tools": ["fail"]},
        )  # fmt: skip
        async with servers.run():
            assert sorted(await until_connected(servers)) == ["add", "web_add", "web_echo"]


async def test_a_wrong_token_is_said_so_and_is_not_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with http_server(token="Bearer sesame") as web:
        headers = {"Authorization": "Bearer o-so-secret"}
        url = f"{web.url}?key=also-secret"
        servers = given(
            tmp_path,
            {"name": "web", "url": url, "headers": headers, "required": True},
            {"name": "files", **STDIO, "env": {"PASSWORD": "in-the-env"}},
        )
        async with servers.run():
            await until(lambda: servers.status()["files"]["connected"])
            status = servers.status()["web"]
    assert status == {
        "connected": False,
        "required": True,
        "error": "answered with HTTP 401 (Unauthorized): the server does not accept who is asking; "
        "check the token in `headers`",
    }
    assert "o-so-secret" not in caplog.text
    assert "in-the-env" not in caplog.text
    # the address is seen by who asks for debug messages, and by the test's own server
    shown = [r for r in caplog.records if r.levelno > logging.DEBUG and "uvicorn" not in r.name]
    assert not [r for r in shown if "also-secret" in r.getMessage()]


async def test_one_slow_call_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with http_server() as web:
        servers = given(tmp_path, {"name": "web", "url": web.url})
        async with servers.run():
            tools = await until_connected(servers)
            slow = asyncio.create_task(invoke(tools["slow"]))
            await web.entered.wait()
            answers = await asyncio.gather(*(invoke(tools["add"], a=n, b=1) for n in range(10)))
            assert answers == [str(n + 1) for n in range(10)]
            web.gate.set()
            assert await slow == "done"


async def test_the_timeout_of_a_call(tmp_path: Path) -> None:
    async with http_server() as web:
        servers = given(tmp_path, {"name": "web", "url": web.url, "timeout": "100ms"})
        async with servers.run():
            tools = await until_connected(servers)
            with pytest.raises(ToolFailed, match=r"did not answer within 0\.1 s"):
                await invoke(tools["slow"])


async def test_the_limits_of_a_server(tmp_path: Path) -> None:
    async with http_server() as web:
        servers = given(
            tmp_path,
            {"name": "many", "url": web.url, "max_tools": 3},
            {"name": "large", "url": web.url, "max_tools_size": "1kB"},
            {"name": "few", "url": web.url, "max_tools": 1, "allowed_tools": ["much"],
             "max_message": "10kB"},
            {"name": "stdio", **STDIO, "prefix": "stdio", "max_message": "20kB"},
        )  # fmt: skip
        async with servers.run():
            await until(lambda: servers.status()["stdio"]["connected"])
            await until(lambda: servers.status()["few"]["connected"])
            status = servers.status()
            assert "more than 3 (`max_tools`)" in str(status["many"]["error"])
            assert "(`max_tools_size`)" in str(status["large"]["error"])
            tools = await tools_of(servers)
            assert await invoke(tools["much"], bytes=3_000) == "x" * 3_000
            with pytest.raises(ToolFailed, match=r"larger than 10kB \(`max_message`\)"):
                await invoke(tools["much"], bytes=10_000)
            with pytest.raises(ToolFailed, match=r"larger than 20kB \(`max_message`\)"):
                await invoke(tools["stdio_much"], bytes=20_000)


async def test_a_server_is_told_of_the_user_only_if_it_may_know(tmp_path: Path) -> None:
    turn = turn_of(User("anna", tenant="acme"))
    async with http_server() as web:
        servers = given(
            tmp_path,
            {"name": "ours", "url": web.url, "prefix": "ours", "send_identity": True},
            {"name": "theirs", "url": web.url, "prefix": "theirs"},
        )
        async with servers.run():
            tools = await until_connected(servers)
            ours = json.loads(await invoke(tools["ours_meta"], turn))
            theirs = json.loads(await invoke(tools["theirs_meta"], turn))
    assert ours["chatkit-server/user"] == {
        "id": "anna",
        "tenant": "acme",
        "thread_id": "thr_1",
        "turn_id": turn.id,
    }
    assert "anna" not in json.dumps(theirs)


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ([{"name": "a"}], "server `a`: set either `url` or `command`"),
        ([{"name": "a", "url": "http://x/", "command": "y"}], "either `url` or `command`"),
        ([{"name": "a", "url": "ftp://x/"}], "an address begins with https:// or http://"),
        ([{"name": "a", "url": "http://u:hunter2@x/"}], "send them in `headers`"),
        ([{"name": "a", "url": "http://x/", "args": ["b"]}], "`args` does not work with `url`"),
        (
            [{"name": "a", "command": "x", "headers": {"B": "c"}}],
            "`headers` does not work with",
        ),
        (
            [{"name": "a", "command": "x"}, {"name": "a", "command": "y"}],
            "2 servers have the name",
        ),
        ([{"name": "a b", "command": "x"}], "plugins.mcp_servers.servers.0.name"),
        ([{"name": "a", "command": "x", "timeout": 5}], "with its unit, such as"),
        ([{"name": "a", "command": "x", "max_message": 5}], "with its unit, such as"),
        (
            [{"name": "a", "command": "x", "max_tools": 0}],
            "plugins.mcp_servers.servers.0.max_tools: a server has at least 1 tool. To use none,",
        ),
        ([{"name": "a", "comand": "x"}], "Did you mean `command`?"),
        ([{"name": "a", "url": "http://x/", "headers": {"X-Hidden": ["hunter2"]}}], "valid string"),
    ],
)
def test_settings_that_cannot_work(tmp_path: Path, servers: Any, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        given(tmp_path, *servers)
    assert said in str(refused.value)
    assert "settings.yaml" in str(refused.value)
    assert "hunter2" not in str(refused.value)
