"""The plugin todo_mcp: its tools, whose tasks they are, and the two ways to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from agents import FunctionTool
from aiohttp import web
from chatkit.types import ThreadMetadata
from chatkit_plugins.todo_mcp import Config, Plugin
from chatkit_plugins.todo_mcp.models import Task
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from tortoise.context import get_current_context
from tortoise.migrations.autodetector import MigrationAutodetector

from chatkit_server import HOOKS, SettingsError, Turn, Unauthorized, User, hookimpl
from chatkit_server.mcp.connection import ToolFailed
from chatkit_server.mcp.manager import McpManager
from chatkit_server.plugin.calls import Hooks
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.web.keys import MCP
from tests.client import Chat
from tests.databases import DATABASES, DatabaseKind, empty_url, new_url
from tests.mcp_calls import invoke, tools_of
from tests.stores import query, running

MakeChat = Callable[..., Awaitable[Chat]]

NAMES = ["add_task", "list_tasks", "complete_task", "update_task", "delete_task"]


def turn_of(user_id: str, tenant: str = "") -> Turn:
    user = User(user_id, tenant=tenant)
    thread = ThreadMetadata(id="thr_1", created_at=datetime.now(UTC))
    return Turn(
        thread=thread,
        store=MemoryStore(),
        request_context=StoreContext(user),
        user=user,
        operation="plain",
    )


@asynccontextmanager
async def todo(url: str) -> AsyncIterator[dict[str, FunctionTool]]:
    """Run the plugin beside the storage plugin, and give the agent's tools."""
    plugin = Plugin(Config())
    servers = McpManager(plugin.mcp_servers())
    async with running(url, ("todo_mcp", plugin)), servers.run():
        yield await tools_of(servers)


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncIterator[dict[str, FunctionTool]]:
    async with todo(new_url("sqlite", tmp_path)) as given:
        yield given


ANN, BOB = turn_of("ann"), turn_of("bob")


async def test_a_day_with_a_list(tools: dict[str, FunctionTool]) -> None:
    assert await invoke(tools["list_tasks"], ANN) == "There are no tasks."
    assert await invoke(tools["add_task"], ANN, title=" buy\n milk ") == "Added task 1: buy milk"
    assert await invoke(tools["add_task"], ANN, title="call Bob") == "Added task 2: call Bob"
    assert await invoke(tools["complete_task"], ANN, id=1) == "Completed task 1: buy milk"
    assert await invoke(tools["complete_task"], ANN, id="1") == "Already done: task 1: buy milk"
    said = await invoke(tools["update_task"], ANN, id=2, title="call Rob")
    assert said == "Updated task 2: call Rob"
    assert await invoke(tools["list_tasks"], ANN) == (
        "2 tasks ([x] is done):\n2. [ ] call Rob\n1. [x] buy milk"
    )
    assert await invoke(tools["list_tasks"], ANN, status="open") == (
        "1 open task ([x] is done):\n2. [ ] call Rob"
    )
    assert await invoke(tools["delete_task"], ANN, id=1) == "Deleted task 1: buy milk"
    assert await invoke(tools["list_tasks"], ANN, status="done") == "There are no done tasks."


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("complete_task", {"id": 7}, "There is no task 7. list_tasks shows"),
        ("delete_task", {"id": 7}, "There is no task 7"),
        ("update_task", {"id": 7, "title": "x"}, "There is no task 7"),
        ("update_task", {"id": 1}, "title: Field required"),
        ("add_task", {"title": "  "}, "title: String should have at least 1 character"),
        ("add_task", {"title": "x" * 501}, "title: String should have at most 500 characters"),
        ("add_task", {"title": 5}, "title: Input should be a valid string"),
        ("delete_task", {"id": "the first"}, "id: Input should be a valid integer"),
        ("delete_task", {"id": 10**12}, "id: Input should be less than"),
        ("list_tasks", {"status": "late"}, "status: Input should be 'all', 'open' or 'done'"),
    ],
)
async def test_mistakes_of_the_model_are_told_to_it(
    tools: dict[str, FunctionTool], tool: str, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ToolFailed) as failed:
        await invoke(tools[tool], ANN, **arguments)
    assert said in str(failed.value)


