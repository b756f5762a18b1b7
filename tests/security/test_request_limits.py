"""What a client can make large in a request has a limit, and a refusal that says which."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.store import AttachmentStore
from chatkit.types import (
    AttachmentCreateParams,
    AudioInput,
    FileAttachment,
    Page,
    SyncCustomActionResponse,
    ThreadItem,
    ThreadMetadata,
)

from chatkit_server import Turn, User, hookimpl
from chatkit_server.settings.schema import RequestLimits
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore, StorePlugin
from chatkit_server.web.keys import GUARD
from chatkit_server.web.operations.dispatch import OPERATIONS
from chatkit_server.web.operations.limits import COUNTS, SIZES
from tests.client import Chat
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.security.hostile_client import HostileClient, ask, connected, request
from tests.security.listening import listening
from tests.stores import NOON as NOW

SMALL = {
    "size": "3kB",
    "data": "300B",
    "metadata": "200B",
    "title": "100B",
    "name": "90B",
    "audio": "400B",
    "attachment": "1MB",
    "attachments": 2,
    "parts": 3,
    "items": 4,
    "messages": 5,
}


class Everything(AttachmentStore[StoreContext]):
    """Answers every operation, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @hookimpl
    def attachment_store(self) -> AttachmentStore[StoreContext]:
        return self

    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> FileAttachment:
        self.asked.append("attachment")
        return FileAttachment(id="atc_1", name=input.name, mime_type=input.mime_type)

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        self.asked.append("attachment")

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> SyncCustomActionResponse:
        self.asked.append("action")
        return SyncCustomActionResponse(updated_item=None)

    @hookimpl
    async def transcribe(self, user: User, audio: AudioInput) -> str:
        self.asked.append("audio")
        return "hello"

    @hookimpl
    async def feedback(self, user: User, thread_id: str, item_ids: Sequence[str]) -> bool:
        self.asked.append("feedback")
        return True


def given(operation: str) -> dict[str, Any]:
    """Return the small params of an operation."""
    message = {
        "content": [{"type": "input_text", "text": "hello"}],
        "attachments": [],
        "inference_options": {},
    }
    action = {"type": "do", "payload": {"deep": ["x"]}}
    params: dict[str, dict[str, Any]] = {
        "threads.create": {"input": message},
        "threads.add_user_message": {"input": message},
        "threads.add_client_tool_output": {"result": {"ok": True}},
        "threads.add_structured_input": {"item_id": "x", "input": {"answers": {}}},
        "threads.retry_after_item": {"item_id": "x"},
        "threads.custom_action": {"action": action},
        "threads.sync_custom_action": {"action": action},
        "threads.update": {"title": "Title"},
        "items.feedback": {"item_ids": [], "kind": "positive"},
        "attachments.create": {"name": "a.txt", "size": 10, "mime_type": "text/plain"},
        "attachments.delete": {"attachment_id": "atc_1"},
        "input.transcribe": {"audio_base64": "", "mime_type": "audio/webm"},
    }
    return params.get(operation, {})


OWN = ("threads.create", "threads.list", "attachments.create", "attachments.delete")
"""Operations without a thread; those of audio have none either."""

X = "x" * 1000

TOO_LARGE: list[tuple[str, str, Any]] = [
    *((operation, "metadata", {"a": [X]}) for operation in sorted(OPERATIONS)),
    ("threads.update", "params.title", X),
    ("threads.update", "params.title", "é" * 60),
    ("threads.update", "params.title", '"' * 60),
    ("attachments.create", "params.name", X),
    ("attachments.create", "params.mime_type", X),
    ("attachments.create", "params.size", 1_000_001),
    ("attachments.create", "params.size", 10**18),
    ("input.transcribe", "params.mime_type", X),
    ("input.transcribe", "params.audio_base64", base64.b64encode(b"x" * 400).decode()),
    ("threads.custom_action", "params.action", {"type": X}),
    ("threads.custom_action", "params.action", {"type": "do", "payload": {X: 1}}),
    ("threads.sync_custom_action", "params.action", {"type": "do", "payload": [[X]]}),
    ("threads.add_client_tool_output", "params.result", X),
    ("threads.add_client_tool_output", "params.result", {"a": list(range(200))}),
    ("threads.add_structured_input", "params.input.answers", {"q": {"values": [X]}}),
    ("threads.add_structured_input", "params.input.answers", {X: {"values": []}}),
    ("threads.add_structured_input", "params.input.answers", {"q": {"values": [""] * 200}}),
    ("items.feedback", "params.item_ids", ["x"] * 5),
    ("threads.create", "params.input.attachments", ["a", "b", "c"]),
    ("threads.create", "params.input.content", [{"type": "input_text", "text": "x"}] * 4),
    (
        "threads.add_user_message",
        "params.input.content",
        [{"type": "input_tag", "id": "i", "text": "t", "data": {"a": 1}}] * 4,
    ),
    ("threads.create", "params.input.inference_options.model", X),
    ("threads.create", "params.input.inference_options.tool_choice", {"id": X}),
    ("plain", "model", X),
    ("plain", "user_id", X),
    ("plain", "messages", [{"role": "user", "content": "x"}] * 6),
]


