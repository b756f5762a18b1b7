"""Routes beside the chat's own: health, the script for pages, the turn of a thread."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from aiohttp import ClientResponse
from chatkit.types import ClosedStatus, LockedStatus

import chatkit_server.web
from chatkit_server import Unauthorized, Unavailable, User, hookimpl
from chatkit_server.elsewhere import turns as elsewhere_turns
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.turn import StoreContext
from chatkit_server.turns.store import TurnRecord
from chatkit_server.web import health
from chatkit_server.web.keys import ENGINE, MCP, STORE
from tests.client import Chat
from tests.conftest import MakeChat
from tests.recording import ANN
from tests.replicas import begin, request
from tests.serving import served_by

ROOT = Path(__file__).parents[1]


def app_of(chat: Chat) -> Any:
    return chat.client.server.app  # type: ignore[attr-defined]


async def test_a_process_that_runs_is_healthy(make_chat: MakeChat) -> None:
    chat = await make_chat()
    response = await chat.client.get("/healthz")
    assert (response.status, await response.json()) == (200, {"status": "ok"})


def server(connected: bool, required: bool) -> dict[str, Any]:
    return {"connected": connected, "required": required}


@pytest.mark.parametrize(
    ("servers", "ready"),
    [
        ({}, True),
        ({"shop": server(True, True), "mail": server(True, False)}, True),
        ({"shop": server(True, True), "mail": server(False, False)}, True),
        ({"shop": server(False, True), "mail": server(True, False)}, False),
    ],
)
async def test_a_server_is_ready_with_those_mcp_servers_that_it_needs(
    make_chat: MakeChat, servers: Any, ready: bool
) -> None:
    chat = await make_chat()
    app_of(chat)[MCP].status = lambda: servers
    response = await chat.client.get("/readyz")
    assert response.status == (200 if ready else 503)
    assert await response.json() == {"ready": ready, "store": "ok", "mcp_servers": servers}


async def test_a_store_without_a_hook_is_asked_for_nobodys_threads(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(health, "KEPT", 0)
    chat = await make_chat()
    asked: list[Any] = []
    hangs = asyncio.Event()

    async def load_threads(limit: int, after: Any, order: str, context: StoreContext) -> None:
        asked.append((limit, after, order, context.user.id, context.user.tenant))
        await hangs.wait()
        raise RuntimeError

    app_of(chat)[STORE].load_threads = load_threads
    crowd = await asyncio.gather(*(readyz(chat) for _ in range(20)))
    none = {"ready": False, "store": "does not answer (asked N s ago)", "mcp_servers": {}}
    assert crowd == [(503, none)] * 20
    assert asked == [(1, None, "desc", "readyz", "chatkit_server")], "as a user whom nobody can be"
    caplog.clear()
    hangs.set()
    told = {**none, "store": "failed: the log says why"}
    assert await until(chat, lambda body: "failed" in body["store"]) == told
    assert [line for line in caplog.messages if "the store" in line] == [
        "the store does not answer: RuntimeError()"
    ]
    del app_of(chat)[STORE].load_threads
    assert (await until(chat, lambda body: body["ready"]))["store"] == "ok"


async def readyz(chat: Chat, query: str = "") -> tuple[int, dict[str, Any]]:
    """Return the status and the body of `/readyz`."""
    response = await chat.client.get(f"/readyz{query}")
    return response.status, json.loads(re.sub(r"\d+ s ago", "N s ago", await response.text()))


async def until(
    chat: Chat, holds: Callable[[dict[str, Any]], bool], query: str = ""
) -> dict[str, Any]:
    """Ask `/readyz` until something holds of its body, and return that."""
    while True:
        _, body = await readyz(chat, query)
        if holds(body):
            return body
        await asyncio.sleep(0.01)


class Part:
    """A plugin whose part of the server is as the test says."""

    def __init__(self) -> None:
        self.reason: str | Exception | None = None
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @hookimpl
    async def ready(self) -> str | None:
        self.asked += 1
        await self.may_answer.wait()
        if isinstance(self.reason, Exception):
            raise self.reason
        return self.reason


class Other(Part):
    """One more."""


async def test_every_plugin_says_whether_turns_would_work(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "KEPT", 0)
    part, other = Part(), Other()
    chat = await make_chat(part, other)
    sound = {"ready": True, "store": "ok", "mcp_servers": {}}
    assert await readyz(chat) == (200, sound)
    caplog.clear()
    caplog.set_level("INFO", "chatkit_server.web.health")
    part.reason, other.reason = "the disk is full", Unavailable("No keys yet.")
    wrong = {"Part_0": "the disk is full", "Other_1": "No keys yet."}
    for _ in range(3):
        assert await readyz(chat) == (503, {**sound, "ready": False, "plugins": wrong})
    part.reason, other.reason = None, ValueError("secret")
    told = {"Other_1": "failed: the log says why"}
    assert await readyz(chat) == (503, {**sound, "ready": False, "plugins": told})
    other.reason = None
    assert await readyz(chat) == (200, sound)
    assert [record.getMessage() for record in caplog.records if record.name == health.__name__] == [
        "plugin Other_1: ready does not answer: Unavailable: No keys yet.",
        "not ready: Part_0: the disk is full; Other_1: No keys yet.",
        ANY,
    ]
    assert "ready again, after" in caplog.messages[-1]


async def test_a_part_that_does_not_answer_is_asked_once_and_keeps_nobody_waiting(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(health, "KEPT", 60)
    slow, quick = Part(), Other()
    slow.may_answer.clear()
    chat = await make_chat(slow, quick)
    for _ in range(5):
        status, body = await readyz(chat, "?verbose")
        assert status == 503
        assert body["plugins"] == {"Part_0": "does not answer (asked N s ago)"}
        assert list(body["parts"]) == ["store", "Part_0", "Other_1"]
        assert body["parts"]["Other_1"]["state"] == "ok"
    assert (slow.asked, quick.asked) == (1, 1), "an answer is good for a while"
    slow.may_answer.set()
    body = await until(chat, lambda body: body["ready"], "?verbose")
    assert body["parts"]["Part_0"]["state"] == "ok"
    assert 0 <= body["parts"]["Part_0"]["age"] < 60


async def test_a_plugin_tells_of_several_checks_by_name(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "KEPT", 0)
    answer: Any = {"queue": None, "disk": "it is full", "keys": "none"}

    class Several:
        @hookimpl
        async def ready(self) -> Any:
            return answer

    chat = await make_chat(Several())
    status, body = await readyz(chat, "?verbose")
    assert (status, body["plugins"]) == (503, {"Several_0": "disk: it is full; keys: none"})
    part = body["parts"]["Several_0"]
    assert {name: one["state"] for name, one in part["checks"].items()} == {
        "queue": "ok",
        "disk": "it is full",
        "keys": "none",
    }
    assert 0 <= part["seconds"] < 60
    assert 0 <= part["checks"]["disk"]["age"] < 60
    answer = {"queue": None, "disk": None}
    status, body = await readyz(chat, "?verbose")
    assert (status, body["parts"]["Several_0"]["state"]) == (200, "ok")
    answer = {"queue": True}
    status, body = await readyz(chat)
    assert (status, body["plugins"]) == (503, {"Several_0": "failed: the log says why"})


async def test_a_server_that_shuts_down_asks_nobody(make_chat: MakeChat) -> None:
    part = Part()
    chat = await make_chat(part)
    await app_of(chat)[ENGINE].turns.close(0)
    status, body = await readyz(chat)
    assert (status, body["ready"], body["server"]) == (503, False, "shutting down")
    assert part.asked == 0


WEB = Path(chatkit_server.web.__file__).parent


@pytest.mark.parametrize(
    ("name", "kind"),
    [("client.js", "text/javascript"), ("client.d.ts", "application/typescript")],
)
async def test_everybody_gets_the_script_for_pages_once(
    make_chat: MakeChat, name: str, kind: str
) -> None:
    class Nobody:
        @hookimpl
        async def auth(self) -> User:
            raise Unauthorized("Sign in.")

    origin = "https://app.example.com"
    chat = await make_chat(Nobody(), server={"cors_origins": [origin]})

    async def get(origin: str = origin, **headers: str) -> ClientResponse:
        return await chat.client.get(f"/api/chat/{name}", headers={"Origin": origin, **headers})

    response = await get()
    assert (response.status, await response.read()) == (200, (WEB / name).read_bytes())
    assert response.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert response.headers["Cache-Control"] == "public, max-age=600"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    etag = response.headers["ETag"]
    for known in (etag, f'"other", {etag}', "*"):
        again = await get(**{"If-None-Match": known})
        assert (again.status, await again.read()) == (304, b"")
        assert again.headers["ETag"] == etag
        for either in (response, again):
            assert either.headers["Access-Control-Allow-Origin"] == origin
            assert either.headers["Vary"] == "Origin"
    assert (await get(**{"If-None-Match": '"other"'})).status == 200
    assert "Access-Control-Allow-Origin" not in (await get("https://example.com")).headers


def test_the_script_for_pages_has_the_types_that_are_declared() -> None:
    script, types = ((WEB / name).read_text() for name in ("client.js", "client.d.ts"))
    exported = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.MULTILINE)
    assert exported.findall(script) == exported.findall(types) == ["createFetch"]
    [taken] = re.findall(r"createFetch\(\{(.*?)\} = \{\}\)", script, re.DOTALL)
    defaults = dict(re.findall(r"^\t(\w+)(?: = (\S+))?,$", taken, re.MULTILINE))
    [declared] = re.findall(r"interface FetchOptions \{\n(.*?)^\}", types, re.DOTALL | re.MULTILINE)
    options = dict(re.findall(r"/\*\*(.*?)\*/\s+(\w+)\?:", declared, re.DOTALL))
    assert list(options.values()) == list(defaults)
    for comment, name in options.items():
        if defaults[name].isdecimal():
            assert f"Default: {defaults[name]}." in comment
    rows = (ROOT / "docs/protocol.md").read_text()
    assert all(f"| `{name}` |" in rows for name in defaults)
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert package["package-data"]["chatkit_server.web"] == ["client.js", "client.d.ts"]


async def test_the_turn_of_a_thread_may_run_here_or_in_another_process(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    path = "/api/chat/threads/{}/turn"
    missing = await chat.client.get(path.format("thr_none"))
    assert missing.status == 404
    told = await missing.json()
    assert told["message"] == "No answer is running in this conversation."
    model_server.reply("One ", Gate())
    begun = await begin(chat, request("Count"), "One ")
    here = await (await chat.client.get(path.format(begun.thread_id))).json()
    assert (here["id"], here["state"]) == (begun.turn_id, "running")
    assert here["events"] > 0
    record = TurnRecord("turn_7", "thr_7", ANN, "plain", "test/model", attempt=1)
    await app_of(chat)[ENGINE].turn_store.begin(record)
    headers = {"X-User": f"{ANN.tenant}/{ANN.id}"}
    elsewhere = await chat.client.get(path.format("thr_7"), headers=headers)
    described = {"id": "turn_7", "thread_id": "thr_7", "state": "running", "events": 0}
    assert await elsewhere.json() == described
    assert (await chat.client.get(path.format("thr_7"))).status == 404, "of another user"


async def test_a_turn_that_another_process_does_not_end_is_still_running(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere_turns, "CANCEL_WAIT", 0.01)
    chat = await make_chat()
    record = TurnRecord("turn_7", "thr_7", ANN, "plain", "test/model", attempt=1)
    await app_of(chat)[ENGINE].turn_store.begin(record)
    headers = {"X-User": f"{ANN.tenant}/{ANN.id}"}
    response = await chat.client.post("/api/chat/turns/turn_7/cancel", headers=headers)
    assert (response.status, (await response.json())["state"]) == (202, "running")


@pytest.mark.parametrize(
    ("state", "error", "described"),
    [
        ("running", None, {"events": 0}),
        ("failed", "It broke.", {"error": "It broke.", "allow_retry": None}),
        ("interrupted", "It stopped.", {"error": "It stopped.", "allow_retry": True}),
    ],
)
async def test_a_turn_that_is_not_here_is_described(
    make_chat: MakeChat, state: Any, error: str | None, described: dict[str, Any]
) -> None:
    chat = await make_chat()
    turn_store = app_of(chat)[ENGINE].turn_store
    await turn_store.begin(TurnRecord("turn_7", "thr_7", ANN, "plain", "test/model", attempt=1))
    if error is not None:
        await turn_store.end("turn_7", 1, state, error)
    headers = {"X-User": f"{ANN.tenant}/{ANN.id}"}
    told = {"id": "turn_7", "thread_id": "thr_7", "state": state, "events": None, **described}
    response = await chat.client.get("/api/chat/turns/turn_7", headers=headers)
    assert await response.json() == told
    if error is not None:
        events = await chat.client.get("/api/chat/turns/turn_7/events", headers=headers)
        *_, wrong, done = (await chat.read(events)).data
        assert wrong == {"error": error, "allow_retry": True}
        assert done["status"] == state


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ("turn_7:1", "Last-Event-ID: this event belongs to another turn."),
        ("1", "Last-Event-ID: this event belongs to another turn."),
        ("{}:a", "after: must be a number from 0 to "),
        ("{}:1000000000", "after: must be a number from 0 to "),
        ("{}:1:1", "Last-Event-ID: this event belongs to another turn."),
    ],
)
async def test_a_last_event_must_be_one_of_this_turn(
    make_chat: MakeChat, seen: str, message: str
) -> None:
    chat = await make_chat()
    turn_id = (await chat.say("hello")).response.headers["X-Turn-Id"]
    headers = {"Last-Event-ID": seen.format(turn_id)}
    response = await chat.client.get(f"/api/chat/turns/{turn_id}/events", headers=headers)
    assert response.status == 400
    assert (await response.json())["message"].startswith(message)


@pytest.mark.parametrize(
    ("thread_id", "message"),
    [
        ("thr_none", "Conversation not found."),
        ("x" * 200, "Conversation not found."),
        ("x" * 201, "Not found."),
        ("thr\n", "Not found."),
    ],
)
async def test_a_thread_that_is_not_there(
    make_chat: MakeChat, thread_id: str, message: str
) -> None:
    chat = await make_chat()
    body = {"type": "threads.get_by_id", "params": {"thread_id": thread_id}}
    assert await chat.refused(body) == (404, message)


async def test_a_path_that_is_not_there(make_chat: MakeChat) -> None:
    response = await (await make_chat()).client.get("/nowhere")
    told = (await response.json())["message"]
    assert (response.status, told) == (404, "Not Found: GET /nowhere")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (LockedStatus(reason="it is under review"), "locked: it is under review"),
        (LockedStatus(), "locked."),
        (ClosedStatus(), "closed."),
    ],
)
async def test_a_thread_that_takes_no_messages_says_why(
    make_chat: MakeChat, status: Any, message: str
) -> None:
    chat = await make_chat()
    thread_id = (await chat.say("hello")).thread_id
    store, context = app_of(chat)[STORE], StoreContext(User("somebody"))
    thread = await store.load_thread(thread_id, context)
    await store.save_thread(thread.model_copy(update={"status": status}), context)
    refused = await chat.refused(request("Go on", thread_id))
    assert refused == (409, f"This conversation is {message}")


async def test_threads_are_listed_page_by_page(make_chat: MakeChat) -> None:
    chat = await make_chat()
    ids = [(await chat.say(f"hello {i}")).thread_id for i in range(3)]
    first = await chat.ask("threads.list", limit=2, order="asc")
    assert [thread["id"] for thread in first["data"]] == ids[:2]
    assert first["has_more"]
    rest = await chat.ask("threads.list", limit=2, order="asc", after=first["after"])
    assert [thread["id"] for thread in rest["data"]] == ids[2:]
    assert not rest["has_more"]
