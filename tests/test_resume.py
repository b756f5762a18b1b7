"""A turn outlives its connection: followed again, joined, cancelled, and ended by its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from agents import function_tool
from aiohttp import ClientResponse

from chatkit_server import Outcome, Turn, User, hookimpl
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.web.keys import ENGINE
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.conversing import Page
from tests.mcp_calls import until
from tests.serving import served_by

Visit = Callable[[Chat, str, str], Awaitable[Any]]

TEXT = ("Grüße", ", ", "日本", " and ", "🎈", ".")


class Kept(Gate):
    """A gate at which the model also notices that nobody reads it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.left = asyncio.Event()

    async def passed(self) -> None:
        try:
            await super().passed()
        except asyncio.CancelledError:
            self.left.set()
            raise


class Slow:
    """Gives every turn a tool that takes for ever, and one that answers at length."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        @function_tool
        async def wait() -> str:
            """Wait."""
            self.started.set()
            try:
                await self.go_on.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
            return "waited"

        @function_tool
        async def flood() -> str:
            """Answer at length."""
            return "é" * 1000

        turn.tools += [wait, flood]


class Ends:
    """Remembers how turns ended."""

    def __init__(self) -> None:
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.put_nowait(outcome)


def create(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    given = {"content": content, "attachments": [], "inference_options": {}}
    return {"type": "threads.create", "params": {"input": given}}


def add(thread_id: str, text: str) -> dict[str, Any]:
    params = create(text)["params"] | {"thread_id": thread_id}
    return {"type": "threads.add_user_message", "params": params}


async def begin(chat: Chat, body: dict[str, Any], **headers: str) -> tuple[ClientResponse, str]:
    """Send what begins a turn, and return its response and its id."""
    response = await chat.post(body, headers=headers)
    assert response.status == 200, await response.text()
    return response, response.headers["X-Turn-Id"]


async def follow(chat: Chat, turn_id: str, after: int) -> Streamed:
    """Follow a turn to its end."""
    return await chat.read(await get(chat, f"turns/{turn_id}/events", after))


async def since(chat: Chat, turn_id: str, last_event_id: str) -> ClientResponse:
    return await get(chat, f"turns/{turn_id}/events", **{"Last-Event-ID": last_event_id})


async def get(chat: Chat, path: str, after: Any = None, **headers: str) -> ClientResponse:
    params = {} if after is None else {"after": after}
    headers = chat.headers | headers
    return await chat.client.get(f"{chat.path}/{path}", params=params, headers=headers)


async def state(chat: Chat, turn_id: str) -> dict[str, Any]:
    response = await get(chat, f"turns/{turn_id}")
    assert response.status == 200
    described: dict[str, Any] = await response.json()
    return described


async def cancel(chat: Chat, turn_id: str, **headers: str) -> ClientResponse:
    url = f"{chat.path}/turns/{turn_id}/cancel"
    return await chat.client.post(url, headers=chat.headers | headers)


async def thread_of(chat: Chat) -> str:
    [thread] = (await chat.ask("threads.list"))["data"]
    return str(thread["id"])


async def texts(chat: Chat, thread_id: str) -> list[str]:
    items = await chat.ask("items.list", thread_id=thread_id, order="asc")
    return ["".join(part["text"] for part in item["content"]) for item in items["data"]]


def numbers(streamed: Streamed) -> list[int]:
    return [int(event_id.rpartition(":")[2]) for event_id in streamed.ids]


# To follow a turn again


async def test_every_event_is_seen_once_from_any_index_while_the_turn_runs_and_after_its_end(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Slow(), **served_by(model_server))
    gate = Gate()
    model_server.reply(Call("flood"))
    model_server.reply(*TEXT, gate, *TEXT)
    response, turn_id = await begin(chat, create("Hello"))
    await gate.reached()
    known = (await state(chat, turn_id))["events"]
    live = [asyncio.create_task(follow(chat, turn_id, after)) for after in range(known + 1)]
    await asyncio.sleep(0)
    gate.open()
    whole = await chat.read(response)
    assert whole.text == "".join(TEXT * 2)
    assert numbers(whole) == list(range(1, len(whole.ids) + 1))
    assert len(whole.ids) > known > 5
    for after, following in enumerate(live):
        streamed = await following
        assert (streamed.ids, streamed.data) == (whole.ids[after:], whole.data[after:])
    for after in range(len(whole.ids) + 1):
        by_number = await follow(chat, turn_id, after)
        by_header = await chat.read(await since(chat, turn_id, f"{turn_id}:{after}"))
        assert by_number.ids == by_header.ids == whole.ids[after:]
        assert by_number.data == by_header.data == whole.data[after:]


async def test_the_header_counts_more_than_the_parameter(make_chat: MakeChat) -> None:
    chat = await make_chat()
    turn_id = (await chat.say("hello")).response.headers["X-Turn-Id"]
    response = await get(chat, f"turns/{turn_id}/events", 0, **{"Last-Event-ID": f"{turn_id}:4"})
    assert numbers(await chat.read(response))[0] == 5


@pytest.mark.parametrize(
    "value", ["turn_other:1", "1", "{turn}:x", "{turn}:-1", "{turn}:", "{turn}:999", "{turn}:٣", ""]
)
async def test_an_event_that_is_none_of_the_turns_is_refused(
    make_chat: MakeChat, value: str
) -> None:
    chat = await make_chat()
    turn_id = (await chat.say("hello")).response.headers["X-Turn-Id"]
    response = await since(chat, turn_id, value.format(turn=turn_id))
    assert response.status == 400
    assert list(await response.json()) == ["message"]


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "999", "9" * 30, ""])
async def test_a_number_that_is_none_is_refused(make_chat: MakeChat, value: str) -> None:
    chat = await make_chat()
    turn_id = (await chat.say("hello")).response.headers["X-Turn-Id"]
    assert (await get(chat, f"turns/{turn_id}/events", value)).status == 400


async def test_for_others_neither_turn_nor_thread_is_there(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    chat.headers = {"X-User": "acme/ann"}
    response, turn_id = await begin(chat, create("Count"))
    await gate.reached()
    thread_id = await thread_of(chat)
    for other in ("acme/bob", "else/ann"):
        headers = {"X-User": other}
        for path in (f"turns/{turn_id}", f"turns/{turn_id}/events", f"threads/{thread_id}/turn"):
            assert (await get(chat, path, **headers)).status == 404
        assert (await cancel(chat, turn_id, **headers)).status == 404
        guessed = headers | {"Last-Event-ID": f"{turn_id}:1"}
        status, _ = await chat.refused(create("Count"), headers=guessed)
        assert status == 409
    for path in ("turns/turn_none", "turns/turn_none/events", "threads/thr_none/turn"):
        assert (await get(chat, path)).status == 404
    assert (await state(chat, turn_id))["state"] == "running"
    gate.open()
    assert (await chat.read(response)).error is None


async def test_the_running_turn_of_a_thread_is_found(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response, turn_id = await begin(chat, create("Count"))
    await gate.reached()
    thread_id = await thread_of(chat)
    found = await (await get(chat, f"threads/{thread_id}/turn")).json()
    assert found == {
        "id": turn_id,
        "thread_id": thread_id,
        "state": "running",
        "events": found["events"],
    }
    gate.open()
    whole = await chat.read(response)
    assert (await get(chat, f"threads/{thread_id}/turn")).status == 404
    ended = await state(chat, turn_id)
    assert (ended["state"], ended["events"]) == ("completed", len(whole.ids))


@pytest.mark.parametrize("turns", [{"keep": "1ms"}, {"keep_size": "1B"}], ids=["time", "size"])
async def test_what_is_saved_follows_where_events_are_not_kept(
    make_chat: MakeChat, turns: Any
) -> None:
    ends = Ends()
    chat = await make_chat(ends, turns=turns)
    streamed = await chat.say("hello")
    turn_id = streamed.response.headers["X-Turn-Id"]
    await ends.outcomes.get()
    app = chat.client.app
    assert app is not None
    user = User("somebody")
    await until(lambda: app[ENGINE].turns.find(turn_id, user) is None)
    assert (await state(chat, turn_id))["state"] == "completed"
    again = {"Last-Event-ID": streamed.ids[-1]}
    whole = Page().show(*streamed.data).texts
    assert len(whole) == 2
    for seen, response in (
        (0, await get(chat, f"turns/{turn_id}/events")),
        (len(streamed.data), await get(chat, f"turns/{turn_id}/events", **again)),
        (len(streamed.data), await chat.post(create("hello"), headers=again)),
    ):
        page = Page().show(*streamed.data[:seen], *(await chat.read(response)).data)
        assert (page.texts, page.errors) == (whole, [])
    assert len((await chat.ask("threads.list"))["data"]) == 1


# To ask once and no more


async def test_what_repeats_a_running_request_joins_its_turn(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    marks = {"Idempotency-Key": "k1", "chatkit-frame-instance-id": "f1"}
    response, turn_id = await begin(chat, create("Count"), **marks)
    await gate.reached()
    joined = [
        await begin(chat, create("Count"), **{"Idempotency-Key": "k1"}),
        await begin(chat, create("Count"), **{"chatkit-frame-instance-id": "f1"}),
        await begin(chat, create("Count"), **marks | {"Idempotency-Key": "k2"}),
        await begin(chat, create("Count"), **{"Last-Event-ID": f"{turn_id}:2"}),
    ]
    assert [other for _, other in joined] == [turn_id] * 4
    gate.open()
    whole = await chat.read(response)
    assert whole.text == "One, two."
    for (again, _), first in zip(joined, (0, 0, 0, 2), strict=True):
        assert (await chat.read(again)).ids == whole.ids[first:]
    assert len(model_server.requests) == 1
    assert await texts(chat, whole.thread_id) == ["Count", "One, two."]


async def test_a_key_or_an_event_joins_a_turn_that_has_just_ended(make_chat: MakeChat) -> None:
    chat = await make_chat()
    marks = {"Idempotency-Key": "k1", "chatkit-frame-instance-id": "f1"}
    response, turn_id = await begin(chat, create("hello"), **marks)
    whole = await chat.read(response)
    again, same = await begin(chat, create("hello"), **{"Idempotency-Key": "k1"})
    assert (same, (await chat.read(again)).ids) == (turn_id, whole.ids)
    again, same = await begin(chat, create("hello"), **{"Last-Event-ID": whole.ids[-2]})
    assert (same, (await chat.read(again)).ids) == (turn_id, whole.ids[-1:])
    # The same words once more are a new message
    again, other = await begin(chat, create("hello"), **{"chatkit-frame-instance-id": "f1"})
    assert other != turn_id
    await again.read()


async def test_what_is_no_repetition_begins_a_turn_of_its_own(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"repeat": "1h"})
    gates = [Gate() for _ in range(5)]
    for gate in gates:
        model_server.reply("One, ", gate, "two.")
    frame = {"chatkit-frame-instance-id": "f1"}
    begun = [
        await begin(chat, create("Count"), **frame),
        await begin(chat, create("Count"), **{"chatkit-frame-instance-id": "f2"}),
        await begin(chat, create("Count again"), **frame),
        await begin(chat, create("Count")),
        await begin(chat, create("Count"), **frame, **{"X-User": "acme/bob"}),
    ]
    assert len({turn_id for _, turn_id in begun}) == 5
    # Whose request came to the model first is not known
    for gate in gates:
        gate.open()
    for response, _ in begun:
        await response.read()
    assert len(model_server.requests) == 5


async def test_an_equal_body_counts_as_a_repetition_for_a_time_only(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"repeat": "1ms"})
    gates = [Gate(), Gate()]
    begun = []
    for gate in gates:
        model_server.reply("One, ", gate, "two.")
        begun.append(await begin(chat, create("Count"), **{"chatkit-frame-instance-id": "f1"}))
        await gate.reached()
    assert begun[0][1] != begun[1][1]
    for gate, (response, _) in zip(gates, begun, strict=True):
        gate.open()
        await response.read()


@pytest.mark.parametrize(
    "marks",
    [
        [{"Idempotency-Key": "k1"}] * 4,
        [{"chatkit-frame-instance-id": "f1"}] * 4,
        [{"chatkit-frame-instance-id": "f1", "Idempotency-Key": f"k{n}"} for n in range(4)],
    ],
    ids=["key", "body", "both"],
)
async def test_requests_at_the_same_moment_are_one_turn(
    make_chat: MakeChat, model_server: ModelServer, marks: list[dict[str, str]]
) -> None:
    ready = asyncio.Event()

    class Preparing:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            await ready.wait()

    chat = await make_chat(Preparing(), **served_by(model_server))
    model_server.reply("Hello.")
    posts = [asyncio.create_task(begin(chat, create("Hi"), **mark)) for mark in marks]
    await asyncio.sleep(0.05)
    ready.set()
    begun = await asyncio.gather(*posts)
    assert len({turn_id for _, turn_id in begun}) == 1
    streams = [await chat.read(response) for response, _ in begun]
    assert all(streamed.data == streams[0].data for streamed in streams)
    assert len(model_server.requests) == 1
    assert await texts(chat, await thread_of(chat)) == ["Hi", "Hello."]


async def test_a_key_is_for_one_request(make_chat: MakeChat) -> None:
    chat = await make_chat()
    key = {"Idempotency-Key": "secret-k1"}
    response, turn_id = await begin(chat, create("hello"), **key)
    await response.read()
    status, words = await chat.refused(create("something else"), headers=key)
    assert status == 422
    assert "Idempotency-Key" in words
    assert "secret" not in words
    assert len((await chat.ask("threads.list"))["data"]) == 1
    other, other_id = await begin(chat, create("something else"), **key, **{"X-User": "acme/bob"})
    assert other_id != turn_id
    await other.read()


async def test_a_repetition_cannot_have_seen_what_is_to_come(make_chat: MakeChat) -> None:
    chat = await make_chat()
    turn_id = (await chat.say("hello")).response.headers["X-Turn-Id"]
    status, words = await chat.refused(create("hello"), headers={"Last-Event-ID": f"{turn_id}:999"})
    assert status == 400
    assert "Last-Event-ID" in words


async def test_the_plain_protocol_joins_too(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    body = {"messages": [{"role": "user", "content": "Count"}]}
    response, turn_id = await begin(chat, body, **{"Idempotency-Key": "k1"})
    await gate.reached()
    again, same = await begin(chat, body, **{"Idempotency-Key": "k1"})
    assert same == turn_id
    gate.open()
    assert (await chat.read(again)).data == (await chat.read(response)).data
    assert len(model_server.requests) == 1


# To cancel


async def test_cancel_ends_the_model_saves_the_rest_and_tells_everybody(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    ends = Ends()
    chat = await make_chat(ends, **served_by(model_server))
    gate = Kept()
    model_server.reply("One, ", "two, ", gate, "three.")
    response, turn_id = await begin(chat, create("Count"))
    await gate.reached()
    others = [asyncio.create_task(follow(chat, turn_id, after)) for after in (0, 3)]
    answers = await asyncio.gather(*(cancel(chat, turn_id) for _ in range(3)))
    async with asyncio.timeout(5):
        await gate.left.wait()
    message = "The answer was stopped."
    for answer in [*answers, await cancel(chat, turn_id)]:
        assert answer.status == 200
        described = await answer.json()
        assert described["state"] == "cancelled"
        assert (described["error"], described["allow_retry"]) == (message, True)
    assert (await ends.outcomes.get()).status == "cancelled"
    whole = await chat.read(response)
    assert (whole.data[-1]["type"], whole.data[-1]["message"]) == ("error", message)
    assert whole.done("assistant_message")[0]["content"][0]["text"] == "One, two, "
    for other, after in zip(others, (0, 3), strict=True):
        assert (await other).ids == whole.ids[after:]
    assert await texts(chat, whole.thread_id) == ["Count", "One, two, "]
    assert ends.outcomes.empty()
    model_server.reply("Sorry.")
    await chat.say("Why did you stop?", whole.thread_id)
    told = orjson.dumps(model_server.requests[-1].body["messages"]).decode()
    assert "One, two, " in told
    assert message in told


async def test_cancel_ends_tools_in_progress(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    slow = Slow()
    chat = await make_chat(slow, **served_by(model_server))
    model_server.reply(Call("wait"))
    response, turn_id = await begin(chat, create("Wait"))
    await slow.started.wait()
    assert (await (await cancel(chat, turn_id)).json())["state"] == "cancelled"
    assert slow.cancelled.is_set()
    assert (await chat.read(response)).error is not None
    assert len(model_server.requests) == 1


async def test_what_has_ended_is_not_cancelled(make_chat: MakeChat) -> None:
    chat = await make_chat()
    turn_id = (await chat.say("hello")).response.headers["X-Turn-Id"]
    answer = await cancel(chat, turn_id)
    assert (answer.status, (await answer.json())["state"]) == (200, "completed")


async def test_retry_works_after_cancel(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate)
    response, turn_id = await begin(chat, create("Count"))
    await gate.reached()
    await cancel(chat, turn_id)
    cut_off = await chat.read(response)
    model_server.reply("One, two.")
    [message] = cut_off.done("user_message")
    ids = {"thread_id": cut_off.thread_id, "item_id": message["id"]}
    assert (await chat.stream("threads.retry_after_item", **ids)).error is None
    assert await texts(chat, cut_off.thread_id) == ["Count", "One, two."]


# When the connection goes


async def load_thread(chat: Chat, thread_id: str, turn_id: str) -> None:
    await chat.ask("threads.get_by_id", thread_id=thread_id)


async def list_items(chat: Chat, thread_id: str, turn_id: str) -> None:
    await chat.ask("items.list", thread_id=thread_id)


async def find_turn(chat: Chat, thread_id: str, turn_id: str) -> None:
    assert (await get(chat, f"threads/{thread_id}/turn")).status == 200


async def load_as_another(chat: Chat, thread_id: str, turn_id: str) -> None:
    assert (await get(chat, f"threads/{thread_id}/turn", **{"X-User": "bob"})).status == 404


async def look_at_others(chat: Chat, thread_id: str, turn_id: str) -> None:
    await chat.ask("threads.list")


async def abandoned(chat: Chat, server: ModelServer, visit: Visit) -> tuple[str, Gate]:
    """Begin a turn, close its connection, and visit until the server has noticed that."""
    gate = Gate()
    server.reply("One, ", gate, "two.")
    response, turn_id = await begin(chat, create("Count"))
    await gate.reached()
    thread_id = await thread_of(chat)
    response.close()
    for _ in range(5):
        await visit(chat, thread_id, turn_id)
        await asyncio.sleep(0.01)
    return turn_id, gate


@pytest.mark.parametrize("visit", [load_thread, list_items, find_turn])
async def test_a_reload_within_the_grace_time_keeps_the_turn_going(
    make_chat: MakeChat, model_server: ModelServer, visit: Visit
) -> None:
    ends = Ends()
    turns = {"disconnect": {"policy": "cancel", "grace": "400ms"}}
    chat = await make_chat(ends, **served_by(model_server), turns=turns)
    turn_id, gate = await abandoned(chat, model_server, visit)
    await asyncio.sleep(0.5)
    assert (await state(chat, turn_id))["state"] == "running"
    gate.open()
    assert (await ends.outcomes.get()).status == "completed"


@pytest.mark.parametrize("visit", [load_as_another, look_at_others])
async def test_other_requests_do_not_keep_the_turn_going(
    make_chat: MakeChat, model_server: ModelServer, visit: Visit
) -> None:
    ends = Ends()
    turns = {"disconnect": {"policy": "cancel", "grace": "100ms"}}
    chat = await make_chat(ends, **served_by(model_server), turns=turns)
    await abandoned(chat, model_server, visit)
    assert (await ends.outcomes.get()).status == "cancelled"


async def test_a_turn_lives_as_long_as_somebody_follows_it(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    ends = Ends()
    turns = {"disconnect": {"policy": "cancel", "grace": "100ms"}}
    chat = await make_chat(ends, **served_by(model_server), turns=turns)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response, turn_id = await begin(chat, create("Count"))
    await gate.reached()
    follower = await get(chat, f"turns/{turn_id}/events")
    response.close()
    await asyncio.sleep(0.2)
    assert (await state(chat, turn_id))["state"] == "running"
    follower.close()
    assert (await ends.outcomes.get()).status == "cancelled"


# A thread that is busy


async def test_reject_refuses_a_second_message(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"when_busy": "reject"})
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response, _ = await begin(chat, create("Count"))
    await gate.reached()
    thread_id = await thread_of(chat)
    status, words = await chat.refused(add(thread_id, "Stop that"))
    assert (status, words) == (409, "An answer is still being written in this conversation.")
    gate.open()
    assert (await chat.read(response)).error is None
    assert await texts(chat, thread_id) == ["Count", "One, two."]


async def test_queue_answers_one_after_the_other(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"when_busy": "queue"})
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response, _ = await begin(chat, create("Count"))
    await gate.reached()
    thread_id = await thread_of(chat)
    model_server.reply("Three.")
    model_server.reply("Four.")
    queued = []
    for text in ("And then?", "And then again?"):
        queued.append(asyncio.create_task(chat.say(text, thread_id)))
        await asyncio.sleep(0.02)
    assert len(model_server.requests) == 1
    gate.open()
    assert (await chat.read(response)).error is None
    assert [(await each).text for each in queued] == ["Three.", "Four."]
    expected = ["Count", "One, two.", "And then?", "Three.", "And then again?", "Four."]
    assert await texts(chat, thread_id) == expected


async def test_interrupt_ends_the_running_turn_first(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Kept()
    model_server.reply("One, ", gate, "two.")
    response, turn_id = await begin(chat, create("Count"))
    await gate.reached()
    model_server.reply("Fine.")
    thread_id = await thread_of(chat)
    assert (await chat.say("Stop that", thread_id)).text == "Fine."
    async with asyncio.timeout(5):
        await gate.left.wait()
    assert (await chat.read(response)).error is not None
    assert (await state(chat, turn_id))["state"] == "cancelled"
    assert await texts(chat, thread_id) == ["Count", "One, ", "Stop that", "Fine."]


# Limits


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"turn": "500ms"}, "The answer took longer than 0.5 seconds and was stopped."),
        ({"silence": "500ms"}, "The model sent nothing for 0.5 seconds."),
    ],
    ids=["turn", "silence"],
)
async def test_a_turn_that_takes_too_long_is_cut_off(
    make_chat: MakeChat, model_server: ModelServer, limits: dict[str, str], message: str
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"limits": limits})
    gate = Kept()
    model_server.reply("One, ", gate, "two.")
    response, turn_id = await begin(chat, create("Count"))
    whole = await chat.read(response)
    async with asyncio.timeout(5):
        await gate.left.wait()
    assert whole.error is not None
    assert (whole.error["message"], whole.error["allow_retry"]) == (message, True)
    assert await texts(chat, whole.thread_id) == ["Count", "One, "]
    assert (await state(chat, turn_id))["state"] == "failed"


async def test_silence_is_allowed_while_a_tool_runs(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    slow = Slow()
    chat = await make_chat(slow, **served_by(model_server), turns={"limits": {"silence": "500ms"}})
    model_server.reply(Call("wait"))
    model_server.reply("Done.")
    response, _ = await begin(chat, create("Wait"))
    await slow.started.wait()
    await asyncio.sleep(1.2)
    slow.go_on.set()
    whole = await chat.read(response)
    assert (whole.text, whole.error) == ("Done.", None)


async def test_a_tool_that_takes_too_long_is_told_to_the_model(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    slow = Slow()
    chat = await make_chat(slow, **served_by(model_server), turns={"limits": {"tool": "50ms"}})
    model_server.reply(Call("wait"))
    model_server.reply("Too slow.")
    assert (await chat.say("Wait")).text == "Too slow."
    assert slow.cancelled.is_set()
    result = model_server.requests[-1].body["messages"][-1]
    assert (result["role"], result["content"]) == ("tool", "The tool wait failed: it took too long")


async def test_a_long_tool_output_is_cut(make_chat: MakeChat, model_server: ModelServer) -> None:
    limits = {"tool_output": "101B"}
    chat = await make_chat(Slow(), **served_by(model_server), turns={"limits": limits})
    model_server.reply(Call("flood"))
    model_server.reply("Long.")
    assert (await chat.say("Flood")).text == "Long."
    content = model_server.requests[-1].body["messages"][-1]["content"]
    assert content == "é" * 50 + "\n[cut off here: 1899 of 2000 bytes are left out]"


async def test_a_long_answer_is_cut_off(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server), turns={"limits": {"answer": "10B"}})
    model_server.reply("12345", "67890", "and more")
    whole = await chat.say("Count")
    assert whole.error is not None
    message = "The answer is longer than allowed and was cut off."
    assert (whole.error["message"], whole.error["allow_retry"]) == (message, False)
    assert await texts(chat, whole.thread_id) == ["Count", "1234567890"]


async def test_a_long_message_is_refused(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server), turns={"limits": {"message": "1kB"}})
    status, words = await chat.refused(create("x" * 1000))
    assert status == 413
    assert "1000" in words
    assert (await chat.ask("threads.list"))["data"] == []
    assert not model_server.requests


@pytest.mark.parametrize(
    ("limits", "other_user", "words"),
    [
        ({"user": 1}, 200, "You have 1 answer running or waiting. Wait until it ends."),
        ({"server": 1}, 503, "The server is busy. Try again in a moment."),
    ],
    ids=["user", "server"],
)
async def test_too_many_turns_at_once_are_refused_before_anything_is_written(
    make_chat: MakeChat,
    model_server: ModelServer,
    limits: dict[str, int],
    other_user: int,
    words: str,
) -> None:
    chat = await make_chat(**served_by(model_server), turns={"limits": limits})
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    running, _ = await begin(chat, create("Count"))
    await gate.reached()
    refused = await chat.post(create("Count too"))
    assert (refused.status, (await refused.json())["message"]) == (503, words)
    assert int(refused.headers["Retry-After"]) > 0
    assert len((await chat.ask("threads.list"))["data"]) == 1
    other = await chat.post(create("Hello"), headers={"X-User": "acme/bob"})
    assert other.status == other_user
    await other.read()
    # A new message in the same thread takes the place of the running turn
    assert (await chat.say("Stop", await thread_of(chat))).error is None
    await running.read()
    assert (await chat.say("Once more")).error is None


# The end of the server


@pytest.mark.parametrize(("drain", "state"), [(30, "completed"), (0.05, "interrupted")])
async def test_a_server_that_stops_lets_turns_end_and_begins_none(
    make_chat: MakeChat, model_server: ModelServer, drain: float, state: str
) -> None:
    ends = Ends()
    chat = await make_chat(ends, **served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response, turn_id = await begin(chat, create("Count"))
    await gate.reached()
    app = chat.client.app
    assert app is not None
    stopping = asyncio.create_task(app[ENGINE].turns.close(drain))
    await asyncio.sleep(0)
    assert (await chat.client.get("/healthz")).status == 200
    assert (await chat.client.get("/readyz")).status == 503
    refused = await chat.post(create("Hello"))
    assert refused.status == 503
    assert refused.headers["Retry-After"]
    if drain > 1:
        gate.open()
    await stopping
    assert (await ends.outcomes.get()).status == state
    whole = await chat.read(response)
    assert (whole.error is None) == (state == "completed")
    expected = "One, two." if state == "completed" else "One, "
    assert await texts(chat, whole.thread_id) == ["Count", expected]
    assert (await follow(chat, turn_id, 2)).ids == whole.ids[2:]
