"""Errors of ChatKit's SDK, of stores and of web frameworks: they mean the same wherever raised."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from agents import Agent, FunctionTool, function_tool
from aiohttp import ClientResponseError, web
from chatkit.errors import BaseStreamError, CustomStreamError, ErrorCode, StreamError
from chatkit.store import AttachmentStore, NotFoundError
from chatkit.types import ErrorEvent, ProgressUpdateEvent
from openai import APIStatusError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from chatkit_server import Conflict, Outcome, Turn, TurnFailed, User, hookimpl
from chatkit_server.known_errors import AWAY, UNTOLD, Outage, as_server_error
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.turns.failures import explain
from tests.client import Chat
from tests.conftest import MakeChat
from tests.replicas import request
from tests.serving import served_by

HELLO = {"messages": [{"role": "user", "content": "hello"}]}

Act = Callable[[], Awaitable[Any]]


class Acts:
    """Does in one of its hooks what a test says, and notes how turns end."""

    def __init__(self, *tools: FunctionTool) -> None:
        self.hook = ""
        self.act: Act = asyncio.Event().wait
        self.tools = tools
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    def when(self, hook: str, act: Act) -> None:
        """Do this in this hook from now on."""
        self.hook, self.act = hook, act
        while not self.outcomes.empty():
            self.outcomes.get_nowait()

    async def _do(self, hook: str) -> Any:
        return await self.act() if hook == self.hook else None

    @hookimpl
    async def auth(self) -> User | None:
        await self._do("auth")
        return None

    @hookimpl
    async def agent(self, turn: Turn) -> Any:
        return await self._do("agent")

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.extend(self.tools)
        await self._do("pre_turn")

    @hookimpl
    async def tool_result(self) -> None:
        await self._do("tool_result")

    @hookimpl
    async def persist(self, item: Any) -> None:
        if item.type == "user_message":
            await self._do("persist")

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.put_nowait(outcome)
        await self._do("post_turn")

    @hookimpl
    async def context(self) -> Any:
        return await self._do("context")

    @hookimpl
    async def respond(self) -> Any:
        if self.hook == "response":
            return self._events()
        return await self._do("respond")

    @hookimpl
    async def action(self, turn: Turn) -> Any:
        if self.hook == "iterator":
            return self._events()
        return await self._do("action")

    async def _events(self) -> AsyncIterator[Any]:
        yield ProgressUpdateEvent(text="…")
        await self.act()

    @hookimpl
    async def transcribe(self) -> Any:
        return await self._do("transcribe")

    @hookimpl
    async def feedback(self) -> Any:
        return await self._do("feedback")


def raising(error: BaseException) -> Act:
    async def act() -> None:
        raise error

    return act


async def thread_of(chat: Chat) -> tuple[str, str]:
    """Return the ids of a new thread and of its answer."""
    said = await chat.say("hello")
    return said.thread_id, said.done("assistant_message")[0]["id"]


def action_on(thread_id: str, kind: str = "threads.custom_action") -> dict[str, Any]:
    return {"type": kind, "params": {"thread_id": thread_id, "action": {"type": "go"}}}


# ChatKit's own errors


class Overdrawn(StreamError):
    """An error with a code that ChatKit's list does not have."""

    def __init__(self) -> None:
        super().__init__("account.overdrawn", allow_retry=True)  # type: ignore[arg-type]


class Odd(BaseStreamError):
    """An error of another class, with nothing that it should have."""


STREAM_ERRORS: list[tuple[BaseStreamError, dict[str, Any]]] = [
    (
        CustomStreamError("Pay first.", allow_retry=False),
        {"code": "custom", "message": "Pay first.", "allow_retry": False},
    ),
    (
        CustomStreamError("Not now.", allow_retry=True),
        {"code": "custom", "message": "Not now.", "allow_retry": True},
    ),
    (StreamError(ErrorCode.STREAM_ERROR), {"code": "stream.error", "allow_retry": True}),
    (
        StreamError(ErrorCode.STREAM_ERROR, allow_retry=False),
        {"code": "stream.error", "allow_retry": False},
    ),
    (Overdrawn(), {"code": "account.overdrawn", "allow_retry": True}),
    (CustomStreamError(" "), {"code": "stream.error", "allow_retry": False}),
    (Odd(), {"code": "stream.error", "allow_retry": False}),
]


