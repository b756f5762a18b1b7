"""The plugin `chatkit_sdk`: a server written with ChatKit's SDK, hosted by this one."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    AudioInput,
    FeedbackKind,
    Page,
    StreamOptions,
    SyncCustomActionResponse,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
    WidgetItem,
)
from fastapi import Depends, FastAPI, Header
from fastapi.security import HTTPBearer
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatkit_server import STORE, RequestNeeded, SettingsError, StoreContext, User
from chatkit_server.app import create_app
from chatkit_server.settings.load import load
from chatkit_server.testing.memory_store import MemoryStore
from tests.conftest import MakeChat
from tests.test_respond import Told, delta
from tests.test_resume import create

NAME = "sdk_backend_under_test"


class Backend(ChatKitServer[dict[str, Any]]):
    """Echoes, and notes what it was given."""

    def __init__(self, store: Any = None) -> None:
        super().__init__(store or MemoryStore(owner=lambda context: context["user"]))
        self.given: list[Any] = []
        self.loaded: list[list[str]] = []
        self.gate: asyncio.Event | None = None

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        self.given.append((thread, input_user_message, context))
        page = await self.store.load_thread_items(thread.id, None, 20, "asc", context=context)
        self.loaded.append([item.type for item in page.data])
        item = AssistantMessageItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            content=[AssistantMessageContent(text="")],
        )
        yield ThreadItemAddedEvent(item=item)
        yield delta(item, "echo")
        if self.gate is not None:
            await self.gate.wait()
        thread.title = f"asked {len(self.given)} times"
        content = [AssistantMessageContent(text="echo")]
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": content}))

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: dict[str, Any]
    ) -> None:
        self.given.append((thread_id, item_ids, feedback, context["user"]))

    async def transcribe(
        self, audio_input: AudioInput, context: dict[str, Any]
    ) -> TranscriptionResult:
        return TranscriptionResult(text=f"{context['user']}: {len(audio_input.data)} bytes")

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: dict[str, Any],
    ) -> SyncCustomActionResponse:
        self.given.append((thread.id, action.type, sender, context["user"]))
        return SyncCustomActionResponse()

    def get_stream_options(self, thread: ThreadMetadata, context: dict[str, Any]) -> StreamOptions:
        return StreamOptions(allow_cancel=False)


def make_context(request: Any, user: Any) -> dict[str, Any]:
    mood = request.headers.get("x-mood")
    if mood == "bad":
        raise HTTPException(403, "Come back in a better mood.")
    if mood == "broke":
        # FastAPI's take anything that is JSON
        detail: Any = {"message": "Pay first."}
        raise HTTPException(402, detail)
    return {"user": user.id, "mood": mood, "request": request}


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a factory of sections for `make_chat` that host a module with these attributes."""

    def hosting(config: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
        module = type(sys)(NAME)
        vars(module).update({"context": make_context, **attributes})
        monkeypatch.setitem(sys.modules, NAME, module)
        given = {"server": f"{NAME}:server", "context": f"{NAME}:context"}
        return {"plugins": {"chatkit_sdk": {**given, **(config or {})}}}

    return hosting


@pytest.mark.parametrize("store", ["theirs", "ours"])
async def test_a_subclass_answers_as_in_the_sdk(
    make_chat: MakeChat, backend: Callable[..., Any], store: str
) -> None:
    made: list[Backend] = []

    def server(store: Any = None) -> Backend:
        made.append(Backend(store))
        return made[0]

    chat = await make_chat(**backend({"store": store}, server=server))
    chat.headers |= {"X-Mood": "good", "X-User": "ann"}
    first = await chat.say("hello")
    assert first.types == [
        "thread.created",
        "thread.item.done",
        "stream_options",
        "thread.item.added",
        "assistant_message.content_part.text_delta",
        "thread.item.done",
        "thread.updated",
    ]
    assert first.data[2]["stream_options"] == {"allow_cancel": False}
    assert first.data[-1]["thread"]["title"] == "asked 1 times"
    [server_made] = made
    [(thread, message, context)] = server_made.given
    assert (context["user"], context["mood"]) == ("ann", "good")
    assert message.content[0].text == "hello"
    # As the SDK makes them: local, without a zone
    assert thread.created_at.tzinfo is message.created_at.tzinfo is None
    assert all(item["created_at"].endswith(("Z", "+00:00")) for item in first.done("user_message"))
    await chat.say("again", first.thread_id)
    assert server_made.loaded == [
        ["user_message"],
        ["user_message", "assistant_message", "user_message"],
    ]
    page = await chat.ask("items.list", thread_id=first.thread_id, order="asc")
    assert [item["type"] for item in page["data"]] == server_made.loaded[1] + ["assistant_message"]
    answer = first.done("assistant_message")[0]["id"]
    await chat.ask("items.feedback", thread_id=first.thread_id, item_ids=[answer], kind="positive")
    assert server_made.given.pop() == (first.thread_id, [answer], "positive", "ann")
    heard = await chat.ask("input.transcribe", audio_base64="AAAA", mime_type="audio/webm")
    assert heard["text"] == "ann: 3 bytes"
    action = {"type": "buy", "payload": {}}
    await chat.ask("threads.sync_custom_action", thread_id=first.thread_id, action=action)
    assert server_made.given.pop() == (first.thread_id, "buy", None, "ann")
    # A retry does not show the author's code what it replaces
    server_made.loaded.clear()
    asked = first.done("user_message")[0]["id"]
    await chat.stream("threads.retry_after_item", thread_id=first.thread_id, item_id=asked)
    assert server_made.loaded == [["user_message"]]
    page = await chat.ask("items.list", thread_id=first.thread_id, order="asc")
    assert [item["type"] for item in page["data"]] == ["user_message", "assistant_message"]
    # Nobody has asked a model of this server
    assert (await chat.plain("hello")).data[-1]["model"] == ""
    chat.headers |= {"X-User": "bob"}
    assert (await chat.ask("threads.list"))["data"] == []
    chat.headers |= {"X-Mood": "bad"}
    assert await chat.refused(create("hello")) == (403, "Come back in a better mood.")
    chat.headers |= {"X-Mood": "broke"}
    assert await chat.refused(create("hello")) == (402, "Pay first.")


async def test_a_recording_may_take_longer_than_a_hook(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    class Listening(Backend):
        async def transcribe(self, *_: Any, **__: Any) -> TranscriptionResult:
            await asyncio.sleep(0.2)
            return TranscriptionResult(text="Hello.")

    chat = await make_chat(**backend(server=Listening()), hooks={"timeout": "100ms"})
    heard = await chat.ask("input.transcribe", audio_base64="AAAA", mime_type="audio/webm")
    assert heard == {"text": "Hello."}


def with_own_arguments(store: MemoryStore) -> MemoryStore:
    """Let a store take arguments as the SDK passes them, and one that only its author knows."""
    save, load, load_items, add = (
        store.save_thread,
        store.load_threads,
        store.load_thread_items,
        store.add_thread_item,
    )

    async def save_thread(of_thread: ThreadMetadata, *, context: Any) -> None:
        await save(of_thread, context)

    async def load_threads(*, after: str | None, limit: int, order: str, context: Any) -> Any:
        return await load(limit, after, order, context)

    async def load_thread_items(
        of_thread: str,
        after: str | None = None,
        limit: int = 20,
        order: str = "asc",
        *,
        context: Any,
        only: str | None = None,
    ) -> Page[ThreadItem]:
        page = await load_items(of_thread, after, limit, order, context)
        found = [item for item in page.data if only in (None, item.type)]
        return page.model_copy(update={"data": found})

    async def add_thread_item(*args: Any, **kwargs: Any) -> None:
        await add(*args, **kwargs)

    own = (save_thread, load_threads, load_thread_items, add_thread_item)
    vars(store).update({method.__name__: method for method in own})
    return store


@pytest.mark.parametrize("store", ["theirs", "ours"])
async def test_a_store_with_arguments_of_its_own_is_called_as_the_sdk_calls_it(
    make_chat: MakeChat, backend: Callable[..., Any], store: str
) -> None:
    loaded: list[list[str]] = []
    # This server's store has the author's names and defaults, and no other arguments
    calls = [{}, {"only": "assistant_message"}] if store == "theirs" else [{}]

    class Server(Backend):
        async def respond(self, thread: Any, input_user_message: Any, context: Any) -> Any:
            load: Any = self.store.load_thread_items
            for given in calls:
                page = await load(of_thread=thread.id, context=context, **given)
                loaded.append([item.type for item in page.data])
            async for event in super().respond(thread, input_user_message, context):
                yield event

    server = Server(with_own_arguments(MemoryStore(owner=lambda context: context["user"])))
    chat = await make_chat(**backend({"store": store}, server=server))
    first = await chat.say("hello")
    assert first.types[-1] == "thread.updated"
    await chat.say("again", first.thread_id)
    assert (await chat.ask("threads.list"))["data"][0]["id"] == first.thread_id
    asked = first.done("user_message")[0]["id"]
    loaded.clear()
    # Nor does a call that only the author's store understands show what a retry replaces
    await chat.stream("threads.retry_after_item", thread_id=first.thread_id, item_id=asked)
    assert loaded == [["user_message"], []][: len(calls)]


@pytest.mark.parametrize("override", [False, True])
async def test_stop_is_told_to_the_subclass(
    make_chat: MakeChat, backend: Callable[..., Any], override: bool
) -> None:
    cancelled: list[list[ThreadItem]] = []

    class Stopped(Backend):
        def get_stream_options(self, *_: Any) -> StreamOptions:
            return StreamOptions(allow_cancel=True)

    class Override(Stopped):
        async def handle_stream_cancelled(
            self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Any
        ) -> None:
            cancelled.append(pending_items)

    server = Override() if override else Stopped()
    server.gate = asyncio.Event()
    told = Told()
    chat = await make_chat(told, **backend(server=server))
    response = await chat.post(create("hello"))
    async for line in response.content:
        if b"text_delta" in line:
            break
    path = f"{chat.path}/turns/{response.headers['X-Turn-Id']}/cancel"
    await chat.client.post(path)
    outcome = await told.outcomes.get()
    assert outcome.status == "cancelled"
    [[item]] = cancelled or [[outcome.items[-1]]]
    assert isinstance(item, AssistantMessageItem)
    assert item.content[0].text == "echo"
    thread_id = outcome.items[0].thread_id
    page = await chat.ask("items.list", thread_id=thread_id, order="asc")
    shown = [(item["type"], item["content"][0]["text"]) for item in page["data"]]
    assert shown == [("user_message", "hello"), ("assistant_message", "echo")]


async def test_the_author_says_who_the_user_is(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    async def current_user(request: Any) -> str | int | None:
        token = request.cookies.get("session")
        if token == "old":
            raise HTTPException(401, "Your session has ended.")
        if token == "7":
            # A row of a database
            return 7
        return None if token is None else f"user of {token}"

    server = Backend()
    config = {"user": f"{NAME}:current_user"}
    chat = await make_chat(**backend(config, server=server, current_user=current_user))
    chat.headers["Cookie"] = "session=s1"
    await chat.say("hello")
    assert server.given[0][2]["user"] == "user of s1"
    chat.headers["Cookie"] = "session=7"
    await chat.say("hello")
    assert server.given.pop()[2]["user"] == "7"
    chat.headers["Cookie"] = "session=old"
    assert await chat.refused(create("hello")) == (401, "Your session has ended.")
    del chat.headers["Cookie"]
    await chat.say("hello")
    assert server.given[1][2]["user"] == "somebody"


class Session:
    """Middleware like Starlette's own for sessions: written around the application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["session"] = {"user": Request(scope).cookies.get("session")}
        await self.app(scope, receive, send)


@pytest.mark.parametrize("around", [False, True])
async def test_requests_pass_through_the_middleware_of_the_authors_app(
    make_chat: MakeChat, backend: Callable[..., Any], around: bool
) -> None:
    inner = FastAPI()
    app: Any = inner
    counted: list[str] = []

    @inner.middleware("http")
    async def check(request: Request, call_next: Any) -> Any:
        counted.append(request.url.path)
        if "x-blocked" in request.headers:
            return JSONResponse({"detail": "You are blocked."}, 429)
        request.state.body = await request.body()
        return await call_next(request)

    if around:
        app = Session(inner)
    else:
        inner.add_middleware(Session)

    @inner.get("/who")
    async def who(request: Request) -> Any:
        return request.session["user"]

    def session_user(request: Request) -> Any:
        return request.session["user"]

    def context(request: Request) -> dict[str, Any]:
        return {"user": request.session["user"], "body": request.state.body}

    server = Backend()
    config = {"user": f"{NAME}:session_user", "app": f"{NAME}:app"}
    parts = {"server": server, "session_user": session_user, "context": context, "app": app}
    chat = await make_chat(**backend(config, **parts))
    chat.headers["Cookie"] = "session=ann"
    await chat.say("hello")
    assert server.given[0][2] == {"user": "ann", "body": b""}
    async with chat.client.get("/who", headers=chat.headers) as response:
        assert await response.json() == "ann"
    assert counted == [chat.path, "/who"]
    chat.headers["X-Blocked"] = "yes"
    assert await chat.refused(create("hello")) == (429, "You are blocked.")


def current_user(token: Annotated[Any, Depends(HTTPBearer())]) -> str:
    if token.credentials != "of ann":
        raise HTTPException(401, "Your token is wrong.", {"WWW-Authenticate": "Bearer realm=x"})
    return "ann"


async def settings() -> AsyncIterator[dict[str, Any]]:
    yield {"mood": "good"}


async def dependent_context(
    request: Request,
    user: Annotated[str, Depends(current_user)],
    more: Annotated[dict[str, Any], Depends(settings)],
    accept_language: Annotated[str, Header()] = "en",
) -> dict[str, Any]:
    return {"user": user, "app": request.app, "language": accept_language, **more}


async def signed_in(user: Annotated[str, Depends(current_user)]) -> str:
    return user


async def test_fastapi_gives_dependencies_to_the_authors_functions(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    server, app = Backend(), FastAPI()
    config = {"user": f"{NAME}:signed_in", "app": f"{NAME}:app"}
    parts = {"server": server, "signed_in": signed_in, "context": dependent_context, "app": app}
    chat = await make_chat(**backend(config, **parts))
    chat.headers |= {"Authorization": "Bearer of ann", "Accept-Language": "de"}
    await chat.say("hello")
    assert server.given[0][2] == {"user": "ann", "app": app, "language": "de", "mood": "good"}
    chat.headers["Authorization"] = "Bearer of bob"
    assert await chat.refused(create("hello")) == (401, "Your token is wrong.")


async def test_a_context_may_be_none(make_chat: MakeChat, backend: Callable[..., Any]) -> None:
    contexts: list[Any] = []

    def owner(context: Any) -> str:
        contexts.append(context)
        return ""

    def context(request: Any) -> None:
        # Without a request it fails
        request.headers["user-agent"]

    server = Backend(MemoryStore(owner=owner))
    chat = await make_chat(**backend(server=server, context=context))
    thread_id = (await chat.say("hello")).thread_id
    await chat.stream(
        "threads.custom_action", thread_id=thread_id, action={"type": "x", "payload": {}}
    )
    await chat.ask("threads.list")
    assert server.given[0][2] is None
    assert set(contexts) == {None}


async def test_a_page_of_another_site_is_not_the_user_whose_cookies_it_sends(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    def current_user(request: Any) -> int:
        # Sessions are often kept in the application
        return int(request.app.state.sessions[request.cookies["session"]])

    app = Starlette(routes=[Route("/facts", lambda request: Response(str(current_user(request))))])
    app.state.sessions = {"s1": 7}
    config = {"user": f"{NAME}:current_user", "app": f"{NAME}:app"}
    section = backend(config, server=Backend(), current_user=current_user, app=app)
    chat = await make_chat(**section, server={"cors_origins": "https://ours.example"})
    chat.headers["Cookie"] = "session=s1"
    own = str(chat.client.make_url("/")).rstrip("/")
    for headers in (
        {},
        {"Origin": own},
        {"Origin": "https://ours.example"},
        {"Origin": "https://proxy.example", "Sec-Fetch-Site": "same-origin"},
    ):
        chat.headers |= headers
        assert (await chat.say("hello")).error is None
    for origin in ("https://evil.example", "null", "http://127.0.0.1"):
        chat.headers |= {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        status, message = await chat.refused(create("hello"))
        assert (status, f"Pages of {origin} " in message) == (403, True)
        # The application has rules of its own
        response = await chat.client.get("/facts", headers=chat.headers)
        assert (response.status, await response.text()) == (200, "7")


async def test_the_official_context_is_the_default(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    server = Backend(MemoryStore(owner=lambda context: ""))
    chat = await make_chat(**backend({"context": None}, server=server))
    chat.headers |= {"X-Mood": "good", "Cookie": "theme=dark", "X-User": "ann"}
    await chat.say("hello")
    [(_, _, context)] = server.given
    request = context["request"]
    assert (request.headers["x-mood"], request.cookies) == ("good", {"theme": "dark"})
    assert (request.url.path, request.user.id) == (chat.path, "ann")


async def test_what_only_the_authors_store_has_is_told(
    make_chat: MakeChat, backend: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Searched(MemoryStore):
        def search(self) -> None: ...

    await make_chat(**backend({"store": "ours"}, server=Backend(Searched())))
    [message] = caplog.messages
    assert "`store: ours` has no `search` of Searched" in message


async def test_what_the_subclass_overrides_for_nothing_is_told(
    make_chat: MakeChat, backend: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Audited(Backend):
        async def process(self, request: Any, context: Any) -> Any:
            return await super().process(request, context)

        async def _load_full_thread(self, thread_id: str, context: Any) -> Any:
            return await super()._load_full_thread(thread_id, context)

    await make_chat(**backend(server=Backend()))
    assert caplog.messages == []
    await make_chat(**backend(server=Audited()))
    [message] = caplog.messages
    assert "Audited overrides `process`, `_load_full_thread`" in message


async def test_a_task_that_works_for_several_users_has_the_store_of_each(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    class Worker(Backend):
        """Has one task for all answers, which the first of them begins."""

        jobs: asyncio.Queue[Any] | None = None
        seen: ClassVar[list[list[str]]] = []

        async def work(self, jobs: asyncio.Queue[Any]) -> None:
            while True:
                context, done = await jobs.get()
                page = await self.store.load_threads(20, None, "asc", context)
                done.set_result([thread.id for thread in page.data])

        async def respond(self, thread: Any, message: Any, context: Any) -> Any:
            if self.jobs is None:
                self.jobs = asyncio.Queue()
                self.task = asyncio.create_task(self.work(self.jobs))
            done = asyncio.get_running_loop().create_future()
            self.jobs.put_nowait((context, done))
            self.seen.append(await done)
            return
            yield

    chat = await make_chat(**backend({"store": "ours"}, server=lambda store: Worker(store)))
    threads = []
    for user in ("ann", "bob"):
        chat.headers["X-User"] = user
        threads.append([(await chat.say("hello")).thread_id])
    assert Worker.seen == threads


async def test_a_task_that_outlives_its_answer_brings_back_no_deleted_thread(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    deleted = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    class Titles(Backend):
        async def save_title(self, thread: ThreadMetadata, context: Any) -> None:
            await self.store.save_thread(thread, context)
            await deleted.wait()
            thread.title = "Late"
            await self.store.save_thread(thread, context)

        async def respond(self, thread: Any, message: Any, context: Any) -> Any:
            tasks.append(asyncio.create_task(self.save_title(thread, context)))
            return
            yield

    chat = await make_chat(**backend({"store": "ours"}, server=lambda store: Titles(store)))
    thread_id = (await chat.say("hello")).thread_id
    await chat.ask("threads.delete", thread_id=thread_id)
    deleted.set()
    with pytest.raises(NotFoundError):
        await tasks[0]
    assert (await chat.ask("threads.list"))["data"] == []


async def test_what_the_subclass_does_not_have_passes_on(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    class Bare(ChatKitServer[Any]):
        async def respond(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
            return
            yield

    store = MemoryStore(owner=lambda context: "")
    chat = await make_chat(**backend(server=lambda: Bare(store)))
    thread_id = (await chat.say("hello")).thread_id
    action = {"type": "buy", "payload": {}}
    body = {"type": "threads.sync_custom_action", "params": {"thread_id": thread_id}}
    body["params"]["action"] = action  # type: ignore[index]
    status, _ = await chat.refused(body)
    assert status == 422
    streamed = await chat.stream("threads.custom_action", thread_id=thread_id, action=action)
    assert streamed.error is not None


async def test_a_context_that_needs_a_request_says_so_without_one(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    def strict(request: Any, user: Any) -> dict[str, Any]:
        return {"user": user.id, "mood": request.headers["x-mood"]}

    chat = await make_chat(**backend(server=Backend, context=strict))
    chat.headers |= {"X-Mood": "good", "X-User": "ann"}
    thread_id = (await chat.say("hello")).thread_id
    # As a recovery after a crash does
    with pytest.raises(RequestNeeded) as error:
        await chat.client.app[STORE].load_thread(thread_id, StoreContext(User("ann")))
    assert isinstance(error.value.__cause__, KeyError)
    # The store cannot tell whether it works: that is no reason to stop sending requests
    async with chat.client.get("/readyz") as response:
        assert response.status == 200


BARE = {"server": "tests.sdk_servers.backends.bare.server:create_server"}

CONTEXT = {**BARE, "context": "backend:context"}

DEPENDS = """
from fastapi import Depends
def server(db=Depends(list)): ...
"""

ANNOTATED = """
from __future__ import annotations
from typing import Annotated
from fastapi import Depends
def server(db: Annotated[list, Depends(list)]): ...
"""


@pytest.mark.parametrize(
    ("config", "code", "told"),
    [
        ({"server": "backend"}, "", "server: expected `module:attribute`, such as `app.main:s"),
        ({"server": "nowhere:x"}, "", "server: there is no module `nowhere` in "),
        ({"server": "backend:serve"}, "server = 1", "has no `serve`. Did you mean `server`?"),
        ({}, "server = 1", "server: backend:server is a int, expected a ChatKitServer, its class"),
        ({}, "import nothing_here", "server: backend imports `nothing_here`, which is not install"),
        ({}, "\n1 / 0", "server: importing backend fails: ZeroDivisionError in "),
        ({}, "\n1 / 0", "backend.py:2: division by zero"),
        ({}, "\n1 +", "backend.py:2: invalid syntax"),
        ({}, "def server():\n 1 / 0", "server: backend:server() fails: ZeroDivisionError in "),
        ({}, "def server():\n int('x')", "backend.py:2: invalid literal"),
        ({}, "server = dict", "server: backend:server returned a dict, expected a ChatKitServer"),
        ({}, "async def server(): ...", "must be a plain `def`: it is called before the start"),
        ({}, "def server(database): ...", "server: it needs `database`, and is called with"),
        ({}, "def server(store): ...", "server: it needs `store`, and is called with no arguments"),
        (
            {**CONTEXT, "context": "backend:x"},
            "x = 1",
            "context: backend:x is a int, not a f",
        ),
        (
            CONTEXT,
            "def context(a, b, c): ...",
            "context: it needs `a`, `b`, `c`, and is called",
        ),
        (CONTEXT, "async def context(request): yield 1", "backend:context has a `yield`"),
        ({}, DEPENDS, "server: `db` of backend:server is a FastAPI dependency, which works in"),
        ({}, ANNOTATED, "server: `db` of backend:server is a FastAPI dependency"),
        ({**BARE, "user": "backend:x"}, "x = 1", "user: backend:x is a int, not a function"),
        ({**BARE, "app": "backend:x"}, "x = 1", "app: backend:x is a int, expected an ASGI app"),
        (
            {**BARE, "app": "backend:x"},
            "def x(): return 1",
            "app: backend:x is a int, exp",
        ),
        ({"app_dir": "nowhere"}, "", "app_dir: there is no folder"),
        ({"stor": "ours"}, "", "stor: unknown key. Did you mean `store`?"),
    ],
)
def test_what_cannot_work_is_told_at_the_start(
    tmp_path: Path, config: dict[str, str], code: str, told: str
) -> None:
    (tmp_path / "backend.py").write_text(textwrap.dedent(code))
    lines = {"server": "backend:server", "app_dir": str(tmp_path), **config}
    section = "\n".join(f"    {key}: '{value}'" for key, value in lines.items())
    file = tmp_path / "settings.yaml"
    file.write_text(f"plugins:\n  anonymous_auth:\n  chatkit_sdk:\n{section}\n")
    try:
        with pytest.raises(SettingsError) as error:
            create_app(load(file))
    finally:
        sys.modules.pop("backend", None)
        with suppress(ValueError):
            sys.path.remove(str(tmp_path))
    assert told in str(error.value)
    assert "chatkit_sdk" in str(error.value)
