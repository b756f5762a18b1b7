"""Parts of a turn's work that stand by themselves: refusals, the tool picked, client tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from agents import Agent, ModelSettings, Usage, function_tool
from agents.testing import ScriptedModel
from chatkit.agents import ClientToolCall
from chatkit.types import (
    InferenceOptions,
    ProgressUpdateEvent,
    SyncCustomActionResponse,
    ThreadItemReplacedEvent,
    ToolChoice,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
)
from chatkit.widgets import Card

from chatkit_server import Turn
from chatkit_server.agent.relay import Relay
from chatkit_server.agent.runs import stop_run
from chatkit_server.errors import Conflict, TooLarge, Unavailable
from chatkit_server.events.wire import dump
from chatkit_server.turns.engine import _as_refusal, _refuse_if_long
from chatkit_server.turns.job import (
    TurnJob,
    TurnPlan,
    choose_tool,
    client_tool_call,
    hook_events,
    model_name,
)
from chatkit_server.turns.running import RESTARTED, STOPPED
from tests.recording import ANN, NOW, Recording, make_recording


def user(item_id: str = "msg_1", **options: Any) -> UserMessageItem:
    return UserMessageItem(
        id=item_id,
        thread_id="thr_1",
        created_at=NOW,
        content=[UserMessageTextContent(text="Grüße")],
        attachments=[],
        inference_options=InferenceOptions(**options),
    )


def test_a_message_may_have_as_many_bytes_as_the_limit() -> None:
    message = user()
    size = len(dump(message))
    _refuse_if_long(None, 0, 0)
    _refuse_if_long(message, size, 0)
    with pytest.raises(TooLarge) as raised:
        _refuse_if_long(message, size - 1, 0)
    assert raised.value.message == (
        f"The message has {size} bytes. The limit is {size - 1}: send a shorter one."
    )


def test_a_turn_that_ended_before_it_began_has_a_status() -> None:
    stopped, restarted = _as_refusal(STOPPED), _as_refusal(RESTARTED)
    assert isinstance(stopped, Conflict)
    assert stopped.message == STOPPED.problem.message
    assert isinstance(restarted, Unavailable)
    assert restarted.message == RESTARTED.problem.message
    assert restarted.headers["Retry-After"] == "5"


@function_tool
def search() -> str:
    """Search."""
    return ""


@function_tool
def add() -> str:
    """Add."""
    return ""


def test_the_model_must_use_the_tool_that_the_user_picked() -> None:
    def chosen(message: UserMessageItem | None) -> Any:
        agent: Agent[Turn] = Agent(name="a", model_settings=ModelSettings(temperature=0.5))
        choose_tool(agent, message, lambda _: [search, add])
        assert agent.model_settings.temperature == 0.5
        return agent.model_settings.tool_choice

    assert chosen(user(tool_choice=ToolChoice(id="add"))) == "add"
    assert chosen(user(tool_choice=ToolChoice(id="unknown"))) is None
    assert chosen(user()) is None
    assert chosen(None) is None


async def make_job(**plan: Any) -> tuple[TurnJob, Recording]:
    recording = await make_recording()
    turn = recording.turn
    job = TurnJob(
        TurnPlan("plain", ANN, turn.thread, recording.recorder.wire, **plan),
        turn,
        recording.recorder,
        SimpleNamespace(messages=["msg_2"], uncounted=(0, 0)),  # type: ignore[arg-type]
        SimpleNamespace(client_call_id=None, relay=Relay()),  # type: ignore[arg-type]
    )
    return job, recording


async def test_a_client_tool_call_is_the_models_own() -> None:
    job, _ = await make_job()
    job.turn.client_tool_call = ClientToolCall(name="locate", arguments={"a": 1})
    job.runner.client_call_id = "call_7"
    item = client_tool_call(job)
    assert (item.call_id, item.name, item.arguments) == ("call_7", "locate", {"a": 1})
    assert (item.thread_id, item.status) == ("thr_1", "pending")
    assert item.id.startswith("tc_")
    assert item.created_at.tzinfo is not None
    assert abs((item.created_at - datetime.now(UTC)).total_seconds()) < 60
    job.runner.client_call_id = None
    made = client_tool_call(job)
    assert made.call_id.startswith("tc_")
    assert made.call_id != made.id


async def test_a_model_has_a_name() -> None:
    job, _ = await make_job()
    for model, name in (("a/b", "a/b"), (None, ""), (ScriptedModel([]), "ScriptedModel")):
        job.turn.model = model
        assert model_name(job.turn) == name


async def test_tokens_are_counted_by_the_run_or_the_first_answer() -> None:
    job, _ = await make_job()
    assert job.usage == Usage()
    first, whole = Usage(requests=1), Usage(requests=2)
    job.first_answer = SimpleNamespace(usage=first)  # type: ignore[assignment]
    assert job.usage is first
    job.result = SimpleNamespace(context_wrapper=SimpleNamespace(usage=whole))  # type: ignore[assignment]
    assert job.usage is whole
    job.translator.uncounted = (10, 3)
    total = job.usage
    assert (total.requests, total.input_tokens, total.output_tokens) == (3, 10, 3)
    assert whole == Usage(requests=2)


@pytest.mark.parametrize(
    ("superseded", "saved"), [(None, ["msg_1", "msg_0"]), ([], ["msg_0", "msg_1"])]
)
async def test_the_users_message_counts_as_saved(superseded: Any, saved: list[str]) -> None:
    job, recording = await make_job(message=user(), superseded=superseded)
    recording.recorder.saved += [user("msg_0"), user("msg_1")]
    job.entries = [{"role": "user", "content": "x"}]
    partial = job.partial()
    assert partial.saved == saved
    assert (partial.entries, partial.messages) == (job.entries, ["msg_2"])
    assert (partial.model, partial.usage) == ("test/model", Usage())
    assert 0 < partial.seconds <= job.turn.seconds
    new, _ = await make_job(message=user(), superseded=superseded)
    assert new.partial().saved == (["msg_1"] if superseded is None else [])


async def test_an_action_may_answer_in_many_ways() -> None:
    events: list[Any] = [ProgressUpdateEvent(text="one"), ProgressUpdateEvent(text="two")]

    async def generate() -> AsyncIterator[Any]:
        for event in events:
            await asyncio.sleep(0)
            yield event

    assert [event async for event in hook_events("action", events)] == events
    assert [event async for event in hook_events("action", generate())] == events
    assert [
        event async for event in hook_events("action", SyncCustomActionResponse(updated_item=None))
    ] == []
    item = WidgetItem(id="c", thread_id="thr_1", created_at=NOW, widget=Card(children=[]))
    [replaced] = [
        event async for event in hook_events("action", SyncCustomActionResponse(updated_item=item))
    ]
    assert isinstance(replaced, ThreadItemReplacedEvent)
    assert replaced.item.id == "c"


@pytest.mark.parametrize("answer", [["text"], {"a": 1}, 3])
async def test_an_action_may_not_answer_what_is_no_event(answer: Any) -> None:
    name = type(answer).__name__
    expected = f"the hook `action` yielded a {name}, expected a ThreadStreamEvent"
    with pytest.raises(TypeError, match=expected):
        _ = [event async for event in hook_events("action", [answer])]


class Run:
    """A run whose loop ends when it is told to, or by itself, with or without an error."""

    def __init__(self, loop: Any = None) -> None:
        self.run_loop_task = None if loop is None else asyncio.create_task(loop)
        self.cancelled = 0
        self._sandbox_cleanup: Any = self.cancel

    def cancel(self) -> None:
        assert self.run_loop_task is not None
        self.cancelled += 1
        self.run_loop_task.cancel()


async def test_a_run_is_over_once_it_is_stopped() -> None:
    cleared_up: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleared_up.append(True)

    run: Any = Run(work())
    await asyncio.sleep(0)
    await stop_run(run)
    assert cleared_up == [True]
    assert run.run_loop_task.cancelled()
    assert run._sandbox_cleanup is None, "nothing holds the run but those who use it"


async def test_a_run_that_has_ended_is_not_cancelled() -> None:
    async def fail() -> None:
        raise RuntimeError("its stream tells of this")

    never_begun: Any = Run()
    await stop_run(never_begun)
    ended: Any = Run(fail())
    await asyncio.wait([ended.run_loop_task])
    await stop_run(ended)
    assert (never_begun.cancelled, ended.cancelled) == (0, 0)
