"""What a user, another tenant's user and a stranger get of somebody else's, everywhere.

The tables below have a row for each route of the application and for each operation. A new one
without a row fails the tests.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import chatkit_plugins
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    FileAttachment,
    HiddenContextItem,
    InferenceOptions,
    StructuredInputFreeform,
    StructuredInputItem,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
)
from chatkit.widgets import Card, Text

from chatkit_server import SETTINGS, STORE, Settings, User
from chatkit_server.app import create_app
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.load import load_plugins
from chatkit_server.storage import StoreContext
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.web.operations.dispatch import OPERATIONS
from tests.client import Chat
from tests.replicas import Begun, begin, request
from tests.serving import served_by
from tests.stores import query
from tests.test_fuzz import Everything

SECRET = "a-secret-of-these-tests-that-is-long-enough-for-hs256"
MARK = "only-for-anna"
"""It is in everything of the victim's that has text."""

VICTIM = User("anna", "acme")
OTHERS = {
    "another user": User("ben", "acme"),
    "another tenant": User("anna", "umbrella"),
    "a look-alike": User("anna ", "acme"),
    "another case": User("Anna", "acme"),
    "tenant and id joined": User("me/anna", "ac"),
}

WITH_ROUTES = {"jwt_auth", "tortoise_store", "compatible_models", "todo_mcp"}
"""The bundled plugins in the server under test."""

WITHOUT_ROUTES = {
    *("anonymous_auth", "conversation_log", "demo_model", "litellm_models", "mcp_servers"),
    *("openai_models", "titles", "dictation", "showcase", "rate_limits"),
    # Its routes are the author's own; tests of the plugin keep users apart
    "chatkit_sdk",
}

ELSEWHERE = {"attachments", "chat_page", "redis_events"}
"""Their routes are tried in `test_attachment_routes.py`, or their files in `test_chat_page.py`
are the same for everybody; or `test_elsewhere.py` tries whom they let follow."""


