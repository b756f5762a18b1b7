"""What plugins change in a thread is saved and told, whenever they change it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.types import (
    LockedStatus,
    ProgressUpdateEvent,
    SyncCustomActionResponse,
    ThreadMetadata,
)

from chatkit_server import Conflict, Outcome, Turn, User, hookimpl
from chatkit_server.events.threads import ThreadWriter
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore, MemoryStorePlugin
from chatkit_server.testing.model_server import Break, Gate, ModelServer
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.recording import NOW
from tests.replicas import begin, request
from tests.serving import served_by
from tests.test_beside import pressed

SOMEBODY = StoreContext(User("somebody"))


def change(thread: ThreadMetadata) -> None:
    thread.title = "changed"
    thread.status = LockedStatus(reason="Paid.")
    thread.metadata.setdefault("deep", {"list": []})["list"].append(1)
    thread.allowed_image_domains = ["example.org"]


class Changes:
    """Changes the thread in one of its hooks."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.change: Callable[[ThreadMetadata], None] = change
        self.tasks: list[asyncio.Task[None]] = []

    def do(self, turn: Turn, where: str) -> None:
        if where == self.where:
            self.change(turn.thread)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.do(turn, "pre_turn")
        if self.where == "refused":
            change(turn.thread)
            raise Conflict("No.")
        if self.where == "task":
            self.tasks.append(asyncio.create_task(self._later(turn)))

    async def _later(self, turn: Turn) -> None:
        await asyncio.sleep(0)
        change(turn.thread)

    @hookimpl
    async def persist(self, turn: Turn, item: Any) -> None:
        if item.type == "assistant_message":
            self.do(turn, "persist")

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        await asyncio.gather(*self.tasks)
        self.do(turn, "post_turn")

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> Any:
        self.do(turn, "action")
        return [] if turn.operation == "threads.custom_action" else SyncCustomActionResponse()


class Case:
    """A server whose plugin changes the thread somewhere, and a thread."""

    def __init__(self, chat: Chat, store: MemoryStore, changes: Changes) -> None:
        self.chat, self.store, self.changes = chat, store, changes

    async def stored(self) -> ThreadMetadata:
        return await self.store.load_thread("thr_1", SOMEBODY)


@pytest.fixture
async def case(make_chat: MakeChat, model_server: ModelServer) -> Case:
    changes, store = Changes(""), MemoryStorePlugin()
    await store.memory.save_thread(ThreadMetadata(id="thr_1", created_at=NOW), SOMEBODY)
    return Case(await make_chat(changes, store, **served_by(model_server)), store.memory, changes)


def last(streamed: Streamed) -> tuple[str, list[str]]:
    """Return the title of the thread as it was told last, and the types around that."""
    told = [e["thread"].get("title") for e in streamed.data if e["type"] == "thread.updated"]
    return told[-1], streamed.types[-2:]


async def test_a_change_is_kept_wherever_it_is_made(case: Case, model_server: ModelServer) -> None:
    for where in ("pre_turn", "persist", "post_turn", "task"):
        await case.store.save_thread(ThreadMetadata(id="thr_1", created_at=NOW), SOMEBODY)
        case.changes.where = where
        model_server.reply("Hello.")
        streamed = await case.chat.say("Hi", "thr_1")
        expected = ThreadMetadata(id="thr_1", created_at=NOW)
        change(expected)
        assert await case.stored() == expected, where
        assert [t for t in streamed.types if t == "thread.updated"] == ["thread.updated"], where
        assert streamed.error is None, where
    await case.store.save_thread(ThreadMetadata(id="thr_1", created_at=NOW), SOMEBODY)
    case.changes.where = "refused"
    assert await case.chat.refused(request("Hi", "thr_1")) == (409, "No.")
    assert (await case.stored()).title is None, "nothing of a refused turn is saved"
    case.changes.where = "action"
    streamed = await case.chat.read(await case.chat.post(pressed("thr_1", "go")))
    assert last(streamed) == ("changed", ["stream_options", "thread.updated"])
    await case.chat.ask("threads.sync_custom_action", thread_id="thr_1", action={"type": "go"})
    assert (await case.stored()).metadata == {"deep": {"list": [1, 1]}}


async def test_a_turn_that_fails_or_is_stopped_keeps_its_changes(
    case: Case, model_server: ModelServer
) -> None:
    case.changes.where = "post_turn"
    model_server.reply("Hel", Break())
    failed = await case.chat.say("Hi", "thr_1")
    assert last(failed) == ("changed", ["error", "thread.updated"])
    case.changes.where = "persist"
    await case.store.save_thread(ThreadMetadata(id="thr_1", created_at=NOW), SOMEBODY)
    model_server.reply("Hel", Gate())
    begun = await begin(case.chat, request("Hi", "thr_1"), "Hel")
    response = await case.chat.client.post(f"/api/chat/turns/{begun.turn_id}/cancel")
    assert (await response.json())["state"] == "cancelled"
    assert "thread.updated" in (await begun.rest()).types
    assert (await case.stored()).title == "changed"


