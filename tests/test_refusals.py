"""What is refused, before the stream with a status and after it with an event."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest
from agents import MultiProvider
from aiohttp import web
from chatkit.types import (
    ActiveStatus,
    ClosedStatus,
    LockedStatus,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
)

from chatkit_server import (
    Conflict,
    Forbidden,
    ServerError,
    Settings,
    SettingsError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    User,
    hookimpl,
)
from chatkit_server.app import create_app
from chatkit_server.plugin.calls import Hooks
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore, MemoryStorePlugin, StorePlugin
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.web.body import MAX_DEPTH, MAX_VALUES
from tests.client import Chat
from tests.conftest import MakeChat
from tests.serving import served_by

PAGE = "https://app.example.com"


def create(**changes: Any) -> dict[str, Any]:
    """Return the body of `threads.create`, with changes to its input."""
    given = {
        "content": [{"type": "input_text", "text": "hello"}],
        "attachments": [],
        "inference_options": {},
        **changes,
    }
    return {"type": "threads.create", "params": {"input": given}}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def tag(data: Any) -> list[Any]:
    return [{"type": "input_tag", "id": "t", "text": "t", "data": data}]


# The body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b'{"type": "\xed\xa0\x80"}', "not JSON"),
        (rb'{"type": "\ud800"}', "unknown operation"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": 1e999}', "not JSON"),
        (b"[" * 5000 + b"]" * 5000, "not JSON"),
        (b"[]", "object"),
        (b"null", "object"),
        (b'"threads.list"', "object"),
        (b"{}", "`threads.create`"),
        (b'{"type": null}', "type: "),
        (b'{"type": 7, "messages": []}', "type: "),
        (b'{"type": "threads.creat"}', "`threads.create`"),
        (b'{"type": "item.list"}', "Did you mean `items.list`?"),
        (b'{"type": "' + b"x" * 100_000 + b'"}', "unknown operation"),
        (rb'{"type": "threads.list", "params": {"after": "a\u0000b"}}', "NUL"),
        (rb'{"type": "threads.list", "params": {"\u0000": 1}}', "NUL"),
    ],
)
async def test_a_body_that_makes_no_sense(make_chat: MakeChat, body: bytes, words: str) -> None:
    chat = await make_chat()
    status, message = await chat.refused(body)
    assert status == 400
    assert words in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "threads.create"}, "params"),
        ({"type": "threads.create", "params": {}}, "params.input"),
        ({"type": "threads.create", "params": []}, "params"),
        ({"type": "threads.get_by_id", "params": {}}, "params.thread_id"),
        ({"type": "threads.get_by_id", "params": {"thread_id": 1}}, "params.thread_id"),
        ({"type": "threads.list", "params": {"order": "up"}}, "params.order"),
        ({"type": "threads.list", "params": {}, "metadata": 1}, "metadata"),
        ({"type": "threads.update", "params": {"thread_id": "a"}}, "params.title"),
        (create(content=[{"type": "input_text"}]), "params.input.content.0.text"),
        (create(content=[{"type": "input_text", "text": 1}]), "params.input.content.0.text"),
        (create(content=[{"type": "input_audio"}]), "params.input.content.0"),
        (create(content="hello"), "params.input.content"),
        (create(content=[]), "params.input.content"),
        (create(content=[{"type": "input_text", "text": " \n"}]), "params.input.content"),
        (create(content=tag(1)), "params.input.content.0.data"),
        (create(attachments=[1]), "params.input.attachments.0"),
        (create(inference_options=None), "params.input.inference_options"),
        (
            create(inference_options={"tool_choice": {}}),
            "params.input.inference_options.tool_choice.id",
        ),
        (
            {
                "type": "threads.add_structured_input",
                "params": {
                    "thread_id": "a",
                    "item_id": "b",
                    "input": {"answers": {"q": {"values": "x"}}},
                },
            },
            "params.input.answers.q.values",
        ),
    ],
)
async def test_a_wrong_field_is_named_with_its_path(
    make_chat: MakeChat, body: dict[str, Any], field: str
) -> None:
    chat = await make_chat()
    status, message = await chat.refused(body)
    assert status == 400
    assert message.partition(": ")[0] == field
    assert (await chat.ask("threads.list"))["data"] == []


async def test_what_was_given_is_not_repeated_at_length(make_chat: MakeChat) -> None:
    chat = await make_chat()
    status, message = await chat.refused(create(content=[{"type": "x" * 100_000}]))
    assert status == 400
    assert len(message) < 400


async def test_a_body_deeper_than_can_be_kept(make_chat: MakeChat) -> None:
    chat = await make_chat()
    # body, params, input, content, part, data
    within = {"a": nested(MAX_DEPTH - 7)}
    streamed = await chat.stream(**_spread(create(content=tag(within))))
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["items"]["data"][0]["content"][0]["data"] == within
    for levels in (MAX_DEPTH - 6, 900):
        body = json.dumps(create(content=tag({"a": nested(levels)}))).encode()
        status, message = await chat.refused(body)
        assert status == 400
        assert "levels" in message


def _spread(body: dict[str, Any]) -> dict[str, Any]:
    return {"operation": body["type"], **body["params"]}


async def test_a_body_that_is_too_large(make_chat: MakeChat) -> None:
    chat = await make_chat(server={"max_body": "64kB"})
    for body in (b" " * 64_001, orjson.dumps(create(quoted_text="x" * 64_000))):
        status, message = await chat.refused(body)
        assert status == 413
        assert "64000" in message
    await chat.stream(**_spread(create(quoted_text="x" * 60_000)))


async def test_a_body_with_too_many_values(make_chat: MakeChat) -> None:
    chat = await make_chat()
    status, message = await chat.refused(create(attachments=[1] * MAX_VALUES))
    assert status == 413
    assert str(MAX_VALUES) in message


# The address


async def test_other_methods_and_addresses(make_chat: MakeChat) -> None:
    chat = await make_chat()
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        response = await chat.client.request(method, chat.path)
        assert response.status == 405
        assert "POST" in response.headers["Allow"].split(",")
        assert list(await response.json()) == ["message"]
    response = await chat.client.post("/api/chats", data=b"{}")
    assert response.status == 404
    assert list(await response.json()) == ["message"]


async def test_health(make_chat: MakeChat) -> None:
    chat = await make_chat()
    assert (await chat.client.get("/healthz")).status == 200
    ready = await chat.client.get("/readyz")
    assert ready.status == 200
    assert (await ready.json())["ready"] is True


# Who asks


class Door:
    """An `auth` hook that does what it was made with."""

    def __init__(self, answer: User | Exception | None) -> None:
        self.answer = answer

    @hookimpl
    async def auth(self, request: web.Request) -> User | None:
        assert request.path.startswith("/")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_nobody_says_who_asks(aiohttp_client: Any) -> None:
    hooks = Hooks.of([("door", Door(None)), ("store", MemoryStorePlugin()), ("model", Model())])
    settings = Settings.model_validate({"server": {"cors_origins": PAGE}})
    chat = Chat(await aiohttp_client(create_app(settings, hooks)))
    response = await chat.post(create(), headers={"Origin": PAGE})
    assert response.status == 401
    assert response.headers["WWW-Authenticate"]
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert list(await response.json()) == ["message"]


class Model:
    """Says that it serves the default model."""

    @hookimpl
    def model_providers(self) -> dict[str, Any]:
        return {"demo": MultiProvider()}


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Unauthorized("Your session is over."), 401, "session is over"),
        (Forbidden("Not from there."), 403, "Not from there."),
        (Unavailable("No keys."), 503, "No keys."),
        (Conflict("Not so."), 401, "Not so."),
        (ServerError("hunter2"), 401, "Could not verify who you are."),
        (ZeroDivisionError("hunter2"), 401, "Could not verify who you are."),
    ],
)
async def test_an_auth_plugin_that_refuses(
    make_chat: MakeChat, error: Exception, status: int, words: str
) -> None:
    chat = await make_chat(Door(error))
    bodies: list[Any] = [create(), {"type": "threads.list", "params": {}}, {"messages": []}]
    for body in bodies:
        refused = await chat.refused(body)
        assert refused[0] == status
        assert words in refused[1]
        assert "hunter2" not in refused[1]


# The thread


@pytest.mark.parametrize("kind", [LockedStatus, ClosedStatus])
async def test_a_locked_or_closed_thread(
    make_chat: MakeChat, kind: type[LockedStatus] | type[ClosedStatus]
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(store, Actions())
    asked = await chat.say("hello")
    thread_id = asked.thread_id
    [threads] = store.memory.threads.values()
    item_id = asked.done("user_message")[0]["id"]
    writes: dict[str, dict[str, Any]] = {
        "threads.add_user_message": create()["params"],
        "threads.add_client_tool_output": {"result": 1},
        "threads.add_structured_input": {"item_id": item_id, "input": {}},
        "threads.retry_after_item": {"item_id": item_id},
    }
    bodies: list[dict[str, Any]] = [
        {"type": operation, "params": {"thread_id": thread_id, **params}}
        for operation, params in writes.items()
    ]
    bodies.append({"thread_id": thread_id, "messages": [{"role": "user", "content": "hello"}]})
    for reason in ("under review", None):
        threads[thread_id].status = kind(reason=reason)
        for body in bodies:
            status, message = await chat.refused(body)
            assert status == 409
            assert kind().type in message
            assert (reason or "") in message
    for operation in ("threads.get_by_id", "items.list", "threads.update"):
        await chat.ask(operation, thread_id=thread_id, title="Read on")
    assert len(store.memory.items[thread_id]) == 2
    threads[thread_id].status = ActiveStatus()
    assert (await chat.say("again", thread_id)).error is None


class Actions:
    """Would answer an action."""

    @hookimpl
    async def action(self) -> list[Any]:
        return []


# Before the stream: nothing is written


class Refuses:
    """Raises in `agent` or `pre_turn`."""

    def __init__(self, error: Exception, hook: str) -> None:
        self.error = error
        self.hook = hook

    @hookimpl
    async def agent(self) -> None:
        if self.hook == "agent":
            raise self.error

    @hookimpl
    async def pre_turn(self) -> None:
        if self.hook == "pre_turn":
            raise self.error


@pytest.mark.parametrize("hook", ["agent", "pre_turn"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Forbidden("Not for you."), 403),
        (Conflict("Not now."), 409),
        (TooManyRequests("Too much."), 429),
        (Unavailable("Down.", retry_after=7), 503),
    ],
)
async def test_a_refusal_before_the_turn_leaves_nothing_behind(
    make_chat: MakeChat, hook: str, error: Exception, status: int
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(Refuses(error, hook), store)
    plain = {"messages": [{"role": "user", "content": "hello"}]}
    for body in (create(), plain):
        assert await chat.refused(body) == (status, str(error))
        response = await chat.post(body)
        wait = {429: "5", 503: "7"}.get(status)
        assert response.headers.get("Retry-After") == wait
    assert not any(store.memory.threads.values())
    assert not store.memory.items


# In the stream


class Breaks(MemoryStore):
    """Fails to save items of one kind."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        if item.type == self.kind:
            raise OSError("disk full at /secret/path")
        await super().add_thread_item(thread_id, item, context)

    async def save_thread(self, thread: ThreadMetadata, context: StoreContext) -> None:
        if self.kind == "thread":
            raise OSError("disk full at /secret/path")
        await super().save_thread(thread, context)


