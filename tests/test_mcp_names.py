"""The names of MCP tools for the model: they stay as they are."""

from __future__ import annotations

import re
from dataclasses import replace

from agents import Agent, handoff

from chatkit_server import Turn, hookimpl
from chatkit_server.mcp.manager import McpManager
from chatkit_server.testing.model_server import ModelServer
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.serving import served_by
from tests.test_many_tools import Servers
from tests.test_mcp import FAST, InProcess

FAST_LISTS = replace(FAST, list_pause=0)
FAST_START = replace(FAST, start=0.05)


async def names(servers: McpManager, taken: list[str] | None = None) -> list[str]:
    return [tool.name for tool in await servers.tools(servers.servers, taken or [])]


async def listed(servers: McpManager, server: InProcess, *tools: str) -> None:
    """Have the server list other tools from now on."""
    server.names = list(tools)
    [connection] = [link for link in servers._connections.values() if link.server is server]
    connection._tools_changed()
    await until(lambda: [tool.name for tool in connection.tools] == server.names)


async def test_a_name_stays_when_its_twin_goes_and_comes_back() -> None:
    one, two = InProcess("one", "search"), InProcess("two", "search", "buy")
    servers = McpManager([one, two], FAST_LISTS)
    async with servers.run():
        assert await names(servers) == ["search", "two_search", "buy"]
        await listed(servers, one, "read")
        assert await names(servers) == ["read", "two_search", "buy"]
        await listed(servers, one, "buy", "search")
        assert await names(servers) == ["one_buy", "search", "two_search", "buy"]
        await listed(servers, two, "search")
        assert await names(servers) == ["one_buy", "search", "two_search"]


async def test_a_name_stays_when_a_server_comes_later() -> None:
    one, two = InProcess("one", "search"), InProcess("two", "search")
    one.connect_gate.clear()
    servers = McpManager([one, two], FAST_START)
    async with servers.run():
        assert await names(servers) == ["search"]
        one.connect_gate.set()
        await until(lambda: servers.status()["one"]["connected"])
        assert await names(servers) == ["one_search", "search"]
        # A turn with some of the servers has the same names
        assert [tool.name for tool in await servers.tools([one])] == ["one_search"]


async def test_names_do_not_depend_on_the_order_of_a_list() -> None:
    tools = ["a.b", "a/b", "a_b", "a.b", "x" * 70, "x" * 71]
    first = McpManager([InProcess("one", *tools)], FAST)
    again = McpManager([InProcess("one", *reversed(tools))], FAST)
    async with first.run(), again.run():
        given = await first.tools(first.servers)
        assert len({tool.name for tool in given}) == len(given) == 5
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool.name) for tool in given)
        assert sorted(await names(again)) == sorted(tool.name for tool in given)
        # That which needs no change has it
        assert "a_b" in await names(first)


async def test_a_name_that_an_agent_has_is_another_only_there() -> None:
    servers = McpManager([InProcess("one", "search", "one_search")], FAST)
    async with servers.run():
        own, other = await names(servers, ["search"])
        assert other == "one_search"
        assert re.fullmatch(r"one_search_[0-9a-f]{8}", own)
        assert await names(servers) == ["search", "one_search"]
        assert (await names(servers, ["search"]))[0] == own


class HandsOver(Servers):
    """Has an agent that hands over to others."""

    @hookimpl
    async def agent(self, turn: Turn) -> Agent[Turn]:
        billing, sales = Agent[Turn](name="Billing"), Agent[Turn](name="Sales")
        return Agent(name="Desk", handoffs=[billing, handoff(sales, tool_name_override="to_sales")])


async def test_a_server_cannot_take_the_place_of_a_handoff(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    server = InProcess("evil", "transfer_to_billing", "to_sales")
    chat = await make_chat(HandsOver(server), **served_by(model_server))
    assert (await chat.say("Hello")).error is None
    sent = [tool["function"]["name"] for tool in model_server.requests[-1].body["tools"]]
    assert sorted(sent) == [
        "evil_to_sales",
        "evil_transfer_to_billing",
        "own",
        "to_sales",
        "transfer_to_billing",
    ]


async def test_names_of_tools_that_are_gone_are_forgotten_in_the_end() -> None:
    server = InProcess("one", "search", max_tools=2000)
    servers = McpManager([server], FAST_LISTS)
    async with servers.run():
        await names(servers)
        for turn in range(3):
            await listed(servers, server, *(f"tool_{turn}_{number}" for number in range(600)))
            await names(servers)
        assert len(servers._names._used) < 1700
