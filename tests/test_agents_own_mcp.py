"""MCP servers that agents of modules have of their own."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from agents.mcp import MCPServer

from chatkit_server import hookimpl
from chatkit_server.testing.model_server import Call, ModelServer
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.test_mcp import InProcess

MODULE = """
    from agents import Agent, handoff
    from tests.test_agents_own_mcp import connected

    stock = Agent(name="Stock", instructions="S", mcp_servers=[connected("shop", "search")])
    front = Agent(name="Front", instructions="F", handoffs=[handoff(stock)])
    stock.handoffs = [front]
"""
CONNECTED: list[str] = []


def connected(name: str, *tools: str) -> InProcess:
    """Return a server that notes when it is connected."""

    class Noted(InProcess):
        async def connect(self) -> None:
            CONNECTED.append(self.name)

    return Noted(name, *tools)


class Wiki:
    @hookimpl
    def mcp_servers(self) -> list[MCPServer]:
        return [connected("wiki", "read")]


async def test_it_is_connected_for_its_agent_alone(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    CONNECTED.clear()
    (tmp_path / "own_mcp.py").write_text(dedent(MODULE), encoding="utf-8")
    given = served_by(model_server, **{"from": "own_mcp:front"})
    chat = await make_chat(Wiki(), **given, plugin_dirs=[str(tmp_path)])
    model_server.reply(Call("transfer_to_stock"))
    model_server.reply(Call("search"))
    model_server.reply("Found.")
    assert (await chat.say("Hi")).text == "Found."
    tools = [{t["function"]["name"] for t in r.body["tools"]} for r in model_server.requests]
    assert tools[0] == {"read", "transfer_to_stock"}
    assert tools[1] == {"search", "transfer_to_front"}
    assert sorted(CONNECTED) == ["shop", "wiki"]