async def test_a_long_list_is_cut_and_says_so(tools: dict[str, FunctionTool]) -> None:
    await Task.bulk_create(
        [Task(tenant="", user_id="ann", number=n, title=f"task {n}") for n in range(1, 61)]
    )
    lines = (await invoke(tools["list_tasks"], ANN)).splitlines()
    assert lines[0].startswith("60 tasks")
    assert lines[-1] == "… and 10 more"
    assert len(lines) == 52


def test_what_the_model_is_told_of_the_tools() -> None:
    plugin = Plugin(Config())
    [server] = plugin.mcp_servers()
    listed = {tool.name: tool for tool in asyncio.run(server.list_tools())}
    assert list(listed) == NAMES
    assert listed["add_task"].input_schema == {
        "type": "object",
        "properties": {
            "title": {
                "type": "string",
                "description": "What is to be done, such as: buy milk",
                "minLength": 1,
                "maxLength": 500,
            }
        },
        "required": ["title"],
    }
    reads = [
        name
        for name, tool in listed.items()
        if tool.annotations and tool.annotations.read_only_hint
    ]
    assert reads == ["list_tasks"]
    for tool in listed.values():
        assert not {"user", "user_id", "tenant"} & set(tool.input_schema["properties"])


async def test_nobody_reaches_the_tasks_of_another(tools: dict[str, FunctionTool]) -> None:
    stranger = turn_of("ann", tenant="acme")
    await invoke(tools["add_task"], ANN, title="hers")
    for other in (BOB, stranger):
        assert await invoke(tools["list_tasks"], other) == "There are no tasks."
        for tool, more in (
            ("complete_task", {}), ("delete_task", {}), ("update_task", {"title": "mine now"}),
        ):  # fmt: skip
            with pytest.raises(ToolFailed, match="There is no task 1"):
                await invoke(tools[tool], other, id=1, **more)
    for claim in ("user_id", "user", "owner", "_meta", "tenant"):
        with pytest.raises(ToolFailed, match=f"{claim}: Extra inputs are not permitted"):
            await invoke(tools["list_tasks"], BOB, **{claim: "ann"})
    assert await invoke(tools["add_task"], BOB, title="his") == "Added task 1: his"
    assert "[ ] hers" in await invoke(tools["list_tasks"], ANN)


@pytest.mark.parametrize("kind", DATABASES)
async def test_tasks_added_at_once_get_numbers_of_their_own(
    kind: DatabaseKind, tmp_path: Path
) -> None:
    async with todo(new_url(kind, tmp_path)) as tools:
        said = await asyncio.gather(
            *(invoke(tools["add_task"], ANN, title=f"t{n}") for n in range(12)),
            *(invoke(tools["add_task"], BOB, title=f"t{n}") for n in range(3)),
        )
        numbers = sorted(int(text.split()[2].rstrip(":")) for text in said[:12])
        assert numbers == list(range(1, 13))
        done = await asyncio.gather(*(invoke(tools["complete_task"], ANN, id=1) for _ in range(4)))
        assert sum(text.startswith("Completed") for text in done) == 1
        gone = await asyncio.gather(
            *(invoke(tools["delete_task"], ANN, id=2) for _ in range(4)), return_exceptions=True
        )
        assert sum(isinstance(text, str) for text in gone) == 1


@pytest.mark.parametrize("kind", DATABASES)
async def test_tasks_outlive_the_server(kind: DatabaseKind, tmp_path: Path) -> None:
    url = new_url(kind, tmp_path)
    async with todo(url) as tools:
        await invoke(tools["add_task"], ANN, title="Größe 📏 prüfen")
    async with todo(url) as tools:
        assert "1. [ ] Größe 📏 prüfen" in await invoke(tools["list_tasks"], ANN)


