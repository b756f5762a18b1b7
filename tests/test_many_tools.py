"""More tools than a model takes in one request: a warning, and the first ones are sent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, ModelProvider, OpenAIResponsesModel, function_tool
from agents.mcp import MCPServer
from agents.testing import ScriptedModel, assistant_message

from chatkit_server import Turn, hookimpl
from chatkit_server.agent.models import max_tools
from chatkit_server.testing.model_server import ModelServer
from tests.conftest import MakeChat
from tests.processes import environment
from tests.serving import served_by
from tests.test_cli import SETTINGS, ended
from tests.test_mcp import InProcess

MANY = "the MCP servers have 150 tools (files 100, shop 50), and the model takes 128"


def server(name: str, count: int) -> InProcess:
    return InProcess(name, *(f"{name}_{number}" for number in range(count)))


@function_tool
async def own() -> str:
    """A tool of a plugin."""
    return ""


class Servers:
    """Brings two servers to every turn, and a tool of its own."""

    def __init__(self, *servers: MCPServer) -> None:
        self.servers = list(servers)

    @hookimpl
    def mcp_servers(self) -> list[MCPServer]:
        return self.servers

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(own)


async def test_the_first_tools_are_sent(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chatkit_server")
    chat = await make_chat(
        Servers(server("files", 100), server("shop", 50)), **served_by(model_server)
    )
    assert MANY in caplog.text
    assert (await chat.say("Hello")).error is None
    sent = [tool["function"]["name"] for tool in model_server.requests[-1].body["tools"]]
    assert sent == [
        "own",
        *(f"files_{number}" for number in range(100)),
        *(f"shop_{number}" for number in range(27)),
    ]
    assert "has 151 tools, and the model takes 128; left out: shop_27, shop_28" in caplog.text


@pytest.mark.parametrize("count", [28, 27])
async def test_as_many_as_a_model_takes_are_no_news(
    make_chat: MakeChat,
    model_server: ModelServer,
    caplog: pytest.LogCaptureFixture,
    count: int,
) -> None:
    caplog.set_level("INFO", "chatkit_server")
    servers = Servers(server("files", 100), server("shop", count))
    chat = await make_chat(servers, **served_by(model_server))
    await chat.say("Hello")
    assert len(model_server.requests[-1].body["tools"]) == min(101 + count, 128)
    assert "the MCP servers have" not in caplog.text
    assert ("left out" in caplog.text) is (count == 28)


@pytest.mark.parametrize(("most", "sent"), [(None, 151), (10, 10)])
async def test_a_model_may_say_how_many_it_takes(
    make_chat: MakeChat, most: int | None, sent: int
) -> None:
    class Provider(ModelProvider):
        def get_model(self, model_name: str | None) -> ScriptedModel:
            return model

        @hookimpl
        def model_providers(self) -> dict[str, ModelProvider]:
            return {"sdk": self}

    model = ScriptedModel([[assistant_message("Hello.")]])
    vars(model)["max_tools"] = most
    servers = Servers(server("files", 100), server("shop", 50))
    chat = await make_chat(Provider(), servers, agent={"model": "sdk/any"})
    assert (await chat.say("Hello")).error is None
    assert len(model.calls[0].tools) == sent


async def test_agents_to_hand_over_to_count_as_tools(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Handing:
        @hookimpl
        async def agent(self, turn: Turn) -> Agent[Turn]:
            return Agent(name="a", handoffs=[Agent(name="other")])

    chat = await make_chat(Handing(), Servers(server("files", 150)), **served_by(model_server))
    assert (await chat.say("Hello")).error is None
    names = [tool["function"]["name"] for tool in model_server.requests[-1].body["tools"]]
    assert len(names) == 128
    assert "transfer_to_other" in names


def test_openai_takes_128() -> None:
    client: Any = object()
    assert max_tools(OpenAIResponsesModel("gpt-5", client)) == 128
    assert max_tools(ScriptedModel()) is None


PLUGIN = """
from chatkit_server import hookimpl
from tests.test_many_tools import server

@hookimpl
def mcp_servers():
    return [server("files", 100), server("shop", 50)]
"""


async def test_check_warns_too(tmp_path: Path) -> None:
    shutil.copy(SETTINGS, tmp_path)
    plugins = tmp_path / "many"
    plugins.mkdir()
    (plugins / "many_tools.py").write_text(PLUGIN)
    settings = tmp_path / "settings.yaml"
    more = "  compatible_models: {endpoints: {x: {base_url: 'http://127.0.0.1:1/v1'}}}\n"
    settings.write_text(f"{settings.read_text()}{more}  many_tools:\nplugin_dirs: [many]\n")
    env = {**environment(), "CHATKIT_AGENT__MODEL": "x/any"}
    check = await ended(tmp_path, "check", "--online", env=env)
    assert check.status == 1, check
    *_, line = check.errors
    assert line.startswith("warning: the MCP servers have 15")
    assert "files 100, shop 50" in line
    assert "takes 128" in line
