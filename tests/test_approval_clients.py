"""How others than ChatKit's stream approve tool calls: plain clients, actions answered at once."""

from __future__ import annotations

from typing import Any

import pytest

from chatkit_server.testing.model_server import ModelServer
from tests.approving import asked, buttons, click_params, says, shown
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.test_approvals import ANN, BOB, SENT, mailer, no_mails
from tests.test_tools import Has

__all__ = ["no_mails"]


def _line(data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry["approval"] for entry in data if "approval" in entry]


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_a_plain_client_decides(
    make_chat: MakeChat, model_server: ModelServer, decision: str
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply("One moment. ", ANN)
    model_server.reply("Done.")
    streamed = await chat.plain("Write to Ann")
    [approval] = _line(streamed.data)
    assert (approval["name"], approval["arguments"]) == ("send_mail", {"to": "ann"})
    assert "decision" not in approval
    assert streamed.data[-1]["status"] == "completed"
    body = {
        "thread_id": streamed.data[0]["thread_id"],
        "approval": {"id": approval["id"], "decision": decision},
    }
    going_on = await chat.read(await chat.post(body))
    assert going_on.data[0] == streamed.data[0]
    decided = "approved" if decision == "approve" else "denied"
    assert going_on.data[1] == {"approval": {**approval, "decision": decided}}
    assert going_on.text == "Done."
    assert (["ann"] if decision == "approve" else []) == SENT
    again = await chat.read(await chat.post(body, headers={"Idempotency-Key": "another"}))
    assert [list(line) for line in again.data] == [
        ["thread_id"],
        ["widget", "id", "copy_text"],
        list(going_on.data[-1]),
    ]


async def test_a_plain_client_without_a_stream_decides(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply("Both. ", ANN, BOB)
    model_server.reply("Done.")
    body = {"messages": [{"role": "user", "content": "Write"}], "stream": False}
    answer = await (await chat.post(body)).json()
    assert answer["content"] == "Both. "
    assert answer["widgets"] == []
    first, second = answer["approvals"]
    for approval in (first, second):
        decided = {"id": approval["id"], "decision": "approve"}
        given = {"thread_id": answer["thread_id"], "approval": decided, "stream": False}
        last = await (await chat.post(given)).json()
    assert [approval["decision"] for approval in last["approvals"]] == ["approved", "approved"]
    assert last["content"] == "Done."
    assert [call["name"] for call in last["tool_calls"]] == ["send_mail", "send_mail"]


async def test_what_a_plain_client_decides_wrong_is_named(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply(ANN)
    streamed = await chat.say("Write to Ann")
    [item] = asked(streamed)
    [message] = streamed.done("user_message")
    thread_id = streamed.thread_id

    async def refused(approval: Any, **rest: Any) -> tuple[int, str]:
        return await chat.refused({"thread_id": thread_id, "approval": approval, **rest})

    status, message_text = await refused({"id": item["id"], "decision": "yes"})
    assert (status, message_text.partition(":")[0]) == (400, "approval.decision")
    status, message_text = await refused({"id": item["id"], "decision": "deny", "why": ""})
    assert (status, "`why`" in message_text or "why" in message_text) == (400, True)
    assert (await refused({"id": message["id"], "decision": "deny"}))[0] == 400
    assert (await refused({"id": "msg_none", "decision": "deny"}))[0] == 404
    status, _ = await chat.refused({"approval": {"id": item["id"], "decision": "deny"}})
    assert status == 400


async def test_an_action_that_is_answered_at_once_goes_on_too(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("It is sent.")
    [item] = asked(await chat.say("Write to Ann"))
    for decision in ("approve", "deny"):
        answer = await chat.ask("threads.sync_custom_action", **click_params(item, decision))
        assert not buttons(answer["updated_item"])
        assert says(answer["updated_item"]).endswith("Approved")
    assert SENT == ["ann"]
    [*_, answer] = await shown(chat, item["thread_id"])
    assert answer["content"][0]["text"] == "It is sent."
