"""MCP servers that ask the user in the middle of a tool call, by both protocols."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from agents import Agent
from agents.mcp import MCPServer, MCPServerStreamableHttp
from mcp.types import CallToolResult, InputRequiredResult, ListRootsRequest

from chatkit_server import Turn, hookimpl
from chatkit_server.agent.asker import LiveQuestions, TurnAsker
from chatkit_server.agent.questions import LOST, NOT_CALLED
from chatkit_server.agent.resuming import NO_TOOL, TOO_OFTEN
from chatkit_server.mcp.elicitation import _ANSWERS, NotAsked, asking, with_input
from chatkit_server.mcp.elicitation import ROUNDS as ASKS
from chatkit_server.storage import MemoryEventLog
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.turns.heartbeat import HeartbeatTiming
from chatkit_server.web.keys import ENGINE
from chatkit_server.web.operations.turns import SUBMITTED
from tests.client import Chat
from tests.conftest import MakeChat
from tests.conversing import Page
from tests.databases import DATABASES, new_url
from tests.mcp_asking import AskingServer
from tests.mcp_calls import until
from tests.plugins.test_mcp_servers import ROOT
from tests.processes import running as running_process
from tests.serving import served_by
from tests.test_asking import answer, asked, submission

Connect = Callable[..., Any]

BOOK = Call("book", {"city": "Rome"})
BOOKED = {
    "now": "accept {'seat': 'w', 'bags': 2, 'meal': False}",
    "later": "accept {'seat': 'w', 'bags': 2, 'meal': False} state of Rome",
}

OVER_HTTP = pytest.mark.parametrize("flights", ["now over http", "later over http"], indirect=True)


def entry(*arguments: str, **config: Any) -> dict[str, Any]:
    """Return the entry in the settings of a server on standard input and output."""
    command = [sys.executable, "-m", "tests.mcp_asking", *arguments]
    return {
        "name": "flights",
        "command": command[0],
        "args": command[1:],
        "cwd": str(ROOT),
    } | config


def with_flights(model_server: ModelServer, *entries: dict[str, Any]) -> dict[str, Any]:
    sections = served_by(model_server)
    sections["plugins"]["mcp_servers"] = {"servers": list(entries)}
    return sections


@pytest.fixture(params=["now over http", "now over stdio", "later over http", "later over stdio"])
async def flights(request: pytest.FixtureRequest) -> AsyncIterator[dict[str, Any]]:
    """The entry of a server, whose calls wait `now` or are made again `later`."""
    when, _, transport = request.param.split()
    if transport == "stdio":
        yield entry("legacy" if when == "now" else "modern")
        return
    server = AskingServer("flights", legacy=when == "now")
    await server.start()
    yield {"name": "flights", "url": server.url}
    await server.stop()


@pytest.fixture
async def waiting() -> AsyncIterator[dict[str, Any]]:
    """The entry of a server whose calls wait."""
    server = AskingServer("flights", legacy=True)
    await server.start()
    yield {"name": "flights", "url": server.url, "timeout": "500ms"}
    await server.stop()


def told(server: ModelServer) -> list[str]:
    """Return the outputs of tools in the last request to the model."""
    messages = server.requests[-1].body["messages"]
    return [m["content"] for m in messages if m["role"] == "tool"]


async def connected(chat: Chat) -> Chat:
    """Wait for the MCP servers of a server under test."""
    mcp = chat.client.app[ENGINE]._preparation.mcp
    await until(lambda: all(state["connected"] for state in mcp.status().values()))
    return chat


async def items_of(chat: Chat, thread_id: str) -> list[dict[str, Any]]:
    page = await chat.ask("threads.get_by_id", thread_id=thread_id)
    items: list[dict[str, Any]] = page["items"]["data"]
    return items


async def test_the_user_is_asked_and_the_server_answered(
    make_chat: MakeChat,
    model_server: ModelServer,
    flights: dict[str, Any],
    request: pytest.FixtureRequest,
) -> None:
    booked = BOOKED["now" if "now" in request.node.name else "later"]
    chat = await connected(await make_chat(**with_flights(model_server, flights)))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    seat, bags, meal = item["inputs"]
    assert seat["question"] == "flights asks: Your flight to Rome\nSeat"
    assert [option["value"] for option in seat["options"]] == ["Window", "Aisle"]
    assert (bags["question"], bags["description"]) == ("Bags", "From 0 to 3.")
    assert meal["question"] == "Meal: Without an answer: No."
    assert [option["value"] for option in meal["options"]] == ["Yes", "No"]
    assert (await items_of(chat, item["thread_id"]))[1:] == [item]
    model_server.reply("Booked.")
    answered = await answer(chat, item, r1f0="Window", r1f1="2")
    assert answered.text == "Booked."
    assert answered.types[0] in ("thread.item.replaced", "stream_options")
    assert told(model_server) == [booked]
    assert await chat.refused(submission(item, r1f0="Aisle")) == (409, SUBMITTED)
    model_server.reply("Yes.")
    await chat.say("Really?", item["thread_id"])
    messages = model_server.requests[-1].body["messages"]
    assert [m["role"] for m in messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert told(model_server) == [booked]
    kinds = [one["type"] for one in await items_of(chat, item["thread_id"])]
    assert kinds[:3] == ["user_message", "structured_input", "assistant_message"]


@OVER_HTTP
async def test_wrong_answers_are_asked_for_again_and_then_declined(
    make_chat: MakeChat, model_server: ModelServer, flights: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, flights)))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    again = await answer(chat, item, r1f0="Window", r1f1="many")
    assert len(model_server.requests) == 1
    [second] = again.done("structured_input")
    [bags] = second["inputs"]
    assert bags["question"] == ("flights asks: Your flight to Rome\n“many” is not a number.\nBags")
    [third] = (await answer(chat, second, r1f1="7")).done("structured_input")
    assert "The number must be at most 3." in third["inputs"][0]["question"]
    model_server.reply("Sorry.")
    assert (await answer(chat, third, r1f1="-1")).text == "Sorry."
    assert told(model_server)[0].startswith("decline None")
    model_server.reply("No.")
    await chat.say("Booked?", item["thread_id"])
    assert told(model_server)[0].startswith("decline None")
    statuses = [i["status"] for i in await items_of(chat, item["thread_id"]) if "status" in i]
    assert statuses == ["answered"] * 3


@OVER_HTTP
async def test_what_was_right_is_kept(
    make_chat: MakeChat,
    model_server: ModelServer,
    flights: dict[str, Any],
    request: pytest.FixtureRequest,
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, flights)))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    [second] = (await answer(chat, item, r1f0="w")).done("structured_input")
    assert "This needs an answer." in second["inputs"][0]["question"]
    model_server.reply("Booked.")
    assert (await answer(chat, second, r1f1="2")).text == "Booked."
    assert told(model_server) == [BOOKED["now" if "now" in request.node.name else "later"]]


@OVER_HTTP
async def test_skipped_is_declined(
    make_chat: MakeChat, model_server: ModelServer, flights: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, flights)))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    body = submission(item)
    body["params"]["input"] = {"status": "skipped"}
    model_server.reply("As you like.")
    streamed = await chat.stream(body["type"], **body["params"])
    assert streamed.text == "As you like."
    assert told(model_server)[0].startswith("decline None")


@OVER_HTTP
async def test_a_message_instead(
    make_chat: MakeChat,
    model_server: ModelServer,
    flights: dict[str, Any],
    request: pytest.FixtureRequest,
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, flights)))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    model_server.reply("Fine.")
    assert (await chat.say("Never mind", item["thread_id"])).text == "Fine."
    if "later" in request.node.name:
        assert told(model_server) == [NOT_CALLED]
    assert (await items_of(chat, item["thread_id"]))[1]["status"] == "skipped"
    assert await chat.refused(submission(item, r1f0="Aisle")) == (409, SUBMITTED)


# A call that is made again


@pytest.fixture
async def later() -> AsyncIterator[dict[str, Any]]:
    """The entry of a server whose calls are made again."""
    server = AskingServer("flights")
    await server.start()
    yield {"name": "flights", "url": server.url}
    await server.stop()


async def test_a_call_may_ask_twice(
    make_chat: MakeChat, model_server: ModelServer, later: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, later)))
    model_server.reply(Call("trip"))
    [here] = await asked(chat, "A trip")
    [there] = (await answer(chat, here, r1f0="Rome")).done("structured_input")
    assert there["inputs"][0]["question"] == "flights asks: From Rome\ncity"
    assert len(model_server.requests) == 1
    model_server.reply("A trip.")
    assert (await answer(chat, there, r1f0="Oslo")).text == "A trip."
    assert told(model_server) == ["Rome, then Oslo"]
    model_server.reply("Yes.")
    await chat.say("Really?", here["thread_id"])
    assert told(model_server) == ["Rome, then Oslo"]
    assert "From Rome" not in str(model_server.requests[-1].body["messages"])


async def test_a_call_that_asks_for_ever_is_given_up(
    make_chat: MakeChat, model_server: ModelServer, later: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, later)))
    model_server.reply(Call("nag"))
    model_server.reply("Sorry.")
    items = await asked(chat, "Nag me")
    questions = 0
    while items:
        questions += 1
        items = (await answer(chat, items[0], r1="Yes")).done("structured_input")
    assert questions == ASKS
    assert told(model_server) == [TOO_OFTEN]


async def test_an_agent_that_a_tool_runs_waits_for_the_answer(
    make_chat: MakeChat, model_server: ModelServer, later: dict[str, Any]
) -> None:
    class Plugin:
        def __init__(self) -> None:
            self.server = MCPServerStreamableHttp({"url": later["url"]}, name="flights")

        @hookimpl
        def mcp_servers(self) -> list[MCPServer]:
            return [self.server]

        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            clerk = Agent[Turn]("Clerk", mcp_servers=[self.server])
            turn.mcp_servers = []
            turn.tools = [clerk.as_tool("clerk", "Books flights")]

    sections = served_by(model_server)
    sections["turns"] = {"limits": {"tool": "500ms"}}
    chat = await connected(await make_chat(Plugin(), **sections))
    model_server.reply(Call("clerk", {"input": "To Rome"}))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    await asyncio.sleep(0.6)
    model_server.reply("The clerk has booked.")
    model_server.reply("Booked.")
    assert (await answer(chat, item, r1f0="Window", r1f1="2")).text == "Booked."
    assert told(model_server) == ["The clerk has booked."]
    assert BOOKED["later"] in str(model_server.requests[-2].body["messages"])


async def test_two_calls_ask_at_once(
    make_chat: MakeChat, model_server: ModelServer, later: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, later)))
    model_server.reply(Call("trip"), BOOK)
    trip, flight = await asked(chat, "A trip")
    await answer(chat, flight, r1f0="Window", r1f1="2")
    [there] = (await answer(chat, trip, r1f0="Rome")).done("structured_input")
    model_server.reply("Both.")
    assert (await answer(chat, there, r1f0="Oslo")).text == "Both."
    assert told(model_server) == ["Rome, then Oslo", BOOKED["later"]]
    assert len(model_server.requests) == 2


async def test_a_tool_that_is_gone_is_not_called(
    make_chat: MakeChat, model_server: ModelServer, later: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, later)))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    mcp = chat.client.app[ENGINE]._preparation.mcp
    for connection in mcp._connections.values():
        connection.tools = []
    model_server.reply("Sorry.")
    assert (await answer(chat, item, r1f0="Window", r1f1="2")).text == "Sorry."
    assert told(model_server) == [NO_TOOL]


async def test_what_this_server_cannot_give_fails_the_call() -> None:
    asked_for = InputRequiredResult(input_requests={"a": ListRootsRequest()})

    async def call() -> Any:
        return asked_for

    with pytest.raises(NotAsked, match="not supported"):
        await with_input("flights", 1.0, call)


async def test_a_call_that_only_wants_to_be_made_again_is() -> None:
    results: list[Any] = [
        InputRequiredResult(request_state="one"),
        InputRequiredResult(request_state="two"),
        CallToolResult(content=[]),
    ]
    states: list[Any] = []

    async def call() -> Any:
        states.append(_ANSWERS.get())
        return results.pop(0)

    nobody: Any = None
    with asking(TurnAsker(nobody, LiveQuestions(), "", "", "", inner=False)):
        assert await with_input("flights", 1.0, call) == CallToolResult(content=[])
    assert states == [None, (None, "one"), (None, "two")]


# A call that waits


async def test_no_answer_in_time_is_a_cancel(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    # Longer than a call may take: its clock stands still
    waiting |= {"timeout": "200ms", "elicitation_timeout": "400ms"}
    chat = await connected(await make_chat(**with_flights(model_server, waiting)))
    model_server.reply(BOOK)
    model_server.reply("You did not answer.")
    [item] = await asked(chat, "To Rome")
    engine = chat.client.app[ENGINE]
    await until(lambda: not engine.turns.active)
    assert told(model_server) == ["cancel None"]
    items = await items_of(chat, item["thread_id"])
    assert items[1]["status"] == "skipped"
    assert items[2]["content"][0]["text"] == "You did not answer."


async def test_the_limit_of_a_plugins_server_stands_still_too(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    class Plugin:
        @hookimpl
        def mcp_servers(self) -> list[MCPServer]:
            params: Any = {"url": waiting["url"]}
            return [
                MCPServerStreamableHttp(params, name="flights", client_session_timeout_seconds=1)
            ]

    chat = await connected(await make_chat(Plugin(), **served_by(model_server)))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    await asyncio.sleep(0.6)
    model_server.reply("Booked.")
    assert (await answer(chat, item, r1f0="Window", r1f1="2")).text == "Booked."
    assert told(model_server) == [BOOKED["now"]]


async def test_a_stopped_turn_takes_its_question_back(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, waiting)))
    model_server.reply(BOOK)
    streamed = await chat.say("To Rome")
    [item] = streamed.done("structured_input")
    turn_id = streamed.response.headers["X-Turn-Id"]
    stopped = await chat.client.post(f"{chat.path}/turns/{turn_id}/cancel")
    assert (await stopped.json())["state"] == "cancelled"
    assert (await items_of(chat, item["thread_id"]))[1]["status"] == "skipped"
    assert not chat.client.app[ENGINE].turns.active


async def test_nobody_follows_while_the_user_thinks_and_the_turn_goes_on(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    sections = with_flights(model_server, waiting)
    sections["turns"] = {"disconnect": {"grace": "10ms"}, "limits": {"turn": "200ms"}}
    chat = await connected(await make_chat(**sections))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    await asyncio.sleep(0.3)
    model_server.reply("Booked.")
    assert (await answer(chat, item, r1f0="Window", r1f1="2")).text == "Booked."


async def test_a_message_that_waits_for_the_answer_takes_the_question_back(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    sections = with_flights(model_server, waiting)
    sections["turns"] = {"when_busy": "queue"}
    chat = await connected(await make_chat(**sections))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    model_server.reply("Not booked.")
    model_server.reply("Fine.")
    assert (await chat.say("Never mind", item["thread_id"])).text == "Fine."
    assert told(model_server) == ["cancel None"]
    items = await items_of(chat, item["thread_id"])
    assert (items[1]["status"], items[2]["content"][0]["text"]) == ("skipped", "Not booked.")


async def test_a_server_that_shuts_down_goes_on_without_the_answer(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, waiting)))
    model_server.reply(BOOK)
    model_server.reply("Not booked.")
    assert await asked(chat, "To Rome")
    await chat.client.app[ENGINE].turns.close(10)
    assert told(model_server) == ["cancel None"]


async def test_an_answer_that_is_sent_again_gets_the_same_events(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, waiting)))
    model_server.reply(BOOK)
    streamed = await chat.say("To Rome")
    [item] = streamed.done("structured_input")
    events = f"{chat.path}/turns/{streamed.response.headers['X-Turn-Id']}/events"
    joined = await chat.client.get(f"{events}?after={len(streamed.ids)}")
    model_server.reply("Booked.")
    chat.headers = {"Idempotency-Key": "k", "chatkit-frame-instance-id": "page"}
    answered = await answer(chat, item, r1f0="Window", r1f1="2")
    # Who follows already has no event that the answer's own stream has
    assert (await chat.read(joined)).data == []
    again = await answer(chat, item, r1f0="Window", r1f1="2")
    assert again.ids == answered.ids
    assert again.text == "Booked."
    chat.headers = {"Idempotency-Key": "another"}
    assert await chat.refused(submission(item, r1f0="Aisle")) == (409, SUBMITTED)
    registry = chat.client.app[ENGINE].turns
    assert len(registry._answers) == 2
    for running in list(registry._known.values()):
        registry._forget(running)
    assert not registry._answers


async def test_of_two_answers_at_once_one_counts(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, waiting)))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    model_server.reply("Booked.")
    answers = await asyncio.gather(
        chat.post(submission(item, r1f0="Window", r1f1="2")),
        chat.post(submission(item, r1f0="Aisle", r1f1="1")),
    )
    assert sorted(response.status for response in answers) == [200, 409]
    [counted] = [response for response in answers if response.status == 200]
    assert (await chat.read(counted)).text == "Booked."


async def test_each_user_answers_for_their_own_call(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, waiting)))
    items = []
    for user, city in (("ann", "Rome"), ("bob", "Oslo")):
        chat.headers = {"X-User": user}
        model_server.reply(Call("book", {"city": city}))
        items += await asked(chat, f"To {city}")
    assert "Oslo" in items[1]["inputs"][0]["question"]
    assert (await chat.refused(submission(items[0], r1f0="Aisle")))[0] == 404
    model_server.reply("Oslo it is.")
    assert (await answer(chat, items[1], r1f0="Aisle", r1f1="1")).text == "Oslo it is."
    assert told(model_server) == ["accept {'seat': 'a', 'bags': 1, 'meal': False}"]
    chat.headers = {"X-User": "ann"}
    model_server.reply("Rome it is.")
    assert (await answer(chat, items[0], r1f0="Window", r1f1="2")).text == "Rome it is."
    assert told(model_server) == [BOOKED["now"]]


async def test_over_one_pipe_nobody_is_asked_for_another_user(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, entry("legacy"))))
    chat.headers = {"X-User": "ann"}
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    chat.headers = {"X-User": "bob"}
    model_server.reply(Call("book", {"city": "Oslo"}))
    model_server.reply("That did not work.")
    assert await asked(chat, "To Oslo") == []
    assert "There is no user to ask" in told(model_server)[0]
    chat.headers = {"X-User": "ann"}
    model_server.reply("Rome it is.")
    assert (await answer(chat, item, r1f0="Window", r1f1="2")).text == "Rome it is."


async def test_an_address_is_shown_and_opened_by_the_user(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, waiting)))
    model_server.reply(Call("pay"))
    [item] = await asked(chat, "Pay")
    [question] = item["inputs"]
    assert question["question"] == (
        "flights asks: Pay 7 €\nOpen this page of pay.example, and come back: https://pay.example/7"
    )
    model_server.reply("Paid.")
    assert (await answer(chat, item, r1="Done")).text == "Paid."
    assert told(model_server) == ["accept"]


async def test_a_plain_client_is_not_asked_in_the_middle_of_an_answer(
    make_chat: MakeChat, model_server: ModelServer, waiting: dict[str, Any]
) -> None:
    chat = await connected(await make_chat(**with_flights(model_server, waiting)))
    model_server.reply(BOOK)
    model_server.reply("I could not ask you.")
    assert (await chat.plain("To Rome")).text == "I could not ask you."
    assert told(model_server) == ["cancel None"]


@OVER_HTTP
async def test_a_server_may_be_kept_from_asking(
    make_chat: MakeChat, model_server: ModelServer, flights: dict[str, Any]
) -> None:
    flights["elicitation"] = False
    chat = await connected(await make_chat(**with_flights(model_server, flights)))
    model_server.reply(BOOK)
    model_server.reply("I could not ask you.")
    assert await asked(chat, "To Rome") == []
    assert len(told(model_server)) == 1


# Processes that end


@pytest.mark.parametrize("kind", DATABASES)
async def test_the_server_is_started_anew_while_it_waits(
    kind: Any, tmp_path: Path, model_server: ModelServer
) -> None:
    flights = AskingServer("flights")
    await flights.start()
    sections = with_flights(model_server, {"name": "flights", "url": flights.url})
    sections["plugins"] |= {
        "tortoise_store": {"url": new_url(kind, tmp_path)},
        "anonymous_auth": None,
    }
    sections |= {"turns": {"stale": "500ms"}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(sections))
    model_server.reply(BOOK)
    async with running_process(tmp_path) as server:
        await server.process.line("flights: connected")
        [item] = await asked(server.chat(), "To Rome")
        await server.stop(signal.SIGKILL)
    async with running_process(tmp_path) as server:
        await server.process.line("flights: connected")
        chat = server.chat()
        assert (await items_of(chat, item["thread_id"]))[1:] == [item]
        model_server.reply("Booked.")
        assert (await answer(chat, item, r1f0="Window", r1f1="2")).text == "Booked."
        assert await chat.refused(submission(item, r1f0="Aisle")) == (409, SUBMITTED)
    assert told(model_server) == [BOOKED["later"]]
    assert flights.notes == ["asked for Rome", BOOKED["later"]]
    await flights.stop()


async def test_a_call_that_is_made_again_is_never_made_twice(
    tmp_path: Path, model_server: ModelServer
) -> None:
    flights = AskingServer("flights", slow=True)
    await flights.start()
    sections = with_flights(model_server, {"name": "flights", "url": flights.url})
    sections["plugins"] |= {
        "tortoise_store": {"url": new_url("sqlite", tmp_path)},
        "anonymous_auth": None,
    }
    sections |= {"turns": {"stale": "500ms"}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(sections))
    model_server.reply(BOOK)
    async with running_process(tmp_path) as server:
        await server.process.line("flights: connected")
        chat = server.chat()
        [item] = await asked(chat, "To Rome")
        response = await chat.post(submission(item, r1f0="Window", r1f1="2"))
        await flights.entered.wait()
        await server.stop(signal.SIGKILL)
        response.close()
    flights.gate.set()
    async with running_process(tmp_path) as server:
        chat = server.chat()
        assert await chat.refused(submission(item, r1f0="Aisle")) == (409, SUBMITTED)
        model_server.reply("I do not know.")
        assert (await chat.say("Booked?", item["thread_id"])).text == "I do not know."
    assert told(model_server) == [LOST]
    assert flights.notes == ["asked for Rome", BOOKED["later"]]
    await flights.stop()


async def test_the_answer_to_a_call_that_died_is_for_the_model(
    tmp_path: Path, model_server: ModelServer
) -> None:
    sections = with_flights(model_server, entry("legacy"))
    sections["plugins"] |= {
        "tortoise_store": {"url": new_url("sqlite", tmp_path)},
        "anonymous_auth": None,
    }
    sections |= {"turns": {"stale": "500ms"}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(sections))
    model_server.reply(BOOK)
    async with running_process(tmp_path) as server:
        await server.process.line("flights: connected")
        [item] = await asked(server.chat(), "To Rome")
        await server.stop(signal.SIGKILL)
    async with running_process(tmp_path) as server:
        await server.process.line("recovered turn")
        chat = server.chat()
        model_server.reply("I will try again.")
        assert (await answer(chat, item, r1f0="Window", r1f1="2")).text == "I will try again."
    assert "Window" in str(model_server.requests[-1].body["messages"])


class Carried:
    """Carries events between the processes of a test."""

    def __init__(self) -> None:
        self.log = MemoryEventLog()

    @hookimpl
    def event_log(self) -> MemoryEventLog:
        return MemoryEventLog(self.log)


@pytest.fixture(params=["database", "events"])
async def two(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    model_server: ModelServer,
    make_chat: MakeChat,
    waiting: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Chat, Chat]:
    """Two processes of one deployment, with its database alone, or with an event log."""
    # Heartbeats carry what one tells the other. No process dies, whatever the load
    timing = HeartbeatTiming(beat=0.1, stale=30.0)
    monkeypatch.setattr(HeartbeatTiming, "of", lambda stale: timing)
    sections = with_flights(model_server, waiting)
    sections["plugins"]["tortoise_store"] = {"url": new_url("sqlite", tmp_path)}
    plugins = [] if request.param == "database" else [Carried()]
    return await connected(await make_chat(*plugins, **sections)), await make_chat(
        *plugins, **sections
    )


async def test_the_answer_may_come_to_another_process(
    two: tuple[Chat, Chat], model_server: ModelServer
) -> None:
    one, other = two
    model_server.reply(BOOK)
    model_server.reply("Booked.")
    first = await one.say("To Rome")
    [item] = first.done("structured_input")
    turn_id = first.response.headers["X-Turn-Id"]
    place = f"{other.path}/turns/{turn_id}/events"
    # A page that was loaded anew there, and has all until the question
    resumed = await other.client.get(place, headers={"Last-Event-ID": first.ids[-1]})
    body = submission(item, r1f0="Window", r1f1="2")
    rest = await other.read(await other.post(body))
    assert rest.response.headers["X-Turn-Id"] == turn_id
    page = Page().show(*first.data, *rest.data)
    assert page.texts == ["To Rome", "Booked."]
    assert page.errors == []
    [shown] = [one for one in page.items.values() if one["type"] == "structured_input"]
    assert [one["answer"]["values"] for one in shown["inputs"]] == [["Window"], ["2"], []]
    assert (await other.read(resumed)).text == "", "one stream has the rest"
    assert told(model_server) == [BOOKED["now"]]
    assert await other.refused(submission(item, r1f0="Aisle")) == (409, SUBMITTED)


async def test_an_answer_that_is_sent_again_to_another_process(
    two: tuple[Chat, Chat], model_server: ModelServer
) -> None:
    one, other = two
    gate = Gate()
    model_server.reply(BOOK)
    model_server.reply("Book", gate, "ed.")
    first = await one.say("To Rome")
    [item] = first.done("structured_input")
    lost = await other.post(submission(item, r1f0="Window", r1f1="2"))
    await gate.reached()
    lost.close()
    again = asyncio.create_task(other.post(submission(item, r1f0="Window", r1f1="2")))
    refused = await other.refused(submission(item, r1f0="Aisle"))
    assert refused == (409, SUBMITTED)
    response = await again
    gate.open()
    rest = await other.read(response)
    assert Page().show(*first.data, *rest.data).texts == ["To Rome", "Booked."]
    assert told(model_server) == [BOOKED["now"]]


async def test_a_question_that_is_wrongly_answered_elsewhere_is_asked_again(
    two: tuple[Chat, Chat], model_server: ModelServer
) -> None:
    one, other = two
    model_server.reply(BOOK)
    model_server.reply("Booked.")
    first = await one.say("To Rome")
    [item] = first.done("structured_input")
    second = await other.read(await other.post(submission(item, r1f0="Window", r1f1="77")))
    items = Page().show(*first.data, *second.data).items.values()
    [_, asked_again] = [one for one in items if one["type"] == "structured_input"]
    # at yet another process: the first one
    name = asked_again["inputs"][0]["id"]
    rest = await one.read(await one.post(submission(asked_again, **{name: "2"})))
    assert Page().show(*first.data, *second.data, *rest.data).texts[-1] == "Booked."
