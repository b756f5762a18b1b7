"""MCP servers that ask the user in the middle of a tool call, by both protocols."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import MakeChat
from tests.mcp_asking import AskingServer
from tests.model_server import Call, ModelServer
from tests.serving import served_by
from tests.test_asking import answer


@pytest.fixture
async def flights() -> AsyncIterator[AskingServer]:
    server = AskingServer("flights")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def old_flights() -> AsyncIterator[AskingServer]:
    server = AskingServer("flights", legacy=True)
    await server.start()
    yield server
    await server.stop()


def with_mcp(model_server: ModelServer, url: str, **config: Any) -> dict[str, Any]:
    sections = served_by(model_server)
    sections["plugins"]["mcp_servers"] = {"servers": [{"name": "flights", "url": url, **config}]}
    return sections


def tool_outputs(server: ModelServer) -> list[str]:
    messages = server.requests[-1].body["messages"]
    return [m["content"] for m in messages if m["role"] == "tool"]


async def test_a_call_is_made_again_with_the_answers(
    make_chat: MakeChat, model_server: ModelServer, flights: AskingServer
) -> None:
    chat = await make_chat(**with_mcp(model_server, flights.url))
    model_server.reply(Call("book", {"city": "Rome"}))
    streamed = await chat.say("To Rome")
    [item] = streamed.done("structured_input")
    print(json.dumps(item, indent=1))
    model_server.reply("Booked.")
    answered = await answer(chat, item, r1f0="Window", r1f1="2")
    assert answered.text == "Booked."
    told = "accept {'seat': 'w', 'bags': 2, 'meal': False} state of Rome"
    assert tool_outputs(model_server) == [told]
    model_server.reply("Yes.")
    await chat.say("Really?", item["thread_id"])
    assert tool_outputs(model_server) == [told]


async def test_a_running_call_waits_for_the_answer(
    make_chat: MakeChat, model_server: ModelServer, old_flights: AskingServer
) -> None:
    chat = await make_chat(**with_mcp(model_server, old_flights.url))
    model_server.reply(Call("book", {"city": "Rome"}))
    streamed = await chat.say("To Rome")
    [item] = streamed.done("structured_input")
    model_server.reply("Booked.")
    answered = await answer(chat, item, r1f0="Window", r1f1="2")
    assert answered.text == "Booked."
    told = "accept {'seat': 'w', 'bags': 2, 'meal': False}"
    assert tool_outputs(model_server) == [told]
    model_server.reply("Yes.")
    await chat.say("Really?", item["thread_id"])
    assert tool_outputs(model_server) == [told]
