"""Agents that the settings take from a module: objects, and functions that return one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from chatkit_server import SettingsError
from chatkit_server.agent.team.guardrails import Guardrails
from chatkit_server.agent.team.team import Team
from chatkit_server.cli.main import main
from chatkit_server.masking import SECRETS
from chatkit_server.settings.load import load
from chatkit_server.testing.model_server import Call, ModelServer
from tests.conftest import MakeChat
from tests.serving import served_by

MODULE = """
    from __future__ import annotations
    from dataclasses import dataclass
    from agents import Agent, ModelSettings, function_tool, handoff, input_guardrail
    from my_app.words import GREETING

    @function_tool
    def refund() -> str:
        "Refund."
        return "refunded"

    @function_tool
    def look_up() -> str:
        "Look something up."
        return "found"

    @dataclass
    class Price:
        euros: int

    billing = Agent(name="Billing desk", instructions="You are billing.", tools=[refund])
    stock = Agent(name="Stock", instructions="You are stock.", tools=[look_up])
    priced = Agent(name="Pricer", instructions="You are the pricer.", output_type=Price)
    triage = Agent(
        name="Front",
        instructions=GREETING,
        model="test/of-module",
        model_settings=ModelSettings(temperature=0.3, max_tokens=50),
        handoffs=[billing, handoff(stock, tool_name_override="ask_stock")],
    )
    billing.handoffs = [triage]
    stock.handoffs = [triage]

    made = 0

    no_model = Agent(name="No model", instructions="You have none.")

    def once():
        global made
        made += 1
        return Agent(name="Once", instructions=f"You were made {made} times.")

    def for_user(turn):
        return Agent(name="Yours", instructions=f"You are of {turn.user.id}.", tools=[refund])

    async def later():
        return Agent(name="Later", instructions="You are late.")

    def twins():
        return Agent(name="A", handoffs=[Agent(name="B"), Agent(name="B")])

    def same_tools():
        return Agent(name="A", handoffs=[Agent(name="b c"), Agent(name="b_c")])

    def nothing():
        return None

    def broken():
        raise ValueError("no")

    def broken_later(turn):
        raise ValueError("no")

    def two_arguments(a, b):
        return billing

    number = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    package = tmp_path / "my_plugins" / "my_app"
    package.mkdir(parents=True)
    (package / "agents.py").write_text(dedent(MODULE), encoding="utf-8")
    (package / "words.py").write_text('GREETING = "You are the front."\n', encoding="utf-8")
    (package / "wrong.py").write_text("import missing_module\n", encoding="utf-8")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("chatkit_plugin_file"):
            del sys.modules[name]


def sections(server: ModelServer, folder: Path, agents: Any = None, **agent: Any) -> dict[str, Any]:
    given = served_by(server)
    if "model" not in agent:
        del given["agent"]["model"]
    given["agent"] |= agent
    return {**given, "agents": agents or {}, "plugin_dirs": [str(folder / "my_plugins")]}


def instructions(server: ModelServer) -> list[str]:
    return [request.body["messages"][0]["content"] for request in server.requests]


async def test_an_agent_of_a_module_with_all_that_it_has(
    make_chat: MakeChat, model_server: ModelServer, folder: Path
) -> None:
    given = sections(model_server, folder, **{"from": "my_app.agents:triage"})
    chat = await make_chat(**given)
    model_server.reply(Call("transfer_to_billing_desk"))
    model_server.reply(Call("refund"))
    model_server.reply("Done.")
    streamed = await chat.say("My money")
    assert streamed.text == "Done."
    assert instructions(model_server) == ["You are the front.", *["You are billing."] * 2]
    first = model_server.requests[0].body
    assert (first["model"], first["temperature"], first["max_tokens"]) == ("of-module", 0.3, 50)
    model_server.reply(Call("transfer_to_front"))
    model_server.reply(Call("ask_stock"))
    model_server.reply("There is some.")
    await chat.say("Is there more?", streamed.thread_id)
    model_server.reply("Yes.")
    await chat.say("Sure?", streamed.thread_id)
    assert instructions(model_server)[3:] == [
        "You are billing.",
        "You are the front.",
        "You are stock.",
        "You are stock.",
    ]