@pytest.mark.parametrize("kind", ["thread", "user_message", "assistant_message"])
async def test_a_store_that_fails_ends_the_turn_with_an_event(
    make_chat: MakeChat, kind: str
) -> None:
    plugin = StorePlugin(Breaks(kind))
    chat = await make_chat(plugin)
    streamed = await chat.stream(**_spread(create()))
    assert streamed.error is not None
    assert streamed.data[-1] == streamed.error
    assert streamed.error["allow_retry"] is True
    assert "secret" not in str(streamed.data)
    done = [e["item"]["type"] for e in streamed.data if e["type"] == "thread.item.done"]
    assert done == (["user_message"] if kind == "assistant_message" else [])
    stored = [item.type for items in plugin.memory.items.values() for item in items.values()]
    assert [item for item in stored if item != "hidden_context_item"] == done
    plain = await chat.plain("hello")
    assert "error" in plain.data[-2]
    assert plain.data[-1]["status"] == "failed"


async def test_a_persist_hook_that_fails_ends_the_turn_with_an_event(make_chat: MakeChat) -> None:
    class Audit:
        @hookimpl
        async def persist(self, item: ThreadItem) -> None:
            if isinstance(item, UserMessageItem):
                raise Unavailable("The audit log is full.")

    chat = await make_chat(Audit())
    streamed = await chat.stream(**_spread(create()))
    assert streamed.types == ["thread.created", "error"]
    assert streamed.error is not None
    assert (streamed.error["message"], streamed.error["allow_retry"]) == (
        "The audit log is full.",
        True,
    )


