"""Stop, and the limits of a turn, while a plugin's own code answers: whatever it is doing."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable

import pytest
from agents import Agent, RunContextWrapper, Runner, RunResultStreaming, function_tool
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.types import ThreadItemAddedEvent, ThreadStreamEvent

from chatkit_server import Turn, hookimpl
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from tests.client import Chat
from tests.conftest import MakeChat
from tests.test_respond import Told, delta, message
from tests.test_resume import create

Answers = Callable[["Author", Turn], AsyncIterator[ThreadStreamEvent]]


class Author:
    """Answers by a function, which sets `begun` when it can be stopped."""

    def __init__(self, answer: Answers) -> None:
        self.answer = answer
        self.begun = asyncio.Event()
        self.results: list[RunResultStreaming] = []
        self.ends: list[str] = []
        self.thread = threading.Event()

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        return self.answer(self, turn)


@function_tool
async def wait(run: RunContextWrapper[AgentContext[Author]]) -> str:
    """Wait for ever."""
    author = run.context.request_context
    author.begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        author.ends.append("tool")
    return "never"


@function_tool
async def wait_in_thread(run: RunContextWrapper[AgentContext[Author]]) -> str:
    """Wait in a thread."""
    author = run.context.request_context
    author.begun.set()
    try:
        await asyncio.to_thread(author.thread.wait)
    finally:
        author.ends.append("tool")
    return "never"


AGENT = Agent[AgentContext[Author]](name="Waiting", model="test/any", tools=[wait, wait_in_thread])


async def runs(author: Author, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    """As a server written with ChatKit's SDK answers."""
    context: AgentContext[Author] = AgentContext(
        thread=turn.thread, store=turn.store, request_context=author
    )
    result = Runner.run_streamed(AGENT, "hello", context=context)
    author.results.append(result)
    async for event in stream_agent_response(context, result):
        yield event


async def reads_the_run(author: Author, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    context: AgentContext[Author] = AgentContext(
        thread=turn.thread, store=turn.store, request_context=author
    )
    result = Runner.run_streamed(AGENT, "hello", context=context)
    author.results.append(result)
    async for _ in result.stream_events():
        pass
    yield ThreadItemAddedEvent(item=message(turn, ""))


async def swallows(author: Author, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    yield ThreadItemAddedEvent(item=message(turn, "so far"))
    author.begun.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        author.ends.append("swallowed")


async def goes_on(author: Author, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    yield ThreadItemAddedEvent(item=(item := message(turn, "so far")))
    author.begun.set()
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            author.ends.append("swallowed")
        yield delta(item, "")


async def waits_on(author: Author, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    yield ThreadItemAddedEvent(item=message(turn, "so far"))
    author.begun.set()
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            author.ends.append("swallowed")


async def hangs(author: Author, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    async for event in swallows(author, turn):
        yield event
    await asyncio.Event().wait()


async def fails(author: Author, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    yield ThreadItemAddedEvent(item=message(turn, "so far"))
    author.begun.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        author.ends.append("failed")
        raise RuntimeError("cleanup failed") from None


async def stop(chat: Chat, turn_id: str) -> None:
    answer = await chat.client.post(f"{chat.path}/turns/{turn_id}/cancel")
    assert answer.status == 200, await answer.text()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What asyncio says of tasks that were left behind."""
    return [record.message for record in caplog.records if record.name == "asyncio"]


@pytest.mark.parametrize(
    ("answer", "call"),
    [(runs, None), (runs, "wait"), (runs, "wait_in_thread"), (reads_the_run, "wait")],
)
async def test_stop_ends_the_run_of_the_author(
    make_chat: MakeChat,
    model_server: ModelServer,
    caplog: pytest.LogCaptureFixture,
    answer: Answers,
    call: str | None,
) -> None:
    gate = Gate()
    if call is None:
        model_server.reply("as far as ", gate, Call("wait", {}))
    else:
        model_server.reply(Call(call, {}))
    author, told = Author(answer), Told()
    endpoints = {"test": {"base_url": model_server.url}}
    chat = await make_chat(told, author, plugins={"compatible_models": {"endpoints": endpoints}})
    response = await chat.post(create("hello"))
    await (gate.reached() if call is None else author.begun.wait())
    await stop(chat, response.headers["X-Turn-Id"])
    outcome = await told.outcomes.get()
    assert outcome.status == "cancelled"
    [result] = author.results
    task = result.run_loop_task
    assert task is not None
    assert task.done(), "its model is no longer read"
    assert author.ends == ([] if call is None else ["tool"])
    author.thread.set()
    del result, task
    author.results.clear()
    gc.collect()
    assert complaints(caplog) == []


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (swallows, "swallowed"),
        (goes_on, "swallowed"),
        (waits_on, "swallowed"),
        (hangs, "swallowed"),
        (fails, "failed"),
    ],
)
async def test_stop_is_stop_whatever_the_code_makes_of_it(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, answer: Answers, end: str
) -> None:
    author, told = Author(answer), Told()
    chat = await make_chat(told, author, hooks={"timeout": "100ms"})
    response = await chat.post(create("hello"))
    await author.begun.wait()
    await stop(chat, response.headers["X-Turn-Id"])
    streamed = await chat.read(response)
    outcome = await told.outcomes.get()
    assert (outcome.status, author.ends[0]) == ("cancelled", end)
    assert [item.type for item in outcome.items] == ["user_message", "assistant_message"]
    assert streamed.error is not None
    assert "stopped" in streamed.error["message"]
    gc.collect()
    # What swallows a second cancellation, too, can only be torn apart
    assert answer is waits_on or complaints(caplog) == []


@pytest.mark.parametrize("limit", ["turn", "silence"])
async def test_the_limits_of_a_turn_end_the_authors_code(make_chat: MakeChat, limit: str) -> None:
    author, told = Author(swallows), Told()
    chat = await make_chat(told, author, turns={"limits": {limit: "200ms"}})
    streamed = await chat.read(await chat.post(create("hello")))
    outcome = await told.outcomes.get()
    assert (outcome.status, author.ends) == ("failed", ["swallowed"])
    assert streamed.error is not None
    assert outcome.error == streamed.error["message"]
    assert ("longer than" if limit == "turn" else "sent nothing") in streamed.error["message"]
    assert told.outcomes.empty(), "post_turn is called once"
