"""Hooks `respond` and `context`: a turn without an agent, and what plugins know of a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientToolCallItem,
    CustomTask,
    HiddenContextItem,
    ProgressUpdateEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

from chatkit_server import Forbidden, Outcome, StoreContext, Turn, User, hookimpl
from chatkit_server.events.recorder import LONG_ANSWER
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.turns import answering
from tests.client import Chat
from tests.conftest import MakeChat
from tests.test_resume import create

Events = Callable[[Turn], AsyncIterator[ThreadStreamEvent]]


def message(turn: Turn, text: str) -> AssistantMessageItem:
    return AssistantMessageItem(
        id=turn.generate_id("message"),
        thread_id=turn.thread.id,
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text=text)],
    )


def delta(item: ThreadItem, text: str) -> ThreadItemUpdatedEvent:
    update = AssistantMessageContentPartTextDelta(content_index=0, delta=text)
    return ThreadItemUpdatedEvent(item_id=item.id, update=update)


async def in_pieces(turn: Turn, *pieces: str) -> AsyncIterator[ThreadStreamEvent]:
    item = message(turn, "")
    yield ThreadItemAddedEvent(item=item)
    for piece in pieces:
        yield delta(item, piece)
    content = [AssistantMessageContent(text="".join(pieces))]
    yield ThreadItemDoneEvent(item=item.model_copy(update={"content": content}))


class Told:
    """Notes what other plugins are told of a turn."""

    def __init__(self) -> None:
        self.persisted: list[str] = []
        self.prepared: list[str] = []
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.prepared.append(turn.id)

    @hookimpl
    async def persist(self, item: ThreadItem) -> None:
        self.persisted.append(item.type)

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.put_nowait(outcome)


class Echo:
    """Answers by itself, in pieces."""

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        async for event in in_pieces(turn, "You ", "said ", "it."):
            yield event


@pytest.mark.parametrize("streams", [False, True])
async def test_a_hook_that_awaits_nothing_stops_no_other_answer(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    begun = asyncio.Event()
    answered: list[str] = []
    waited = 0

    class Endless:
        @hookimpl
        async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
            nonlocal waited
            if turn.user.id == "ann":
                begun.set()
                while not answered and waited < 20_000:
                    waited += 1
                    busy = ProgressUpdateEvent(text="Still busy")
                    if streams:
                        # As tools do
                        await turn.stream(busy)
                    else:
                        yield busy
                monkeypatch.setattr(answering, "MOST_EVENTS", 1000)
                while True:
                    yield ProgressUpdateEvent(text="Still busy")
            async for event in in_pieces(turn, "hi"):
                yield event
            answered.append(turn.user.id)

    chat = await make_chat(Endless())
    chat.headers["X-User"] = "ann"
    endless = asyncio.create_task(chat.say("hello"))
    await begun.wait()
    chat.headers["X-User"] = "bob"
    assert (await chat.say("hello")).text == "hi"
    assert waited < 20_000
    error = (await endless).error
    assert error is not None
    assert error["message"] == LONG_ANSWER


async def test_a_hook_answers_in_place_of_the_agent(make_chat: MakeChat) -> None:
    class Agentless:
        @hookimpl
        async def agent(self, turn: Turn) -> None:
            turn.state["agent"] = True

    told = Told()
    chat = await make_chat(told, Echo(), Agentless())
    streamed = await chat.say("hello")
    assert streamed.text == "You said it."
    assert streamed.types == [
        "thread.created",
        "thread.item.done",
        "stream_options",
        "thread.item.added",
        *["assistant_message.content_part.text_delta"] * 3,
        "thread.item.done",
    ]
    assert len(told.prepared) == 1
    assert told.persisted == ["user_message", "assistant_message"]
    outcome = await told.outcomes.get()
    assert (outcome.status, len(outcome.items), outcome.error) == ("completed", 2, None)
    page = await chat.ask("items.list", thread_id=streamed.thread_id)
    assert [item["type"] for item in page["data"]] == ["assistant_message", "user_message"]


async def test_the_first_answer_wins_and_none_passes_on(make_chat: MakeChat) -> None:
    class Passes:
        @hookimpl
        async def respond(self, turn: Turn) -> Any:
            return None if turn.message and "agent" in str(turn.message.content) else []

    class Lists:
        @hookimpl
        async def respond(self, turn: Turn) -> list[ThreadStreamEvent]:
            return [ThreadItemDoneEvent(item=message(turn, "from a list"))]

    chat = await make_chat(Passes(), Lists(), Echo())
    listed = await chat.say("ask the agent")
    assert [item["content"][0]["text"] for item in listed.done("assistant_message")] == [
        "from a list"
    ]
    # No event at all is an answer, too: the next plugin is not asked
    nothing = await chat.say("say nothing")
    assert nothing.types == ["thread.created", "thread.item.done", "stream_options"]


async def test_without_an_answer_the_agent_answers(make_chat: MakeChat) -> None:
    class Nobody:
        @hookimpl
        async def respond(self) -> None: ...

    chat = await make_chat(Nobody())
    assert (await chat.say("hello")).done("assistant_message")


@pytest.mark.parametrize("when", ["at once", "later"])
async def test_an_error_is_an_event_and_what_was_said_is_saved(
    make_chat: MakeChat, when: str
) -> None:
    class Fails:
        @hookimpl
        async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
            if when == "at once":
                raise Forbidden("Not this.")

            async def events() -> AsyncIterator[ThreadStreamEvent]:
                item = message(turn, "")
                yield ThreadItemAddedEvent(item=item)
                yield delta(item, "half a ")
                raise Forbidden("Not this.")

            return events()

    told = Told()
    chat = await make_chat(told, Fails())
    streamed = await chat.say("hello")
    assert streamed.error is not None
    assert streamed.error["message"] == "Not this."
    page = await chat.ask("items.list", thread_id=streamed.thread_id, order="asc")
    texts = [item["content"][0]["text"] for item in page["data"]]
    assert texts == (["hello"] if when == "at once" else ["hello", "half a "])
    assert (await told.outcomes.get()).status == "failed"


async def test_what_the_author_says_is_not_logged(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    class Quotes:
        @hookimpl
        async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
            assert turn.message is not None
            raise NotFoundError(f"nothing about {turn.message.content[0].text}")
            yield

    chat = await make_chat(Quotes())
    assert (await chat.say("my secret")).error is not None
    assert "NotFoundError in " in caplog.text
    assert "my secret" not in caplog.text


async def test_what_is_no_event_is_named(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong:
        @hookimpl
        async def respond(self) -> AsyncIterator[Any]:
            yield "text"

    chat = await make_chat(Wrong())
    assert (await chat.say("hello")).error is not None
    assert "the hook `respond` yielded a str, expected a ThreadStreamEvent" in caplog.text


async def test_stop_reaches_the_iterator_and_saves_what_was_said(make_chat: MakeChat) -> None:
    ends: list[str] = []
    said = asyncio.Event()

    class Endless:
        @hookimpl
        async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
            item = message(turn, "")
            try:
                yield ThreadItemAddedEvent(item=item)
                yield delta(item, "as far as ")
                said.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise
            finally:
                ends.append("closed")

    told = Told()
    chat = await make_chat(told, Endless())
    response = await chat.post(create("hello"))
    await said.wait()
    stopped = await chat.client.post(f"{chat.path}/turns/{response.headers['X-Turn-Id']}/cancel")
    assert stopped.status < 300, await stopped.text()
    outcome = await told.outcomes.get()
    assert (outcome.status, ends) == ("cancelled", ["cancelled", "closed"])
    assert [item.type for item in outcome.items] == ["user_message", "assistant_message"]
    assert outcome.items[1].content[0].text == "as far as "  # type: ignore[union-attr]


async def test_a_lost_connection_is_resumed_at_every_event(make_chat: MakeChat) -> None:
    chat = await make_chat(Echo())
    whole = await chat.say("hello")
    for seen, last in enumerate(whole.ids, 1):
        again = await chat.post(create("hello"), headers={"Last-Event-ID": last})
        rest = await chat.read(again)
        assert whole.data == whole.data[:seen] + rest.data
        assert rest.ids == whole.ids[seen:]


async def test_an_iterator_without_aclose_and_an_async_list_are_read(make_chat: MakeChat) -> None:
    class Plain:
        def __init__(self, turn: Turn) -> None:
            self.left = [ThreadItemDoneEvent(item=message(turn, text)) for text in "ab"]

        def __aiter__(self) -> Plain:
            return self

        async def __anext__(self) -> ThreadStreamEvent:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    class Answers:
        @hookimpl
        async def respond(self, turn: Turn) -> Plain:
            return Plain(turn)

    chat = await make_chat(Answers())
    assert len((await chat.say("hello")).done("assistant_message")) == 2


# The context of a request


class Cats:
    """Gives every request a context of its own."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.stored: list[StoreContext] = []

    @hookimpl
    async def context(self, request: web.Request, user: User) -> dict[str, str]:
        if request.headers.get("X-Cat") == "wild":
            raise Forbidden("No wild cats.")
        return {"cat": request.headers.get("X-Cat", ""), "owner": user.id}

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.turns.append(turn)