async def test_what_trying_again_does_not_help(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.fail(401)
    streamed = await chat.say("hello")
    assert streamed.error is not None
    assert streamed.error.get("allow_retry") is False
    assert streamed.response.status == 200


@pytest.mark.parametrize("by_its_user", [True, False])
async def test_a_thread_deleted_under_its_turn_ends_it(
    make_chat: MakeChat, model_server: ModelServer, by_its_user: bool
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(store, **served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    streaming = asyncio.create_task(chat.say("Count"))
    await gate.reached()
    [thread] = (await chat.ask("threads.list"))["data"]
    if by_its_user:
        assert await chat.ask("threads.delete", thread_id=thread["id"]) == {}
    else:
        await store.memory.delete_thread(thread["id"], StoreContext(User("somebody")))
    gate.open()
    streamed = await streaming
    assert streamed.data[-1] == streamed.error
    # Only what was stopped while the thread was there could be saved
    assert len(streamed.done("assistant_message")) == by_its_user
    assert (await chat.ask("threads.list"))["data"] == []
    assert not store.memory.items.get(thread["id"])


# Pages of other sites


async def cors(make_chat: MakeChat, **server: Any) -> Chat:
    return await make_chat(server={"cors_origins": f"{PAGE}, http://localhost:3000", **server})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"type": "threads.list", "params": {}}', 200),
        (b'{"messages": [{"role": "user", "content": "hello"}]}', 200),
        (b"", 400),
        (b'{"type": "threads.get_by_id", "params": {"thread_id": "x"}}', 404),
        (b'{"type": "input.transcribe", "params": {"audio_base64": "", "mime_type": ""}}', 422),
        (b" " * 100_001, 413),
    ],
)
async def test_pages_of_the_settings_may_read_every_answer(
    make_chat: MakeChat, body: bytes, status: int
) -> None:
    chat = await cors(make_chat, max_body="100kB")
    response = await chat.post(body, headers={"Origin": PAGE})
    assert response.status == status
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    exposed = response.headers["Access-Control-Expose-Headers"].lower().split(",")
    assert "x-turn-id" in exposed
    await response.read()
    response = await chat.post(body, headers={"Origin": "https://evil.example.com"})
    assert response.status == status
    assert not [name for name in response.headers if name.startswith("Access-Control")]
    await response.read()


