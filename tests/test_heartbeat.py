"""Processes that die, that are only slow, and those that clear up after them."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from agents import function_tool
from chatkit.types import AssistantMessageContent, AssistantMessageItem, WidgetItem
from chatkit.widgets import DynamicWidgetRoot

from chatkit_server import (
    ToolCall,
    ToolResult,
    Unavailable,
    User,
    records,
)
from chatkit_server.events.partial import PartialAnswer
from chatkit_server.settings.schema import TurnSettings
from chatkit_server.storage import HeartbeatSignal, MemoryTurnStore, TurnRecord
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.turns.heartbeat import Heartbeat, HeartbeatTiming
from chatkit_server.turns.recovery import MOST_ATTEMPTS
from chatkit_server.turns.registry import TurnRegistry
from chatkit_server.web.keys import ENGINE, HEARTBEAT
from tests.conversing import Page
from tests.databases import DATABASES, Front, new_url, postgres
from tests.processes import running as running_process
from tests.replicas import Start, begin, grow_old, replica, request
from tests.serving import served_by
from tests.stores import query
from tests.test_turns import Tools, told

INTERRUPTED = "The server stopped before the answer was complete."


async def written_down() -> bytes:
    """Return what the newest turn has said, as it is written down."""
    [row] = await query("SELECT partial FROM chatkit_turn ORDER BY seq DESC LIMIT 1")
    return str(row["partial"]).encode()


async def memories(thread_id: str) -> list[dict[str, Any]]:
    """Return the hidden items of a thread."""
    rows = await query("SELECT payload FROM chatkit_item ORDER BY seq")
    items = [json.loads(row["payload"]) for row in rows]
    return [
        item
        for item in items
        if item["thread_id"] == thread_id and item["type"] == "hidden_context_item"
    ]


async def test_a_process_dies_in_the_middle_of_a_text(
    start: Start, model_server: ModelServer
) -> None:
    dead, alive = await start(), await start()
    gate = Gate()
    model_server.reply("One, ", "two, ", gate, "three.")
    begun = await begin(dead.chat, request("Count"), "One, two, ")
    await dead.beat()
    await alive.sweep()
    assert await alive.state(begun.turn_id) == "running", "it sent a heartbeat"

    await grow_old()
    await alive.sweep()
    assert await alive.state(begun.turn_id) == "interrupted"
    assert await alive.texts(begun.thread_id) == ["Count", "One, two, "]
    assert (await alive.items(begun.thread_id))[1]["id"] == begun.message_id
    [(turn, outcome)] = alive.watch.ended
    assert (turn.id, turn.user.id, turn.thread.id) == (begun.turn_id, "somebody", begun.thread_id)
    assert turn.message is not None
    assert (outcome.status, outcome.error, outcome.model) == (
        "interrupted",
        INTERRUPTED,
        "test/model",
    )
    assert [item.type for item in outcome.items] == [
        "user_message",
        "assistant_message",
        "hidden_context_item",
    ]
    assert alive.watch.saved == [item.id for item in outcome.items[1:]]

    model_server.reply("Sorry.")
    again = await alive.chat.say("Go on", begun.thread_id)
    assert again.text == "Sorry."
    assert told(model_server.requests[-1])[1:] == [
        ("user", "Count"),
        ("assistant", "One, two, "),
        ("user", f"({INTERRUPTED})\n\nGo on"),
    ]

    # It was only slow
    gate.open()
    await dead.beat()
    rest = await begun.rest()
    assert rest.error is not None
    assert "Reload" in rest.error["message"]
    assert rest.data[-1] == rest.error
    assert dead.watch.ended == []
    assert await alive.texts(begun.thread_id) == ["Count", "One, two, ", "Go on", "Sorry."]
    assert await alive.state(begun.turn_id) == "interrupted"


async def test_a_process_that_was_only_slow_learns_it_from_the_store(
    start: Start, model_server: ModelServer
) -> None:
    slow, alive = await start(), await start()
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    begun = await begin(slow.chat, request("Count"), "One, ")
    await slow.beat()
    await grow_old()
    await alive.sweep()
    saved = list(slow.watch.saved)
    before = await query("SELECT * FROM chatkit_item ORDER BY seq")
    gate.open()
    rest = await begun.rest()
    assert rest.error is not None
    assert rest.done("assistant_message") == []
    assert slow.watch.saved == saved
    assert slow.watch.ended == []
    assert len(alive.watch.ended) == 1
    assert await query("SELECT * FROM chatkit_item ORDER BY seq") == before


async def test_a_process_dies_in_the_middle_of_a_tool(
    start: Start, model_server: ModelServer
) -> None:
    runs: list[str] = []
    hangs = asyncio.Event()

    @function_tool
    async def fast() -> str:
        """Answer at once."""
        runs.append("fast")
        return "done"

    @function_tool
    async def slow() -> str:
        """Take for ever."""
        runs.append("slow")
        hangs.set()
        return str(await asyncio.Event().wait())

    dead, alive = await start(Tools(fast, slow)), await start(Tools(fast, slow))
    model_server.reply("Let me see.", Call("fast"), Call("slow"))
    begun = await begin(dead.chat, request("Go"), "Let me see.")
    await hangs.wait()
    while not PartialAnswer.load(await written_down()).tools:
        await dead.beat()
    await grow_old()
    await alive.sweep()
    [(_, outcome)] = alive.watch.ended
    assert [(call.name, result.output) for call, result in outcome.tools] == [("fast", "done")]
    model_server.reply("Fine.")
    assert (await alive.chat.say("And now?", begun.thread_id)).text == "Fine."
    conversation = told(model_server.requests[-1])[1:]
    assert conversation == [
        ("user", "Go"),
        ("assistant", "calls fast, slow"),
        ("tool", "done"),
        ("tool", "The call was cut off; whether it took effect is not known."),
        ("user", f"({INTERRUPTED})\n\nAnd now?"),
    ]
    assert sorted(runs) == ["fast", "slow"]
    assert await alive.texts(begun.thread_id) == ["Go", "Let me see.", "And now?", "Fine."]


async def test_a_process_dies_before_anything_was_said(
    start: Start, model_server: ModelServer
) -> None:
    dead, alive = await start(), await start()
    model_server.reply("Never.", hold=Gate())
    begun = await begin(dead.chat, request("Hello"))
    await grow_old()
    await alive.sweep()
    assert await alive.state(begun.turn_id) == "interrupted"
    [(turn, outcome)] = alive.watch.ended
    assert [item.type for item in outcome.items] == ["user_message"]
    assert turn.message == outcome.items[0]
    assert await memories(begun.thread_id) == []
    model_server.reply("Hi.")
    assert (await alive.chat.say("Hello?", begun.thread_id)).text == "Hi."
    assert await alive.texts(begun.thread_id) == ["Hello", "Hello?", "Hi."]


async def test_a_process_dies_before_its_thread_was_saved(
    start: Start, model_server: ModelServer
) -> None:
    alive = await start()
    turn_store = alive.app[ENGINE].turn_store
    user = User("somebody")
    record = TurnRecord(
        "turn_1", "thr_1", user, "threads.create", "m", partial=PartialAnswer().dump()
    )
    await turn_store.begin(record)
    await grow_old()
    await alive.sweep()
    assert await alive.state("turn_1") == "interrupted"
    assert alive.watch.ended == []
    assert not model_server.requests


@pytest.mark.parametrize("said", ["", "New"])
async def test_a_process_dies_while_it_answers_again(
    start: Start, model_server: ModelServer, said: str
) -> None:
    dead, alive = await start(), await start()
    model_server.reply("Old.")
    first = await dead.chat.say("Hello")
    message = first.done("user_message")[0]["id"]
    gate = Gate()
    model_server.reply(*([said] if said else []), gate)
    params = {"thread_id": first.thread_id, "item_id": message}
    begun = await begin(dead.chat, {"type": "threads.retry_after_item", "params": params}, said)
    await gate.reached()
    await dead.beat()
    await grow_old()
    await alive.sweep()
    assert await alive.state(begun.turn_id) == "interrupted"
    assert await alive.texts(first.thread_id) == ["Hello", said or "Old."]


async def test_a_process_dies_after_the_last_item(start: Start, model_server: ModelServer) -> None:
    @function_tool
    async def weather() -> str:
        """Tell the weather."""
        return "sunny"

    dead, alive = await start(Tools(weather)), await start(Tools(weather))
    saved = asyncio.Event()
    dead_for_good = asyncio.Event()

    async def end(*_: Any) -> bool:
        saved.set()
        await dead_for_good.wait()
        return False

    dead.app[ENGINE].turn_store.end = end
    gate = Gate()
    model_server.reply(Call("weather"))
    model_server.reply("It is ", gate, "sunny.")
    begun = await begin(dead.chat, request("And?"), "It is ")
    await dead.beat()
    gate.open()
    await saved.wait()
    before = await memories(begun.thread_id)
    await grow_old()
    await alive.sweep()
    assert await alive.state(begun.turn_id) == "interrupted"
    assert await alive.texts(begun.thread_id) == ["And?", "It is sunny."]
    assert await memories(begun.thread_id) == before
    assert len(before) == 1
    assert len(alive.watch.ended) == 1
    assert alive.watch.saved == []
    dead_for_good.set()
    assert (await begun.rest()).error is not None
    assert dead.watch.ended == []


async def test_of_two_that_sweep_one_recovers(start: Start, model_server: ModelServer) -> None:
    dead, one, two = await start(), await start(), await start()
    begun = []
    for number in range(10):
        model_server.reply(f"Text {number}", Gate())
        begun.append(await begin(dead.chat, request("Go"), f"Text {number}"))
    await dead.beat()
    await grow_old()
    await asyncio.gather(one.sweep(), two.sweep(), one.sweep(), two.sweep())
    turns = [turn.id for turn, _ in (*one.watch.ended, *two.watch.ended)]
    assert sorted(turns) == sorted(one.turn_id for one in begun)
    for number, answer in enumerate(begun):
        assert await two.texts(answer.thread_id) == ["Go", f"Text {number}"]
        assert len(await memories(answer.thread_id)) == 1


class Failing:
    """Passes calls on to a store, and fails at one of them."""

    def __init__(self, store: Any, calls: list[str], fails_at: int) -> None:
        self._store = store
        self._calls = calls
        self._fails_at = fails_at

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            self._calls.append(name)
            if len(self._calls) == self._fails_at:
                raise Unavailable("The database has stopped.")
            return await getattr(self._store, name)(*arguments)

        return call


async def test_a_recovery_that_fails_at_any_point_is_finished_by_the_next(
    start: Start, model_server: ModelServer
) -> None:
    @function_tool
    async def weather() -> str:
        """Tell the weather."""
        return "sunny"

    dead, half, alive = await start(weather), await start(), await start()
    recovery = half.app[HEARTBEAT]._recovery
    store, turn_store = recovery._store, recovery._turn_store
    fails_at, calls = 0, ["?"]
    while len(calls) >= fails_at:
        fails_at, calls = fails_at + 1, []
        recovery._store = Failing(store, calls, fails_at)
        recovery._turn_store = Failing(turn_store, calls, fails_at)
        model_server.reply("Old.")
        first = await dead.chat.say("Go")
        model_server.reply(Call("weather"))
        model_server.reply("It is ", Gate())
        params = {"thread_id": first.thread_id, "item_id": first.done("user_message")[0]["id"]}
        body = {"type": "threads.retry_after_item", "params": params}
        begun = await begin(dead.chat, body, "It is ")
        await dead.beat()
        for server in (half, alive):
            await grow_old()
            await server.sweep()
        assert await alive.texts(first.thread_id) == ["Go", "It is "], calls
        assert len(await memories(first.thread_id)) == 1, calls
        assert await alive.state(begun.turn_id) == "interrupted", calls
        ended = [turn.id for turn, _ in (*half.watch.ended, *alive.watch.ended)]
        assert ended.count(begun.turn_id) == 1, calls
    assert {"load_thread", "add_thread_item", "delete_thread_item", "end"} <= set(calls)
    assert fails_at > 8


async def test_a_turn_that_can_never_be_saved_is_given_up_in_the_end(
    start: Start, model_server: ModelServer
) -> None:
    dead, alive = await start(), await start()
    model_server.reply("One, ", Gate())
    begun = await begin(dead.chat, request("Count"), "One, ")
    await dead.beat()
    recovery = alive.app[HEARTBEAT]._recovery
    store, recovery._store = recovery._store, Failing(recovery._store, [], 1)
    await query(f"UPDATE chatkit_turn SET attempt = {MOST_ATTEMPTS - 2}")
    await grow_old()
    await alive.sweep()
    assert await alive.state(begun.turn_id) == "running"
    recovery._store = Failing(store, [], 1)
    await grow_old()
    await alive.sweep()
    assert await alive.state(begun.turn_id) == "interrupted"


def test_what_is_written_down_can_be_read_whatever_a_model_writes() -> None:
    base: dict[str, Any] = {"thread_id": "thr_1", "created_at": datetime.now(UTC)}
    content = [AssistantMessageContent(text="nul \0 half \ud83e")]
    widget = DynamicWidgetRoot.model_validate({"type": "Card", "children": [], "new": {"a": [1]}})
    entry: Any = {"type": "function_call", "call_id": "c", "name": "n", "arguments": "\ud83e"}
    whole = PartialAnswer(
        [
            AssistantMessageItem(id="msg", content=content, **base),
            WidgetItem(id="widget", widget=widget, **base),
        ],
        [entry],
        ["msg"],
        [(ToolCall("c", "n", {"n": 10**30}), ToolResult({"set": {1}}, failed=True))],
        ["old"],
        ["saved"],
    )
    read = PartialAnswer.load(whole.dump())
    [message, shown] = read.items
    assert isinstance(message, AssistantMessageItem)
    assert message.content[0].text == "nul \ufffd half \ufffd"
    assert isinstance(shown, WidgetItem)
    assert shown.widget == widget
    [(call, result)] = read.tools
    assert call.arguments == {"n": 10**30}
    assert (result.output, result.failed) == ({"set": "{1}"}, True)
    assert (read.messages, read.superseded, read.saved) == (["msg"], ["old"], ["saved"])
    plain = PartialAnswer([WidgetItem(id="widget", widget=widget, **base)])
    assert PartialAnswer.load(plain.dump()).items == plain.items
    assert PartialAnswer.load(None) == PartialAnswer()


DELETED = "The conversation was deleted."


@pytest.mark.parametrize("noticed", ["heartbeat", "write"])
async def test_a_thread_that_is_deleted_elsewhere_ends_its_turn(
    start: Start, model_server: ModelServer, caplog: pytest.LogCaptureFixture, noticed: str
) -> None:
    caplog.set_level(logging.INFO, "chatkit_server")
    one, two = await start(), await start()
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    begun = await begin(one.chat, request("Count"), "One, ")
    await one.beat()
    await two.chat.ask("threads.delete", thread_id=begun.thread_id)
    if noticed == "heartbeat":
        await one.beat()
    else:
        gate.open()
    rest = await begun.rest()
    assert rest.error == {
        "type": "error",
        "code": "custom",
        "message": DELETED,
        "allow_retry": False,
    }
    assert begun.data[-2] == {"type": "thread.item.removed", "item_id": begun.message_id}
    [(_, outcome)] = one.watch.ended
    assert (outcome.status, outcome.error) == ("cancelled", DELETED)
    [line] = [record for record in caplog.records if begun.turn_id in record.getMessage()]
    assert (line.levelname, line.exc_info) == ("INFO", None)
    assert DELETED in line.getMessage()
    for table in ("thread", "item"):
        assert await query(f"SELECT * FROM chatkit_{table}") == []
    assert [row["partial"] for row in await query("SELECT partial FROM chatkit_turn")] == [None]


@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_a_plain_client_hears_that_its_thread_was_deleted(
    start: Start, model_server: ModelServer, where: str
) -> None:
    server = await start()
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    asking = asyncio.create_task(server.chat.plain("Count"))
    await gate.reached()
    [thread] = (await server.chat.ask("threads.list"))["data"]
    deleter = server if where == "here" else await start()
    await deleter.chat.ask("threads.delete", thread_id=thread["id"])
    await server.beat()
    [error] = [line for line in (await asking).data if "error" in line]
    assert error == {"error": DELETED, "allow_retry": False}


async def test_an_end_that_could_not_be_written_is_written_later(
    start: Start, model_server: ModelServer
) -> None:
    server = await start()
    turn_store = server.app[ENGINE].turn_store

    async def end(*_: Any) -> bool:
        raise Unavailable("The database has stopped.")

    turn_store.end = end
    model_server.reply("Hello.")
    streamed = await server.chat.say("Hi")
    assert streamed.error is None
    del turn_store.end
    turn_id = streamed.response.headers["X-Turn-Id"]
    [row] = await query("SELECT state FROM chatkit_turn")
    assert row["state"] == "running"
    before = await memories(streamed.thread_id)
    await grow_old()
    await server.sweep()
    [row] = await query("SELECT state, error FROM chatkit_turn")
    assert row == {"state": "completed", "error": None}
    assert [outcome.status for _, outcome in server.watch.ended] == ["completed"]
    assert await server.texts(streamed.thread_id) == ["Hi", "Hello."]
    assert await memories(streamed.thread_id) == before
    assert await server.state(turn_id) == "completed"
    model_server.reply("Again.")
    assert (await server.chat.say("Hi", streamed.thread_id)).text == "Again."


# Repeated requests


async def test_a_request_repeated_after_a_death_gets_what_was_saved(
    start: Start, model_server: ModelServer
) -> None:
    for header in ("Idempotency-Key", "chatkit-frame-instance-id", "Last-Event-ID"):
        dead, alive = await start(), await start()
        model_server.reply("One, ", Gate())
        body = request(f"Count, {header}")
        first = {} if header == "Last-Event-ID" else {header: "x"}
        begun = await begin(dead.chat, body, "One, ", **first)
        await dead.beat()
        headers = first or {header: f"{begun.turn_id}:2"}
        asked = len(model_server.requests)
        joining = asyncio.create_task(alive.chat.post(body, headers=headers))
        joined = await joining
        await grow_old()
        await alive.sweep()
        for response in (joined, await alive.chat.post(body, headers=headers)):
            seen = begun.data[:2] if header == "Last-Event-ID" else []
            page = Page().show(*seen, *(await alive.chat.read(response)).data)
            assert page.texts == [f"Count, {header}", "One, "]
            assert page.errors == ["The server stopped before the answer was complete."]
        assert len(model_server.requests) == asked
        assert await alive.texts(begun.thread_id) == [f"Count, {header}", "One, "]
    threads = (await alive.chat.ask("threads.list"))["data"]
    assert len(threads) == 3


async def test_a_stream_that_was_read_to_its_end_elsewhere_is_not_begun_again(
    start: Start, model_server: ModelServer
) -> None:
    one, two = await start(), await start()
    model_server.reply("Hello.")
    body = request("Hi")
    whole = await one.chat.read(await one.chat.post(body))
    rest = await two.chat.read(await two.chat.post(body, headers={"Last-Event-ID": whole.ids[3]}))
    assert Page().show(*whole.data[:4], *rest.data).texts == ["Hi", "Hello."]
    assert len(model_server.requests) == 1
    # the same words once more are no repetition
    for _ in range(2):
        model_server.reply("Hello again.")
        headers = {"chatkit-frame-instance-id": "page"}
        again = await two.chat.read(await two.chat.post(body, headers=headers))
        assert again.text == "Hello again."


# A database that is away


async def test_turns_outlive_a_database_that_is_away(
    model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    real = postgres()
    url = real.new_url()
    gate = Gate()
    async with Front(real.port) as front:
        near = url.replace(f":{real.port}/", f":{front.port}/")
        async with replica(near, model_server) as server:
            model_server.reply("One, ", gate, "two.")
            begun = await begin(server.chat, request("Count"), "One, ")
            await front.close()
            with pytest.raises(Unavailable):
                await server.beat()
            with pytest.raises(Unavailable):
                await server.sweep()
            await front.open()
            await grow_old()
            await server.sweep()
            await server.beat()
            [row] = await query("SELECT state, attempt, partial FROM chatkit_turn")
            assert (row["state"], row["attempt"]) == ("running", 1)
            assert "One, " in row["partial"], "what was not heard is told again"
            gate.open()
            rest = await begun.rest()
            assert (rest.text, rest.error) == ("One, two.", None)
            assert [outcome.status for _, outcome in server.watch.ended] == ["completed"]


class Away(MemoryTurnStore):
    """Fails three times, while a turn of somebody else grows stale."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.failed_at: float | None = None
        self.taken_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def stale(self, seconds: float) -> list[TurnRecord]:
        self.asked += 1
        if self.asked <= 3:
            self.failed_at = asyncio.get_running_loop().time()
            raise Unavailable("away")
        return [TurnRecord("turn_1", "thr_1", User("ann"), "threads.create", "m")]

    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        if not self.taken_at.done():
            self.taken_at.set_result(asyncio.get_running_loop().time())
        return False


