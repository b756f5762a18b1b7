"""An action lets the agent go on: `turn.go_on`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.types import HiddenContextItem, ThreadItemReplacedEvent, ThreadStreamEvent, WidgetItem
from chatkit.widgets import Card, Text

from chatkit_server import Forbidden, Outcome, Turn, hookimpl
from chatkit_server.testing import ChatClient, Refused, call, mcp_server, open_client, script
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.testing.running import RunningAnswer
from tests.replicas import Start, begin, grow_old

FRIDAY = "The user picked Friday."


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Days:
    """Shows a widget, and lets the agent go on when the user clicks on it."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []
        self.turns: list[Turn] = []

    @hookimpl
    async def action(
        self, turn: Turn, action: Action[str, Any], item: WidgetItem | None
    ) -> AsyncIterator[ThreadStreamEvent] | list[ThreadStreamEvent] | None:
        match action.type:
            case "pick":
                return self.picked(turn, item)
            case "early" | "sync":
                turn.go_on(FRIDAY)
            case "empty":
                turn.go_on(" ")
            case "ask":
                turn.go_on(FRIDAY)
                await turn.ask("Which week?")
        return None

    async def picked(self, turn: Turn, item: WidgetItem | None) -> AsyncIterator[ThreadStreamEvent]:
        if item is not None:
            widget = Card(children=[Text(value="Friday")])
            yield ThreadItemReplacedEvent(item=item.model_copy(update={"widget": widget}))
        turn.go_on(FRIDAY)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.turns.append(turn)
        if turn.message is not None and said(turn) == "show":
            await turn.stream_widget(Card(children=[Text(value="Thursday or Friday?")]))
        if said(turn) == "early":
            turn.go_on("too early")
        if turn.parent_id and turn.thread.title == "refuse":
            raise Forbidden("Not on Fridays.")

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        self.ended.append((turn.operation, outcome.status))


def said(turn: Turn) -> str:
    return "".join(part.text for part in turn.message.content) if turn.message else ""


async def test_the_agent_answers_after_the_events_of_the_action() -> None:
    days = Days()
    model = script("Look.", call("add", a=1, b=2), "Friday it is.", "As I said: Friday.")
    async with open_client({}, [days, mcp_server(add)], model=model) as client:
        shown = await client.say("show")
        widget = next(item for item in shown.items if isinstance(item, WidgetItem))
        answer = await client.act(widget, "pick")
        assert answer.error is None
        assert answer.text == "Friday it is."
        assert [tool.output for tool in answer.tool_calls] == ["3"]
        kinds = [event.type for event in answer.events]
        assert kinds.index("thread.item.replaced") < kinds.index("thread.item.done")
        assert FRIDAY not in repr(answer.events), "the note is hidden"
        assert days.ended[1:] == [("threads.custom_action", "completed")] * 2

        assert (await client.say("When?")).text == "As I said: Friday."
        assert FRIDAY in repr(model.requests[1].input)
        assert FRIDAY in repr(model.requests[-1].input), "later turns know"
        turn = days.turns[1]
        assert (turn.message, turn.parent_id) == (None, answer.turn_id)
        assert isinstance(turn.items[-1], HiddenContextItem)


async def test_an_action_without_events_and_one_place_for_the_user() -> None:
    settings = {"turns": {"limits": {"user": 1}}}
    async with open_client(settings, [Days()], model=script("Hello.", "Friday.", "Yes.")) as client:
        await client.say("Hi")
        assert (await client.act(None, "early")).text == "Friday."
        assert (await client.say("Sure?")).text == "Yes.", "the place was given back once"


async def test_what_refuses_the_answer_is_told_and_the_note_is_not_saved() -> None:
    days = Days()
    model = script("Hello.", "Again.")
    async with open_client({}, [days], model=model) as client:
        await client.say("Hi")
        await client.ask("threads.update", thread_id=client.thread_id, title="refuse")
        refused = await client.act(None, "pick")
        assert refused.error == "Not on Fridays."
        assert days.ended[-2:] == [
            ("threads.custom_action", "refused"),
            ("threads.custom_action", "failed"),
        ]
        await client.say("And now?")
        assert FRIDAY not in repr(model.requests[-1].input)


async def test_an_error_of_the_model_is_told_once() -> None:
    async with open_client({}, [Days()], model=script("Hello.", RuntimeError("no"))) as client:
        await client.say("Hi")
        failed = await client.act(None, "pick")
        assert [event.type for event in failed.events].count("error") == 1


