"""Several agents of the settings: who answers, who goes on, and what their models are sent."""

from __future__ import annotations

from typing import Any

import pytest
from agents import RunContextWrapper, function_tool
from chatkit.agents import ClientToolCall

from chatkit_server import Outcome, Turn, hookimpl
from tests.approving import asked, click
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.memory_store import MemoryStorePlugin
from tests.model_server import Call, ModelServer, Reasoning
from tests.serving import served_by
from tests.strict_history import check

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