async def test_after_a_failure_others_get_the_time_to_give_signs_of_life(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "chatkit_server")
    monkeypatch.setattr(records, "SETTLE", 0)
    away = Away()
    pace = HeartbeatTiming.of(0.2)
    keeper = Heartbeat(TurnRegistry(TurnSettings()), away, None, 600, pace)  # type: ignore[arg-type]
    async with keeper.run():
        taken_at = await away.taken_at
    assert away.failed_at is not None
    assert taken_at - away.failed_at >= pace.stale
    down, back = caplog.messages
    assert down == "the turn store does not answer: Unavailable: away"
    assert back.startswith("the turn store answers again, after ")


async def test_a_turn_store_that_hangs_is_given_up() -> None:
    class Hangs(MemoryTurnStore):
        async def stale(self, seconds: float) -> list[TurnRecord]:
            await asyncio.Event().wait()
            return []

    pace = HeartbeatTiming.of(0.1)
    keeper = Heartbeat(TurnRegistry(TurnSettings()), Hangs(), None, 600, pace)  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        await keeper.sweep()


def test_turns_of_the_dead_are_found_within_fifteen_seconds() -> None:
    pace = HeartbeatTiming.of(TurnSettings().stale)
    assert pace.stale + pace.beat < 15
    assert pace.beat <= 1
    assert 4 * pace.beat < pace.stale
    assert HeartbeatTiming.of(3600).beat == 1