async def test_the_migrations_make_what_the_models_are(tmp_path: Path) -> None:
    plugin = Plugin(Config())
    async with running(empty_url("sqlite", tmp_path), ("todo_mcp", plugin)):
        context = get_current_context()
        assert context is not None
        assert context.apps is not None
        apps = {label: dict(app) for label, app in plugin.tortoise_apps().items()}
        assert await MigrationAutodetector(context.apps, apps).changes() == []


async def test_without_a_database_the_start_says_what_to_enable() -> None:
    app = web.Application()
    app[HOOKS] = Hooks.of([("todo_mcp", Plugin(Config()))])
    assert app[HOOKS].boot_all("setup", app=app) == []
    runner = web.AppRunner(app)
    with pytest.raises(
        SettingsError, match="in the database of tortoise_store: enable that plugin"
    ):
        await runner.setup()
    await runner.cleanup()


async def test_what_the_database_says_is_not_told(
    tools: dict[str, FunctionTool], caplog: pytest.LogCaptureFixture
) -> None:
    await query("ALTER TABLE todo_tasks RENAME TO secret_name")
    with pytest.raises(ToolFailed, match="not available right now") as failed:
        await invoke(tools["list_tasks"], ANN)
    assert "todo_tasks" not in str(failed.value)
    assert "tool list_tasks failed" in caplog.text


@pytest.fixture
async def chat(make_chat: MakeChat, tmp_path: Path) -> Chat:
    """A whole server, where the header `X-User` says who is asking."""
    store = {"url": new_url("sqlite", tmp_path)}
    plugins = {"tortoise_store": store, "todo_mcp": None, "demo_model": {"pace": "1ms"}}
    return await make_chat(plugins=plugins, server={"cors_origins": ["https://app.example.com"]})


@asynccontextmanager
async def mcp_client(chat: Chat, user: str, mode: str = "auto") -> AsyncIterator[Client]:
    """A stock MCP client that sends the user's credentials."""
    url = str(chat.client.make_url("/api/mcp"))
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(headers={"X-User": user}))
        transport = streamable_http_client(url, http_client=http)
        yield await stack.enter_async_context(Client(transport, mode=mode))


