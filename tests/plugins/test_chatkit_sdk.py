"""The plugin `chatkit_sdk`: a server written with ChatKit's SDK, hosted by this one."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    AudioInput,
    FeedbackKind,
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
from starlette.exceptions import HTTPException

from chatkit_server import STORE, SettingsError, StoreContext, User
from chatkit_server.app import create_app
from chatkit_server.settings.load import load
from tests.conftest import MakeChat
from tests.memory_store import MemoryStore
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
    if request.headers.get("x-mood") == "bad":
        raise HTTPException(403, "Come back in a better mood.")
    return {"user": user.id, "mood": request.headers.get("x-mood"), "request": request}


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
    chat.headers |= {"X-User": "bob"}
    assert (await chat.ask("threads.list"))["data"] == []
    chat.headers |= {"X-Mood": "bad"}
    assert await chat.refused(create("hello")) == (403, "Come back in a better mood.")


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
    async def current_user(request: Any) -> str | None:
        token = request.cookies.get("session")
        if token == "old":
            raise HTTPException(401, "Your session has ended.")
        return None if token is None else f"user of {token}"

    server = Backend()
    config = {"user": f"{NAME}:current_user"}
    chat = await make_chat(**backend(config, server=server, current_user=current_user))
    chat.headers["Cookie"] = "session=s1"
    await chat.say("hello")
    assert server.given[0][2]["user"] == "user of s1"
    chat.headers["Cookie"] = "session=old"
    assert await chat.refused(create("hello")) == (401, "Your session has ended.")
    del chat.headers["Cookie"]
    await chat.say("hello")
    assert server.given[1][2]["user"] == "somebody"


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


async def test_a_context_that_needs_a_request_is_that_of_the_users_next_one(
    make_chat: MakeChat, backend: Callable[..., Any]
) -> None:
    def strict(request: Any, user: Any) -> dict[str, Any]:
        return {"user": user.id, "mood": request.headers["x-mood"]}

    chat = await make_chat(**backend(server=Backend, context=strict))
    chat.headers |= {"X-Mood": "good", "X-User": "ann"}
    thread_id = (await chat.say("hello")).thread_id
    # As a recovery after a crash does
    store = chat.client.app[STORE]
    for _ in range(2):
        with pytest.raises(KeyError):
            await store.load_thread(thread_id, StoreContext(User("ann")))
    await chat.ask("threads.list")
    assert (await store.load_thread(thread_id, StoreContext(User("ann")))).id == thread_id
    with pytest.raises(KeyError):
        await store.load_thread(thread_id, StoreContext(User("bob")))


@pytest.mark.parametrize(
    ("config", "code", "told"),
    [
        ({"server": "backend"}, "", "server: expected `module:attribute`, such as `app.main:s"),
        ({"server": "nowhere:x"}, "", "server: there is no module `nowhere` in "),
        ({"server": "backend:serve"}, "server = 1", "has no `serve`. Did you mean `server`?"),
        ({}, "server = 1", "server: backend:server is a int, expected a ChatKitServer, its class"),
        ({}, "import nothing_here", "server: backend imports `nothing_here`, which is not install"),
        ({}, "1 / 0", "ZeroDivisionError"),
        ({}, "server = dict", "server: backend:server returned a dict, expected a ChatKitServer"),
        ({}, "async def server(): ...", "must be a plain `def`: it is called before the start"),
        ({}, "def server(database): ...", "server: it needs `database`, and is called with"),
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
