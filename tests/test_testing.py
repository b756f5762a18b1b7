"""The kit with which authors test their plugins."""

from __future__ import annotations

from chatkit_server import Turn, hookimpl
from chatkit_server.testing import call, mcp_server, open_client, script


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Loud:
    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.instructions = f"Shout at {turn.user.name}."


async def test_a_whole_turn_with_a_scripted_model() -> None:
    model = script(call("add", a=1, b=2), "It is 3.")
    async with open_client(plugins=[Loud(), mcp_server(add)], model=model) as client:
        ann = client.as_user("ann", name="Ann")
        answer = await ann.say("What is 1 + 2?")
        assert answer.text == "It is 3."
        [called] = answer.tool_calls
        assert (called.name, called.arguments) == ("add", {"a": 1, "b": 2})
        assert "3" in str(called.output)
        assert model.requests[0].instructions == "Shout at Ann."
        assert model.requests[0].said == "What is 1 + 2?"
        assert model.requests[0].tools == ["add"]
        assert (await ann.items())[0].type == "user_message"
        assert await client.threads() == []
