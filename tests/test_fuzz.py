"""Whatever is sent, the answer is one that a client understands, and nothing is broken by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from chatkit.store import AttachmentStore
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    Attachment,
    AttachmentCreateParams,
    ClientToolCallItem,
    FileAttachment,
    HiddenContextItem,
    InferenceOptions,
    Page,
    StructuredInputFreeform,
    StructuredInputItem,
    SyncCustomActionResponse,
    Thread,
    ThreadItem,
    ThreadMetadata,
    TranscriptionResult,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
)
from chatkit.widgets import Card, Text
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chatkit_server import STORE, Settings, User, hookimpl
from chatkit_server.app import create_app
from chatkit_server.ids import new_id
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.load import load_plugins
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.turns.failures import GENERAL
from tests.client import EVENT
from tests.databases import DATABASES, new_url
from tests.serving import HeaderAuth

SOMEBODY = StoreContext(User("somebody", name="Somebody"))

THREAD, MESSAGE, ANSWER, WIDGET, FORM, CALL, HIDDEN, FILE = (
    "thr_fuzz",
    "msg_said",
    "msg_answer",
    "wid_1",
    "form_1",
    "call_1",
    "hid_1",
    "atc_1",
)
IDS = [THREAD, MESSAGE, ANSWER, WIDGET, FORM, CALL, HIDDEN, FILE]

INPUT = {
    "content": [
        {"type": "input_text", "text": "hello"},
        {"type": "input_tag", "id": "t", "text": "tag", "data": {"a": 1}, "group": "g"},
    ],
    "attachments": [FILE],
    "quoted_text": "quoted",
    "inference_options": {"tool_choice": {"id": "weather"}, "model": "demo/todo"},
}
ACTION = {"thread_id": THREAD, "item_id": WIDGET, "action": {"type": "press", "payload": {"a": 1}}}
OPERATIONS: dict[str, dict[str, Any]] = {
    "threads.create": {"input": INPUT},
    "threads.add_user_message": {"input": INPUT, "thread_id": THREAD},
    "threads.add_client_tool_output": {"thread_id": THREAD, "result": {"a": 1}},
    "threads.add_structured_input": {
        "thread_id": THREAD,
        "item_id": FORM,
        "input": {"status": "answered", "answers": {"q": {"values": ["x"], "skipped": False}}},
    },
    "threads.retry_after_item": {"thread_id": THREAD, "item_id": MESSAGE},
    "threads.custom_action": ACTION,
    "threads.sync_custom_action": ACTION,
    "threads.get_by_id": {"thread_id": THREAD},
    "threads.list": {"limit": 5, "order": "asc", "after": THREAD},
    "threads.update": {"thread_id": THREAD, "title": "Title"},
    "threads.delete": {"thread_id": THREAD},
    "items.list": {"thread_id": THREAD, "limit": 5, "order": "asc", "after": MESSAGE},
    "items.feedback": {"thread_id": THREAD, "item_ids": [ANSWER], "kind": "positive"},
    "attachments.create": {"name": "a.txt", "size": 3, "mime_type": "text/plain"},
    "attachments.delete": {"attachment_id": FILE},
    "input.transcribe": {"audio_base64": "AAAA", "mime_type": "audio/webm"},
}
PLAIN = [
    {
        "messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hi"},
            {"role": "user", "content": [{"type": "text", "text": "add milk to my list"}]},
        ],
        "user_id": "somebody",
    },
    {"messages": [{"role": "user", "content": "hello"}], "thread_id": THREAD},
]
BODIES: list[Any] = [
    *({"type": name, "params": params, "metadata": {}} for name, params in OPERATIONS.items()),
    *PLAIN,
]
NOTHING: TypeAdapter[Any] = TypeAdapter(dict[None, None])
ANSWERS: dict[str, TypeAdapter[Any]] = {
    "threads.get_by_id": TypeAdapter(Thread),
    "threads.list": TypeAdapter(Page[Thread]),
    "threads.update": TypeAdapter(Thread),
    "threads.delete": NOTHING,
    "items.list": TypeAdapter(Page[ThreadItem]),
    "items.feedback": NOTHING,
    "attachments.create": TypeAdapter(Attachment),
    "attachments.delete": NOTHING,
    "input.transcribe": TypeAdapter(TranscriptionResult),
    "threads.sync_custom_action": TypeAdapter(SyncCustomActionResponse),
}


class Files(AttachmentStore[StoreContext]):
    """Makes whatever it is asked to."""

    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        return FileAttachment(id=new_id("atc"), name=input.name, mime_type=input.mime_type)

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        pass


class Everything:
    """Has the hooks that operations need, and gives back what it was given."""

    @hookimpl
    def attachment_store(self) -> Files:
        return Files()

    @hookimpl
    async def transcribe(self) -> str:
        return "hello"

    @hookimpl
    async def feedback(self) -> bool:
        return True

    @hookimpl
    async def action(self, turn: Any, action: Any) -> SyncCustomActionResponse:
        widget = Card(children=[Text(value=f"{action.type} {action.payload}")])
        given = {"id": WIDGET, "thread_id": turn.thread.id, "created_at": datetime.now(UTC)}
        return SyncCustomActionResponse(updated_item=WidgetItem(**given, widget=widget))


class Target:
    """A running server, asked from outside of its event loop."""

    def __init__(self, runner: asyncio.Runner, plugins: dict[str, Any]) -> None:
        self.runner = runner
        quick = {"demo_model": {"pace": "0.01ms"}, **plugins}
        configured = Settings.model_validate({"plugins": quick})
        named = load_plugins(configured).plugins
        others = [("auth", HeaderAuth()), ("all", Everything()), ("memory", MemoryStorePlugin())]
        self.app = create_app(configured, Hooks.of([*named, *others]))
        self.app_runner = web.AppRunner(self.app, handler_cancellation=True)

    async def start(self) -> None:
        await self.app_runner.setup()
        site = web.TCPSite(self.app_runner, "127.0.0.1", 0)
        await site.start()
        host, port = self.app_runner.addresses[0][:2]
        self.session = ClientSession(f"http://{host}:{port}")
        await self.fill()

    async def stop(self) -> None:
        await self.session.close()
        await self.app_runner.cleanup()

    async def fill(self) -> None:
        """Put one item of each kind that an operation is about into the thread."""
        store = self.app[STORE]
        now: dict[str, Any] = {"thread_id": THREAD, "created_at": datetime.now(UTC)}
        await store.save_thread(ThreadMetadata(id=THREAD, created_at=datetime.now(UTC)), SOMEBODY)
        file = FileAttachment(id=FILE, name="a.txt", mime_type="text/plain")
        await store.save_attachment(file, SOMEBODY)
        said = [UserMessageTextContent(text="hello")]
        question = StructuredInputFreeform(id="q", question="Why?")
        items: list[ThreadItem] = [
            UserMessageItem(id=MESSAGE, **now, content=said, inference_options=InferenceOptions()),
            AssistantMessageItem(id=ANSWER, **now, content=[AssistantMessageContent(text="hi")]),
            HiddenContextItem(id=HIDDEN, **now, content="hidden"),
            WidgetItem(id=WIDGET, **now, widget=Card(children=[Text(value="x")])),
            StructuredInputItem(id=FORM, **now, inputs=[question]),
            ClientToolCallItem(id=CALL, **now, call_id="c", name="map", arguments={}),
        ]
        for item in items:
            await store.save_item(THREAD, item, SOMEBODY)

    def ask(self, data: bytes) -> None:
        """Send a body; fail if the answer is none that a client understands."""
        self.runner.run(self._ask(data))

    async def _ask(self, data: bytes) -> None:
        status, content_type, answer = await self._post(data)
        body = _loaded(data)
        if content_type == "text/event-stream":
            assert status == 200
            thread_id = _check_stream(answer, plain="messages" in body and "type" not in body)
            await self._check_thread(thread_id)
            await self.fill()
        elif status == 200:
            ANSWERS[body["type"]].validate_json(answer)
            await self.fill()
        else:
            refusal = json.loads(answer)
            assert 400 <= status < 500, (status, refusal)
            assert list(refusal) == ["message"]
            assert isinstance(refusal["message"], str)
            assert 0 < len(refusal["message"]) < 1000

    async def _check_thread(self, thread_id: str) -> None:
        """What was said can be read again."""
        for operation in ("threads.get_by_id", "items.list"):
            body = {"type": operation, "params": {"thread_id": thread_id}}
            status, _, answer = await self._post(json.dumps(body).encode())
            assert status == 200
            ANSWERS[operation].validate_json(answer)
            assert b"hidden" not in answer

    async def _post(self, data: bytes) -> tuple[int, str, bytes]:
        async with self.session.post("/api/chat", data=data) as response:
            return response.status, response.content_type, await response.read()


def _loaded(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _check_stream(answer: bytes, *, plain: bool) -> str:
    lines = [line[6:] for line in answer.split(b"\n") if line.startswith(b"data: ")]
    events = [json.loads(line) for line in lines]
    assert GENERAL not in answer.decode(), answer
    if plain:
        assert events[-1]["done"] is True
        return str(events[0]["thread_id"])
    for line in lines:
        EVENT.validate_json(line)
    threads = [e["thread"]["id"] for e in events if "thread" in e]
    return str([*threads, THREAD][0])


# What is sent

ODD_TEXT = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc", "Cn", "Zl", "So"]), max_size=5),
    st.sampled_from(
        [
            "",
            "\0",
            "\ud800",
            "x" * 300,
            "é" * 20_000,
            "../../etc/passwd",
            "'; DROP TABLE chatkit_items; --",
            "%s{0}{user_id}",
            "data: x\n\n",
        ]
    ),
    st.sampled_from([*IDS, *OPERATIONS, "input_text", "input_tag", "user", "system", "skipped"]),
)
NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([-1, 0, 2**31, 2**63, -(2**63) - 1, 2**64, 10**400, -0.0, 1e308, 0.5]),
    st.floats(),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, ODD_TEXT)


def _nested(value: Any, levels: int) -> Any:
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return value


JUNK = st.one_of(
    SCALARS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
        max_leaves=5,
    ),
    st.builds(_nested, SCALARS, st.sampled_from([50, 90, 110, 300, 500])),
)


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each of its keys."""
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    for key, child in children:
        yield value, key
        yield from places_in(child)