def test_every_limit_is_tried() -> None:
    tried = {path for _, path, _ in TOO_LARGE}
    assert tried >= {*SIZES, *COUNTS}
    used = {*SIZES.values(), *COUNTS.values(), "size", "attachment", "user", "page", "bodies"}
    assert used == {*RequestLimits.model_fields}


def body_of(operation: str, thread_id: str) -> dict[str, Any]:
    if operation == "plain":
        return {"messages": [{"role": "user", "content": "hello"}]}
    params = given(operation)
    if operation not in OWN and operation != "input.transcribe":
        params["thread_id"] = thread_id
    return {"type": operation, "params": params}


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, name = path.split(".")
    inner = body
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    return body


async def saved(chat: Chat) -> Any:
    """Return all that is stored."""
    threads = (await chat.ask("threads.list"))["data"]
    return [await chat.ask("threads.get_by_id", thread_id=one["id"]) for one in threads]


@pytest.mark.parametrize(
    ("operation", "path", "value"),
    TOO_LARGE,
    ids=[f"{operation}-{path}-{n}" for n, (operation, path, _) in enumerate(TOO_LARGE)],
)
async def test_a_field_that_is_too_large_is_named(
    make_chat: MakeChat, operation: str, path: str, value: Any
) -> None:
    everything = Everything()
    chat = await make_chat(everything, requests=SMALL)
    thread_id = (await chat.say("hello")).thread_id
    before = await saved(chat)
    headers = {"X-User": value} if path == "user_id" else {}
    body = changed(body_of(operation, thread_id), path, value)
    status, words = await chat.refused(body, headers=headers)
    assert status == 413, words
    assert words.startswith(path)
    assert "limit" in words
    assert len(words) < 200
    assert everything.asked == []
    assert await saved(chat) == before, "nothing that was saved has changed"


@pytest.mark.parametrize("operation", sorted({*OPERATIONS, "plain"}))
async def test_what_is_small_enough_is_accepted(make_chat: MakeChat, operation: str) -> None:
    chat = await make_chat(Everything(), requests=SMALL)
    thread_id = (await chat.say("hello")).thread_id
    response = await chat.post(body_of(operation, thread_id))
    assert response.status not in (413, 500, 503), await response.text()