async def test_a_plugin_gives_the_context_of_a_request(make_chat: MakeChat) -> None:
    cats, store = Cats(), MemoryStorePlugin()
    loads: list[StoreContext] = []
    original = store.memory.load_threads

    async def load_threads(limit: int, after: str | None, order: str, context: StoreContext) -> Any:
        loads.append(context)
        return await original(limit, after, order, context)

    store.memory.load_threads = load_threads  # type: ignore[method-assign]
    chat = await make_chat(cats, Echo(), store)
    chat.headers |= {"X-Cat": "tom", "Cookie": "session=s1; theme=dark"}
    await chat.say("hello")
    [turn] = cats.turns
    assert turn.request_context == {"cat": "tom", "owner": "somebody"}
    assert turn.store_context == StoreContext(turn.user, turn.id, 1)
    assert turn.store_context.context is turn.request_context
    assert turn.request.headers["x-cat"] == "tom"
    assert turn.request.cookies == {"session": "s1", "theme": "dark"}
    assert (turn.request.url.path, dict(turn.request.query)) == (chat.path, {})
    # With the context of the plugin, and with another one, the store works for the turn's user
    for context in (turn.request_context, {"another": 1}, turn.store_context):
        page = await turn.store.load_thread_items(turn.thread.id, None, 9, "asc", context)
        assert [item.type for item in page.data] == ["user_message", "assistant_message"]
    await chat.ask("threads.list")
    assert loads[0].context == {"cat": "tom", "owner": "somebody"}
    chat.headers["X-Cat"] = "wild"
    assert await chat.refused(create("hello")) == (403, "No wild cats.")
    assert await chat.refused({"type": "threads.list", "params": {}}) == (403, "No wild cats.")