@st.composite
def bodies(draw: Callable[..., Any]) -> bytes:
    """A body that made sense, before up to three of its values were changed."""
    body = deepcopy(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(0, 3))):
        places = list(places_in(body))
        if not places:
            break
        # What is wrong at the top is refused before anything below is looked at
        deep = [(container, key) for container, key in places if container is not body]
        anywhere = draw(st.integers(0, 9)) == 0
        container, key = draw(st.sampled_from(places if anywhere or not deep else deep))
        match draw(st.sampled_from(["replace", "replace", "text", "delete", "add"])):
            case "replace":
                container[key] = draw(JUNK)
            case "text":
                container[key] = draw(ODD_TEXT)
            case "delete":
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(ODD_TEXT)] = draw(JUNK)
            case "add":
                container.append(draw(JUNK))
    ascii_only = draw(st.booleans())
    return json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


RAW = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=50).map(lambda text: json.dumps(text).encode()),
    st.builds(
        lambda body, cut: json.dumps(body).encode()[:cut],
        st.sampled_from(BODIES),
        st.integers(0, 200),
    ),
)


# The tests


@contextmanager
def _running(plugins: dict[str, Any]) -> Iterator[Target]:
    with asyncio.Runner() as runner:
        target = Target(runner, plugins)
        runner.run(target.start())
        try:
            yield target
        finally:
            runner.run(target.stop())


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """A server whose store is in memory."""
    with _running({}) as target:
        yield target


@pytest.fixture(scope="module", params=DATABASES)
def with_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """A server whose store is a database."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with _running({"tortoise_store": {"url": new_url(request.param, folder)}}) as target:
        yield target


def some(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


def test_what_is_sent_unchanged_makes_sense(target: Target) -> None:
    for body in BODIES:
        target.runner.run(target.fill())
        status, _, answer = target.runner.run(target._post(json.dumps(body).encode()))
        assert status == 200, (body, answer)


@some(250)
@given(bodies())
def test_any_body_has_an_answer(target: Target, data: bytes) -> None:
    target.ask(data)


@some(100)
@given(RAW)
def test_any_bytes_have_an_answer(target: Target, data: bytes) -> None:
    target.ask(data)


@some(80)
@given(bodies())
def test_any_body_has_an_answer_with_a_database(with_database: Target, data: bytes) -> None:
    with_database.ask(data)
