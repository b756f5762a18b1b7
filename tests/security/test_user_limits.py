"""One user has so much at once, and no other user notices."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse
from chatkit.actions import Action
from chatkit.types import Page, SyncCustomActionResponse, ThreadMetadata

from chatkit_server import Turn, User, hookimpl
from chatkit_server.errors import Conflict, ServerError, TooManyRequests, Unavailable
from chatkit_server.storage import MemoryTurnStore, StoreContext, TurnRecord
from chatkit_server.testing.memory_store import MemoryStore, StorePlugin
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.turns import claim
from chatkit_server.turns.identity import RequestIdentity
from chatkit_server.turns.kept import OVERHEAD, KeptTurns
from chatkit_server.turns.registry import TurnRegistry
from chatkit_server.turns.running import RunningTurn
from chatkit_server.web.keys import ENGINE, GUARD
from chatkit_server.web.operations import limits as operation_limits
from tests.client import Chat
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.running_turns import ANN, BOB, OTHER_ANN, Work, make_running, settings_of
from tests.serving import served_by

BOBS = {"X-User": "acme/bob"}


def create(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    given = {"content": content, "attachments": [], "inference_options": {}}
    return {"type": "threads.create", "params": {"input": given}}


def add(thread_id: str, text: str) -> dict[str, Any]:
    params = create(text)["params"] | {"thread_id": thread_id}
    return {"type": "threads.add_user_message", "params": params}


class SlowStore(MemoryStore):
    """Notes who reads threads, and lets them wait until it is `open`."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.reading: Counter[str] = Counter()

    async def load_thread(self, thread_id: str, context: StoreContext) -> ThreadMetadata:
        await self._wait(context)
        return await super().load_thread(thread_id, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        await self._wait(context)
        return await super().load_threads(limit, after, order, context)

    async def _wait(self, context: StoreContext) -> None:
        user = context.user.id
        self.reading[user] += 1
        try:
            if user != "bob":
                await self.open.wait()
        finally:
            self.reading[user] -= 1


class ElsewhereStore(MemoryTurnStore):
    """Pauses at each step, and sometimes another process has a turn in the thread for a moment."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice

    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        await asyncio.sleep(0)
        return record if self.dice.random() < 0.2 else None

    async def begin_accepted(self, record: TurnRecord) -> TurnRecord | None:
        return await self.begin(record)

    async def running(self, thread_id: str, user: User) -> TurnRecord | None:
        await asyncio.sleep(0)
        return None


@asynccontextmanager
async def crowd(chat: Chat, bodies: list[Any], **headers: str) -> AsyncIterator[list[Any]]:
    """Send requests at once, and give the tasks that wait for their responses."""
    tasks = [asyncio.ensure_future(chat.post(body, headers=headers)) for body in bodies]
    try:
        yield tasks
    finally:
        for response in await asyncio.gather(*tasks):
            await response.read()


async def refused(
    tasks: list[asyncio.Task[ClientResponse]], expected: int, status: int = 429
) -> Counter[str]:
    """Wait for so many refusals; return their messages. Each says when to ask again."""
    await until(lambda: sum(t.done() and t.result().status == status for t in tasks) >= expected)
    responses = [t.result() for t in tasks if t.done() and t.result().status == status]
    assert len(responses) == expected
    assert all(int(r.headers["Retry-After"]) > 0 for r in responses)
    return Counter([(await r.json())["message"] for r in responses])


def at_rest(chat: Chat) -> bool:
    """Return whether nothing is counted in a server."""
    turns, guard = chat.client.app[ENGINE].turns, chat.client.app[GUARD]
    counts = (turns.places, turns.arriving, guard.places)
    return not any(c.total or c._of or c._of_tenant for c in counts) and not turns._slots


async def test_as_many_turns_run_as_are_allowed(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"limits": {"user": 3}})
    gate = Gate()
    for _ in range(100):
        model_server.reply("One, ", gate, "two.")
    async with crowd(chat, [create(f"Count to {n}") for n in range(90)]) as tasks:
        await refused(tasks, 87)
        await until(lambda: len(model_server.requests) == 3)
        assert chat.client.app[ENGINE].turns.places.total == 3
        async with crowd(chat, [create("Hello")], **BOBS) as (bob,):
            await until(bob.done)
            assert bob.result().status == 200
            gate.open()
    assert len(model_server.requests) == 4
    await until(lambda: at_rest(chat))


async def test_messages_that_are_looked_up_count_too(make_chat: MakeChat) -> None:
    stored = StorePlugin(SlowStore())
    chat = await make_chat(stored, turns={"limits": {"user": 3}})
    thread_id = (await chat.say("hello")).thread_id
    stored.memory.open.clear()
    async with crowd(chat, [add(thread_id, f"No. {n}") for n in range(50)]) as tasks:
        words = await refused(tasks, 47)
        assert words == {"You sent 3 messages at once. Wait until they are answered.": 47}
        assert stored.memory.reading["somebody"] == 3
        stored.memory.open.set()
    await until(lambda: at_rest(chat))


async def test_equal_requests_that_wait_for_each_other_count_too(make_chat: MakeChat) -> None:
    stored = StorePlugin(SlowStore())
    chat = await make_chat(stored, turns={"limits": {"user": 4}})
    thread_id = (await chat.say("hello")).thread_id
    stored.memory.open.clear()
    bodies = [add(thread_id, "Once")] * 50
    async with crowd(chat, bodies, **{"Idempotency-Key": "key"}) as tasks:
        await refused(tasks, 46)
        assert stored.memory.reading["somebody"] == 1
        stored.memory.open.set()
        answered = [t for t in tasks if not t.done()]
        await asyncio.wait(answered)
        assert len({t.result().headers["X-Turn-Id"] for t in answered}) == 1
    await until(lambda: at_rest(chat))


@pytest.mark.parametrize("when_busy", ["queue", "interrupt"])
async def test_so_many_requests_wait_in_a_thread(when_busy: str) -> None:
    limits = {"user": 100, "queue": 3}
    registry = TurnRegistry(settings_of(when_busy=when_busy, limits=limits))
    await registry.claim("thr_1", ANN)
    waiting = [asyncio.ensure_future(registry.claim("thr_1", ANN)) for _ in range(3)]
    await asyncio.sleep(0)
    words = r"^3 messages wait in this conversation already\. Wait until one of them is answered\."
    with pytest.raises(Unavailable, match=words) as raised:
        await registry.claim("thr_1", ANN)
    assert raised.value.headers["Retry-After"] == "5"
    assert registry.places.of(("acme", "ann")) == (4 if when_busy == "queue" else 3)
    assert await registry.claim("thr_2", ANN) is False, "another thread has its own queue"
    registry.release("thr_1")
    assert await waiting[0] is True
    late = asyncio.ensure_future(registry.claim("thr_1", ANN))
    for claimed in (*waiting[1:], late):
        await asyncio.sleep(0)
        registry.release("thr_1")
        assert await claimed is True
    for thread_id in ("thr_1", "thr_2"):
        registry.release(thread_id)
    assert registry.places.total == 0


async def test_who_waits_counts_for_the_user_and_the_server() -> None:
    registry = TurnRegistry(settings_of(when_busy="queue", limits={"user": 2, "server": 3}))
    await registry.claim("thr_1", ANN)
    waiting = asyncio.ensure_future(registry.claim("thr_1", ANN))
    await asyncio.sleep(0)
    for thread_id in ("thr_1", "thr_2"):
        with pytest.raises(TooManyRequests, match=r"^You have 2 answers running or waiting\. "):
            await registry.claim(thread_id, ANN)
    await registry.claim("thr_3", BOB)
    with pytest.raises(Unavailable, match=r"^The server is busy\. "):
        await registry.claim("thr_4", OTHER_ANN)
    waiting.cancel()
    await asyncio.wait([waiting])
    await registry.claim("thr_4", OTHER_ANN)


async def test_a_new_message_replaces_the_users_own_turn_at_the_limit(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"limits": {"user": 1, "server": 1}})
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    running = await chat.post(create("Count"))
    await gate.reached()
    thread_id = (await chat.ask("threads.list"))["data"][0]["id"]
    assert (await chat.say("Stop", thread_id)).error is None
    assert "The answer was stopped." in await running.text()
    await until(lambda: at_rest(chat))


async def test_only_the_turn_that_is_replaced_makes_room() -> None:
    registry = TurnRegistry(settings_of(when_busy="interrupt", limits={"user": 2}))
    await registry.claim("thr_1", ANN)
    await registry.claim("thr_2", ANN)
    first = asyncio.ensure_future(registry.claim("thr_1", ANN))
    await asyncio.sleep(0)
    assert not first.done()
    with pytest.raises(TooManyRequests, match=r"^You have 2 answers"):
        await registry.claim("thr_1", ANN)
    registry.release("thr_1")
    assert await first
    second = asyncio.ensure_future(registry.claim("thr_1", ANN))
    await asyncio.sleep(0)
    registry.release("thr_1")
    assert await second
    assert registry.places.of(("acme", "ann")) == 2


@pytest.mark.parametrize("waits", ["in its thread", "for a model"])
@pytest.mark.parametrize("kind", ["add", "plain"])
async def test_a_request_does_not_hold_its_body(
    make_chat: MakeChat, model_server: ModelServer, kind: str, waits: str
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"when_busy": "queue"})
    gates = Gate(), Gate()
    for gate in gates:
        model_server.reply("One, ", gate, "two.")
    gates[0].open()
    thread_id = (await chat.say("hello")).thread_id
    running = None
    if waits == "in its thread":
        model_server.reply("One, ", gates[1], "two.")
        running = await chat.post(add(thread_id, "First"))
    body = add(thread_id, "And then?")
    if kind == "plain":
        body = {"messages": [{"role": "user", "content": "hello"}], "thread_id": thread_id}
    large = BytesIO(orjson.dumps(body) + b" " * 10_000_000)
    turns = chat.client.app[ENGINE].turns
    gc.collect()
    tracemalloc.start()
    try:
        waiting = asyncio.ensure_future(chat.client.post(chat.path, data=large))
        async with asyncio.timeout(20):
            if running is None:
                await gates[1].reached()
            else:
                await until(lambda: turns.places.total == 2)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 5_000_000
    gates[1].open()
    assert (await chat.read(await waiting)).text
    if running is not None:
        await running.read()


# Requests that start no turn


class Actions:
    """Answers actions when it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = asyncio.Event()

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> SyncCustomActionResponse:
        self.asked += 1
        if turn.user.id != "bob":
            await self.go_on.wait()
        return SyncCustomActionResponse(updated_item=None)


async def test_a_user_makes_so_many_requests_at_once(make_chat: MakeChat) -> None:
    actions = Actions()
    chat = await make_chat(actions, requests={"user": 5})
    thread_id = (await chat.say("hello")).thread_id
    params = {"thread_id": thread_id, "action": {"type": "do"}}
    body = {"type": "threads.sync_custom_action", "params": params}
    chat.headers = BOBS
    params_of_bob = {"thread_id": (await chat.say("hi")).thread_id, "action": {"type": "do"}}
    chat.headers = {}
    async with crowd(chat, [body] * 40) as tasks:
        words = await refused(tasks, 35, 503)
        assert words == {"You sent 5 requests at once. Wait until they are answered.": 35}
        assert actions.asked == 5
        assert (await chat.refused({"type": "threads.list", "params": {}}))[0] == 503
        for path in ("turns/turn_1", "turns/turn_1/events", f"threads/{thread_id}/turn"):
            assert (await chat.client.get(f"{chat.path}/{path}")).status == 503
        assert (await chat.client.post(f"{chat.path}/turns/turn_1/cancel")).status == 503
        chat.headers = BOBS
        assert (await chat.ask("threads.list"))["data"]
        assert await chat.ask("threads.sync_custom_action", **params_of_bob) == {}
        chat.headers = {}
        assert (await chat.say("and turns begin", thread_id)).error is None
        actions.go_on.set()
    await until(lambda: at_rest(chat))
    assert (await chat.ask("threads.list"))["data"]


async def test_who_leaves_makes_room(make_chat: MakeChat) -> None:
    stored = StorePlugin(SlowStore())
    chat = await make_chat(stored, requests={"user": 2}, turns={"limits": {"user": 2}})
    thread_id = (await chat.say("hello")).thread_id
    listing = {"type": "threads.list", "params": {}}
    guard, reading = chat.client.app[GUARD], stored.memory.reading
    for body, status, both_wait in (
        (listing, 503, lambda: guard.places.total == 2 and reading["somebody"] == 1),
        (add(thread_id, "Hello?"), 429, lambda: reading["somebody"] == 2),
    ):
        stored.memory.open.clear()
        tasks = [asyncio.ensure_future(chat.post(body)) for _ in range(2)]
        await until(both_wait)
        assert (await chat.refused(body))[0] == status
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await until(lambda: at_rest(chat))
        stored.memory.reading.clear()
        stored.memory.open.set()
        assert (await chat.post(body)).status == 200


@pytest.mark.parametrize("operation", ["threads.list", "threads.get_by_id", "items.list"])
async def test_a_user_gets_one_page_after_the_other(make_chat: MakeChat, operation: str) -> None:
    stored = StorePlugin(SlowStore())
    chat = await make_chat(stored)
    params = {"thread_id": (await chat.say("hello")).thread_id}
    stored.memory.open.clear()
    asked = [asyncio.create_task(chat.ask(operation, **params)) for _ in range(3)]
    guard = chat.client.app[GUARD]
    await until(lambda: guard.places.total == 3 and stored.memory.reading["somebody"] == 1)
    chat.headers = BOBS
    assert (await chat.ask("threads.list"))["data"] == []
    chat.headers = {}
    asked[0].cancel()
    await until(lambda: guard.places.total == 2 and stored.memory.reading["somebody"] == 1)
    stored.memory.open.set()
    pages = await asyncio.gather(*asked[1:])
    assert pages[0] == pages[1]
    await until(lambda: at_rest(chat))


async def test_who_has_read_much_waits_before_more(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("x" * 100_000)
    long = await chat.say("Talk")
    short = await chat.say("hello")
    events_of_long, events_of_short = (
        f"{chat.path}/turns/{turn.response.headers['X-Turn-Id']}/events" for turn in (long, short)
    )
    monkeypatch.setattr(operation_limits, "READ_PER_SECOND", 1)
    assert (await chat.read(await chat.client.get(events_of_long))).text == long.text
    later = [
        asyncio.create_task(chat.client.get(events_of_long)),
        asyncio.create_task(chat.ask("threads.list")),
    ]
    # Neither what is small nor what others read has to wait
    assert (await chat.read(await chat.client.get(events_of_short))).text == short.text
    chat.headers = BOBS
    assert (await chat.ask("threads.list"))["data"] == []
    assert not any(task.done() for task in later)
    for task in later:
        task.cancel()
    await asyncio.wait(later)


async def test_so_many_clients_follow_a_turn(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"limits": {"followers": 3}})
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    first = await chat.post(create("Count"))
    await gate.reached()
    events = f"{chat.path}/turns/{first.headers['X-Turn-Id']}/events"
    more = [await chat.client.get(events) for _ in range(2)]
    assert [response.status for response in more] == [200, 200]
    refused = await chat.client.get(events)
    words = "3 pages or programs follow this answer already. Close one of them."
    assert (refused.status, (await refused.json())["message"]) == (503, words)
    assert int(refused.headers["Retry-After"]) > 0
    more[0].close()
    running = chat.client.app[ENGINE].turns.active[0]
    await until(lambda: running._followers == 2)
    again = await chat.client.get(events)
    assert again.status == 200
    gate.open()
    assert (await chat.read(again)).text == (await chat.read(first)).text == "One, two."
    assert running._followers == 0


# Whatever happens, the counts are right


async def check_counts(
    registry: TurnRegistry, owners: list[User], accepted: Counter[tuple[str, str]]
) -> None:
    """Check that the registry counts what there is, and no user has too much.

    An accepted turn has a place of its own, and none in the slot of its thread.
    """
    places = sum(slot.places + slot.beside for slot in registry._slots.values())
    places += accepted.total()
    assert registry.places.total == places == sum(registry.places._of.values())
    limits = registry._settings.limits
    assert places <= limits.server
    for user in owners:
        owner = (user.tenant, user.id)
        own = [slot for slot in registry._slots.values() if slot.owner == owner]
        places = sum(slot.places + slot.beside for slot in own) + accepted[owner]
        assert places == registry.places.of(owner) <= limits.user
    for slot in registry._slots.values():
        most = limits.queue + 1 + slot.deleting + accepted[slot.owner]
        assert slot.places <= slot.claims <= most


@pytest.mark.parametrize("when_busy", ["queue", "interrupt", "reject"])
@pytest.mark.parametrize("seed", range(8))
async def test_counts_are_exact_whatever_happens(
    when_busy: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "OTHER_PROCESS_POLL", 0)
    dice = random.Random(seed)
    limits = {"user": 4, "server": 9, "queue": 3}
    settings = settings_of(when_busy=when_busy, limits=limits)
    registry = TurnRegistry(settings)
    claims = claim.Claims(registry, ElsewhereStore(dice), settings)
    users = [ANN, BOB, OTHER_ANN]
    numbers = iter(range(1_000_000))
    refusals: Counter[str] = Counter()
    accepted: Counter[tuple[str, str]] = Counter()

    async def pause() -> None:
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)

    async def request(user: User) -> None:
        thread_id = f"{user.tenant}_{user.id}_{dice.randrange(3)}"
        running = make_running(
            f"turn_{next(numbers)}",
            thread_id,
            user=user,
            settings=settings,
            beside=dice.random() < 0.3,
        )
        work = Work(running)
        owner, is_accepted = (user.tenant, user.id), not running.beside and dice.random() < 0.3

        async def make_job(changed: bool) -> Any:
            await pause()
            if dice.random() < 0.1:
                raise Conflict("This conversation is locked.")
            return Job(running, user, accepted=is_accepted)

        has_place = False
        try:
            if is_accepted:
                registry.refuse_to_accept(thread_id, user)
                registry.places.take(owner)
                accepted[owner] += 1
                has_place = True
            elif dice.random() < 0.15:
                async with registry.emptied(thread_id, user):
                    await pause()
                return
            identity = RequestIdentity(key=f"key:{dice.randrange(6)}")
            async with registry.one_at_a_time(identity, user):
                job = Job(running, user, accepted=is_accepted)
                await claims.claim(job, make_job, RequestIdentity())  # type: ignore[arg-type]
                registry.start(running, work.run())
            await pause()
            if dice.random() < 0.2:
                running.refusal = Conflict("No.")
            else:
                registry.admit(running)
            await pause()
        except (ServerError, claim.NotYet) as error:
            refusals[type(error).__name__] += 1
        finally:
            work.go_on.set()
            if has_place:
                accepted[owner] -= 1
                registry.places.leave(owner)

    tasks: list[asyncio.Task[None]] = []
    for _ in range(400):
        tasks.append(asyncio.create_task(request(dice.choice(users))))
        if dice.random() < 0.2:
            dice.choice(tasks).cancel()
        await pause()
        await check_counts(registry, users, accepted)
    async with asyncio.timeout(60):
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: not registry.active and not registry._slots)
    assert {task.exception() for task in tasks if not task.cancelled()} == {None}
    for places in (registry.places, registry.arriving):
        assert (places.total, places._of) == (0, Counter())
    assert registry._once == {}
    assert refusals["Conflict"]
    assert refusals["NotYet"]
    await registry.close(60)