async def test_the_store_of_a_turn_hides_what_is_replaced_and_the_servers_own_items(
    make_chat: MakeChat,
) -> None:
    pages: list[list[str]] = []
    memory = {"type": "chatkit_server.turn", "turn_id": "", "model": "", "covers": [], "input": []}

    class Looks:
        @hookimpl
        async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
            store, context = turn.store, turn.request_context
            for order, limit in (("asc", 20), ("desc", 2)):
                page = await store.load_thread_items(turn.thread.id, None, limit, order, context)
                pages.append([item.type for item in page.data])
            now = datetime.now(UTC)
            for content in ("a note", memory):
                hidden = HiddenContextItem(
                    id=turn.generate_id("message"),
                    thread_id=turn.thread.id,
                    created_at=now,
                    content=content,
                )
                await store.add_thread_item(turn.thread.id, hidden, context)
            yield ThreadItemDoneEvent(item=message(turn, "answer"))

    chat = await make_chat(Looks())
    first = await chat.say("hello")
    await chat.say("once more", first.thread_id)
    note = "hidden_context_item"
    answered = ["user_message", note, "assistant_message"]
    assert pages == [
        ["user_message"],
        ["user_message"],
        [*answered, "user_message"],
        ["user_message", "assistant_message"],
    ]
    pages.clear()
    asked = first.done("user_message")[0]["id"]
    await chat.stream("threads.retry_after_item", thread_id=first.thread_id, item_id=asked)
    assert pages == [["user_message"], ["user_message"]]


async def test_an_item_that_has_begun_can_be_saved_as_it_is(make_chat: MakeChat) -> None:
    class Saves:
        @hookimpl
        async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
            item = message(turn, "unfinished")
            yield ThreadItemAddedEvent(item=item)
            await turn.store.add_thread_item(turn.thread.id, item, turn.request_context)
            yield ProgressUpdateEvent(text="…")

    told, store = Told(), MemoryStorePlugin()
    chat = await make_chat(told, Saves(), store)
    streamed = await chat.say("hello")
    assert told.persisted == ["user_message", "assistant_message"]
    assert streamed.types[-1] == "progress_update"
    assert len(store.memory.items[streamed.thread_id]) == 2


class Numbered:
    """Answers each turn with the same ids, as a model does that counts the items of an answer."""

    def __init__(self, begins: bool) -> None:
        self.begins = begins
        self.turns = 0

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        self.turns += 1
        for number in range(2):
            text = f"Answer {self.turns}.{number}"
            item = message(turn, text).model_copy(update={"id": f"msg_{number}"})
            if self.begins:
                yield ThreadItemAddedEvent(item=item.model_copy(update={"content": []}))
                yield delta(item, text)
            yield ThreadItemDoneEvent(item=item)


@pytest.mark.parametrize("begins", [True, False])
async def test_an_id_that_comes_again_is_that_of_another_message(
    make_chat: MakeChat, begins: bool
) -> None:
    chat = await make_chat(Numbered(begins))
    first = await chat.say("Hello")
    asked = first.done("user_message")[0]["id"]
    thread_id = first.thread_id
    await chat.stream("threads.retry_after_item", thread_id=thread_id, item_id=asked)
    assert await stored(chat, thread_id) == ["Hello", "Answer 2.0", "Answer 2.1"]
    last = await chat.say("And on", thread_id)
    shown = last.done("assistant_message")
    assert [item["content"][0]["text"] for item in shown] == ["Answer 3.0", "Answer 3.1"]
    assert await stored(chat, thread_id) == [
        *["Hello", "Answer 2.0", "Answer 2.1"],
        *["And on", "Answer 3.0", "Answer 3.1"],
    ]


