"""Approvals, questions and client tools of one answer, and what a later message makes of them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from agents import Agent

from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.turns.claim import Claims
from chatkit_server.web.keys import ENGINE
from tests.approving import asked as approvals
from tests.approving import click, replaced, shown
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.serving import served_by
from tests.test_approvals import ANN, SENT, mailer, no_mails
from tests.test_asking import answer, asked, locate, output, size, submission
from tests.test_turns import Tools, told

__all__ = ["no_mails"]

WINDOWS = pytest.mark.parametrize("items", [1, 50])
"""However little the model gets of what came before, what waits is found."""


@WINDOWS
async def test_an_approval_beside_a_question_and_a_client_tool(
    make_chat: MakeChat, model_server: ModelServer, items: int
) -> None:
    sections = served_by(model_server, show_tools="tasks", history={"items": items})
    chat = await make_chat(Tools(size, locate, mailer()), **sections)
    model_server.reply(Call("size"), ANN, Call("locate"))
    [widget] = approvals(await chat.say("A shirt"))
    going_on = await click(chat, widget)
    assert SENT == ["ann"]
    [question] = going_on.done("structured_input")
    [_] = going_on.done("client_tool_call")
    assert (await answer(chat, question, q1="M")).text == ""
    assert len(model_server.requests) == 1
    model_server.reply("Fine.")
    assert (await output(chat, question["thread_id"], {"lat": 7})).text == "Fine."
    size_m = json.dumps({"question": "Which size?", "answer": "M"})
    tools = [text for role, text in told(model_server.requests[-1]) if role == "tool"]
    assert tools == [size_m, "sent to ann", '{"lat": 7}']
    assert SENT == ["ann"]


@WINDOWS
async def test_a_message_ends_all_that_waits(
    make_chat: MakeChat, model_server: ModelServer, items: int
) -> None:
    sections = served_by(model_server, history={"items": items})
    chat = await make_chat(Tools(size, mailer()), **sections)
    model_server.reply(Call("size"), Call("size"))
    questions = await asked(chat, "Two shirts")
    thread_id = questions[0]["thread_id"]
    model_server.reply(ANN, ANN)
    await chat.say("Write instead", thread_id)
    stored = {item["id"]: item for item in await shown(chat, thread_id)}
    assert [stored[item["id"]]["status"] for item in questions] == ["skipped"] * 2
    model_server.reply("As you like.")
    said = await chat.say("Never mind", thread_id)
    assert replaced(said) == ["Not approved: you wrote something else."] * 2


async def test_a_workflow_goes_on_after_a_client_tool_with_its_time(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    sections = served_by(model_server, show_tools="tasks")
    chat = await make_chat(Tools(locate, mailer(needs_approval=False)), **sections)
    model_server.reply(ANN, Call("locate"))
    thread_id = (await chat.say("Write")).thread_id
    model_server.reply("Fine.")
    [workflow] = (await output(chat, thread_id, {"lat": 7})).done("workflow")
    assert workflow == (await shown(chat, thread_id))[1]


@pytest.mark.parametrize("what", ["question", "client tool"])
async def test_the_same_answer_again_does_not_stop_the_first(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    chat = await make_chat(Tools(size, locate), **served_by(model_server))
    model_server.reply(Call("size") if what == "question" else Call("locate"))
    streamed = await chat.say("A shirt")
    if what == "question":
        body = submission(streamed.done("structured_input")[0], q1="M")
    else:
        params = {"thread_id": streamed.thread_id, "result": {"lat": 7}}
        body = {"type": "threads.add_client_tool_output", "params": params}
    gate, both, claim = Gate(), asyncio.Barrier(2), Claims.claim

    async def late(self: Claims, *given: Any) -> Any:
        # Both were sent before one was saved
        if await both.wait():
            await gate.reached()
        return await claim(self, *given)

    monkeypatch.setattr(Claims, "claim", late)
    model_server.reply("Fine", gate, ".")
    given = [asyncio.create_task(chat.post(body)) for _ in range(2)]
    await gate.reached()
    slot = chat.client.app[ENGINE].turns._slots[streamed.thread_id]
    await until(lambda: slot.claims == 2)
    gate.open()
    one, two = sorted([await task for task in given], key=lambda response: response.status)
    assert (one.status, two.status) == (200, 409)
    assert (await chat.read(one)).text == "Fine."
    assert len(model_server.requests) == 2


async def test_each_approval_lets_the_model_take_as_many_steps_again(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Tools(mailer()), **served_by(model_server, max_turns=2))
    model_server.reply(ANN)
    [widget] = approvals(await chat.say("Write three times"))
    for _ in range(2):
        model_server.reply(ANN)
        [widget] = approvals(await click(chat, widget))
    model_server.reply(Call("nothing"))
    model_server.reply(Call("nothing"))
    too_many = await click(chat, widget)
    assert too_many.error is not None
    assert SENT == ["ann"] * 3


async def test_an_agent_that_is_a_tool_asks_and_needs_an_approval(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    tailor = Agent("Tailor", instructions="You are the tailor.", tools=[size, mailer()])
    chat = await make_chat(Tools(tailor.as_tool("tailor", "Shirts")), **served_by(model_server))
    model_server.reply(Call("tailor", '{"input": "a shirt"}'))
    model_server.reply(Call("size"), ANN)
    [widget] = approvals(await chat.say("A shirt"))
    [question] = (await click(chat, widget)).done("structured_input")
    assert SENT == ["ann"]
    model_server.reply("Fine.")
    assert (await answer(chat, question, q1="M")).text == "Fine."
    assert len(model_server.requests) == 3
    size_m = json.dumps({"question": "Which size?", "answer": "M"})
    assert ("tool", size_m) in told(model_server.requests[-1])