async def test_other_keys_override_only_what_they_set(
    make_chat: MakeChat, model_server: ModelServer, folder: Path
) -> None:
    agents = {
        "billing": {"from": "my_app.agents:billing", "instructions": "Bill {user_name}."},
        "more": {"instructions": "You are more."},
    }
    given = sections(
        model_server,
        folder,
        agents,
        **{"from": "my_app.agents:triage", "model": "test/other", "handoffs": ["more", "billing"]},
        model_settings={"temperature": 0.9},
    )
    chat = await make_chat(**given)
    # What the module hands over to is the agent of the settings that was made of it
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply("Hello.")
    await chat.say("Go")
    assert instructions(model_server) == ["You are the front.", "Bill Somebody."]
    body = model_server.requests[0].body
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("other", 0.9, 50)
    tools = {tool["function"]["name"] for tool in body["tools"]}
    assert tools == {"transfer_to_billing", "ask_stock", "transfer_to_more"}
    own = {tool["function"]["name"] for tool in model_server.requests[1].body["tools"]}
    assert own == {"refund", "transfer_to_front"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("once", ["You were made 1 times."] * 2),
        ("for_user", ["You are of somebody."] * 2),
        ("later", ["You are late."] * 2),
    ],
)
async def test_functions_that_return_agents(
    make_chat: MakeChat, model_server: ModelServer, folder: Path, name: str, told: list[str]
) -> None:
    given = sections(model_server, folder, model="test/any", **{"from": f"my_app.agents:{name}"})
    chat = await make_chat(**given)
    await chat.say("Hello")
    await chat.say("Hello again")
    assert instructions(model_server) == told


async def test_a_function_that_fails_in_a_turn(
    make_chat: MakeChat, model_server: ModelServer, folder: Path, caplog: Any
) -> None:
    given = sections(
        model_server, folder, model="test/any", **{"from": "my_app.agents:broken_later"}
    )
    chat = await make_chat(**given)
    status, message = await chat.refused({"messages": [{"role": "user", "content": "Hi"}]})
    assert (status, message) == (500, "Something went wrong on the server. Try again later.")
    assert "my_app.agents:broken_later" in caplog.text


async def test_what_an_agent_answers_may_have_a_type(
    make_chat: MakeChat, model_server: ModelServer, folder: Path
) -> None:
    given = sections(model_server, folder, model="test/any", **{"from": "my_app.agents:priced"})
    chat = await make_chat(**given)
    model_server.reply('{"euros": 7}')
    assert (await chat.say("How much?")).text == '{"euros": 7}'
    assert model_server.requests[0].body["response_format"]["type"] == "json_schema"


Told = Callable[[str], list[str]]


@pytest.fixture
def told(folder: Path) -> Told:
    """Return what is wrong with the agents and guardrails of a settings text."""

    def told(text: str) -> list[str]:
        file = folder / "settings.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        settings = load(file, {})
        with pytest.raises(SettingsError) as caught:
            Guardrails(settings).check_agents(Team(settings).names or (), settings)
        return str(caught.value).replace(f"{folder}/", "").splitlines()

    return told


MISTAKES = {
    "agent: {handoffs: [biling]}\nagents: {billing: {instructions: B}}": [
        "settings.yaml:1: agent.handoffs: there is no agent `biling`. Did you mean `billing`?",
        "Known: billing",
    ],
    "agents: {billing: {instructions: B, handoffs: [billing]}}": [
        "settings.yaml:1: agents.billing.handoffs: `billing` is the agent itself",
    ],
    "agents: {a: {instructions: A, agent_tools: [b]}, b: {instructions: B, agent_tools: [a]}}": [
        "agents.a.agent_tools: `a` would be asked by the agents that it asks",
    ],
    "agents: {Assistant: {instructions: A}}": ["agents.Assistant: this is the name of `agent` too"],
    "agent: {from: 'my_app.nowhere:x'}": [
        "settings.yaml:1: agent.from: the module `my_app.nowhere` cannot be imported",
        "my_plugins/my_app has no module `nowhere`",
    ],
    "agent: {from: 'my_app.agent:x'}": ["has no module `agent`. Did you mean `agents`?"],
    "agent: {from: 'nowhere.agents:x'}": ["No module named 'nowhere'", "my_plugins"],
    "agent: {from: 'my_app.wrong:x'}": [
        "cannot be imported",
        "my_app/wrong.py:1",
        "missing_module",
    ],
    "agent: {from: 'my_app.agents:tirage'}": ["has no `tirage`. Did you mean `triage`?"],
    "agent: {from: 'my_app.agents:number'}": [
        "expected an agents.Agent, or a function that returns one",
        "but `my_app.agents:number` is int",
    ],
    "agent: {from: 'my_app.agents:Price'}": ["is the class Price"],
    "agent: {from: 'my_app.agents:nothing'}": ["`my_app.agents:nothing` returned NoneType"],
    "agent: {from: 'my_app.agents:broken'}": ["the function failed", "ValueError: no"],
    "agent: {from: 'my_app.agents:two_arguments'}": [
        "is called without arguments, or with the turn"
    ],
    "agent: {from: 'my_app.agents:twins'}": ["agent.from", "have the name `B`"],
    "agent: {from: 'my_app.agents:same_tools'}": ["two handoffs with the tool `transfer_to_b_c`"],
    "agent: {from: 'my_app.agents:triage'}\nagents: {Stock: {instructions: S}}": [
        "have the name `Stock`",
    ],
    "agents: {billing: {instructions: B, model_settings: {temprature: 1}}}": [
        "agents.billing.model_settings.temprature: unknown key. Did you mean `temperature`?",
    ],
    "guardrails: {a: {from: 'my_app.agents:once'}}": [
        "guardrails.a.from: expected a guardrail of the Agents SDK",
        "@input_guardrail",
    ],
    "guardrails: {a: {agents: [assistent]}}": [
        "guardrails.a.agents: there is no agent `assistent`. Did you mean `Assistant`?",
    ],
}


