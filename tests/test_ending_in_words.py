"""A plugin ends a turn in words: the user reads them, and the model is not asked any more."""

from __future__ import annotations

from typing import Any

import pytest
from agents import Agent, RunContextWrapper, function_tool
from chatkit.types import AssistantMessageItem

from chatkit_server import EndTurn, Outcome, ToolResult, Turn, hookimpl, words
from chatkit_server.testing import ChatClient, call, mcp_server, open_client, script

ENOUGH = "You have used up today's messages."


@function_tool
async def spend(context: RunContextWrapper[Turn], cents: int) -> str:
    """Spend money."""
    if cents > 100:
        raise EndTurn("That is too much.")
    return "spent"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Quota:
    """Ends turns where the user asks for it."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @hookimpl
    async def agent(self, turn: Turn) -> None:
        if said(turn) == "agent":
            raise EndTurn(ENOUGH)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(spend)
        if said(turn) == "pre_turn":
            raise EndTurn(ENOUGH)

    @hookimpl
    async def respond(self, turn: Turn) -> None:
        if said(turn) == "respond":
            raise EndTurn(ENOUGH)

    @hookimpl
    async def tool_result(self, turn: Turn, result: ToolResult) -> None:
        if said(turn) == "tool_result":
            raise EndTurn(ENOUGH)

    @hookimpl
    async def action(self) -> None:
        raise EndTurn(ENOUGH)

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def said(turn: Turn) -> str:
    return "".join(part.text for part in turn.message.content) if turn.message else ""


async def kept(client: ChatClient) -> list[str]:
    """Return the assistant's messages of the conversation as they are saved."""
    items = await client.items()
    return [
        "".join(part.text for part in item.content)
        for item in items
        if isinstance(item, AssistantMessageItem)
    ]


@pytest.mark.parametrize("hook", ["agent", "pre_turn", "respond"])
async def test_before_the_model_is_asked(hook: str) -> None:
    quota, model = Quota(), script("Good morning!")
    async with open_client(plugins=[quota], model=model) as client:
        answer = await client.say(hook)
        assert (answer.text, answer.error) == (ENOUGH, None)
        assert await kept(client) == [ENOUGH]
        assert [outcome.status for outcome in quota.outcomes] == ["completed"]
        assert model.requests == []
        assert (await client.say("hello")).text == "Good morning!"
        assert any(ENOUGH in str(item) for item in model.requests[0].input)


async def test_a_plain_client_reads_the_words_too() -> None:
    async with open_client(plugins=[Quota()]) as client:
        lines = await client.plain("pre_turn")
        assert "".join(line.get("content", "") for line in lines) == ENOUGH
        assert lines[-1]["done"] is True
        assert lines[-1]["status"] == "completed"


@pytest.mark.parametrize(
    ("asked", "calls", "told"),
    [
        ("tool_result", [call("add", a=1, b=2)], ENOUGH),
        ("buy it", [call("spend", cents=200)], "That is too much."),
        ("buy it", [call("add", a=1, b=2), call("spend", cents=200)], "That is too much."),
    ],
)
async def test_in_a_tool_what_was_said_stays(asked: str, calls: list[Any], told: str) -> None:
    quota = Quota()
    model = script(["Let me see.", *calls], "Next.")
    async with open_client(plugins=[quota, mcp_server(add)], model=model) as client:
        answer = await client.say(asked)
        assert answer.error is None
        assert await kept(client) == ["Let me see.", told]
        assert [outcome.status for outcome in quota.outcomes] == ["completed"]
        assert len(model.requests) == 1
        # The conversation goes on, and the model knows what was said
        assert (await client.say("go on")).text == "Next."
        assert any(told in str(item) for item in model.requests[1].input)


class Shopper:
    """Has an agent with `spend` as a tool of the agent that answers."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        model = script(call("spend", cents=200))
        shopper: Agent[Turn] = Agent("Shopper", tools=[spend], model=model)
        turn.tools.append(shopper.as_tool("shop", "Buy things."))


async def test_in_a_tool_of_an_agent_that_is_a_tool() -> None:
    model = script(call("shop", input="a car"))
    async with open_client(plugins=[Shopper()], model=model) as client:
        answer = await client.say("buy a car")
        assert (answer.text, answer.error) == ("That is too much.", None)


async def test_a_tool_below_its_limit_ends_nothing() -> None:
    model = script(call("spend", cents=5), "Done.")
    async with open_client(plugins=[Quota()], model=model) as client:
        answer = await client.say("buy it")
        assert answer.text == "Done."
        assert answer.tool_calls[0].output == "spent"


async def test_an_action_ends_in_words() -> None:
    async with open_client(plugins=[Quota()]) as client:
        await client.say("pre_turn")
        answer = await client.act(None, "order")
        assert (answer.text, answer.error) == (ENOUGH, None)


class Translated:
    @hookimpl
    async def pre_turn(self) -> None:
        raise EndTurn(words("Something went wrong on the server. Try again later."))


async def test_the_words_are_in_the_user_s_language() -> None:
    async with open_client(plugins=[Translated()]) as client:
        german = client.with_headers({"Accept-Language": "de"})
        assert "Server" in (await german.say("hallo")).text
        assert "went wrong" not in (await german.say("hallo")).text