WRONG = {
    "title": 5,
    "status": "locked",
    "metadata": {"tool": object()},
    "allowed_image_domains": "example.org",
}


@pytest.mark.parametrize("where", ["persist", "post_turn", "action"])
@pytest.mark.parametrize("field", WRONG)
async def test_what_no_thread_can_have_is_not_saved(
    case: Case, caplog: pytest.LogCaptureFixture, where: str, field: str
) -> None:
    """Stored, it would keep the thread from being loaded."""

    def change_wrongly(thread: ThreadMetadata) -> None:
        case.changes.where = ""
        change(thread)
        setattr(thread, field, WRONG[field])

    case.changes.where, case.changes.change = where, change_wrongly
    if where == "action":
        body = {**pressed("thr_1", "go"), "type": "threads.sync_custom_action"}
        assert (await case.chat.refused(body))[0] == 500
    else:
        streamed = await case.chat.say("Hi", "thr_1")
        assert (streamed.error is None) == (where == "post_turn")
    assert f"wrong value of `turn.thread.{field}`" in caplog.text
    expected = ThreadMetadata(id="thr_1", created_at=NOW)
    change(expected)
    setattr(expected, field, getattr(ThreadMetadata(id="thr_1", created_at=NOW), field))
    assert await case.stored() == expected