def bearer(user: User) -> dict[str, str]:
    claims = {"sub": user.id, "org": user.tenant, "exp": int(time.time()) + 3600}
    return {"Authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}


# What the victim has


@dataclass
class Thread:
    """A conversation of the victim's, with one item of each kind."""

    id: str
    turn_id: str
    file: str

    def item(self, kind: str) -> str:
        return f"{kind}_{self.id}"


@dataclass
class World:
    """A server with a victim's data."""

    chat: Chat
    app: web.Application
    ended: Thread
    running: Thread
    begun: Begun
    gate: Gate
    request: dict[str, Any]
    tables: list[str] = field(default_factory=list)

    async def snapshot(self) -> dict[str, Any]:
        """Return everything that is the victim's in the database, and what her turn does."""
        found: dict[str, Any] = {}
        for table in self.tables:
            rows = await query(f"SELECT * FROM {table} WHERE tenant = 'acme' AND user_id = 'anna'")
            if table == "chatkit_turn":  # a heartbeat may change the rest
                rows = [{key: row[key] for key in ("id", "thread_id", "state")} for row in rows]
            found[table] = sorted(rows, key=repr)
        path = f"/api/chat/turns/{self.running.turn_id}"
        async with self.chat.client.get(path, headers=bearer(VICTIM)) as response:
            found["turn"] = await response.json()
        return found


async def owned_tables(url: str) -> list[str]:
    """Return every table whose rows have owners."""
    if url.startswith("sqlite"):
        rows = await query(
            "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) p "
            "WHERE m.type = 'table' AND p.name = 'tenant'"
        )
    else:
        rows = await query(
            "SELECT table_name AS name FROM information_schema.columns "
            "WHERE column_name = 'tenant' AND table_schema = 'public'"
        )
    return sorted(row["name"] for row in rows)


async def fill(app: web.Application, thread_id: str, turn_id: str) -> Thread:
    """Put an item of each kind into a thread of the victim's."""
    store, context = app[STORE], StoreContext(VICTIM)
    thread = Thread(thread_id, turn_id, f"file_{thread_id}")
    now: dict[str, Any] = {"thread_id": thread_id, "created_at": datetime.now(UTC)}
    title = ThreadMetadata(id=thread_id, created_at=now["created_at"], title=MARK)
    await store.save_thread(title, context)
    file = FileAttachment(id=thread.file, name=f"{MARK}.txt", mime_type="text/plain")
    await store.save_attachment(file, context)
    said = [UserMessageTextContent(text=MARK)]
    question = StructuredInputFreeform(id="q", question=MARK)
    options = InferenceOptions()
    items: list[ThreadItem] = [
        UserMessageItem(id=thread.item("msg"), **now, content=said, inference_options=options),
        AssistantMessageItem(
            id=thread.item("ans"), **now, content=[AssistantMessageContent(text=MARK)]
        ),
        HiddenContextItem(id=thread.item("hid"), **now, content=MARK),
        WidgetItem(id=thread.item("wid"), **now, widget=Card(children=[Text(value=MARK)])),
        StructuredInputItem(id=thread.item("form"), **now, inputs=[question]),
        ClientToolCallItem(
            id=thread.item("call"), **now, call_id="c", name="map", arguments={"a": MARK}
        ),
    ]
    for item in items:
        await store.save_item(thread_id, item, context)
    return thread


def application(url: str, model_server: ModelServer) -> web.Application:
    sections = served_by(model_server)
    sections["turns"] = {"disconnect": {"policy": "continue"}}
    sections["plugins"] |= {
        "jwt_auth": {"secret": SECRET, "tenant_claim": "org"},
        "tortoise_store": {"url": url},
        "todo_mcp": None,
    }
    settings = Settings.model_validate(sections)
    named = load_plugins(settings).plugins
    assert {name for name, _ in named} == WITH_ROUTES
    return create_app(settings, Hooks.of([*named, ("everything", Everything())], settings.hooks))


@pytest.fixture
async def world(url: str, model_server: ModelServer) -> AsyncIterator[World]:
    """A server where the victim has an ended turn, a running one, and a list of tasks."""
    app = application(url, model_server)
    async with TestClient(TestServer(app)) as client:
        chat = Chat(client)
        hers = bearer(VICTIM)
        model_server.reply(MARK)
        done = await begin(chat, request("neutral"), MARK, **hers)
        await done.rest()
        gate = Gate()
        model_server.reply(f"{MARK}, ", gate, "and more.")
        body = request("neutral")
        named = {**hers, "Idempotency-Key": "key", "chatkit-frame-instance-id": "page"}
        begun = await begin(chat, body, f"{MARK}, ", **named)
        ended = await fill(app, done.thread_id, done.turn_id)
        running = await fill(app, begun.thread_id, begun.turn_id)
        await tool(chat, hers, "add_task", title=MARK)
        tables = await owned_tables(url)
        assert {"chatkit_thread", "chatkit_item", "chatkit_turn", "todo_tasks"} <= set(tables)
        yield World(chat, app, ended, running, begun, gate, body, tables)
        gate.open()
        await begun.rest()


# Operations: what is sent about a thread of the victim's, and what others get


@dataclass(frozen=True)
class Row:
    """An operation's parameters, and the status for users who own nothing of it."""

    status: int
    params: dict[str, Any]
    own: int = 200
    """The status for the victim herself, which shows that the parameters fit."""


def rows(thread: Thread) -> dict[str, list[Row]]:
    """Return each operation, with all that can name something of the thread."""
    said = [{"type": "input_text", "text": "hello"}]
    new = {"content": said, "attachments": [], "inference_options": {}}
    in_thread = {"thread_id": thread.id}
    press = {"type": "press", "payload": {}}
    action = {**in_thread, "item_id": thread.item("wid"), "action": press}
    answers = {"status": "answered", "answers": {"q": {"values": ["x"], "skipped": False}}}
    return {
        "threads.create": [Row(400, {"input": {**new, "attachments": [thread.file]}})],
        "threads.add_user_message": [
            Row(404, {**in_thread, "input": new}),
            Row(404, {**in_thread, "input": {**new, "attachments": [thread.file]}}),
        ],
        "threads.add_client_tool_output": [Row(404, {**in_thread, "result": {}})],
        "threads.add_structured_input": [
            Row(404, {**in_thread, "item_id": thread.item("form"), "input": answers})
        ],
        "threads.retry_after_item": [Row(404, {**in_thread, "item_id": thread.item("msg")})],
        "threads.custom_action": [Row(404, action)],
        "threads.sync_custom_action": [Row(404, action), Row(404, {**action, "item_id": None})],
        "threads.get_by_id": [Row(404, in_thread)],
        "threads.list": [
            Row(200, {"limit": 100, "order": "asc"}),
            Row(404, {"limit": 100, "order": "asc", "after": thread.id}),
        ],
        "threads.update": [Row(404, {**in_thread, "title": "changed"})],
        "items.list": [
            Row(404, {**in_thread, "limit": 100, "order": "asc"}),
            Row(404, {**in_thread, "limit": 100, "order": "asc", "after": thread.item("msg")}),
        ],
        "items.feedback": [
            Row(404, {**in_thread, "item_ids": [thread.item("ans")], "kind": "negative"})
        ],
        "attachments.create": [Row(200, {"name": "a.txt", "size": 3, "mime_type": "text/plain"})],
        "input.transcribe": [Row(200, {"audio_base64": "AAAA", "mime_type": "audio/webm"})],
        "attachments.delete": [Row(404, {"attachment_id": thread.file})],
        "threads.delete": [Row(404, in_thread)],
    }


def plain(thread: Thread) -> list[tuple[int, dict[str, Any]]]:
    """Return requests of the plain protocol with the status for others."""
    messages = [{"role": "user", "content": "hello"}]
    return [
        (404, {"messages": messages, "thread_id": thread.id}),
        (404, {"messages": messages, "thread_id": thread.id, "stream": False}),
        (400, {"messages": messages, "user_id": "acme/anna"}),
        (400, {"messages": messages, "user_id": "nobody", "thread_id": thread.id}),
    ]


# Routes: which are for everyone, and what others get of the rest

PUBLIC = {
    ("GET", "/api/chat/client.js"),
    ("GET", "/api/chat/client.d.ts"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
}

TURN_ROUTES = {
    ("GET", "/api/chat/turns/{turn_id}"): 404,
    ("GET", "/api/chat/turns/{turn_id}/events"): 404,
    ("POST", "/api/chat/turns/{turn_id}/cancel"): 404,
    ("GET", "/api/chat/threads/{thread_id}/turn"): 404,
    ("GET", "/api/chat/threads/{thread_id}/events"): 404,
}

NEW_THREAD = ("POST", "/api/chat/turns")
IN_A_THREAD = ("POST", "/api/chat/threads/{thread_id}/turns")

TOOLS: dict[str, dict[str, Any]] = {
    "add_task": {"title": "mine"},
    "list_tasks": {},
    "complete_task": {"id": 1},
    "update_task": {"id": 1, "title": "changed"},
    "delete_task": {"id": 1},
}
"""The tools of `POST /api/mcp`, with arguments that fit the victim's task."""

ROUTES = {
    ("POST", "/api/chat"),
    ("POST", "/api/mcp"),
    *PUBLIC,
    *TURN_ROUTES,
    NEW_THREAD,
    IN_A_THREAD,
}


async def mcp(chat: Chat, headers: dict[str, str], method: str, **params: Any) -> tuple[int, str]:
    """Ask the MCP server, and return the status and the answer."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    accepted = {"Accept": "application/json, text/event-stream", **headers}
    async with chat.client.post("/api/mcp", json=body, headers=accepted) as response:
        return response.status, await response.text()


async def tool(chat: Chat, headers: dict[str, str], name: str, **arguments: Any) -> str:
    forged = {"chatkit-server/user": {"id": VICTIM.id, "tenant": VICTIM.tenant}}
    status, answer = await mcp(
        chat, headers, "tools/call", name=name, arguments=arguments, _meta=forged
    )
    assert status == 200, answer
    return answer


def test_every_bundled_plugin_is_thought_of() -> None:
    folder = Path(chatkit_plugins.__file__).parent
    names = {path.stem for path in folder.iterdir() if not path.name.startswith(("_", "."))}
    assert names == WITH_ROUTES | WITHOUT_ROUTES | ELSEWHERE


async def test_every_route_and_operation_has_its_row(
    tmp_path: Path, model_server: ModelServer
) -> None:
    app = application(f"sqlite://{tmp_path / 'a.db'}", model_server)
    routes = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert routes == ROUTES
    assert set(rows(Thread("a", "b", "c"))) == OPERATIONS


@pytest.mark.parametrize("name", sorted(WITHOUT_ROUTES))
def test_other_plugins_add_no_routes(name: str, tmp_path: Path) -> None:
    config = {
        "chatkit_sdk": {"server": "tests.plugins.test_chatkit_sdk:Backend"},
        "conversation_log": {"path": str(tmp_path / "log")},
        "openai_models": {"api_key": "x"},
        "dictation": {"api_key": "x"},
    }
    settings = Settings.model_validate({"plugins": {name: config.get(name)}})
    hooks = load_plugins(settings)
    app = web.Application()
    app[SETTINGS] = settings
    for plugin, call in hooks.calls("setup", app=app):
        if plugin != "anonymous_auth":  # it reads the other plugins
            call()
    assert not list(app.router.routes())


# Another user, another tenant


def unread(text: str) -> None:
    """Fail if a text has something of the victim's."""
    assert MARK not in text
    assert '"anna' not in text


async def test_others_get_nothing_of_any_operation(world: World) -> None:
    before = await world.snapshot()
    for user in OTHERS.values():
        for thread in (world.ended, world.running):
            for operation, cases in rows(thread).items():
                for case in cases:
                    body = {"type": operation, "params": case.params}
                    response = await world.chat.post(body, headers=bearer(user))
                    answer = await response.text()
                    assert response.status == case.status, (user, operation, answer)
                    unread(answer)
                    if operation == "threads.list" and response.status == 200:
                        assert json.loads(answer)["data"] == []
            for status, body in plain(thread):
                response = await world.chat.post(body, headers=bearer(user))
                assert response.status == status, (user, body, await response.text())
                unread(await response.text())
        assert await world.snapshot() == before, user


async def test_others_get_nothing_of_any_turn(world: World) -> None:
    before = await world.snapshot()
    for user in OTHERS.values():
        for thread in (world.ended, world.running):
            for (method, path), status in TURN_ROUTES.items():
                filled = path.format(turn_id=thread.turn_id, thread_id=thread.id)
                for headers in ({}, {"Last-Event-ID": f"{thread.turn_id}:1"}):
                    for verb in {method, "HEAD" if method == "GET" else method}:
                        response = await world.chat.client.request(
                            verb, filled, headers={**bearer(user), **headers}
                        )
                        assert response.status == status, (user, verb, path)
                        unread(await response.text())
        assert await world.snapshot() == before, user


@pytest.mark.parametrize("wait", ["stream", "result", "accepted"])
async def test_others_start_no_turn(world: World, wait: str) -> None:
    before = await world.snapshot()
    for user in OTHERS.values():
        for thread in (world.ended, world.running):
            path = IN_A_THREAD[1].format(thread_id=thread.id)
            body = {"message": "mine", "wait": wait}
            response = await world.chat.client.post(path, json=body, headers=bearer(user))
            assert response.status == 404, (user, path)
            unread(await response.text())
        assert await world.snapshot() == before, user


async def test_others_get_nothing_through_mcp(world: World) -> None:
    before = await world.snapshot()
    status, listed = await mcp(world.chat, bearer(VICTIM), "tools/list")
    assert status == 200
    assert {given["name"] for given in json.loads(listed)["result"]["tools"]} == set(TOOLS)
    for user in OTHERS.values():
        for name in ("list_tasks", "complete_task", "update_task", "delete_task", "add_task"):
            unread(await tool(world.chat, bearer(user), name, **TOOLS[name]))
            assert await world.snapshot() == before, (user, name)
        assert "mine" in await tool(world.chat, bearer(user), "list_tasks")


async def test_others_do_not_join_an_equal_request(world: World) -> None:
    """The same body, from what says that it is the same page, with the victim's event ids."""
    before = await world.snapshot()
    sent = {"Idempotency-Key": "key", "chatkit-frame-instance-id": "page"}
    for user in OTHERS.values():
        for last in ({}, {"Last-Event-ID": f"{world.running.turn_id}:2"}):
            headers = {**bearer(user), **sent, **last}
            response = await world.chat.post(world.request, headers=headers)
            answer = await response.text()
            unread(answer)
            assert world.running.turn_id not in answer
            assert response.headers.get("X-Turn-Id") != world.running.turn_id
            assert response.status in (200, 400, 404, 409), answer
        assert await world.snapshot() == before, user


# A stranger

STRANGERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "another scheme": {"Authorization": "Basic YW5uYTphbm5h"},
    "an empty token": {"Authorization": "Bearer "},
    "a forged token": {
        "Authorization": "Bearer "
        + jwt.encode({"sub": "anna", "org": "acme", "exp": 9999999999}, "x" * 32, "HS256")
    },
    "headers that name her": {
        "X-User": "acme/anna",
        "X-User-Id": "anna",
        "X-Forwarded-User": "anna",
        "X-Remote-User": "anna",
        "Cookie": "chatkit_user=anna",
    },
}


async def test_a_stranger_gets_401_everywhere(world: World) -> None:
    before = await world.snapshot()
    for headers in STRANGERS.values():
        for thread in (world.ended, world.running):
            bodies: list[dict[str, Any]] = [
                {"type": operation, "params": case.params}
                for operation, cases in rows(thread).items()
                for case in cases
            ]
            bodies += [body for _, body in plain(thread)]
            bodies.append({"messages": [{"role": "user", "content": "hi"}], "user_id": "anna"})
            for body in bodies:
                response = await world.chat.post(body, headers=headers)
                assert response.status == 401, body
                unread(await response.text())
            for method, path in (*TURN_ROUTES, NEW_THREAD, IN_A_THREAD):
                filled = path.format(turn_id=thread.turn_id, thread_id=thread.id)
                response = await world.chat.client.request(method, filled, headers=headers)
                assert response.status == 401, path
        for name, arguments in TOOLS.items():
            status, answer = await mcp(
                world.chat, headers, "tools/call", name=name, arguments=arguments
            )
            assert status == 401, name
            unread(answer)
        for method, path in PUBLIC:
            response = await world.chat.client.request(method, path, headers=headers)
            assert response.status == 200
            unread(await response.text())
    assert await world.snapshot() == before


# The owner, to whom the same requests mean something


async def test_the_same_requests_of_the_owner(world: World) -> None:
    hers = bearer(VICTIM)
    for path in ("/api/chat/turns/{turn_id}", "/api/chat/threads/{thread_id}/turn"):
        filled = path.format(turn_id=world.running.turn_id, thread_id=world.running.id)
        assert (await world.chat.client.get(filled, headers=hers)).status == 200
    for operation, cases in rows(world.ended).items():
        for case in cases:
            await fill(world.app, world.ended.id, world.ended.turn_id)  # others may remove items
            body = {"type": operation, "params": case.params}
            response = await world.chat.post(body, headers=hers)
            answer = await response.text()
            assert response.status == case.own, (operation, answer)
    for name, arguments in TOOLS.items():
        assert '"isError":true' not in (await tool(world.chat, hers, name, **arguments))
    path = f"/api/chat/turns/{world.running.turn_id}/cancel"
    response = await world.chat.client.post(path, headers=hers)
    assert (await response.json())["state"] == "cancelled"
