"""Handoffs that a run says little of: filtered, called beside others, or kept waiting."""

from __future__ import annotations

from typing import Any

import pytest
from agents import Agent, HandoffInputData, function_tool, handoff
from agents.extensions.handoff_filters import remove_all_tools

from chatkit_server import Turn, hookimpl
from chatkit_server.testing.model_server import Call, ModelServer
from tests.approving import asked, click
from tests.client import Streamed
from tests.conftest import MakeChat
from tests.serving import served_by


@function_tool
async def refund() -> str:
    """Refund."""
    return "refunded"


@function_tool(needs_approval=True)
async def pay() -> str:
    """Pay."""
    return "paid"


def nothing_new(data: HandoffInputData) -> HandoffInputData:
    return data.clone(pre_handoff_items=(), new_items=())


class Desk:
    """Hands over to billing, or to stock."""

    def __init__(self, keep: Any = None) -> None:
        self.keep = keep

    @hookimpl
    async def agent(self, turn: Turn) -> Agent[Turn]:
        billing = Agent[Turn](name="billing", instructions="B")
        stock = Agent[Turn](name="stock", instructions="S")
        ways = [handoff(each, input_filter=self.keep) for each in (billing, stock)]
        return Agent[Turn](name="desk", instructions="D", handoffs=[*ways], tools=[refund, pay])


def tasks(streamed: Streamed) -> list[tuple[str, str]]:
    [workflow] = streamed.done("workflow")
    return [(task["title"], task["status_indicator"]) for task in workflow["workflow"]["tasks"]]


def outputs(server: ModelServer) -> list[str]:
    """Return the outputs that the last request has."""
    messages = server.requests[-1].body["messages"]
    return [message["content"] for message in messages if message["role"] == "tool"]


@pytest.mark.parametrize("keep", [remove_all_tools, nothing_new, None])
async def test_a_handoff_is_known_whatever_its_filter_leaves_out(
    make_chat: MakeChat, model_server: ModelServer, keep: Any
) -> None:
    chat = await make_chat(Desk(keep), **served_by(model_server, show_tools="tasks"))
    model_server.reply(Call("refund"), Call("transfer_to_stock"), Call("transfer_to_billing"))
    model_server.reply("Hello.")
    streamed = await chat.say("Hi")
    assert sorted(tasks(streamed)) == [
        ("Refund", "complete"),
        ("Transfer to billing", "none"),
        ("Transfer to stock", "complete"),
    ]
    assert len(outputs(model_server)) == (3 if keep is None else 0)
    model_server.reply("You are welcome.")
    await chat.say("Thanks", streamed.thread_id)
    refunded, to_stock, to_billing = outputs(model_server)
    assert (refunded, to_stock) == ("refunded", '{"assistant": "stock"}')
    assert "handed over" in to_billing or "Multiple handoffs" in to_billing


async def test_a_handoff_that_waits_for_an_approval_does_not_spin(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Desk(), **served_by(model_server, show_tools="tasks"))
    model_server.reply(Call("pay"), Call("transfer_to_stock"))
    streamed = await chat.say("Hi")
    assert tasks(streamed) == [("Transfer to stock", "none")]
    model_server.reply("Paid.")
    after = await click(chat, asked(streamed)[0])
    assert after.text == "Paid."
    model_server.reply("You are welcome.")
    await chat.say("Thanks", streamed.thread_id)
    assert outputs(model_server) == ["paid", '{"assistant": "stock"}']


async def test_the_name_of_a_modules_agent_is_no_warning(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    class Office:
        @hookimpl
        async def agent(self, turn: Turn) -> Agent[Turn]:
            refunds = Agent[Turn](name="Billing & Refunds", instructions="B")
            return Agent[Turn](name="desk", instructions="D", handoffs=[refunds])

    chat = await make_chat(Office(), **served_by(model_server))
    model_server.reply(Call("transfer_to_billing___refunds"))
    model_server.reply("Hello.")
    assert (await chat.say("Hi")).text == "Hello."
    assert caplog.records == []