async def test_something_odd_in_a_turn_stops_no_beat(
    start: Start, model_server: ModelServer
) -> None:
    server = await start()
    model_server.reply("One, ", Gate())
    model_server.reply("Two, ", Gate())
    odd = await begin(server.chat, request("Count"), "One, ")
    await begin(server.chat, request("Count"), "Two, ")

    def broken() -> PartialAnswer:
        raise ValueError("odd")

    server.app[ENGINE].turns.find(odd.turn_id, User("somebody")).partial = broken
    await grow_old()
    await server.beat()
    rows = await query("SELECT id, partial FROM chatkit_turn ORDER BY seq")
    assert "Two, " in rows[1]["partial"]
    turn_store = server.app[ENGINE].turn_store
    assert await turn_store.stale(60) == []
    assert await turn_store.beat([HeartbeatSignal(odd.turn_id, 1)]) == {odd.turn_id: "go on"}


# Real processes, really killed


@pytest.mark.parametrize("kind", DATABASES)
async def test_kill_9(kind: Any, tmp_path: Path, model_server: ModelServer) -> None:
    sections = served_by(model_server)
    sections["plugins"] |= {
        "tortoise_store": {"url": new_url(kind, tmp_path)},
        "anonymous_auth": None,
    }

    def write(stale: str) -> None:
        sections["turns"] = {"stale": stale}
        (tmp_path / "settings.yaml").write_text(yaml.safe_dump(sections))

    write(stale="500ms")
    model_server.reply("One, ", "two, ", Gate())
    body = request("Count")
    headers = {"chatkit-frame-instance-id": "page"}
    async with running_process(tmp_path) as server:
        begun = await begin(server.chat(), body, "One, two, ", **headers)
        await asyncio.sleep(0.2)  # a few heartbeats
        assert await server.stop(signal.SIGKILL) == -signal.SIGKILL

    write(stale="1h")  # it is known to be gone
    async with running_process(tmp_path) as server:
        chat = server.chat()
        joined = await chat.post(body, headers=headers)
        await server.process.line(f"recovered turn {begun.turn_id} of a dead process")
        status, turn = await server.get(f"/api/chat/turns/{begun.turn_id}")
        assert (status, turn["state"], turn["error"]) == (200, "interrupted", INTERRUPTED)
        page = await chat.ask("items.list", thread_id=begun.thread_id, order="asc")
        texts = [item["content"][0]["text"] for item in page["data"]]
        assert texts == ["Count", "One, two, "]
        assert page["data"][1]["id"] == begun.message_id
        for response in (joined, await chat.post(body, headers=headers)):
            shown = Page().show(*(await chat.read(response)).data)
            assert (shown.texts, shown.errors) == (texts, [INTERRUPTED])
        model_server.reply("Sorry.")
        assert (await chat.say("Go on", begun.thread_id)).text == "Sorry."
        assert len(model_server.requests) == 2