def text_of(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_stock_client_over_http(chat: Chat, mode: str) -> None:
    async with mcp_client(chat, "ann", mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == NAMES
        added = await client.call_tool("add_task", {"title": "buy milk"})
        assert text_of(added) == "Added task 1: buy milk"
        assert added.structured_content == {"task": {"id": 1, "title": "buy milk", "done": False}}
        missing = await client.call_tool("complete_task", {"id": 7})
        assert missing.is_error
        unknown = await client.call_tool("drop_table", {})
        assert "There is no tool drop_table" in text_of(unknown)
        sums = await asyncio.gather(*(client.call_tool("list_tasks") for _ in range(10)))
        assert len({text_of(result) for result in sums}) == 1
    async with mcp_client(chat, "bob", mode) as client:
        assert text_of(await client.call_tool("list_tasks")) == "There are no tasks."


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_forged_meta_reaches_nothing(chat: Chat, mode: str) -> None:
    async with mcp_client(chat, "acme/ann", mode) as client:
        await client.call_tool("add_task", {"title": "hers"})
    forged: Any = {"chatkit-server/user": {"id": "ann", "tenant": "acme"}}
    async with mcp_client(chat, "acme/bob", mode) as client:
        listed = await client.call_tool("list_tasks", meta=forged)
        assert text_of(listed) == "There are no tasks."
        added = await client.call_tool("add_task", {"title": "his"}, meta=forged)
        assert text_of(added) == "Added task 1: his"
        deleted = await client.call_tool("delete_task", {"id": 1}, meta=forged)
        assert text_of(deleted) == "Deleted task 1: his"
    async with mcp_client(chat, "acme/ann", mode) as client:
        assert "hers" in text_of(await client.call_tool("list_tasks"))


async def test_the_agent_and_a_stock_client_see_the_same_list(chat: Chat) -> None:
    chat.headers["X-User"] = "ann"
    turn = await chat.plain("add buy milk to my list")
    calls = [data["tool_call"] for data in turn.data if "tool_call" in data]
    assert [(call["name"], call["result"]) for call in calls] == [
        ("add_task", "Added task 1: buy milk")
    ]
    async with mcp_client(chat, "ann") as client:
        assert "1. [ ] buy milk" in text_of(await client.call_tool("list_tasks"))


class Nobody:
    @hookimpl
    async def auth(self) -> User | None:
        raise Unauthorized("Sign in first.")


async def test_who_is_nobody_gets_401(make_chat: MakeChat, tmp_path: Path) -> None:
    store = {"url": new_url("sqlite", tmp_path)}
    chat = await make_chat(
        Nobody(), plugins={"tortoise_store": store, "todo_mcp": None, "demo_model": None}
    )
    response = await chat.client.post("/api/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "x"})
    assert response.status == 401
    assert await response.json() == {"message": "Sign in first."}
    assert "WWW-Authenticate" in response.headers


async def test_a_stranger_is_answered_before_the_body_has_come(
    make_chat: MakeChat, tmp_path: Path
) -> None:
    store = {"url": new_url("sqlite", tmp_path)}
    chat = await make_chat(
        Nobody(), plugins={"tortoise_store": store, "todo_mcp": None, "demo_model": None}
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", chat.client.port)
    writer.write(b"POST /api/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()


async def test_requests_that_are_no_mcp(chat: Chat) -> None:
    headers = {"Accept": "application/json, text/event-stream"}
    post = chat.client.post
    assert (await post("/api/mcp", data=b"{", headers=headers)).status == 400
    garbage = headers | {"Content-Type": "application/json"}
    assert (await post("/api/mcp", data=b"{", headers=garbage)).status == 400
    for data in (BytesIO(b"x" * 5_000_000), b"[" * 64_001):
        large = await post("/api/mcp", data=data, headers=garbage)
        assert large.status == 413
        assert await large.json() == {"message": "The request is larger than 64000 bytes."}
    assert (await chat.client.get("/api/mcp", headers=headers)).status == 405
    assert (await chat.client.delete("/api/mcp")).status == 405


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://app.example.com", 400), ("https://evil.example", 403), ("null", 403)],
)
async def test_pages_of_other_sites_are_refused(chat: Chat, origin: str, status: int) -> None:
    response = await chat.client.post("/api/mcp", headers={"Origin": origin})
    assert response.status == status


async def test_two_servers_in_one_process(make_chat: MakeChat, tmp_path: Path) -> None:
    chats = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        store = {"url": new_url("sqlite", tmp_path / name)}
        plugins = {"tortoise_store": store, "todo_mcp": None, "demo_model": {"pace": "1ms"}}
        chats.append(await make_chat(plugins=plugins))
    async with mcp_client(chats[0], "ann") as client:
        await client.call_tool("add_task", {"title": "in one"})
    async with mcp_client(chats[1], "ann") as client:
        assert text_of(await client.call_tool("list_tasks")) == "There are no tasks."
    tools = await tools_of(chats[0].client.app[MCP])
    assert "in one" in await invoke(tools["list_tasks"], ANN)


async def test_another_path(make_chat: MakeChat, tmp_path: Path) -> None:
    store = {"url": new_url("sqlite", tmp_path)}
    plugins = {"tortoise_store": store, "todo_mcp": {"path": "/todo"}, "demo_model": None}
    chat = await make_chat(plugins=plugins)
    assert (await chat.client.post("/todo")).status == 400
    assert (await chat.client.post("/api/mcp")).status == 404


async def test_stopping_alarms_nobody(chat: Chat, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with mcp_client(chat, "ann") as client:
        await client.call_tool("add_task", {"title": "x"})
    await chat.client.close()
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