class Job:
    """What a claim looks at of a job and of a plan."""

    def __init__(self, running: RunningTurn, user: User, *, accepted: bool = False) -> None:
        record = TurnRecord(running.id, running.thread_id, user, "plain", "test/model")
        self.accepted = record if accepted else None
        self.thread = self
        self.turn = self
        self.id = running.thread_id
        self.user = user
        self.beside = running.beside
        self.context = self.asked_by = None
        self.patient = accepted
        self.operation, self.model = "plain", "test/model"

    def partial(self) -> Job:
        return self

    def dump(self) -> bytes:
        return b"{}"


# The turns that ended


def ended(turn_id: str, user: User, size: int) -> RunningTurn:
    """Return a turn that has ended, with so many bytes of events."""
    running = make_running(turn_id, user=user)
    running.log.size = size
    running.ended_at = asyncio.get_running_loop().time()
    return running


async def test_long_answers_of_one_user_leave_those_of_others() -> None:
    gone: list[str] = []
    kept = KeptTurns(settings_of(keep_size="110kB"), lambda running: gone.append(running.id))
    kept.add(ended("bob", BOB, 1000))
    kept.add(ended("umbrella", OTHER_ANN, 90_000))
    for number in range(50):
        kept.add(ended(f"ann_{number}", ANN, 40_000))
    assert gone == [f"ann_{number}" for number in range(48)]
    kept.add(ended("huge", ANN, 100_000))
    assert gone[-3:] == ["ann_48", "ann_49", "huge"]
    assert len(kept) == 2


