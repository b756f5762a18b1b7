"""Several agents of the settings: who answers, who goes on, and what their models are sent."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from agents import RunContextWrapper, function_tool
from agents.mcp import MCPServer
from chatkit.agents import ClientToolCall

from chatkit_server import Outcome, SettingsError, Turn, hookimpl
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Call, ModelServer, Reasoning
from tests.approving import asked, click
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.stage import FLAVOURS
from tests.strict_history import check
from tests.test_mcp import InProcess

TRIAGE, BILLING = "You are triage.", "You are billing."


@function_tool
async def refund(order: str) -> str:
    """Refund an order."""
    return f"refunded {order}"


@function_tool
async def search() -> str:
    """Search."""
    return "found"


@function_tool
async def reveal(ctx: RunContextWrapper[Turn]) -> None:
    """Ask the page where it is."""
    ctx.context.client_tool_call = ClientToolCall(name="locate", arguments={})


class Watch:
    """Adds tools to each turn, and notes how it ends."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools += [refund, search, reveal]

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def two(server: ModelServer, **agent: Any) -> dict[str, Any]:
    """Return sections with triage and billing, which hand over to each other."""
    sections = served_by(
        server, name="Triage", instructions=TRIAGE, handoffs=["billing"], tools=["search"]
    )
    sections["agent"] |= agent
    billing = {
        "instructions": f"{BILLING} For {{user_name}}.",
        "handoff_description": "Invoices and refunds.",
        "handoffs": ["Triage"],
        "tools": ["re*"],
    }
    return {**sections, "agents": {"billing": billing}}


def who(server: ModelServer, number: int = -1) -> str:
    """Return which agent a request is of."""
    messages = server.requests[number].body["messages"]
    for flavour in ("openai", "anthropic", "gemma"):
        assert check(flavour, server.requests[number].body) == []
    return "billing" if BILLING in str(messages[0]) else "triage"


def tools(server: ModelServer, number: int = -1) -> set[str]:
    return {tool["function"]["name"] for tool in server.requests[number].body["tools"]}


async def billed(chat: Chat, server: ModelServer) -> Streamed:
    """Have the conversation handed over to billing."""
    server.reply(Call("transfer_to_billing"))
    server.reply(Call("refund", {"order": "7"}))
    server.reply("Your ", "money is back.")
    return await chat.say("My money, please")