def words_of(event: dict[str, Any]) -> str:
    return str(event.get("message", UNTOLD[event["allow_retry"]]))


@pytest.mark.parametrize("hook", ["persist", "respond", "response", "action", "iterator"])
async def test_an_error_of_chatkit_in_the_stream(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    acts = Acts()
    chat = await make_chat(acts)
    thread_id, _ = await thread_of(chat)
    for error, event in STREAM_ERRORS:
        acts.when(hook, raising(error))
        caplog.clear()
        if hook == "persist":
            plain = await chat.plain("hello", thread_id=thread_id)
            told = {"error": words_of(event), "allow_retry": event["allow_retry"]}
            assert plain.data[-2] == told
            await acts.outcomes.get()
            caplog.clear()
        is_action = hook in ("action", "iterator")
        body = action_on(thread_id) if is_action else request("hello", thread_id)
        streamed = await chat.read(await chat.post(body))
        assert streamed.data[-1] == {"type": "error"} | event
        outcome = await acts.outcomes.get()
        shown = (outcome.status, outcome.error, outcome.allow_retry, outcome.code)
        assert shown == ("failed", words_of(event), event["allow_retry"], event["code"])
        [record] = [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert " failed: " + words_of(event) in record.getMessage()
        assert "plugin" not in record.getMessage()
        assert record.exc_info is None
        # Whoever asks later is told the same
        turn = f"{chat.path}/turns/{streamed.response.headers['X-Turn-Id']}"
        again = await chat.read(await chat.client.get(f"{turn}/events"))
        assert again.data[-1] == streamed.data[-1]
        state = await (await chat.client.get(turn)).json()
        assert (state["state"], state["error"]) == ("failed", words_of(event))
        assert (state["allow_retry"], state.get("code", "custom")) == (
            event["allow_retry"],
            event["code"],
        )


@pytest.mark.parametrize(
    "hook", ["auth", "context", "agent", "pre_turn", "action", "transcribe", "feedback"]
)
async def test_an_error_of_chatkit_before_the_stream(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    acts = Acts()
    chat = await make_chat(acts)
    thread_id, item_id = await thread_of(chat)
    thumbs = {"thread_id": thread_id, "item_ids": [item_id], "kind": "positive"}
    sound = {"audio_base64": "AAAA", "mime_type": "audio/webm"}
    bodies: dict[str, Any] = {
        "action": action_on(thread_id, "threads.sync_custom_action"),
        "transcribe": {"type": "input.transcribe", "params": sound},
        "feedback": {"type": "items.feedback", "params": thumbs},
    }
    caplog.set_level(logging.INFO)
    for error, event in STREAM_ERRORS:
        acts.when(hook, raising(error))
        caplog.clear()
        status = 401 if hook == "auth" else 422
        assert await chat.refused(bodies.get(hook, HELLO)) == (status, words_of(event))
        assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
        if hook == "pre_turn":
            outcome = await acts.outcomes.get()
            assert (outcome.status, outcome.code) == ("refused", event["code"])
    acts.when("", acts.act)
    assert (await chat.say("hello", thread_id)).error is None


async def test_an_error_of_chatkit_after_the_end_is_one_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    acts = Acts()
    chat = await make_chat(acts)
    acts.when("post_turn", raising(CustomStreamError("Too late.")))
    assert (await chat.say("hello")).error is None
    await acts.outcomes.get()
    [record] = caplog.records
    assert record.getMessage().endswith(
        "plugin Acts_0: post_turn failed (user somebody): StreamFailed: Too late."
    )
    assert record.exc_info is None


def failing_tool(error: Exception, **options: Any) -> FunctionTool:
    async def book() -> str:
        """Book."""
        raise error

    tool: FunctionTool = function_tool(**options)(book)
    return tool


SOLD_OUT = {"code": "custom", "message": "Sold out.", "allow_retry": False}


@pytest.mark.parametrize(
    ("raised_by", "error", "event"),
    [
        ("tool", *STREAM_ERRORS[1]),
        ("tool_result", *STREAM_ERRORS[1]),
        ("tool", TurnFailed("Sold out."), SOLD_OUT),
    ],
)
@pytest.mark.parametrize("fast", [True, False])
async def test_an_error_for_the_user_ends_the_turn_where_a_tool_may(
    make_chat: MakeChat,
    model_server: ModelServer,
    raised_by: str,
    fast: bool,
    error: Exception,
    event: dict[str, Any],
) -> None:
    tool = failing_tool(error if raised_by == "tool" else OSError(), failure_error_function=None)
    acts = Acts(tool)
    acts.when(raised_by, raising(error))
    chat = await make_chat(acts, **served_by(model_server, fast_path=fast))
    model_server.reply(Call("book", {}))
    streamed = await chat.say("Book it")
    assert streamed.error == {"type": "error"} | event
    assert len(model_server.requests) == 1
    [(call, result)] = (await acts.outcomes.get()).tools
    assert (call.name, result.failed) == ("book", True)


async def test_the_model_is_told_of_an_error_of_chatkit_where_a_tool_says_no_more(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(
        Acts(failing_tool(CustomStreamError("No seats."))), **served_by(model_server)
    )
    model_server.reply(Call("book", {}))
    model_server.reply("Sorry.")
    assert (await chat.say("Book it")).text == "Sorry."
    assert "No seats." in str(model_server.requests[-1].body["messages"][-1]["content"])
    [record] = caplog.records
    assert record.exc_info is None


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (ErrorEvent(message="Sold out.", allow_retry=True), "Sold out."),
        (ErrorEvent(code=ErrorCode.STREAM_ERROR), None),
        (ErrorEvent(code=ErrorCode.STREAM_ERROR, message="Sold out."), "Sold out."),
    ],
)
async def test_an_error_event_makes_the_turn_fail(
    make_chat: MakeChat, event: ErrorEvent, told: str | None
) -> None:
    class Sells(Acts):
        @hookimpl
        async def action(self, turn: Turn) -> Any:
            async def events() -> AsyncIterator[Any]:
                yield event
                turn.thread.title = "Sold out"
                yield ProgressUpdateEvent(text="What follows is told too")

            return events()

    acts = Sells()
    chat = await make_chat(acts)
    thread_id, _ = await thread_of(chat)
    acts.when("", acts.act)
    streamed = await chat.read(await chat.post(action_on(thread_id)))
    assert streamed.types == ["stream_options", "progress_update", "thread.updated", "error"]
    assert streamed.error == event.model_dump(mode="json", exclude_none=True)
    outcome = await acts.outcomes.get()
    assert (outcome.status, outcome.error) == ("failed", told or UNTOLD[False])
    assert outcome.allow_retry is event.allow_retry


# Stores and frameworks


class Fields(BaseModel):
    """Is not made of what it is given."""

    id: int


def invalid() -> Exception:
    try:
        Fields.model_validate({"id": "secret"})
    except ValueError as error:
        return error
    raise AssertionError


def named(name: str, *bases: type, **fields: Any) -> Exception:
    """Return an exception of another library, which the server knows by its names alone."""
    found: Exception = type(name, bases or (Exception,), fields)("secret")
    return found


def of_a_client() -> Exception:
    error = APIStatusError.__new__(APIStatusError)
    Exception.__init__(error, "secret")
    error.status_code = 404
    return error


class HalfMade(Exception):
    """An exception of a library that cannot tell what it is."""

    def __str__(self) -> str:
        raise RuntimeError("secret")

    __repr__ = __str__
    status_code = property(__str__)


STORE_ERRORS: dict[str, tuple[Exception, int, str | None]] = {
    "not found": (NotFoundError("secret"), 404, "not found."),
    "a bug": (KeyError("secret"), 500, None),
    "a wrong row": (invalid(), 500, None),
    "not allowed": (PermissionError("secret"), 403, "You may not do this."),
    "a file's rights": (PermissionError(13, "secret"), 500, None),
    "time": (TimeoutError("secret"), 503, AWAY),
    "connection": (ConnectionResetError("secret"), 503, AWAY),
    "disk": (OSError(28, "secret"), 503, AWAY),
    "a driver": (named("InterfaceError"), 503, AWAY),
    "a driver's text": (
        type("OperationalError", (Exception,), {})("connection to secret failed"),
        503,
        AWAY,
    ),
    "a pool": (named("TimeoutError"), 503, AWAY),
    "not there": (NotImplementedError("secret"), 422, "This server does not support that."),
    "starlette": (HTTPException(413, "Too big."), 413, "Too big."),
    "starlette's default": (HTTPException(409), 409, "Conflict"),
    "starlette's own": (HTTPException(500, "secret"), 500, None),
    "fastapi": (named("HTTPException", status_code=418, detail={"message": "Tea."}), 418, "Tea."),
    "aiohttp": (web.HTTPForbidden(text="Not yours."), 403, "Not yours."),
    "werkzeug": (named("HTTPException", code=409, description="Taken."), 409, "Taken."),
    "one's own": (named("Refused", status_code=422, message="No cats."), 422, "No cats."),
    "chatkit": (CustomStreamError("Full."), 422, "Full."),
    "half made": (HalfMade("secret"), 500, None),
    "a client's": (ClientResponseError(None, (), status=404, message="secret"), 503, AWAY),  # type: ignore[arg-type]
    "a model's": (of_a_client(), 503, AWAY),
}


@pytest.mark.parametrize("store_method", ["load_thread", "load_thread_items"])
async def test_errors_of_a_store_are_mapped_by_type(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, store_method: str
) -> None:
    """Both outside a turn and while one is prepared."""
    store, acts = MemoryStorePlugin(), Acts()
    chat = await make_chat(acts, store)
    thread_id, _ = await thread_of(chat)
    body: Any = {"type": "threads.get_by_id", "params": {"thread_id": thread_id}}
    if store_method == "load_thread_items":
        body = {**HELLO, "thread_id": thread_id}
    for name, (error, status, words) in STORE_ERRORS.items():
        acts.when("", acts.act)

        async def fail(*_: Any, error: Exception = error) -> Any:
            raise error

        setattr(store.memory, store_method, fail)
        response = await chat.post(body)
        message = (await response.json())["message"]
        assert response.status == status, (name, message)
        assert "secret" not in message, name
        if words is not None and status != 503:
            assert words.lower() in message.lower(), name
        delattr(store.memory, store_method)
    assert (await chat.say("hello", thread_id)).error is None


@pytest.mark.parametrize(("error", "status", "words"), STORE_ERRORS.values(), ids=STORE_ERRORS)
def test_an_error_means_the_same_in_a_turn(
    error: Exception, status: int, words: str | None
) -> None:
    told = explain(error)
    assert "secret" not in told.message
    known = as_server_error(error)
    if known is None:
        assert status == 500
    elif isinstance(known, Outage):
        assert (known.status, known.message) == (503, AWAY)
    else:
        assert (known.status, known.message.lower()) == (status, str(words).lower())
        assert type(told) is type(known)
        assert (told.message, told.allow_retry) == (known.message, known.allow_retry)


class Files(AttachmentStore[StoreContext]):
    """Refuses every file, each as it is told."""

    error: BaseException

    @hookimpl
    def attachment_store(self) -> AttachmentStore[StoreContext]:
        return self

    async def create_attachment(self, input: Any, context: StoreContext) -> Any:
        raise self.error

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (HTTPException(413, "Send less."), 413, "Send less."),
        (web.HTTPBadRequest(text="Not a picture."), 400, "Not a picture."),
        (named("UploadRefused", status=415, detail="No films."), 415, "No films."),
        (CustomStreamError("No films."), 422, "No films."),
        (TimeoutError("secret"), 503, AWAY),
        (ValueError("secret"), 422, "The attachment store failed."),
        (invalid(), 422, "The attachment store failed."),
        (asyncio.CancelledError("secret"), 422, "The attachment store failed."),
    ],
)
async def test_an_attachment_store_says_itself_why_it_refuses(
    make_chat: MakeChat, error: BaseException, status: int, words: str
) -> None:
    files = Files()
    files.error = error
    chat = await make_chat(files)
    params = {"name": "a", "size": 1, "mime_type": "text/plain"}
    assert await chat.refused({"type": "attachments.create", "params": params}) == (status, words)


