"""Heartbeats for the turns under way, and the end of turns whose process is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from agents import Usage
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    DurationSummary,
    InferenceOptions,
    ThoughtTask,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
    Workflow,
    WorkflowItem,
)

from chatkit_server import Outcome, RequestNeeded, Turn, hookimpl
from chatkit_server.agent.memory import TurnMemory
from chatkit_server.errors import TurnFailed
from chatkit_server.events.partial import PartialAnswer
from chatkit_server.events.threads import ThreadWriter
from chatkit_server.plugin.calls import Hooks
from chatkit_server.storage import (
    HeartbeatSignal,
    MemoryTurnStore,
    StoreContext,
    TurnRecord,
)
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.turn import ToolCall, ToolResult
from chatkit_server.turns.heartbeat import (
    CONCURRENT_RECOVERIES,
    SIGNALS_PER_CALL,
    Heartbeat,
    HeartbeatTiming,
)
from chatkit_server.turns.recovery import INTERRUPTED, MOST_ATTEMPTS, Leftover, Recovery
from chatkit_server.turns.registry import TurnRegistry
from chatkit_server.turns.running import STOPPED, TAKEN_OVER
from tests.running_turns import ANN, BOB, begin, finish, make_running, settings_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTEXT = StoreContext(ANN)
TIMING = HeartbeatTiming(beat=0.001, stale=60)


class Watched(MemoryTurnStore):
    """A turn store that notes what it is asked, and answers `replies` to heartbeats."""

    def __init__(self) -> None:
        super().__init__()
        self.signals: list[list[HeartbeatSignal]] = []
        self.replies: dict[str, Any] = {}
        self.pruned: list[float] = []
        self.stale_for: list[float] = []
        self.dead: list[TurnRecord] = []
        self.failing = False

    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, Any]:
        if self.failing:
            raise ConnectionError("gone")
        self.signals.append(list(beats))
        return self.replies

    async def stale(self, seconds: float) -> list[TurnRecord]:
        if self.failing:
            raise ConnectionError("gone")
        self.stale_for.append(seconds)
        return self.dead

    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        self.stale_for.append(seconds)
        row = self._current(turn_id, attempt)
        if row is not None:
            row.beaten = -1e9
        return await super().take_over(turn_id, attempt, seconds)

    async def prune(self, seconds: float) -> None:
        self.pruned.append(seconds)


class Told:
    """Notes what the hooks are told."""

    def __init__(self) -> None:
        self.persisted: list[str] = []
        self.ended: list[tuple[Turn, Outcome]] = []

    @hookimpl
    async def persist(self, turn: Turn, item: ThreadItem) -> None:
        assert turn.thread.id == "thr_1"
        self.persisted.append(item.id)

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        self.ended.append((turn, outcome))


@dataclass
class Case:
    """The turns of a process, the stores they are in, and what ends those of others."""

    turns: TurnRegistry = field(default_factory=lambda: TurnRegistry(settings_of()))
    turn_store: Watched = field(default_factory=Watched)
    store: MemoryStore = field(default_factory=MemoryStore)
    told: Told = field(default_factory=Told)

    def __post_init__(self) -> None:
        hooks = Hooks.of([("told", self.told)])
        self.recovery = Recovery(self.turn_store, self.store, hooks, ThreadWriter(self.store))
        self.heartbeat = Heartbeat(self.turns, self.turn_store, self.recovery, 3600, TIMING)

    @property
    def stored(self) -> list[str]:
        return list(self.store.items["thr_1"])

    async def record(self, turn_id: str = "turn_1", **fields: Any) -> TurnRecord:
        given = {"thread_id": f"thr_{turn_id[5:]}", "user": ANN, "operation": "op", "model": "m"}
        record = TurnRecord(turn_id, **{**given, **fields})
        assert await self.turn_store.begin(record) is None
        return record

    async def record_of(self, turn_id: str = "turn_1") -> TurnRecord:
        record = await self.state(turn_id)
        assert record is not None
        return record

    async def state(self, turn_id: str = "turn_1") -> TurnRecord | None:
        return await self.turn_store.find(turn_id, ANN)


@pytest.fixture
async def case() -> Case:
    case = Case()
    thread = ThreadMetadata(id="thr_1", created_at=NOW)
    await case.store.save_thread(thread, CONTEXT)
    return case


def base(item_id: str) -> dict[str, Any]:
    return {"id": item_id, "thread_id": "thr_1", "created_at": NOW}


def user(item_id: str) -> UserMessageItem:
    return UserMessageItem(
        content=[UserMessageTextContent(text="Hello")],
        attachments=[],
        inference_options=InferenceOptions(),
        **base(item_id),
    )


def message(item_id: str, text: str = "Hi") -> AssistantMessageItem:
    return AssistantMessageItem(content=[AssistantMessageContent(text=text)], **base(item_id))


def workflow(item_id: str, *thoughts: str) -> WorkflowItem:
    tasks = [ThoughtTask(content=thought) for thought in thoughts]
    return WorkflowItem(workflow=Workflow(type="custom", tasks=list(tasks)), **base(item_id))


def test_beats_are_frequent_enough_for_every_patience() -> None:
    assert HeartbeatTiming.of(8) == HeartbeatTiming(beat=1.0, stale=8)
    assert HeartbeatTiming.of(80) == HeartbeatTiming(beat=1.0, stale=80)
    assert HeartbeatTiming.of(4) == HeartbeatTiming(beat=0.5, stale=4)
    assert HeartbeatTiming.of(8).timeout == 4


async def test_a_beat_tells_what_has_changed(case: Case) -> None:
    running = make_running()
    work = await begin(case.turns, running)
    answers = [PartialAnswer(messages=[f"msg_{n}"]) for n in range(9)]
    running.partial = lambda: answers[len(running.log)]
    await case.heartbeat.beat()
    await case.heartbeat.beat()
    running.log.append(b"{}")
    await case.heartbeat.beat()
    expected = [answers[0].dump(), None, answers[1].dump()]
    assert case.turn_store.signals == [
        [HeartbeatSignal("turn_1", 3, partial)] for partial in expected
    ]
    assert running.ending is None
    await finish(case.turns, work)
    await case.heartbeat.beat()
    assert len(case.turn_store.signals) == 3, "there is nothing to tell"
    assert case.heartbeat._reported == {}


async def test_a_beat_that_failed_is_told_again(case: Case) -> None:
    running = make_running()
    await begin(case.turns, running)
    case.turn_store.failing = True
    with pytest.raises(ConnectionError):
        await case.heartbeat.beat()
    case.turn_store.failing = False
    await case.heartbeat.beat()
    [[signal]] = case.turn_store.signals
    assert signal.partial == PartialAnswer().dump()


async def test_a_turn_whose_answer_cannot_be_written_is_alive(case: Case) -> None:
    running = make_running()
    await begin(case.turns, running)

    def broken() -> PartialAnswer:
        raise ValueError("odd")

    running.partial = broken
    await case.heartbeat.beat()
    assert case.turn_store.signals == [[HeartbeatSignal("turn_1", 3)]]


async def test_others_end_a_turn_through_its_beats(case: Case) -> None:
    turns = [make_running(f"turn_{n}", f"thr_{n}") for n in range(5)]
    for running in turns:
        await begin(case.turns, running)
    turns[4].log.end()
    replies = ["go on", "cancel", "lost", None, "lost"]
    case.turn_store.replies = {t.id: r for t, r in zip(turns, replies, strict=True) if r}
    await case.heartbeat.beat()
    assert [running.ending for running in turns] == [None, STOPPED, TAKEN_OVER, None, None]


async def test_many_turns_are_told_in_groups(case: Case) -> None:
    turns = TurnRegistry(settings_of(limits={"user": 1000}))
    heartbeat = Heartbeat(turns, case.turn_store, case.recovery, 3600, TIMING)
    count = 2 * SIGNALS_PER_CALL + 1
    for number in range(count):
        await begin(turns, make_running(f"turn_{number}", f"thr_{number}"))
    await heartbeat.beat()
    assert [len(signals) for signals in case.turn_store.signals] == [
        SIGNALS_PER_CALL,
        SIGNALS_PER_CALL,
        1,
    ]
    told = [signal.turn_id for signals in case.turn_store.signals for signal in signals]
    assert told == [f"turn_{number}" for number in range(count)]


async def test_beats_and_sweeps_go_on_until_the_end(case: Case) -> None:
    running = make_running()
    await begin(case.turns, running)
    async with asyncio.timeout(20), case.heartbeat.run():
        case.turn_store.failing = True
        await asyncio.sleep(0)
        case.turn_store.failing = False
        while len(case.turn_store.signals) < 3 or len(case.turn_store.pruned) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    told = len(case.turn_store.signals), len(case.turn_store.pruned)
    for _ in range(5):
        await asyncio.sleep(0.001)
    assert told == (len(case.turn_store.signals), len(case.turn_store.pruned))


async def test_a_sweep_ends_turns_of_the_dead_and_forgets_old_ones(case: Case) -> None:
    record = await case.record(attempt=2)
    ours = make_running("turn_2", "thr_2")
    await begin(case.turns, ours)
    case.turn_store.dead = [record, await case.record("turn_2")]
    await case.heartbeat.sweep()
    assert case.turn_store.stale_for == [60, 60]
    assert case.turn_store.pruned == [3600]
    ended = await case.state()
    assert ended is not None
    assert (ended.state, ended.attempt, ended.error) == ("interrupted", 3, INTERRUPTED)
    alive = await case.state("turn_2")
    assert alive is not None
    assert (alive.state, alive.attempt) == ("running", 1)
    assert [turn.id for turn, _ in case.told.ended] == ["turn_1"]


async def test_of_two_that_sweep_one_ends_the_turn(case: Case) -> None:
    record = await case.record()
    await case.turn_store.take_over("turn_1", 1, 0)
    case.turn_store.dead = [record]
    await case.heartbeat.sweep()
    running = await case.state()
    assert running is not None
    assert running.state == "running"
    assert case.told.ended == []


async def test_after_a_failure_a_sweep_waits_until_others_could_beat(case: Case) -> None:
    record = await case.record()
    case.turn_store.dead = [record]
    case.turn_store.failing = True
    sweeping = asyncio.create_task(case.heartbeat._every(0, case.heartbeat.sweep))
    while not case.heartbeat._sweeps_from:  # noqa: ASYNC110
        await asyncio.sleep(0)
    sweeping.cancel()
    now = asyncio.get_running_loop().time()
    assert 0 < case.heartbeat._sweeps_from - now <= TIMING.stale
    assert case.heartbeat._sweeps_from - now > TIMING.stale / 2
    case.turn_store.failing = False
    case.turn_store.pruned.clear()
    await case.heartbeat.sweep()
    assert case.turn_store.pruned == [3600]
    assert case.told.ended == []
    case.heartbeat._sweeps_from = asyncio.get_running_loop().time()
    await case.heartbeat.sweep()
    assert len(case.told.ended) == 1


async def test_a_few_turns_are_ended_at_the_same_time(case: Case) -> None:
    count = CONCURRENT_RECOVERIES + 2
    case.turn_store.dead = [await case.record(f"turn_{n}") for n in range(count)]
    go_on = asyncio.Event()
    loading: set[str] = set()

    async def load_thread(thread_id: str, context: StoreContext) -> ThreadMetadata:
        loading.add(thread_id)
        await go_on.wait()
        raise NotFoundError(thread_id)

    case.store.load_thread = load_thread  # type: ignore[method-assign]
    sweeping = asyncio.create_task(case.heartbeat.sweep())
    while len(loading) < CONCURRENT_RECOVERIES:  # noqa: ASYNC110
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(loading) == CONCURRENT_RECOVERIES
    go_on.set()
    await sweeping
    assert len(loading) == count


async def test_one_that_cannot_be_saved_keeps_no_other(case: Case) -> None:
    case.turn_store.dead = [await case.record("turn_9", thread_id="thr_9"), await case.record()]
    load = case.store.load_thread

    async def load_thread(thread_id: str, context: StoreContext) -> ThreadMetadata:
        if thread_id == "thr_9":
            raise ConnectionError("gone")
        return await load(thread_id, context)

    case.store.load_thread = load_thread  # type: ignore[method-assign]
    await case.heartbeat.sweep()
    kept, ended = await case.state("turn_9"), await case.state()
    assert kept is not None
    assert ended is not None
    assert (kept.state, kept.attempt, ended.state) == ("running", 2, "interrupted")


@pytest.mark.parametrize("error", [RequestNeeded("whose?"), KeyError("authorization")])
async def test_a_store_that_needs_a_request_saves_with_the_next_one(
    case: Case, error: Exception
) -> None:
    load, contexts = case.store.load_thread, []

    async def load_thread(thread_id: str, context: StoreContext) -> ThreadMetadata:
        contexts.append(context.context)
        if context.context is None:
            raise error
        return await load(thread_id, context)

    case.store.load_thread = load_thread  # type: ignore[method-assign]
    partial = PartialAnswer(items=[message("msg_1", "half")]).dump()
    case.turn_store.dead = [await case.record(partial=partial)]
    await case.heartbeat.sweep()
    # It is stale again, but only the error of an outage may be gone now
    case.turn_store.dead = [await case.record_of()]
    await case.heartbeat.sweep()
    tries = 1 if isinstance(error, RequestNeeded) else 2
    assert contexts == [None] * tries
    await case.heartbeat.open("thr_1", StoreContext(BOB, context="bob's request"))
    assert len(contexts) == tries
    await case.heartbeat.open("thr_1", StoreContext(ANN, context="ann's request"))
    assert case.stored == ["msg_1"]
    assert (await case.record_of()).state == "interrupted"
    [(turn, _)] = case.told.ended
    assert turn.request_context == "ann's request"
    await case.heartbeat.open("thr_1", StoreContext(ANN, context="ann's request"))
    assert len(case.told.ended) == 1


async def test_a_request_that_waits_for_a_turn_lends_its_context(case: Case) -> None:
    load = case.store.load_thread

    async def load_thread(thread_id: str, context: StoreContext) -> ThreadMetadata:
        if context.context is None:
            raise RequestNeeded("whose?")
        return await load(thread_id, context)

    case.store.load_thread = load_thread  # type: ignore[method-assign]
    case.turn_store.dead = [await case.record()]
    await case.heartbeat.sweep()
    case.turn_store.dead = [await case.record_of()]
    # It came between the sweep and what it left
    case.turns.waiting[ANN.tenant, ANN.id, "thr_1"] = "ann's request"
    await case.heartbeat.sweep()
    assert (await case.record_of()).state == "interrupted"


async def test_a_refused_turn_is_withdrawn_in_a_sweep(case: Case) -> None:
    case.turn_store.dead = [await case.record()]
    case.turns.note_refused(make_running())
    await case.heartbeat.sweep()
    assert await case.state() is None
    assert not case.turns.was_refused("turn_1")
    assert case.told.ended == []


async def test_an_end_here_that_could_not_be_recorded_is_recorded_as_it_was(case: Case) -> None:
    running = make_running()
    work = await begin(case.turns, running)
    running.status, running.problem = "failed", TurnFailed("The model is gone.")
    await finish(case.turns, work)
    case.turn_store.dead = [await case.record(attempt=3)]
    await case.heartbeat.sweep()
    ended = await case.state()
    assert ended is not None
    assert (ended.state, ended.error) == ("failed", "The model is gone.")
    assert case.told.ended == [], "its plugins were told when it ended"


@pytest.mark.parametrize(
    ("status", "problem", "leftover"),
    [
        (None, None, Leftover()),
        ("interrupted", TAKEN_OVER.problem, Leftover()),
        ("completed", None, Leftover("completed", None, post_turn_called=True)),
    ],
)
async def test_how_a_turn_ended_is_known_here(
    case: Case, status: Any, problem: Any, leftover: Leftover
) -> None:
    running = make_running()
    await begin(case.turns, running)
    running.status, running.problem = status, problem
    assert case.heartbeat._leftover(await case.record()) == leftover
    stranger = await case.record("turn_3", user=BOB)
    assert case.heartbeat._leftover(stranger) == Leftover("interrupted", INTERRUPTED, False)


WHOLE = PartialAnswer(
    items=[message("msg_2", "Half an an"), workflow("wf_1")],
    entries=[{"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"}],
    messages=["msg_2"],
    tools=[(ToolCall("c", "add", {}), ToolResult("3"))],
    saved=["msg_1", "gone"],
    model="actual/model",
    seconds=2.5,
    usage=Usage(requests=1, input_tokens=5, output_tokens=7, total_tokens=12),
)


async def test_what_was_said_is_saved_and_told_to_plugins(case: Case) -> None:
    await case.store.add_thread_item("thr_1", user("msg_1"), CONTEXT)
    record = await case.record(partial=WHOLE.dump(), attempt=2)
    await case.recovery.end(record, 2, Leftover())
    assert case.stored == ["msg_1", "msg_2", "mem_1"]
    assert case.told.persisted == ["msg_2", "mem_1"]
    [(turn, outcome)] = case.told.ended
    assert (turn.id, turn.user, turn.operation) == ("turn_1", ANN, "op")
    assert turn.model == "actual/model"
    assert turn.request_context == StoreContext(ANN, "turn_1", 2)
    assert turn.thread.id == "thr_1"
    assert (await turn.store.load_thread("thr_1", turn.request_context)).id == "thr_1"
    assert turn.message is not None
    assert turn.message.id == "msg_1"
    assert (outcome.status, outcome.error) == ("interrupted", INTERRUPTED)
    assert [item.id for item in outcome.items] == ["msg_1", "msg_2", "mem_1"]
    assert outcome.tools == WHOLE.tools
    assert outcome.allow_retry
    assert (outcome.seconds, outcome.model, outcome.usage) == (2.5, "actual/model", WHOLE.usage)
    memory = TurnMemory.of(case.store.items["thr_1"]["mem_1"])
    assert memory is not None
    assert memory.model == "actual/model"
    assert memory.turn_id == "turn_1"
    assert [entry.get("output") for entry in memory.input[:2]] == [None, "3"]
    assert memory.input[2]["content"][0]["text"] == f"({INTERRUPTED})"


async def test_a_recovery_may_be_done_twice(case: Case) -> None:
    await case.store.add_thread_item("thr_1", user("msg_1"), CONTEXT)
    record = await case.record(partial=WHOLE.dump())
    await case.recovery._store.add_thread_item("thr_1", message("msg_2", "saved"), CONTEXT)
    await case.recovery.end(record, 1, Leftover())
    assert case.told.persisted == ["mem_1"]
    [(_, outcome)] = case.told.ended
    assert [item.id for item in outcome.items] == ["msg_1", "msg_2", "mem_1"]
    await case.recovery.end(record, 1, Leftover())
    assert len(case.told.ended) == 1, "whoever records the end tells the plugins"


async def test_a_turn_that_said_nothing_leaves_no_note(case: Case) -> None:
    await case.store.add_thread_item("thr_1", user("msg_1"), CONTEXT)
    partial = PartialAnswer(items=[workflow("wf_1"), message("m", "")], saved=["msg_1"])
    record = await case.record(partial=partial.dump(), model="m")
    await case.recovery.end(record, 1, Leftover())
    assert case.stored == ["msg_1"]
    [(_, outcome)] = case.told.ended
    assert outcome.model == "m"


@pytest.mark.parametrize(
    "partial",
    [
        PartialAnswer(messages=["msg_2"]),
        PartialAnswer(tools=WHOLE.tools),
        PartialAnswer(entries=WHOLE.entries),
    ],
)
async def test_an_agent_that_did_anything_leaves_a_note(case: Case, partial: PartialAnswer) -> None:
    await case.recovery.end(await case.record(partial=partial.dump()), 1, Leftover())
    assert case.stored[-1] == "mem_1"


async def test_an_answer_without_an_agent_leaves_no_note(case: Case) -> None:
    # As when it is stopped: a store that only other code reads has none of this server's items
    partial = PartialAnswer(items=[message("msg_2")])
    await case.recovery.end(await case.record(partial=partial.dump()), 1, Leftover())
    assert case.stored == ["msg_2"]


async def test_a_completed_turn_saved_everything_itself(case: Case) -> None:
    await case.store.add_thread_item("thr_1", user("msg_1"), CONTEXT)
    record = await case.record(partial=WHOLE.dump())
    await case.recovery.end(record, 1, Leftover("completed", None, post_turn_called=True))
    assert case.stored == ["msg_1"]
    ended = await case.state()
    assert ended is not None
    assert (ended.state, ended.error) == ("completed", None)
    assert case.told.ended == []


async def test_the_last_of_the_users_messages_is_the_turns(case: Case) -> None:
    for item in (user("u_1"), message("m_1"), user("u_2"), message("m_2")):
        await case.store.add_thread_item("thr_1", item, CONTEXT)
    partial = PartialAnswer(saved=["u_1", "m_1", "u_2", "m_2"])
    await case.recovery.end(await case.record(partial=partial.dump()), 1, Leftover())
    [(turn, outcome)] = case.told.ended
    assert turn.message is not None
    assert turn.message.id == "u_2"
    assert [item.id for item in outcome.items] == ["u_1", "m_1", "u_2", "m_2"]


async def test_what_a_guardrail_refused_goes(case: Case) -> None:
    for item in (user("u"), message("shown"), workflow("hidden", "Hm.")):
        await case.store.add_thread_item("thr_1", item, CONTEXT)
    partial = PartialAnswer(saved=["u"], withdrawn=["shown", "gone", "hidden"])
    await case.recovery.end(await case.record(partial=partial.dump()), 1, Leftover())
    assert case.stored == ["u"]
    [(_, outcome)] = case.told.ended
    assert [item.id for item in outcome.items] == ["u"]


@pytest.mark.parametrize(
    ("ended", "withdrawn", "thoughts"), [(False, (), 2), (True, (), 1), (True, ("m",), 2)]
)
async def test_a_workflow_of_the_turn_before_is_not_added_again(
    case: Case, ended: bool, withdrawn: tuple[str, ...], thoughts: int
) -> None:
    saved = workflow("wf_1", "One")
    saved.workflow.summary = DurationSummary(duration=1) if ended else None
    for item in (user("u"), saved, message("m")):
        await case.store.add_thread_item("thr_1", item, CONTEXT)
    partial = PartialAnswer(items=[workflow("wf_1", "One", "Two")], withdrawn=withdrawn)
    await case.recovery.end(await case.record(partial=partial.dump()), 1, Leftover())
    assert [i for i in case.stored if i != "mem_1"] == ["u", "wf_1", *([] if withdrawn else ["m"])]
    kept = case.store.items["thr_1"]["wf_1"]
    assert isinstance(kept, WorkflowItem)
    assert len(kept.workflow.tasks) == thoughts


@pytest.mark.parametrize(
    ("partial", "left"),
    [
        (
            PartialAnswer(items=[message("new")], superseded=["old_1", "gone", "old_2"]),
            ["q", "new"],
        ),
        (PartialAnswer(superseded=["old_1", "old_2"]), ["q", "old_1", "old_2"]),
        (
            PartialAnswer(items=[workflow("w", "Hm.")], superseded=["old_1", "old_2"]),
            ["q", "old_1", "old_2", "w"],
        ),
        (PartialAnswer(items=[message("new")]), ["q", "old_1", "old_2", "new"]),
    ],
)
async def test_an_old_answer_goes_if_there_is_something_new(
    case: Case, partial: PartialAnswer, left: list[str]
) -> None:
    for item in (user("q"), message("old_1"), message("old_2")):
        await case.store.add_thread_item("thr_1", item, CONTEXT)
    delete = case.store.delete_thread_item

    async def delete_thread_item(thread_id: str, item_id: str, context: StoreContext) -> None:
        if item_id not in case.store.items[thread_id]:
            raise NotFoundError(item_id)
        await delete(thread_id, item_id, context)

    case.store.delete_thread_item = delete_thread_item  # type: ignore[method-assign]
    await case.recovery.end(await case.record(partial=partial.dump()), 1, Leftover())
    assert [item_id for item_id in case.stored if item_id != "mem_1"] == left


async def test_an_answer_before_the_question_is_nothing_new(case: Case) -> None:
    early = message("early").model_copy(update={"created_at": NOW - timedelta(days=1)})
    for item in (early, user("q"), message("old")):
        await case.store.add_thread_item("thr_1", item, CONTEXT)
    partial = PartialAnswer(superseded=["old"])
    await case.recovery.end(await case.record(partial=partial.dump()), 1, Leftover())
    assert case.stored == ["early", "q", "old"]


async def test_a_thread_that_is_gone_ends_the_turn_without_a_word(case: Case) -> None:
    record = await case.record("turn_7", partial=WHOLE.dump())
    await case.recovery.end(record, 1, Leftover())
    ended = await case.state("turn_7")
    assert ended is not None
    assert ended.state == "interrupted"
    assert case.told.ended == []


async def test_what_cannot_be_read_ends_the_turn_all_the_same(case: Case) -> None:
    await case.recovery.end(await case.record(partial=b"{"), 1, Leftover())
    ended = await case.state()
    assert ended is not None
    assert ended.state == "interrupted"
    assert len(case.told.ended) == 1
    assert case.stored == []


async def test_what_cannot_be_saved_is_tried_again_but_not_for_ever(case: Case) -> None:
    async def load_thread(thread_id: str, context: StoreContext) -> ThreadMetadata:
        raise ConnectionError("gone")

    case.store.load_thread = load_thread  # type: ignore[method-assign]
    record = await case.record(attempt=MOST_ATTEMPTS - 1)
    with pytest.raises(ConnectionError):
        await case.recovery.end(record, MOST_ATTEMPTS - 1, Leftover())
    running = await case.state()
    assert running is not None
    assert running.state == "running"
    await case.turn_store.take_over("turn_1", MOST_ATTEMPTS - 1, 0)
    await case.recovery.end(record, MOST_ATTEMPTS, Leftover())
    ended = await case.state()
    assert ended is not None
    assert ended.state == "interrupted"
    assert case.told.ended == []