class Routes:
    """Has a route that fails, and one that answers OPTIONS itself."""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        async def fail(request: web.Request) -> web.Response:
            raise ZeroDivisionError

        async def answer(request: web.Request) -> web.Response:
            return web.Response(headers={"Access-Control-Allow-Origin": "https://own.example.com"})

        app.router.add_get("/fails", fail)
        app.router.add_route("*", "/own", answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/chats", 404),
        ("GET", "/", 404),
        ("PUT", "/api/chat", 405),
        ("GET", "/api/chat", 405),
        ("POST", "/healthz", 405),
        ("GET", "/api/chat/turns/turn_unknown", 404),
        ("GET", "/api/chat/turns/turn_unknown/events", 404),
        ("DELETE", "/api/chat/turns/turn_unknown", 405),
        ("GET", "/fails", 500),
    ],
)
async def test_pages_of_the_settings_may_read_errors_of_every_path(
    make_chat: MakeChat, method: str, path: str, status: int
) -> None:
    chat = await make_chat(Routes(), server={"cors_origins": PAGE})
    headers = {"Origin": PAGE, "Access-Control-Request-Method": method}
    asked = await chat.client.options(path, headers=headers)
    assert asked.status == 200
    assert asked.headers["Access-Control-Allow-Origin"] == PAGE
    assert asked.headers["Access-Control-Allow-Methods"] == method
    response = await chat.client.request(method, path, headers={"Origin": PAGE})
    assert response.status == status
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert "X-Request-Id" in response.headers["Access-Control-Expose-Headers"].split(",")
    assert (await response.json())["message"]
    response = await chat.client.request(method, path, headers={"Origin": "https://evil.com"})
    assert response.status == status
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_route_that_answers_options_itself_is_left_alone(make_chat: MakeChat) -> None:
    chat = await make_chat(Routes(), server={"cors_origins": PAGE})
    for method in ("OPTIONS", "GET"):
        headers = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
        response = await chat.client.request(method, "/own", headers=headers)
        assert response.status == 200
        assert response.headers.getall("Access-Control-Allow-Origin") == ["https://own.example.com"]


async def test_options_without_an_origin_is_a_method_like_others(make_chat: MakeChat) -> None:
    chat = await cors(make_chat)
    response = await chat.client.options(chat.path)
    assert response.status == 405
    assert response.headers["Allow"] == "POST"


async def preflight(chat: Chat, **headers: str) -> Any:
    given = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "chatkit-frame-instance-id,content-type,authorization",
    }
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await chat.client.options(chat.path, headers=given)


async def test_a_preflight_allows_what_chatkit_sends(make_chat: MakeChat) -> None:
    chat = await cors(make_chat)
    response = await preflight(chat)
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert {"chatkit-frame-instance-id", "content-type", "authorization"} <= set(allowed)


async def test_a_preflight_of_another_page_is_refused(make_chat: MakeChat) -> None:
    chat = await cors(make_chat)
    response = await preflight(chat, Origin="https://evil.example.com")
    assert response.status == 403
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "https://evil.example.com" in (await response.json())["message"]


async def test_every_page_is_let_in_only_without_credentials(make_chat: MakeChat) -> None:
    with pytest.raises(SettingsError, match="cors_origins"):
        await make_chat(server={"cors_origins": "*"})
    chat = await make_chat(server={"cors_origins": "*", "cors_credentials": False})
    response = await chat.post(b"", headers={"Origin": "https://any.example.com"})
    assert response.headers["Access-Control-Allow-Origin"] == "https://any.example.com"
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/", "https://"])
async def test_what_no_browser_sends_as_an_origin_is_refused_at_start(
    make_chat: MakeChat, origin: str
) -> None:
    with pytest.raises(SettingsError, match="is not an origin as browsers write it"):
        await make_chat(server={"cors_origins": f"http://localhost:3000, {origin}"})