@pytest.mark.parametrize(("text", "words"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_what_cannot_work_stops_the_start(told: Told, text: str, words: list[str]) -> None:
    [line] = told(text)
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agent: {from: my_app}", "agent.from: expected `module:attribute`"),
        ("agents: {billing: {}}", "agents.billing: write its `instructions`, or where it is found"),
        ("agents: {billing: {instructions: B, handoff: [a]}}", "Did you mean `handoffs`?"),
        ("guardrails: {a: {form: 'x:y'}}", "Did you mean `from`?"),
        (
            "guardrails: {a: {show: toast}}",
            "guardrails.a.show: Input should be 'error' or 'message'",
        ),
    ],
)
def test_what_is_no_such_setting(folder: Path, text: str, words: str) -> None:
    file = folder / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=re.escape(words)):
        load(file, {})


def test_a_module_beside_the_settings_file(folder: Path) -> None:
    (folder / "own_agents.py").write_text(
        "from agents import Agent\nhelper = Agent(name='Helper')\n", encoding="utf-8"
    )
    file = folder / "settings.yaml"
    file.write_text("agent: {from: 'own_agents:helper'}", encoding="utf-8")
    assert Team(load(file, {})).names == ["Helper"]


def test_a_module_that_finds_itself_installed_is_imported_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = """
        import sys
        from agents import Agent, handoff
        sys.path.append(FOLDER)  # as litellm does
        helper = Agent(name="Helper")
        front = Agent(name="Front", handoffs=[handoff(helper)])
    """
    text = dedent(module).replace("FOLDER", repr(str(folder)))
    (folder / "sly_agents.py").write_text(text, encoding="utf-8")
    file = folder / "settings.yaml"
    file.write_text("agent: {from: 'sly_agents:front'}\nagents: {aid: {from: 'sly_agents:helper'}}")
    assert Team(load(file, {})).names == ["Front", "aid"]


def test_an_agent_that_is_wrong_is_told_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "settings.yaml"
    text = "agent: {handoffs: [a, b]}\nagents: {a: {}, b: {instructions: B, tols: []}}\n"
    plugins = "plugins: {anonymous_auth: , demo_model: , tortoise_store: }\n"
    file.write_text(text + plugins, encoding="utf-8")
    assert main(["check", "--settings", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2:4] for line in lines if "agents" in line] == [
        ["agents.a", "write its `instructions`, or where it is found"],
        ["agents.b.tols", "unknown key. Did you mean `tools`? Known here"],
    ]
    assert len(lines) == 2


def test_the_name_of_an_agent_makes_no_secret(folder: Path) -> None:
    file = folder / "settings.yaml"
    agents = "agents: {password_reset: {model: demo/todo, instructions: Reset.}}\n"
    guardrails = "guardrails: {secrets: {words: I may not say that.}}"
    file.write_text(agents + guardrails, encoding="utf-8")
    load(file, {})
    told = "demo/todo says: I may not say that."
    assert SECRETS.mask(told) == told


def test_a_guardrail_without_effect_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = folder / "settings.yaml"
    file.write_text("guardrails: {a: {}, b: {words: No., tools: [x]}, c: {show: error}}")
    Guardrails(load(file, {}))
    places = [record.getMessage().split(": ")[1] for record in caplog.records]
    assert places == ["guardrails.a", "guardrails.b.tools"]


@pytest.mark.parametrize("name", ["my_app.agents:no_model", "my_app.agents:once"])
async def test_the_model_of_an_agent_that_names_none_is_checked(
    make_chat: MakeChat, model_server: ModelServer, folder: Path, name: str
) -> None:
    given = sections(model_server, folder, **{"from": name})
    with pytest.raises(SettingsError, match="no enabled plugin serves the model `demo/todo`"):
        await make_chat(**given)
