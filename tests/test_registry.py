"""The turns of one process: one at a time in each thread, found again, and forgotten in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from chatkit.types import ThreadMetadata

from chatkit_server import Turn, User
from chatkit_server.errors import BadRequest, Conflict, Unavailable, Unprocessable
from chatkit_server.events.log import TurnLog
from chatkit_server.events.partial import PartialAnswer
from chatkit_server.settings.schema import TurnSettings
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.turns.identity import NO_EVENT, RequestIdentity
from chatkit_server.turns.kept import OVERHEAD
from chatkit_server.turns.registry import TurnRegistry
from chatkit_server.turns.running import RESTARTED, STOPPED, TAKEN_OVER, RunningTurn
from tests.mcp_calls import until
from tests.running_turns import (
    ANN,
    BOB,
    NOBODY_KNOWS,
    OTHER_ANN,
    Work,
    begin,
    finish,
    make_running,
    settings_of,
)


async def blocked(claim: Awaitable[bool]) -> asyncio.Future[bool]:
    """Begin to claim, and return the claim, which has to wait."""
    waiting = asyncio.ensure_future(claim)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    return waiting


async def test_a_thread_has_one_turn_at_a_time() -> None:
    registry = TurnRegistry(settings_of(when_busy="queue"))
    assert await registry.claim("thr_1", ANN) is False
    assert await registry.claim("thr_2", ANN) is False, "another thread"
    second = await blocked(registry.claim("thr_1", ANN))
    third = await blocked(registry.claim("thr_1", ANN))
    registry.release("thr_1")
    assert await second is True
    assert not third.done()
    registry.release("thr_1")
    assert await third is True
    registry.release("thr_1")
    assert await registry.claim("thr_1", ANN) is False, "nobody is left there"


async def test_one_that_gives_up_waiting_keeps_nobody_out() -> None:
    registry = TurnRegistry(settings_of(when_busy="queue"))
    await registry.claim("thr_1", ANN)
    waiting = await blocked(registry.claim("thr_1", ANN))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    registry.release("thr_1")
    assert await registry.claim("thr_1", ANN) is False


@pytest.mark.parametrize(("when_busy", "interrupts"), [("interrupt", True), ("queue", False)])
async def test_a_new_message_interrupts_or_waits(when_busy: str, interrupts: bool) -> None:
    registry = TurnRegistry(settings_of(when_busy=when_busy))
    work = await begin(registry, make_running())
    assert not registry.overtaken("thr_1")
    waiting = await blocked(registry.claim("thr_1", ANN)) if not interrupts else None
    if waiting is None:
        assert await registry.claim("thr_1", ANN) is True
        assert (work.running.ending, work.cancelled) == (STOPPED, True)
    else:
        assert not registry.overtaken("thr_1"), "it waits without interrupting"
        assert work.running.ending is None
        work.go_on.set()
        assert await waiting is True
        assert not work.cancelled


async def test_a_turn_sees_that_another_waits_to_interrupt_it() -> None:
    registry = TurnRegistry(settings_of(when_busy="interrupt"))
    await registry.claim("thr_1", ANN)
    assert not registry.overtaken("thr_1")
    waiting = await blocked(registry.claim("thr_1", ANN))
    assert registry.overtaken("thr_1")
    registry.release("thr_1")
    assert await waiting
    assert not registry.overtaken("thr_1")


async def test_a_busy_thread_may_reject() -> None:
    registry = TurnRegistry(settings_of(when_busy="reject"))
    await registry.claim("thr_1", ANN)
    with pytest.raises(Conflict, match=r"^An answer is still being written in this conversation"):
        await registry.claim("thr_1", ANN)
    registry.release("thr_1")
    assert await registry.claim("thr_1", ANN) is False


async def test_a_user_has_so_many_turns_and_the_server_too() -> None:
    registry = TurnRegistry(settings_of(limits={"user": 2, "server": 4}))
    for number in (1, 2):
        await begin(registry, make_running(f"turn_{number}", f"thr_{number}"))
    with pytest.raises(Unavailable, match=r"^You have 2 answers running or waiting\.") as raised:
        await registry.claim("thr_3", ANN)
    assert raised.value.headers["Retry-After"] == "5"
    for number, user in ((3, BOB), (4, OTHER_ANN)):
        await begin(registry, make_running(f"turn_{number}", f"thr_{number}", user=user), user)
    with pytest.raises(Unavailable, match=r"^The server is busy") as raised:
        await registry.claim("thr_5", BOB)
    assert raised.value.headers["Retry-After"] == "5"
    assert await registry.claim("thr_1", ANN) is True, "the turn there makes room for its own"


async def test_the_last_place_can_be_taken() -> None:
    registry = TurnRegistry(settings_of(limits={"user": 2, "server": 2}))
    await begin(registry, make_running("turn_1", "thr_1"))
    assert await registry.claim("thr_2", ANN) is False


async def test_a_turn_is_found_by_its_owner_alone() -> None:
    registry = TurnRegistry(TurnSettings())
    running = make_running()
    assert (registry.find("turn_1", ANN), registry.in_thread("thr_1", ANN)) == (None, None)
    work = await begin(registry, running)
    for user in (BOB, OTHER_ANN):
        assert (registry.find("turn_1", user), registry.in_thread("thr_1", user)) == (None, None)
    assert registry.find("turn_1", ANN) is registry.in_thread("thr_1", ANN) is running
    assert registry.active == [running]
    running.log.end()
    assert registry.in_thread("thr_1", ANN) is None, "a log that has ended has no turn under way"
    await finish(registry, work)
    assert registry.active == []
    assert registry.find("turn_1", ANN) is running, "its events can be followed"


async def test_the_turn_of_an_equal_request_is_found() -> None:
    registry = TurnRegistry(TurnSettings())
    identity = RequestIdentity(key="key:1", body="body:1", content="c")
    running = make_running(identity=identity)
    assert registry.repeated(identity, ANN) is None
    work = await begin(registry, running)
    by_key = RequestIdentity(key="key:1", content="c")
    by_body = RequestIdentity(body="body:1", content="c")
    for same in (identity, by_key, by_body):
        assert registry.repeated(same, ANN) == (running, 0)
        for user in (BOB, OTHER_ANN):
            assert registry.repeated(same, user) is None
    for other in (
        RequestIdentity(content="c"),
        RequestIdentity(key="key:2", body="body:2", content="c"),
    ):
        assert registry.repeated(other, ANN) is None
    with pytest.raises(Unprocessable, match=r"^Idempotency-Key: another request used this key"):
        registry.repeated(RequestIdentity(key="key:1", content="other"), ANN)
    await finish(registry, work)
    assert registry.repeated(by_key, ANN) == (running, 0), "a key is for ever"
    assert registry.repeated(by_body, ANN) is None, "the same words may be said again"


async def test_equal_words_are_a_repetition_for_a_time() -> None:
    registry = TurnRegistry(settings_of(repeat="1ms"))
    identity = RequestIdentity(body="body:1", content="c")
    running = make_running(identity=identity)
    await begin(registry, running)
    await until(lambda: running.seconds > 0.001)
    assert registry.repeated(identity, ANN) is None


async def test_the_last_event_seen_finds_its_turn() -> None:
    registry = TurnRegistry(TurnSettings())
    running = make_running()
    await begin(registry, running)
    running.log.append(b"{}")
    running.log.append(b"{}")
    for seen in (0, 1, 2):
        identity = RequestIdentity(content="x", last_event=("turn_1", seen))
        assert registry.repeated(identity, ANN) == (running, seen)
        assert registry.repeated(identity, BOB) is None
    with pytest.raises(BadRequest, match=r"^Last-Event-ID: this turn has 2 events\.$"):
        registry.repeated(RequestIdentity(content="x", last_event=("turn_1", 3)), ANN)
    assert registry.repeated(RequestIdentity(last_event=("turn_2", 1)), ANN) is None


async def test_equal_requests_come_in_one_at_a_time() -> None:
    registry = TurnRegistry(TurnSettings())
    identity = RequestIdentity(key="key:1", body="body:1")
    inside: list[str] = []
    go_on = asyncio.Event()

    async def enter(name: str, identity: RequestIdentity, user: User = ANN) -> None:
        async with registry.one_at_a_time(identity, user):
            inside.append(name)
            await go_on.wait()
            inside.remove(name)

    tasks = [
        asyncio.create_task(enter("first", identity)),
        asyncio.create_task(enter("same", identity)),
        asyncio.create_task(enter("same key", RequestIdentity(key="key:1"))),
        asyncio.create_task(enter("same body", RequestIdentity(body="body:1"))),
        asyncio.create_task(enter("other user", identity, OTHER_ANN)),
        asyncio.create_task(enter("other request", RequestIdentity(key="key:2"))),
        asyncio.create_task(enter("no name", RequestIdentity())),
        asyncio.create_task(enter("no name either", RequestIdentity())),
    ]
    for _ in range(20):
        await asyncio.sleep(0)
    assert inside == ["first", "other user", "other request", "no name", "no name either"]
    tasks[1].cancel()
    go_on.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert inside == []
    assert registry._once == {}, "nothing is kept of them"


async def test_turns_beside_the_one_of_their_thread() -> None:
    registry = TurnRegistry(settings_of(when_busy="interrupt"))
    answer = await begin(registry, make_running())
    one = await begin(registry, make_running("turn_2", beside=True))
    two = await begin(registry, make_running("turn_3", beside=True))
    assert registry.in_thread("thr_1", ANN) is answer.running
    assert registry.find("turn_2", ANN) is one.running
    assert not registry.overtaken("thr_1")
    assert await registry.claim("thr_1", ANN) is True, "it waits for the answer alone"
    assert answer.cancelled
    waiting = asyncio.ensure_future(registry.claim("thr_1", ANN))
    await until(lambda: registry.overtaken("thr_1"))
    assert not registry.overtaken("thr_1", beside=True)
    assert not one.cancelled
    waiting.cancel()
    await until(lambda: not registry.overtaken("thr_1"))
    registry.release("thr_1")
    assert registry.in_thread("thr_1", ANN) is None
    assert await _empty(registry)
    assert one.cancelled
    assert two.cancelled
    assert registry.active == []
    assert registry.places.total == 0


async def test_an_emptied_thread_waits_for_turns_beside_and_takes_no_more() -> None:
    registry = TurnRegistry(TurnSettings())
    await registry.claim("thr_1", ANN, beside=True)
    emptied = await blocked(_empty(registry))
    assert registry.overtaken("thr_1", beside=True), "what was claimed and begins now sees it"
    with pytest.raises(Conflict, match="being deleted"):
        await registry.claim("thr_1", ANN, beside=True)
    assert not emptied.done()
    registry.release("thr_1", beside=True)
    assert await emptied
    await registry.claim("thr_1", ANN, beside=True)
    closing = asyncio.create_task(registry.close(60))
    await until(lambda: registry.closing)
    assert not closing.done()
    registry.release("thr_1", beside=True)
    await closing


async def _empty(registry: TurnRegistry) -> bool:
    async with registry.emptied("thr_1", ANN):
        return registry._slots["thr_1"].beside == 0


async def test_a_refused_turn_leaves_nothing_to_find() -> None:
    registry = TurnRegistry(TurnSettings())
    identity = RequestIdentity(key="key:1", content="c")
    running = make_running(identity=identity)
    work = Work(running)
    await registry.claim("thr_1", ANN)
    registry.start(running, work.run())
    assert registry.repeated(identity, ANN) == (running, 0), "a repetition waits for it"
    assert (registry.find("turn_1", ANN), registry.in_thread("thr_1", ANN)) == (None, None)
    joined = asyncio.create_task(running.until_prepared())
    running.refusal = BadRequest("No.")
    await finish(registry, work)
    with pytest.raises(BadRequest, match=r"^No\.$"):
        await joined
    assert registry.repeated(identity, ANN) is None, "it may be asked again"
    assert registry.find("turn_1", ANN) is None
    assert await registry.claim("thr_1", ANN) is False


def test_a_refused_turn_is_remembered_until_its_record_is_gone() -> None:
    registry = TurnRegistry(TurnSettings())
    assert not registry.was_refused("turn_1")
    registry.note_refused(make_running())
    assert registry.was_refused("turn_1")
    assert not registry.was_refused("turn_2")
    registry.forget_refused("turn_2")
    registry.forget_refused("turn_1")
    assert not registry.was_refused("turn_1")


async def test_old_events_are_forgotten_in_time() -> None:
    registry = TurnRegistry(settings_of(keep="10ms"))
    identity = RequestIdentity(key="key:1", content="c")
    works = [
        await begin(registry, make_running("turn_1", "thr_1", identity=identity)),
        await begin(registry, make_running("turn_2", "thr_2")),
    ]
    for work in works:
        await finish(registry, work)
    await until(lambda: registry.find("turn_2", ANN) is None)
    assert registry.find("turn_1", ANN) is None
    assert registry.repeated(identity, ANN) is None
    assert (registry._kept.size, len(registry._kept)) == (0, 0)


async def test_events_take_only_so_much_room() -> None:
    size = 2 * (OVERHEAD + 500)
    registry = TurnRegistry(settings_of(keep_size=f"{size}B"))
    for number in range(1, 5):
        running = make_running(f"turn_{number}", f"thr_{number}")
        running.log.append(b"x" * 380)
        await finish(registry, await begin(registry, running))
    kept = [n for n in range(1, 5) if registry.find(f"turn_{n}", ANN)]
    assert kept == [3, 4]
    assert 2 * (OVERHEAD + 380) < registry._kept.size <= size


async def test_room_that_is_just_filled_is_kept() -> None:
    running = make_running()
    running.log.append(b"x" * 380)
    registry = TurnRegistry(settings_of(keep_size=f"{running.log.size + OVERHEAD}B"))
    await finish(registry, await begin(registry, running))
    assert registry.find("turn_1", ANN) is running


async def test_a_newer_turn_of_the_same_request_is_kept() -> None:
    registry = TurnRegistry(settings_of(keep_size="1B"))
    identity = RequestIdentity(body="body:1", content="c")
    old = await begin(registry, make_running("turn_1", "thr_1", identity=identity))
    new = make_running("turn_2", "thr_2", identity=identity)
    await begin(registry, new)
    old.running.log.append(b"{}")
    await finish(registry, old)
    assert registry.find("turn_1", ANN) is None
    assert registry.repeated(identity, ANN) == (new, 0)


async def test_closing_waits_for_the_turns_under_way() -> None:
    registry = TurnRegistry(TurnSettings())
    work = await begin(registry, make_running())
    closing = asyncio.create_task(registry.close(60))
    await until(lambda: registry.closing)
    with pytest.raises(Unavailable, match=r"^The server is restarting") as raised:
        await registry.claim("thr_2", ANN)
    assert raised.value.headers["Retry-After"] == "5"
    assert not closing.done()
    work.go_on.set()
    async with asyncio.timeout(10):
        await closing
    assert not work.cancelled


async def test_closing_ends_what_takes_too_long() -> None:
    registry = TurnRegistry(settings_of(when_busy="queue"))
    work = await begin(registry, make_running())
    waiting = await blocked(registry.claim("thr_1", ANN))
    await registry.claim("thr_2", ANN)
    closing = asyncio.create_task(registry.close(0.001))
    await until(lambda: work.cancelled)
    assert work.running.ending == RESTARTED
    with pytest.raises(Unavailable, match=r"^The server is restarting"):
        await waiting
    assert not closing.done(), "thread 2 was claimed, and its turn is to come"
    late = make_running("turn_2", "thr_2")
    late_work = Work(late)
    registry.start(late, late_work.run())
    assert late.ending == RESTARTED
    late_work.go_on.set()
    async with asyncio.timeout(10):
        await closing


async def test_closing_an_idle_registry_takes_no_time() -> None:
    registry = TurnRegistry(TurnSettings())
    async with asyncio.timeout(10):
        await registry.close(3600)
    await finish_and_close(TurnRegistry(TurnSettings()))


async def finish_and_close(registry: TurnRegistry) -> None:
    await finish(registry, await begin(registry, make_running()))
    async with asyncio.timeout(10):
        await registry.close(3600)


async def test_the_first_reason_to_end_a_turn_counts() -> None:
    running = make_running()
    work = Work(running)
    task = running.run(work.run())
    await asyncio.sleep(0)
    running.end(STOPPED)
    running.end(TAKEN_OVER)
    assert running.ending is STOPPED
    await running.ended()
    assert task.done()
    assert work.cancelled
    running.close()


async def test_a_turn_that_has_not_begun_sees_its_ending_itself() -> None:
    running = make_running()
    seen: list[object] = []

    async def work() -> None:
        seen.append(running.ending)

    running.run(work())
    running.end(STOPPED)
    await running.ended()
    assert seen == [STOPPED]
    running.close()


async def test_a_turn_that_is_over_cannot_be_ended() -> None:
    running = make_running()
    running.end(STOPPED)
    assert running.ending is None, "nobody works at it yet"
    work = Work(running)
    work.go_on.set()
    running.run(work.run())
    await running.ended()
    running.close()
    running.end(STOPPED)
    assert running.ending is None
    await running.ended()


async def test_a_turn_has_a_time_limit() -> None:
    running = make_running(settings=settings_of(limits={"turn": "10ms"}))
    running.is_idle = lambda: False
    running.run(Work(running).run())
    await until(lambda: running.ending is not None)
    assert running.ending is not None
    problem = running.ending.problem
    assert running.ending.status == "failed"
    assert problem.message == "The answer took longer than 0.01 seconds and was stopped."
    assert problem.allow_retry
    running.close()


async def test_a_model_that_goes_on_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr("chatkit_server.turns.running.time", clock)
    running = make_running(settings=settings_of(limits={"silence": "5ms"}))

    def is_idle() -> bool:
        # At every other look: it is not asked when there is something new
        clock.now += 0.004
        running.log.append(b"{}")
        return True

    running.is_idle = is_idle
    running.run(Work(running).run())
    await until(lambda: clock.now > 0.05)
    assert running.ending is None

    def is_silent() -> bool:
        clock.now += 0.004
        return True

    running.is_idle = is_silent
    await until(lambda: running.ending is not None)
    running.close()


async def test_a_silent_model_is_given_up_unless_a_tool_runs() -> None:
    running = make_running(settings=settings_of(limits={"silence": "5ms"}))
    looks = 0

    def is_idle() -> bool:
        nonlocal looks
        looks += 1
        return looks > 2

    running.is_idle = is_idle
    running.run(Work(running).run())
    await until(lambda: running.ending is not None)
    assert running.ending is not None
    assert looks > 2
    assert running.ending.status == "failed"
    assert running.ending.problem.message == "The model sent nothing for 0.005 seconds."
    assert running.ending.problem.allow_retry
    running.close()


def clocks(running: RunningTurn) -> set[str]:
    return {name for name, timer in running._timers.items() if not timer.cancelled()}


async def test_a_turn_that_nobody_follows_ends_after_the_grace_time() -> None:
    running = make_running(settings=settings_of(disconnect={"grace": "5ms"}))
    work = Work(running)
    running.run(work.run())
    running.add_follower()
    running.add_follower()
    running.remove_follower()
    assert "abandoned" not in clocks(running), "somebody else follows"
    running.remove_follower()
    assert "abandoned" in clocks(running)
    running.note_visit()
    assert "abandoned" not in clocks(running), "a reload is no stop"
    running.start_grace()
    running.add_follower()
    assert "abandoned" not in clocks(running)
    running.remove_follower()
    await until(lambda: running.ending is not None)
    assert running.ending is STOPPED
    running.close()


@pytest.mark.parametrize("ended", [True, False])
async def test_a_turn_that_goes_on_or_is_over_is_not_abandoned(ended: bool) -> None:
    policy = "cancel" if ended else "continue"
    running = make_running(settings=settings_of(disconnect={"policy": policy}))
    work = Work(running)
    running.run(work.run())
    if ended:
        running.log.end()
    running.start_grace()
    assert "abandoned" not in clocks(running)
    work.go_on.set()
    await running.ended()
    running.close()


async def test_who_leaves_before_the_turn_can_run_has_left_it() -> None:
    running = make_running()
    running.run(Work(running).run())
    waiting = asyncio.create_task(running.until_prepared())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "abandoned" in clocks(running)
    running.prepared()
    await running.until_prepared()
    running.end(STOPPED)
    await running.ended()
    running.close()


async def test_a_turn_that_is_over_keeps_only_its_events() -> None:
    running = make_running()
    assert (running.owner, running.attempt, running.id) == (("acme", "ann"), 3, "turn_1")
    work = Work(running)
    running.run(work.run())
    running.start_grace()
    timers = list(running._timers.values())
    assert len(timers) == 3
    running.is_idle = lambda: False
    running.partial = lambda: PartialAnswer(messages=["msg_1"])
    try:
        raise BadRequest("No.") from ValueError("why")
    except BadRequest as error:
        running.problem = error
    running.log.append(b"{}")
    work.go_on.set()
    await running.ended()
    running.close()
    assert all(timer.cancelled() for timer in timers)
    assert running._timers == {}
    assert running.is_idle()
    assert running.partial() == PartialAnswer()
    assert running.problem.message == "No."
    assert running.problem.__traceback__ is None
    assert running.problem.__cause__ is None
    assert running.problem.__context__ is None
    assert running.ended_at <= asyncio.get_running_loop().time()
    assert running.ended_at > 0
    assert [frames async for frames in running.log.follow()]
    assert not running.log._frames


async def test_a_turn_is_as_old_as_its_request() -> None:
    turn = Turn(
        id="turn_1",
        thread=ThreadMetadata(id="thr_1", created_at=datetime.now(UTC)),
        store=MemoryStore(),
        request_context=StoreContext(ANN, "turn_1", 1),
        user=ANN,
        operation="plain",
    )
    turn._started -= 100
    running = RunningTurn(turn, TurnLog("turn_1"), TurnSettings(), NOBODY_KNOWS)
    assert 100 <= running.seconds <= turn.seconds + 1


def test_a_request_is_known_by_its_key_its_page_and_its_last_event() -> None:
    def read(body: bytes = b"{}", **headers: str | None) -> RequestIdentity:
        given: dict[str, Any] = {"idempotency_key": None, "frame": None, "last_event_id": None}
        return RequestIdentity.of(body, **{**given, **headers})

    bare = read()
    assert (bare.key, bare.body, bare.last_event, bare.request) == (None, None, None, None)
    assert bare.places == []
    assert bare.content == read().content != read(b"[]").content
    keyed, framed = read(idempotency_key="1"), read(frame="1")
    assert keyed.key == read(b"[]", idempotency_key="1").key != read(idempotency_key="2").key
    assert framed.body == read(frame="1").body
    assert framed.body not in (read(b"[]", frame="1").body, read(frame="2").body, keyed.key)
    assert read(b"12", frame="3").body != read(b"2", frame="31").body, "parts are kept apart"
    both = read(idempotency_key="1", frame="1")
    assert both.places == [keyed.key, framed.body]
    assert (both.request, framed.request) == (keyed.key, framed.body)
    assert str(keyed.key).startswith("key:")
    assert str(framed.body).startswith("body:")


@pytest.mark.parametrize(
    ("header", "seen"),
    [
        ("turn_1:7", ("turn_1", 7)),
        ("a:b:0", ("a:b", 0)),
        ("turn_1:999999999", ("turn_1", 999999999)),
        ("turn_1:1000000000", NO_EVENT),
        ("turn_1:", NO_EVENT),
        ("turn_1:-1", NO_EVENT),
        ("turn_1:²", NO_EVENT),
        ("turn_1:\u0661", NO_EVENT),
        (":7", NO_EVENT),
        ("7", NO_EVENT),
        ("turn\udcff:7", NO_EVENT),
        ("turn\n:7", NO_EVENT),
        ("t" * 101 + ":7", NO_EVENT),
        ("", None),
    ],
)
def test_a_last_event_id_is_a_turn_and_a_number(header: str, seen: tuple[str, int] | None) -> None:
    identity = RequestIdentity.of(b"", idempotency_key=None, frame=None, last_event_id=header)
    assert identity.last_event == seen