async def test_all_users_together_have_a_limit_and_who_has_most_gives() -> None:
    gone: list[str] = []
    settings = settings_of(keep_size="200kB", keep_total="500kB")
    kept = KeptTurns(settings, lambda running: gone.append(running.id))
    small = [User(f"small_{n}", "acme") for n in range(10)]
    for user in small:
        kept.add(ended(user.id, user, 1000))
    for round_ in range(4):
        for number in range(20):
            kept.add(ended(f"{round_}_{number}", User(f"big_{number}"), 20_000))
            assert kept.size <= 500_000
    assert not set(gone) & {user.id for user in small}


@pytest.mark.parametrize("seed", range(5))
async def test_what_is_kept_is_what_is_counted(seed: int) -> None:
    dice = random.Random(seed)
    settings = settings_of(keep_size="60kB", keep_total="200kB", keep="1h")
    turns: dict[str, RunningTurn] = {}
    kept = KeptTurns(settings, lambda running: turns.__delitem__(running.id))
    for number in range(2000):
        user = User(f"user_{dice.randrange(30)}")
        running = turns[str(number)] = ended(str(number), user, dice.randrange(30_000))
        if dice.random() < 0.1:
            # As if the oldest had ended long ago
            for old in list(turns.values())[:3]:
                old.ended_at -= 3600
        kept.add(running)
        sizes: Counter[Any] = Counter()
        for one in turns.values():
            sizes[one.owner] += one.log.size + OVERHEAD
        assert kept.size == sizes.total() <= 200_000
        assert len(kept) == len(turns)
        assert max(sizes.values(), default=0) <= 60_000
    for one in turns.values():
        one.ended_at -= 3600
    kept._clean_up()
    assert (kept.size, len(kept), kept._users) == (0, 0, {})
    assert not any(kept._by_size.values())