# Feedback goes to all


async def test_all_plugins_get_feedback(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    """It is accepted if one of them accepts it; the first failure shows if none does."""
    plugins = [Acts(), Acts(), Acts()]
    chat = await make_chat(*plugins)
    thread_id, item_id = await thread_of(chat)
    body = {
        "type": "items.feedback",
        "params": {"thread_id": thread_id, "item_ids": [item_id], "kind": "positive"},
    }
    full, down = raising(Conflict("Full.")), raising(ZeroDivisionError("secret"))
    asked: list[int] = []

    def answers(number: int, act: Any) -> Act:
        async def answer() -> Any:
            asked.append(number)
            return await act() if callable(act) else act

        return answer

    cases: list[tuple[list[Any], int, str | None, int]] = [
        ([True, None, True], 200, None, 0),
        ([full, True, down], 200, None, 2),
        ([down, full, True], 200, None, 2),
        ([None, False, None], 422, "No plugin's `feedback` hook accepts this feedback.", 0),
        ([None, full, down], 409, "Full.", 1),
        ([down, full, None], 422, "A plugin's `feedback` hook failed.", 2),
    ]
    for acts, status, words, lines in cases:
        asked.clear()
        caplog.clear()
        for number, act in enumerate(acts):
            plugins[number].when("feedback", answers(number, act))
        response = await chat.post(body)
        assert (response.status, (await response.json()).get("message")) == (status, words)
        assert asked == [0, 1, 2]
        logged = [r.getMessage() for r in caplog.records if ": feedback failed" in r.getMessage()]
        assert len(logged) == lines, logged


# A model that the settings do not list


async def test_a_plugin_may_take_a_model_that_the_settings_do_not_offer(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    taken: list[str] = []

    class Takes(Acts):
        @hookimpl
        async def agent(self, turn: Turn) -> Any:
            return Agent("a", model="test/theirs") if "agent" in taken else None

        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            if "pre_turn" in taken:
                turn.model = "test/model"

    store, acts = MemoryStorePlugin(), Takes()
    chat = await make_chat(acts, store, **served_by(model_server))
    body = request("hello")
    body["params"]["input"]["inference_options"] = {"model": "smart"}
    plain = {**HELLO, "model": "smart"}
    told = "The model `smart` is not offered here. Use: test/model"
    for asked in (body, plain):
        assert await chat.refused(asked) == (400, told)
        outcome = await acts.outcomes.get()
        assert (outcome.status, outcome.error) == ("refused", told)
    assert not any(store.memory.threads.values())
    assert not model_server.requests
    for hook, model in (("agent", "theirs"), ("pre_turn", "model")):
        taken[:] = [hook]
        for asked in (body, plain):
            model_server.reply("Hello.")
            assert (await chat.read(await chat.post(asked))).text == "Hello."
            assert model_server.requests[-1].body["model"] == model
            assert (await acts.outcomes.get()).status == "completed"