async def test_an_agent_hands_over_and_the_other_one_goes_on(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(watch, **two(model_server))
    streamed = await billed(chat, model_server)
    assert (streamed.text, streamed.error) == ("Your money is back.", None)
    progress = [e["text"] for e in streamed.data if e["type"] == "progress_update"]
    assert progress == ["Transfer to billing…", "Refund…"]
    assert [who(model_server, number) for number in (0, 1, 2)] == ["triage", "billing", "billing"]
    assert tools(model_server, 0) == {"search", "transfer_to_billing"}
    assert tools(model_server, 1) == {"refund", "reveal", "transfer_to_triage"}
    assert "For Somebody." in model_server.requests[1].body["messages"][0]["content"]
    [outcome] = watch.outcomes
    assert (outcome.agent, outcome.model, outcome.guardrail) == ("billing", "test/model", None)
    for text in ("And the other one?", "Thanks"):
        model_server.reply("Fine.")
        await chat.say(text, streamed.thread_id)
        assert who(model_server) == "billing"
    model_server.reply(Call("transfer_to_triage"))
    model_server.reply("Hello again.")
    await chat.say("Something else", streamed.thread_id)
    assert who(model_server) == "triage"
    model_server.reply("Sure.")
    await chat.say("Well", streamed.thread_id)
    assert who(model_server) == "triage"
    assert watch.outcomes[-1].agent == "Triage"


@pytest.mark.parametrize(
    ("agent", "agents"),
    [({"resume": "first"}, None), ({"handoffs": []}, {})],
    ids=["first", "gone"],
)
async def test_the_first_agent_goes_on(
    make_chat: MakeChat, model_server: ModelServer, agent: Any, agents: Any
) -> None:
    store = MemoryStorePlugin()
    streamed = await billed(await make_chat(Watch(), store, **two(model_server)), model_server)
    sections = two(model_server, **agent)
    changed = {**sections, "agents": sections["agents"] if agents is None else agents}
    chat = await make_chat(Watch(), store, **changed)
    model_server.reply("Fine.")
    await chat.say("Thanks", streamed.thread_id)
    assert who(model_server) == "triage"


async def test_who_answers_is_known_in_a_long_conversation(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Watch(), **two(model_server, history={"items": 4}))
    streamed = await billed(chat, model_server)
    for _ in range(5):
        model_server.reply("Fine.")
        await chat.say("And?", streamed.thread_id)
        assert who(model_server) == "billing"


async def test_a_retry_begins_with_the_agent_of_that_time(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Watch(), **two(model_server))
    streamed = await billed(chat, model_server)
    [message] = streamed.done("user_message")
    model_server.reply("Which order?")
    retried = await chat.stream(
        "threads.retry_after_item", thread_id=streamed.thread_id, item_id=message["id"]
    )
    assert (retried.text, who(model_server)) == ("Which order?", "triage")
    model_server.reply("Fine.")
    await chat.say("7", streamed.thread_id)
    assert who(model_server) == "triage"


async def test_agents_with_models_of_their_own(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    """Each model gets its own reasoning back, and not that of another."""
    sections = two(model_server, models=["test/picked"])
    endpoint = {"base_url": model_server.url, "profile": {"reasoning": "reasoning_content"}}
    sections["plugins"]["compatible_models"]["endpoints"] |= {"other": endpoint}
    sections["agents"]["billing"]["model"] = "other/deepseek-reasoner"
    chat = await make_chat(Watch(), **sections)
    model_server.reply(Reasoning("Theirs."), Call("transfer_to_billing"))
    model_server.reply(Reasoning("Mine."), Call("refund", {"order": "7"}))
    model_server.reply("Done.")
    picked: Any = {"inference_options": {"model": "test/picked"}}
    streamed = await chat.say("My money", **picked)
    bodies = [request.body for request in model_server.requests]
    own = "deepseek-reasoner"
    assert [body["model"] for body in bodies] == ["picked", own, own]
    assert "Theirs." not in str(bodies[1:])
    assert "Mine." in str(bodies[2])
    assert check("deepseek", bodies[2]) == []
    model_server.reply(Call("transfer_to_triage"))
    model_server.reply("Hm.")
    await chat.say("Now?", streamed.thread_id, **picked)
    bodies = [request.body for request in model_server.requests]
    assert [body["model"] for body in bodies[3:]] == [own, "picked"]
    assert "Mine." not in str(bodies[4])


async def test_an_agent_asks_another_as_a_tool(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    sections = two(model_server, handoffs=[], agent_tools="billing")
    sections["agents"]["billing"]["handoffs"] = []
    chat = await make_chat(Watch(), **sections)
    model_server.reply(Call("billing", {"input": "Refund 7"}))
    model_server.reply(Call("refund", {"order": "7"}))
    model_server.reply("It is done.")
    model_server.reply("Billing says that it is done.")
    streamed = await chat.say("My money")
    assert streamed.text == "Billing says that it is done."
    assert [who(model_server, number) for number in range(4)] == [
        "triage",
        "billing",
        "billing",
        "triage",
    ]
    offered = [tool["function"] for tool in model_server.requests[0].body["tools"]]
    [asked] = [tool["description"] for tool in offered if tool["name"] == "billing"]
    assert asked == "Invoices and refunds."


@pytest.mark.parametrize("resume", ["last", "first"])
async def test_what_a_client_tool_returns_goes_to_the_agent_that_called_it(
    make_chat: MakeChat, model_server: ModelServer, resume: str
) -> None:
    chat = await make_chat(Watch(), **two(model_server, resume=resume))
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply(Call("reveal"))
    streamed = await chat.say("Where?")
    assert streamed.done("client_tool_call")[0]["name"] == "locate"
    model_server.reply("In Rome.")
    answered = await chat.stream(
        "threads.add_client_tool_output", thread_id=streamed.thread_id, result={"city": "Rome"}
    )
    assert (answered.text, who(model_server)) == ("In Rome.", "billing")


async def test_the_tool_picked_in_the_composer_is_called_by_the_agent_that_has_it(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Watch(), **two(model_server))
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply(Call("refund", {"order": "7"}))
    model_server.reply("Done.")
    await chat.say("7", inference_options={"tool_choice": {"id": "refund"}})
    chosen = [r.body.get("tool_choice") for r in model_server.requests]
    names = [each["function"]["name"] if isinstance(each, dict) else each for each in chosen]
    assert names == ["transfer_to_billing", "refund", None]


async def test_an_approval_is_asked_for_after_a_handoff(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    sections = two(model_server, approval={"tools": "refund"})
    sections["agents"]["billing"]["handoffs"] = []
    chat = await make_chat(Watch(), **sections)
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply(Call("refund", {"order": "7"}))
    streamed = await chat.say("My money")
    [widget] = asked(streamed)
    model_server.reply("Done.")
    assert (await click(chat, widget)).text == "Done."
    assert who(model_server) == "billing"
    assert "refunded 7" in str(model_server.requests[-1].body["messages"])
    model_server.reply("Fine.")
    await chat.say("Thanks", streamed.thread_id)
    assert who(model_server) == "billing"


async def test_an_approved_run_goes_on_with_the_agent_itself_not_with_one_of_its_name_in_a_tool(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    sections = two(model_server, approval={"tools": "refund"})
    sections["agents"]["billing"] |= {"handoffs": [], "agent_tools": ["helper"]}
    sections["agents"]["helper"] = {"instructions": "You help.", "handoffs": ["billing"]}
    for each in sections["agents"].values():
        each["model"] = sections["agent"]["model"]
    chat = await make_chat(Watch(), **sections)
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply(Call("refund", {"order": "7"}))
    streamed = await chat.say("My money")
    [widget] = asked(streamed)
    model_server.reply("Done.")
    answered = await click(chat, widget)
    assert (answered.text, who(model_server)) == ("Done.", "billing")
    model_server.reply("Fine.")
    await chat.say("Thanks", streamed.thread_id)
    assert who(model_server) == "billing"


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ({"tool_words": {"transfer_to_billing": {"en": "Wait…", "de": "Warte …"}}}, "Warte …"),
        ({"tool_words": {"transfer_to_billing": ""}}, None),
        ({"show_tools": "off"}, None),
    ],
    ids=["words", "no words", "off"],
)
async def test_how_a_handoff_is_shown(
    make_chat: MakeChat, model_server: ModelServer, agent: Any, shown: str | None
) -> None:
    chat = await make_chat(**two(model_server, **agent))
    chat.headers["Accept-Language"] = "de"
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply("Hello.")
    streamed = await chat.say("Hi")
    progress = [e["text"] for e in streamed.data if e["type"] == "progress_update"]
    assert progress == ([] if shown is None else [shown])


async def test_a_handoff_is_a_task_that_is_done(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Watch(), **two(model_server, show_tools="tasks"))
    streamed = await billed(chat, model_server)
    [workflow] = streamed.done("workflow")
    tasks = [(task["title"], task["status_indicator"]) for task in workflow["workflow"]["tasks"]]
    assert tasks == [("Transfer to billing", "complete"), ("Refund", "complete")]


async def test_agents_have_their_mcp_servers(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Servers:
        @hookimpl
        def mcp_servers(self) -> list[MCPServer]:
            return [InProcess("shop", "search", "buy"), InProcess("wiki", "search", "edit")]

    sections = two(model_server, tools=None, mcp_servers="wiki")
    sections["agent"]["tools"] = ["*"]
    sections["agents"]["billing"] |= {"mcp_servers": "sh*, wiki", "tools": "buy, search"}
    chat = await make_chat(Servers(), **sections)
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply("Hello.")
    await chat.say("Hi")
    # The tool of the server that comes second has its server's name in front
    assert tools(model_server, 0) == {"wiki_search", "edit", "transfer_to_billing"}
    assert tools(model_server, 1) == {"search", "wiki_search", "buy", "transfer_to_triage"}


async def test_an_mcp_server_that_is_none_stops_the_start(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    with pytest.raises(SettingsError, match=r"agent\.mcp_servers: there is no MCP server `wiki`"):
        await make_chat(**two(model_server, mcp_servers="wiki"))


async def test_plugins_are_told_which_agent_begins_and_which_was_last(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    told: list[tuple[Any, ...]] = []

    class Notes:
        @hookimpl
        async def agent(self, turn: Turn) -> None:
            told.append((turn.first_agent, turn.last_agent))

        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            told.append((turn.first_agent, turn.last_agent, turn.instructions))

    chat = await make_chat(Watch(), Notes(), **two(model_server))
    streamed = await billed(chat, model_server)
    model_server.reply("Fine.")
    await chat.say("Thanks", streamed.thread_id)
    assert told == [
        (None, None),
        ("Triage", None, TRIAGE),
        (None, "billing"),
        ("billing", "billing", f"{BILLING} For Somebody."),
    ]


@pytest.mark.parametrize(("first", "second"), list(pairwise([*FLAVOURS, *FLAVOURS][:8])))
async def test_agents_of_strict_providers(
    make_chat: MakeChat, model_server: ModelServer, first: str, second: str
) -> None:
    """Each request is what its provider takes, whatever the other model has written."""
    endpoint = {"base_url": model_server.url, "api_key": "none"}
    names = [model.partition("/")[0] for model in FLAVOURS.values()]
    sections = two(model_server, model=FLAVOURS[first])
    sections["plugins"] = {"compatible_models": {"endpoints": dict.fromkeys(names, endpoint)}}
    sections["agents"]["billing"]["model"] = FLAVOURS[second]
    chat = await make_chat(Watch(), **sections)
    model_server.reply(Reasoning("Hm."), "Wait. ", Call("search"), Call("search"))
    model_server.reply(Reasoning("Two."), Call("transfer_to_billing"))
    model_server.reply(Reasoning("Three."), Call("refund", {"order": "7"}))
    model_server.reply(Reasoning("Four."), Call("transfer_to_triage"))
    model_server.reply("So ", Call("transfer_to_billing"))
    model_server.reply("Done.")
    streamed = await chat.say("Hi")
    assert (streamed.error, streamed.text) == (None, "Wait. So Done.")
    model_server.reply(Call("transfer_to_triage"))
    for text in ("And?", "Then?"):
        model_server.reply("Yes.")
        assert (await chat.say(text, streamed.thread_id)).error is None
    for request in model_server.requests:
        flavour = second if BILLING in str(request.body["messages"][0]) else first
        assert check(flavour, request.body) == []


async def test_agents_may_have_any_name(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    sections = served_by(model_server, handoffs=["Büro-1"], agent_tools=["Büro-1"])
    chat = await make_chat(**sections, agents={"Büro-1": {"instructions": BILLING}})
    model_server.reply(Call("b_ro_1", {"input": "Hi"}))
    model_server.reply("Asked.")
    model_server.reply(Call("transfer_to_b_ro_1"))
    model_server.reply("Hello.")
    assert (await chat.say("Hi")).text == "Hello."
    assert caplog.records == []


async def test_a_tool_that_is_none_is_told_once(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Watch(), **two(model_server, tools="serch, re*, refund"))
    await chat.say("Hi")
    await chat.say("Hi")
    [record] = caplog.records
    assert record.getMessage() == "agent.tools: there is no tool `serch`. Did you mean `search`?"


async def test_models_of_all_agents_are_checked(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    sections = two(model_server)
    sections["agents"]["billing"]["model"] = "tset/any"
    told = r"agents\.billing\.model: no enabled plugin serves the model `tset/any`"
    with pytest.raises(SettingsError, match=told):
        await make_chat(**sections)
