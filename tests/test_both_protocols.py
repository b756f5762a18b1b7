"""MCP servers that speak both protocols, and can ask the user only by the earlier one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import NoBackChannelError

from chatkit_server.mcp.outbox import Outgoing
from chatkit_server.testing.model_server import Call, ModelServer
from tests.approving import asked as approvals
from tests.approving import click, post_click
from tests.conftest import MakeChat
from tests.databases import new_url
from tests.mcp_asking import AskingServer, build_legacy
from tests.test_asking import answer, asked, submission
from tests.test_elicitation import BOOK, BOOKED, connected, entry, told, with_flights


class Both(AskingServer):
    """A server with sessions for who wants them. It notes what its tool `wonder` does."""

    def build(self) -> MCPServer:
        server = build_legacy(self.name)

        @server.tool()
        async def wonder() -> str:
            """Ask the model of the client."""
            self.notes.append("wondered")
            raise NoBackChannelError("sampling/createMessage")

        return server


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    server = Both("flights")
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_server_that_cannot_ask_is_spoken_to_in_the_earlier_way(
    make_chat: MakeChat, model_server: ModelServer, both: Both, transport: str
) -> None:
    over_http = {"name": "flights", "url": both.url}
    sections = with_flights(model_server, over_http if transport == "http" else entry("both"))
    chat = await connected(await make_chat(**sections))
    model_server.reply(BOOK)
    [item] = await asked(chat, "To Rome")
    model_server.reply("Booked.")
    assert (await answer(chat, item, r1f0="Window", r1f1="2")).text == "Booked."
    assert told(model_server) == [BOOKED["now"]]


async def test_running_calls_ask_one_after_the_other(
    make_chat: MakeChat, model_server: ModelServer, both: Both
) -> None:
    sections = with_flights(model_server, {"name": "flights", "url": both.url})
    chat = await connected(await make_chat(**sections))
    model_server.reply(BOOK, BOOK)
    [one] = await asked(chat, "To Rome, twice")
    [two] = (await answer(chat, one, r1f0="Window", r1f1="2")).done("structured_input")
    model_server.reply("Booked.")
    assert (await answer(chat, two, r1f0="Window", r1f1="2")).text == "Booked."
    assert told(model_server) == [BOOKED["now"]] * 2


async def test_a_message_takes_back_what_was_still_to_be_asked(
    make_chat: MakeChat, model_server: ModelServer, both: Both
) -> None:
    sections = with_flights(model_server, {"name": "flights", "url": both.url})
    chat = await connected(await make_chat(turns={"when_busy": "queue"}, **sections))
    model_server.reply(BOOK, BOOK)
    [one] = await asked(chat, "To Rome, twice")
    model_server.reply("Not booked.")
    model_server.reply("As you like.")
    said = await chat.say("Never mind", one["thread_id"])
    assert said.text == "As you like."
    assert told(model_server) == ["cancel None"] * 2


async def test_a_tool_that_wants_something_else_of_the_client_runs_once(
    make_chat: MakeChat, model_server: ModelServer, both: Both
) -> None:
    sections = with_flights(model_server, {"name": "flights", "url": both.url})
    chat = await connected(await make_chat(**sections))
    model_server.reply(Call("wonder"))
    model_server.reply("It failed.")
    assert (await chat.say("Wonder")).text == "It failed."
    assert both.notes == ["wondered"]
    assert "sampling/createMessage" in told(model_server)[0]


async def test_an_approved_call_waits_on_while_its_server_is_down(
    make_chat: MakeChat, model_server: ModelServer, both: Both, tmp_path: Path
) -> None:
    config = {"name": "flights", "url": both.url, "require_approval": ["wonder"]}
    sections = with_flights(model_server, config)
    sections["plugins"]["tortoise_store"] = {"url": new_url("sqlite", tmp_path)}
    chat = await connected(await make_chat(**sections))
    model_server.reply(Call("wonder"))
    [widget] = approvals(await chat.say("Wonder"))
    await both.stop()
    restarted = await make_chat(**sections)
    assert (await post_click(restarted, widget, "approve")).status == 503
    await both.start()
    await connected(restarted)
    model_server.reply("It failed.")
    assert (await click(restarted, widget)).text == "It failed."
    assert both.notes == ["wondered"]


async def test_an_answer_is_not_lost_while_the_server_that_asked_is_down(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    flights = AskingServer("flights")
    await flights.start()
    sections = with_flights(model_server, {"name": "flights", "url": flights.url})
    sections["plugins"]["tortoise_store"] = {"url": new_url("sqlite", tmp_path)}
    chat = await connected(await make_chat(**sections))
    model_server.reply(Call("nag"))
    [item] = await asked(chat, "Nag")
    await flights.stop()
    restarted = await make_chat(**sections)
    status, _ = await restarted.refused(submission(item))
    assert status == 503
    await flights.start()
    await connected(restarted)
    [again] = (await answer(restarted, item)).done("structured_input")
    assert again["status"] == "pending"
    await flights.stop()


def test_an_earlier_protocol_is_not_tried_for_ever() -> None:
    outgoing = Outgoing(asks=True)
    tried: list[Any] = []
    for _ in range(5):
        tried.append(outgoing.go_back())
        assert not outgoing.go_back()
        outgoing.earlier = False
    assert tried == [True, True, True, False, False]
    assert not Outgoing(asks=False).go_back()