async def stored(chat: Chat, thread_id: str) -> list[str]:
    thread = await chat.ask("threads.get_by_id", thread_id=thread_id)
    return [item["content"][0]["text"] for item in thread["items"]["data"]]


class Looks:
    """Calls a client tool with the same id in each turn, as models do that count their calls."""

    @hookimpl
    async def respond(self, turn: Turn) -> list[ThreadStreamEvent]:
        place = {"thread_id": turn.thread.id, "created_at": datetime.now(UTC)}
        if turn.operation == "threads.add_client_tool_output":
            return [ThreadItemDoneEvent(item=message(turn, "Seen."))]
        call = {"call_id": "call_1", "name": "look", "arguments": {}}
        return [ThreadItemDoneEvent(item=ClientToolCallItem(id="call_1", **call, **place))]


async def test_calls_of_client_tools_keep_their_outputs(make_chat: MakeChat) -> None:
    chat = await make_chat(Looks())
    thread_id = (await chat.say("Look")).thread_id
    for seen in range(2):
        if seen:
            assert (await chat.say("Look again", thread_id)).error is None
        await chat.stream(
            "threads.add_client_tool_output", thread_id=thread_id, result={"seen": seen}
        )
    thread = await chat.ask("threads.get_by_id", thread_id=thread_id)
    outputs = [item.get("output") for item in thread["items"]["data"]]
    assert [output for output in outputs if output] == [{"seen": 0}, {"seen": 1}]


class Works:
    """Shows a workflow with its answer: with the turn's methods, or with events of its own."""

    def __init__(self, way: str) -> None:
        self.way = way

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        if self.way == "events":
            place = {"thread_id": turn.thread.id, "created_at": datetime.now(UTC)}
            work = Workflow(type="custom", tasks=[CustomTask(title="Read")])
            yield ThreadItemAddedEvent(item=WorkflowItem(id="wf", workflow=work, **place))
            added = WorkflowTaskAdded(task_index=1, task=CustomTask(title="Think"))
            yield ThreadItemUpdatedEvent(item_id="wf", update=added)
            changed = WorkflowTaskUpdated(task_index=0, task=CustomTask(title="Read all"))
            yield ThreadItemUpdatedEvent(item_id="wf", update=changed)
        else:
            await turn.add_workflow_task(CustomTask(title="Read all"))
            await turn.add_workflow_task(CustomTask(title="Think"))
        if self.way == "client tool" and turn.operation == "threads.create":
            yield ThreadItemDoneEvent(
                item=ClientToolCallItem(
                    id=turn.generate_id("tool_call"),
                    thread_id=turn.thread.id,
                    created_at=datetime.now(UTC),
                    call_id="call",
                    name="look",
                    arguments={},
                )
            )
        elif self.way != "at the end":
            yield ThreadItemDoneEvent(item=message(turn, "Done."))


@pytest.mark.parametrize("way", ["methods", "events", "at the end", "client tool"])
async def test_a_workflow_ends_before_the_answer(make_chat: MakeChat, way: str) -> None:
    chat = await make_chat(Works(way))
    streamed = await chat.say("Hello")
    titles = ["Read all", "Think"]
    if way == "client tool":
        assert streamed.done("workflow") == []
        thread_id = streamed.thread_id
        streamed = await chat.stream(
            "threads.add_client_tool_output", thread_id=thread_id, result={"seen": True}
        )
        titles *= 2
    (work,) = streamed.done("workflow")
    assert [task["title"] for task in work["workflow"]["tasks"]] == titles
    assert work["workflow"]["summary"] == {"duration": 0}
    done = [e["item"]["type"] for e in streamed.data if e["type"] == "thread.item.done"]
    assert done[-2:] == ["workflow", "assistant_message"] or way == "at the end"


async def test_a_plain_client_gets_a_message_that_comes_at_once(make_chat: MakeChat) -> None:
    """Whether or not the hook says before that it begins."""

    class Answers:
        @hookimpl
        async def respond(self, turn: Turn) -> list[ThreadStreamEvent]:
            first, second, third = (message(turn, text) for text in ("One. ", "Two. ", "Three."))
            return [
                ThreadItemDoneEvent(item=first),
                ThreadItemAddedEvent(item=second.model_copy(update={"content": []})),
                ThreadItemDoneEvent(item=second),
                ThreadItemAddedEvent(item=third.model_copy(update={"content": []})),
                delta(third, "Three."),
                ThreadItemDoneEvent(item=third),
            ]

    chat = await make_chat(Answers())
    assert (await chat.plain("Count")).text == "One. Two. Three."