async def test_how_a_turn_ended_is_known_before_post_turn(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    gate, looked = asyncio.Event(), asyncio.Event()

    class Slow:
        @hookimpl
        async def post_turn(self, turn: Turn) -> None:
            looked.set()
            await gate.wait()
            turn.thread.title = "late"

    chat = await make_chat(Slow(), **served_by(model_server))
    model_server.reply("Hello.")
    begun = await begin(chat, request("Hi"), "Hello.")
    await looked.wait()
    state = await (await chat.client.get(f"/api/chat/turns/{begun.turn_id}")).json()
    assert state["state"] == "completed"
    running = await chat.client.get(f"/api/chat/threads/{begun.thread_id}/turn")
    assert running.status == 404, "nothing is written there any more"
    model_server.reply("Hello.")
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": False}
    answer = await chat.post(body)
    assert (await answer.json())["content"] == "Hello.", "a whole answer does not wait for it"
    gate.set()
    assert (await begun.rest()).types[-1] == "thread.updated"


async def test_an_action_does_not_undo_what_the_answer_changed(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store, gate = MemoryStorePlugin(), asyncio.Event()
    begun: list[str] = []

    class Both:
        @hookimpl
        async def persist(self, turn: Turn, item: Any) -> None:
            if item.type == "assistant_message":
                turn.thread.title = "by the answer"
                turn.thread.metadata["answer"] = 1

        @hookimpl
        async def action(self, turn: Turn, action: Action[str, Any]) -> Any:
            async def events() -> Any:
                begun.append(action.type)
                await gate.wait()
                turn.thread.metadata[action.type] = 2
                turn.thread.metadata.pop("old", None)
                yield ProgressUpdateEvent(text="pressed")

            return events()

    chat = await make_chat(Both(), store, **served_by(model_server))
    thread = ThreadMetadata(id="thr_1", created_at=NOW, metadata={"old": 0, "kept": 0})
    await store.memory.save_thread(thread, SOMEBODY)
    actions = [asyncio.create_task(press(chat, kind)) for kind in ("one", "two")]
    await until(lambda: len(begun) == 2)
    model_server.reply("Hello.")
    await chat.say("Hi", "thr_1")
    gate.set()
    for streamed in await asyncio.gather(*actions):
        assert last(streamed)[0] == "by the answer", "the page is not told an old title"
    stored = await store.memory.load_thread("thr_1", SOMEBODY)
    assert stored.title == "by the answer"
    assert stored.metadata == {"kept": 0, "answer": 1, "one": 2, "two": 2}


class Names:
    """Gives a title to a thread that has none, in a hook and after the turn."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.turns: list[Turn] = []
        self.before: Callable[[], Awaitable[object]] | None = None

    async def give(self, turn: Turn, where: str) -> None:
        if where != self.where:
            return
        if self.before is not None:
            await self.before()
        await turn.change_thread(name_if_unnamed)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.turns.append(turn)
        await self.give(turn, "pre_turn")

    @hookimpl
    async def persist(self, turn: Turn, item: Any) -> None:
        if item.type == "user_message":
            turn.thread.metadata["persisted"] = 1
            await self.give(turn, "persist")

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        await self.give(turn, "post_turn")

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> Any:
        await self.give(turn, "action")
        return [] if turn.operation == "threads.custom_action" else SyncCustomActionResponse()


def name_if_unnamed(thread: ThreadMetadata) -> None:
    if thread.title is None:
        thread.title = "ours"


@pytest.mark.parametrize("where", ["persist", "post_turn", "action", "later"])
async def test_a_change_by_what_is_stored_undoes_nothing(
    make_chat: MakeChat, model_server: ModelServer, where: str
) -> None:
    names, store = Names(where), MemoryStorePlugin()
    chat = await make_chat(names, store, **served_by(model_server))

    async def name_it(thread_id: str) -> Streamed | None:
        if where == "action":
            await chat.ask("threads.sync_custom_action", thread_id=thread_id, action={"type": "go"})
            return await press(chat, "go") if thread_id == "thr_1" else None
        streamed = await chat.say("Hi", thread_id)
        if where == "later":
            await names.turns[-1].change_thread(name_if_unnamed)
        return streamed

    for thread_id in ("thr_1", "thr_2"):
        thread = ThreadMetadata(id=thread_id, created_at=NOW)
        await store.memory.save_thread(thread, SOMEBODY)
    streamed = await name_it("thr_1")
    assert (await store.memory.load_thread("thr_1", SOMEBODY)).title == "ours"
    assert streamed is not None
    if where in ("persist", "post_turn"):
        assert last(streamed)[0] == "ours"

    async def rename() -> object:
        return await chat.ask("threads.update", thread_id="thr_2", title="mine")

    names.before = rename
    if where == "later":
        await rename()
    await name_it("thr_2")
    stored = await store.memory.load_thread("thr_2", SOMEBODY)
    assert stored.title == "mine"
    assert stored.metadata == ({} if where == "action" else {"persisted": 1})


async def test_what_a_plugin_sets_while_another_changes_the_thread_stays(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store, loading, gate = MemoryStorePlugin(), asyncio.Event(), asyncio.Event()

    class Both:
        @hookimpl
        async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
            def change(thread: ThreadMetadata) -> None:
                thread.title, thread.allowed_image_domains = "ours", ["example.org"]
                thread.metadata.update(ours=1, both=1)

            load = store.memory.load_thread

            async def slowly(*args: Any) -> ThreadMetadata:
                loading.set()
                await gate.wait()
                return await load(*args)

            vars(store.memory)["load_thread"] = slowly
            changing = asyncio.create_task(turn.change_thread(change))
            await loading.wait()
            turn.thread.title = "theirs"
            turn.thread.metadata.update(theirs=2, both=2)
            saving = asyncio.create_task(turn.change_thread(lambda _: None))
            await asyncio.sleep(0)
            gate.set()
            await changing
            await saving
            seen.append(turn.thread.model_copy(deep=True))

    seen: list[ThreadMetadata] = []
    chat = await make_chat(Both(), store, **served_by(model_server))
    streamed = await chat.say("Hi")
    stored = await store.memory.load_thread(streamed.thread_id, SOMEBODY)
    for thread in (*seen, stored):
        assert (thread.title, thread.allowed_image_domains) == ("theirs", ["example.org"])
        assert thread.metadata == {"ours": 1, "theirs": 2, "both": 2}
    assert last(streamed)[0] == "theirs"


async def test_before_the_turn_there_is_no_thread_to_change(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Names("pre_turn"))
    assert (await chat.refused(request("Hi")))[0] == 500
    assert "in pre_turn, set turn.thread" in caplog.text


async def press(chat: Chat, kind: str) -> Streamed:
    return await chat.read(await chat.post(pressed("thr_1", kind)))


class Slow(MemoryStore):
    """Lets others run before it answers."""

    async def load_thread(self, thread_id: str, context: StoreContext) -> ThreadMetadata:
        found = await super().load_thread(thread_id, context)
        await asyncio.sleep(0)
        return found


async def test_changes_at_once_are_saved_one_after_the_other() -> None:
    store = Slow()
    thread = ThreadMetadata(id="thr_1", created_at=NOW)
    await store.save_thread(thread, SOMEBODY)
    threads, known = ThreadWriter(store), thread.model_dump()

    async def write(do: Callable[[ThreadMetadata], None]) -> None:
        copy = thread.model_copy(deep=True)
        do(copy)
        await threads.save(copy, known, SOMEBODY)

    await asyncio.gather(
        write(lambda t: setattr(t, "title", "new")),
        write(lambda t: t.metadata.update(a=1)),
        write(lambda t: t.metadata.update(b=[2])),
    )
    stored = await store.load_thread("thr_1", SOMEBODY)
    assert (stored.title, stored.metadata) == ("new", {"a": 1, "b": [2]})
    assert not threads._locks, "nothing is kept of a thread"
