"""Who gets a thread when other processes work at it too, and which request is a repetition."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from chatkit.types import ThreadMetadata

from chatkit_server import Turn
from chatkit_server.errors import Conflict, Unavailable, Unprocessable
from chatkit_server.events.partial import PartialAnswer
from chatkit_server.storage import MemoryTurnStore, StoreContext, TurnRecord
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.turns import claim
from chatkit_server.turns.claim import Claims
from chatkit_server.turns.identity import NO_EVENT, RequestIdentity
from chatkit_server.turns.job import TurnJob, TurnPlan
from chatkit_server.turns.registry import BUSY, TurnRegistry
from tests.mcp_calls import until
from tests.running_turns import ANN, BOB, begin, finish, make_running, settings_of

THREAD = ThreadMetadata(id="thr_1", created_at=datetime.now(UTC))
NEW = RequestIdentity(key="key:1", body="body:1", content="c")


@dataclass
class Plan:
    """What a claim looks at of a plan."""

    thread: ThreadMetadata = field(default_factory=lambda: THREAD)
    user: Any = ANN
    beside: bool = False
    patient: bool = False
    context: str = "of ann's request"
    accepted: Any = None


@dataclass
class Job:
    """What a claim looks at of a job."""

    turn: Turn

    def partial(self) -> PartialAnswer:
        return PartialAnswer(messages=["msg_1"])


@dataclass
class Case:
    """Claims of one process; others share the turn store."""

    when_busy: str = "queue"
    turn_store: MemoryTurnStore = field(default_factory=MemoryTurnStore)
    made: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = settings_of(when_busy=self.when_busy)
        self.turns = TurnRegistry(settings)
        self.claims = Claims(self.turns, self.turn_store, settings)

    async def make_job(self, changed: bool) -> TurnJob:
        self.made.append(changed)
        turn = Turn(
            id=f"turn_{len(self.made)}",
            thread=THREAD,
            store=MemoryStore(),
            request_context=StoreContext(ANN),
            user=ANN,
            operation="plain",
            model="test/model",
        )
        return cast(TurnJob, Job(turn))

    async def claim(self, identity: RequestIdentity = NEW) -> tuple[str, bool]:
        job, left = await self.claims.claim(cast(TurnPlan, Plan()), self.make_job, identity)
        return job.turn.id, left

    async def other(self, turn_id: str = "other", **fields: Any) -> TurnRecord:
        """Record a turn of another process in the thread."""
        given = {"thread_id": "thr_1", "user": ANN, "operation": "plain", "model": "m"}
        record = TurnRecord(turn_id, **{**given, **fields})
        assert await self.turn_store.begin(record) is None
        return record

    async def is_free(self) -> bool:
        """Return whether nobody of this process has the thread."""
        return not self.turns._slots


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "OTHER_PROCESS_POLL", 0.001)


async def test_a_claim_is_recorded_for_others() -> None:
    case = Case()
    assert await case.claim() == ("turn_1", False)
    assert case.made == [False]
    partial = PartialAnswer(messages=["msg_1"]).dump()
    assert await case.turn_store.running("thr_1", ANN) == TurnRecord(
        "turn_1", "thr_1", ANN, "plain", "test/model", "key:1", "c", partial=partial
    )
    assert not await case.is_free()


async def test_a_plan_is_made_anew_after_another_turn() -> None:
    case = Case()
    await case.turns.claim("thr_1", ANN)
    waiting = asyncio.create_task(case.claim())
    for _ in range(5):
        await asyncio.sleep(0)
    assert case.made == []
    case.turns.release("thr_1")
    await waiting
    assert case.made == [True]


async def test_a_thread_that_is_busy_elsewhere_may_reject() -> None:
    case = Case("reject")
    await case.other()
    with pytest.raises(Conflict) as raised:
        await case.claim()
    assert raised.value.message == BUSY
    assert await case.is_free()


@pytest.mark.parametrize(("when_busy", "cancels"), [("queue", False), ("interrupt", True)])
async def test_a_turn_of_another_process_is_waited_for(when_busy: str, cancels: bool) -> None:
    case = Case(when_busy)
    await case.other()
    asked: list[str] = []
    cancel, looks = case.turn_store.cancel, 0
    look = case.turn_store.running

    async def watched_cancel(turn_id: str, user: Any) -> bool:
        asked.append(turn_id)
        return await cancel(turn_id, user)

    async def watched_look(thread_id: str, user: Any) -> TurnRecord | None:
        nonlocal looks
        looks += 1
        return await look(thread_id, user)

    case.turn_store.cancel = watched_cancel  # type: ignore[method-assign]
    case.turn_store.running = watched_look  # type: ignore[method-assign]
    waiting = asyncio.create_task(case.claim())
    await until(lambda: looks > 4)
    assert not waiting.done()
    assert list(case.turns.waiting.values()) == ["of ann's request"]
    assert set(asked) == ({"other"} if cancels else set())
    await case.turn_store.end("other", 1, "completed", None)
    assert await waiting == ("turn_2", False)
    assert case.turns.waiting == {}
    assert case.made == [False, True]
    record = await look("thr_1", ANN)
    assert record is not None
    assert record.id == "turn_2"


async def test_another_process_is_not_waited_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    await case.other()
    monkeypatch.setattr(claim, "OTHER_PROCESS_TIMEOUT", 0.01)
    with pytest.raises(Unavailable) as raised:
        await case.claim()
    assert raised.value.message == BUSY
    assert raised.value.headers["Retry-After"] == "5"
    assert await case.is_free()


@pytest.mark.parametrize("busy", [False, True])
async def test_a_client_that_leaves_while_the_claim_is_recorded(busy: bool) -> None:
    case = Case()
    if busy:
        await case.other()
    recording, go_on = asyncio.Event(), asyncio.Event()
    write = case.turn_store.begin

    async def begin(record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        recording.set()
        await go_on.wait()
        return await write(record, repeat)

    case.turn_store.begin = begin  # type: ignore[method-assign]
    claiming = asyncio.create_task(case.claim())
    await recording.wait()
    claiming.cancel()
    go_on.set()
    if busy:
        with pytest.raises(asyncio.CancelledError):
            await claiming
        assert await case.is_free()
    else:
        assert await claiming == ("turn_1", True), "somebody has to work at what is recorded"


async def test_a_plan_that_does_not_work_out_leaves_the_thread_free() -> None:
    case = Case()

    async def make_job(changed: bool) -> TurnJob:
        raise Conflict("The thread is locked.")

    with pytest.raises(Conflict):
        await case.claims.claim(cast(TurnPlan, Plan()), make_job, NEW)
    assert await case.is_free()


async def test_a_repetition_joins_the_turn_of_this_process() -> None:
    case = Case()
    running = make_running(identity=NEW)
    await begin(case.turns, running)
    assert await case.claims.repeated(NEW, ANN) == (running, 0)
    assert await case.claims.repeated(NEW, BOB) is None


BY_KEY = RequestIdentity(key="key:1", content="c")
BY_BODY = RequestIdentity(body="body:1", content="c")
LOST = r"^This message was sent before, and the connection to its answer was lost\. "


@pytest.mark.parametrize("state", ["running", "interrupted", "completed", "failed", "cancelled"])
async def test_what_another_process_was_asked_is_not_asked_again(state: Any) -> None:
    case = Case()
    by_key = await case.other("other_1", request="key:1", content="c")
    by_body = await case.other("other_2", request="body:1", content="c", thread_id="thr_2")
    if state != "running":
        for turn_id in ("other_1", "other_2"):
            await case.turn_store.end(turn_id, 1, state, None)
    by_key, by_body = replace(by_key, state=state), replace(by_body, state=state)
    assert await case.claims.repeated(BY_KEY, ANN) == (by_key, 0)
    assert await case.claims.repeated(BY_KEY, BOB) is None
    with pytest.raises(Unprocessable, match="another request used this key"):
        await case.claims.repeated(replace(BY_KEY, content="d"), ANN)
    if state in ("running", "interrupted"):
        assert await case.claims.repeated(BY_BODY, ANN) == (by_body, 0)
    else:
        assert await case.claims.repeated(BY_BODY, ANN) is None, "the same words may be said again"


async def test_the_same_words_may_be_said_again_after_a_turn_of_this_process() -> None:
    case = Case()
    running = make_running(identity=BY_BODY)
    await case.other("turn_1", request="body:1")
    await case.turn_store.end("turn_1", 1, "interrupted", None)
    await finish(case.turns, await begin(case.turns, running))
    assert await case.claims.repeated(BY_BODY, ANN) is None


async def test_a_stream_of_another_process_goes_on_after_what_was_seen() -> None:
    case = Case()
    other = await case.other()
    seen = RequestIdentity(content="c", last_event=("other", 4))
    assert await case.claims.repeated(seen, ANN) == (other, 4)
    for identity in (replace(seen, last_event=("gone", 4)), replace(BY_KEY, last_event=NO_EVENT)):
        with pytest.raises(Conflict, match=LOST):
            await case.claims.repeated(identity, ANN)


async def test_a_request_without_a_name_is_new() -> None:
    assert await Case().claims.repeated(RequestIdentity(content="c"), ANN) is None