async def test_where_it_is_no_use() -> None:
    async with open_client({}, [Days()], model=script("Hello.", "Hm.")) as client:
        await client.say("Hi")
        with pytest.raises(Refused, match="agent answers the action `sync`: it must not have"):
            await client.act_sync(None, "sync")
        assert (await client.act(None, "empty")).error
        asked = await client.act(None, "ask")
        assert asked.questions
        assert asked.text == "", "the user is asked first"
        with pytest.raises(Refused, match=r"500"):
            await client.say("early")


class Begun:
    """A server whose user has said something, and whose model waits in the middle of an answer."""

    def __init__(self, client: ChatClient, gate: Gate, days: Days) -> None:
        self.client, self.gate, self.days = client, gate, days

    async def click(self) -> RunningAnswer:
        action = {"type": "pick"}
        thread_id = self.client.thread_id
        return await self.client._begin(
            "threads.custom_action", thread_id=thread_id, item_id=None, action=action
        )


@pytest.fixture
async def begun(model_server: ModelServer) -> AsyncIterator[Begun]:
    days, gate = Days(), Gate()
    model_server.reply("Hello.")
    model_server.reply("It is ", gate, "Friday.")
    async with open_client({}, [days], model=model_server) as client:
        await client.say("Hi")
        yield Begun(client, gate, days)


async def test_it_is_resumed_as_any_answer(begun: Begun) -> None:
    answer = await begun.click()
    await answer.until("It is ")
    answer.disconnect()
    begun.gate.open()
    await answer.resume()
    assert (await answer.end()).text == "It is Friday."
    assert len(set(answer.answer.ids)) == len(answer.answer.ids)


async def test_stop_ends_it_and_keeps_what_was_said(begun: Begun) -> None:
    answer = await begun.click()
    await answer.until("It is ")
    stopped = await answer.stop()
    assert stopped.error == "The answer was stopped."
    assert [event.type for event in stopped.events].count("error") == 1
    assert [item.type for item in stopped.items] == ["assistant_message"], "the part that came"
    assert begun.days.ended[1:] == [("threads.custom_action", "cancelled")] * 2


async def test_a_new_message_interrupts_it(begun: Begun, model_server: ModelServer) -> None:
    answer = await begun.click()
    await answer.until("It is ")
    model_server.reply("Never mind.")
    assert (await begun.client.say("Forget it")).text == "Never mind."
    assert (await answer.end()).error == "The answer was stopped."


async def test_it_interrupts_a_running_answer(begun: Begun, model_server: ModelServer) -> None:
    running = await begun.client.begin("Count")
    await running.until("It is ")
    model_server.reply("Friday it is.")
    assert (await (await begun.click()).end()).text == "Friday it is."
    assert (await running.end()).error == "The answer was stopped."
    said = str(model_server.requests[-1].body["messages"])
    assert said.index("It is ") < said.index(FRIDAY), "the note comes after what was said"


async def test_it_is_refused_beside_an_answer_where_messages_are(
    model_server: ModelServer,
) -> None:
    days, gate = Days(), Gate()
    model_server.reply("Hello.")
    model_server.reply("It is ", gate, "Friday.")
    settings = {"turns": {"when_busy": "reject"}}
    async with open_client(settings, [days], model=model_server) as client:
        await client.say("Hi")
        running = await client.begin("Count")
        await running.until("It is ")
        refused = await client.act(None, "pick")
        assert refused.error == "An answer is still being written in this conversation."
        gate.open()
        assert (await running.end()).text == "It is Friday."


async def test_a_tool_in_it_is_approved(model_server: ModelServer) -> None:
    model = script("Hello.", call("add", a=1, b=2), "3 it is.")
    settings = {"agent": {"approval": {"tools": ["add"]}}}
    async with open_client(settings, [Days(), mcp_server(add)], model=model) as client:
        await client.say("Hi")
        asked = await client.act(None, "pick")
        assert (await client.approve(asked)).text == "3 it is."


async def test_a_process_that_dies_leaves_the_note_and_what_was_said(
    start: Start, model_server: ModelServer
) -> None:
    days = Days()
    one, two = await start(days), await start(days)
    model_server.reply("Hello.")
    thread_id = (await one.chat.say("Hi")).thread_id
    gate = Gate()
    model_server.reply("It is ", gate, "Friday.")
    params = {"thread_id": thread_id, "action": {"type": "pick"}}
    answer = await begin(one.chat, {"type": "threads.custom_action", "params": params}, "It is ")
    await one.beat()
    await grow_old()
    await two.sweep()
    assert await two.texts(thread_id) == ["Hi", "Hello.", "It is "]
    assert await two.state(answer.turn_id) == "interrupted"
    model_server.reply("Friday.")
    await two.chat.say("Which day?", thread_id)
    assert FRIDAY in str(model_server.requests[-1].body["messages"])
    gate.open()