@pytest.mark.parametrize("size", [84, 85])
async def test_a_limit_is_exact(make_chat: MakeChat, size: int) -> None:
    chat = await make_chat(Everything(), requests={"title": "86B"})
    thread_id = (await chat.say("hello")).thread_id
    params = {"thread_id": thread_id, "title": "é" * (size // 2) + "x" * (size % 2)}
    response = await chat.post({"type": "threads.update", "params": params})
    if size == 84:
        assert response.status == 200
    else:
        words = "params.title has 87 bytes. The limit is 86."
        assert (response.status, (await response.json())["message"]) == (413, words)


@pytest.mark.parametrize("operation", ["threads.add_user_message", "plain", "threads.delete"])
async def test_a_request_is_not_too_large_as_a_whole(make_chat: MakeChat, operation: str) -> None:
    chat = await make_chat(Everything(), requests={**SMALL, "metadata": "1MB"})
    thread_id = (await chat.say("hello")).thread_id
    body = body_of(operation, thread_id)
    if operation == "threads.delete":
        body["metadata"] = {"a": "x" * 3000}
    elif operation == "plain":
        body["messages"][:0] = [{"role": "user", "content": "x" * 1000}] * 3
    else:
        body["params"]["input"]["quoted_text"] = "x" * 3000
    status, words = await chat.refused(body)
    assert status == 413
    assert words.startswith("The request has 3")
    assert words.endswith("bytes. The limit is 3000.")
    assert (await chat.ask("threads.get_by_id", thread_id=thread_id))["items"]["data"]


async def test_earlier_messages_are_as_short_as_new_ones(make_chat: MakeChat) -> None:
    chat = await make_chat(turns={"limits": {"message": "1kB"}})
    earlier = [{"role": role, "content": "x" * 1000} for role in ("user", "assistant")]
    for message in earlier:
        body = {"messages": [message, {"role": "user", "content": "hello"}]}
        status, words = await chat.refused(body)
        assert (status, words.partition(" has ")[0]) == (413, "The message")
    assert (await chat.ask("threads.list"))["data"] == []


async def test_a_file_has_no_negative_size(make_chat: MakeChat) -> None:
    everything = Everything()
    chat = await make_chat(everything)
    body = changed(body_of("attachments.create", ""), "params.size", -1)
    assert await chat.refused(body) == (400, "params.size: must not be negative.")
    assert everything.asked == []


# Pages


class LargeStore(MemoryStore):
    """Notes the most rows that it was asked for at once."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        self.most = max(self.most, limit)
        return await super().load_threads(limit, after, order, context)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        self.most = max(self.most, limit)
        return await super().load_thread_items(thread_id, after, limit, order, context)


async def pages(chat: Chat, operation: str, **params: Any) -> list[list[str]]:
    """Return the ids of each page, up to the last one."""
    found: list[list[str]] = []
    after: dict[str, Any] = {}
    while True:
        page = await chat.ask(operation, limit=100, **params, **after)
        found.append([entry["id"] for entry in page["data"]])
        if not page["has_more"]:
            return found
        after = {"after": page["after"]}


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_page_ends_before_it_gets_large(make_chat: MakeChat, order: str) -> None:
    large = StorePlugin(LargeStore())
    chat = await make_chat(large, requests={"page": "20kB"})
    earlier = [{"role": "user", "content": f"{n}" + "x" * 5000} for n in range(30)]
    thread_id = (await chat.plain(*earlier)).data[0]["thread_id"]
    found = await pages(chat, "items.list", thread_id=thread_id, order=order)
    ids = [one for page in found for one in page]
    assert len(ids) == len({*ids}) == 31
    assert max(map(len, found)) in (3, 4)
    items = (await chat.ask("threads.get_by_id", thread_id=thread_id))["items"]
    assert len(items["data"]) == 3
    assert items["has_more"]
    assert items["after"] == items["data"][-1]["id"]
    context = StoreContext(User("somebody"))
    for number in range(30):
        thread = ThreadMetadata(id=f"thr_{number}", created_at=NOW, title="x" * 5000)
        await large.memory.save_thread(thread, context)
    found = await pages(chat, "threads.list", order=order)
    ids = [one for page in found for one in page]
    assert len(ids) == len({*ids}) == 31
    assert max(map(len, found)) in (3, 4)
    assert 0 < large.memory.most <= 50


@pytest.mark.parametrize("limit", [1, 24, 25, 26, 50, 99, 100])
async def test_pages_are_as_long_as_asked_for(make_chat: MakeChat, limit: int) -> None:
    large = StorePlugin(LargeStore())
    chat = await make_chat(large)
    earlier = [{"role": "user", "content": f"{n}"} for n in range(99)]
    thread_id = (await chat.plain(*earlier)).data[0]["thread_id"]
    for number in range(99):
        thread = ThreadMetadata(id=f"thr_{number}", created_at=NOW)
        await large.memory.save_thread(thread, StoreContext(User("somebody")))
    for operation, params in (("threads.list", {}), ("items.list", {"thread_id": thread_id})):
        page = await chat.ask(operation, limit=limit, **params)
        assert len(page["data"]) == limit
        assert page["has_more"] is (limit < 100)


async def test_an_entry_larger_than_a_page_is_a_page(make_chat: MakeChat) -> None:
    chat = await make_chat(requests={"page": "10B"})
    thread_id = (await chat.say("hello")).thread_id
    found = await pages(chat, "items.list", thread_id=thread_id, order="asc")
    assert [len(page) for page in found] == [1, 1]


@pytest.mark.parametrize("after", ["", "x" * 10_000, "\x1b[2J", "thr_1", "' OR 1=1", "\ud7ff"])
@pytest.mark.parametrize("operation", ["threads.list", "items.list"])
async def test_junk_after_which_to_go_on_is_answered_in_words(
    make_chat: MakeChat, operation: str, after: str
) -> None:
    chat = await make_chat()
    thread_id = (await chat.say("hello")).thread_id
    params = {"after": after, "thread_id": thread_id}
    status, words = await chat.refused({"type": operation, "params": params})
    assert status == 404
    assert words


@pytest.mark.parametrize("limit", [0, -1, -(10**18)])
async def test_a_page_has_at_least_one_entry(make_chat: MakeChat, limit: int) -> None:
    chat = await make_chat()
    body = {"type": "threads.list", "params": {"limit": limit}}
    assert await chat.refused(body) == (400, "params.limit: must be at least 1.")


async def test_large_bodies_that_arrive_at_once_have_a_limit() -> None:
    async with listening(requests={"bodies": "1MB"}) as server:
        guard = server.app[GUARD]

        async def begin(user: str, client: HostileClient) -> None:
            """Send a part of a body."""
            signed_in = {"Authorization": f"Bearer {user}"}
            await client.send(request("POST", "/api/chat", Content_Length="1000000", **signed_in))
            await client.send(b'"' + b"x" * 300_000)

        async with connected(server.port) as first, connected(server.port) as second:
            await begin("ann", first)
            await until(lambda: guard._all_arriving > 150_000)
            await begin("ann", second)
            assert (await second.response()).status == 503
            # A message is small
            body = b'{"type": "threads.list", "params": {}}'
            for user in ("ann", "ben"):
                small = request("POST", "/api/chat", body, Authorization=f"Bearer {user}")
                assert (await ask(server.port, small)).status == 200
        await until(lambda: guard._all_arriving == 0)
        assert guard.places.total == 0
