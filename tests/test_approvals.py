"""Tools that wait for the user's approval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from agents import Agent, Tool, function_tool, handoff
from agents.mcp import MCPServer
from mcp.types import CallToolResult, TextContent

from chatkit_server import Turn, hookimpl
from tests.approving import asked, buttons, click, replaced, says, shown
from tests.client import Chat
from tests.conftest import MakeChat
from tests.memory_store import MemoryStorePlugin
from tests.model_server import Call, ModelServer
from tests.serving import served_by
from tests.test_mcp import InProcess
from tests.test_tools import Has, as_tool, ask
from tests.test_turns import Watch, told

SENT: list[str] = []
ANN = Call("send_mail", {"to": "ann"})
BOB = Call("send_mail", {"to": "bob"})


@pytest.fixture(autouse=True)
def no_mails() -> None:
    SENT.clear()


async def _send(to: str) -> str:
    """Send a mail."""
    SENT.append(to)
    return f"sent to {to}"


def mailer(**options: Any) -> Tool:
    """Return a tool that notes what it sends."""
    return function_tool(_send, name_override="send_mail", **{"needs_approval": True, **options})


class Mailer(InProcess):
    """An MCP server with a tool that notes what it sends."""

    def __init__(self, asks: Any = "always", **told: Any) -> None:
        MCPServer.__init__(self, require_approval=asks)
        fields = vars(InProcess("mail", "send_mail", **told))
        vars(self).update({name: fields[name] for name in fields if name not in vars(self)})

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=await _send(**arguments))])


class Answers:
    """Gives every turn this agent."""

    def __init__(self, make: Callable[[], Agent[Any]]) -> None:
        self.make = make

    @hookimpl
    async def agent(self) -> Agent[Any]:
        return self.make()


@dataclass
class Way:
    """A way to a tool that needs an approval: plugins, calls before it, and what it gives back."""

    plugin: Any
    before: list[Call] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


def _by_function() -> Tool:
    async def policy(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
        return bool(arguments["to"] == "ann")

    return mailer(needs_approval=policy)


def _by_agent_policy() -> MCPServer:
    def policy(context: Any, agent: Any, tool: Any) -> bool:
        return bool(agent.name == "Assistant")

    return Mailer(policy)


def _within() -> Any:
    expert = Agent[Turn](name="expert", tools=[mailer()])
    return Has(as_tool(expert))


def _deep_within() -> Any:
    inner = Agent[Turn](name="inner", tools=[mailer()])
    return Has(as_tool(Agent[Turn](name="outer", tools=[as_tool(inner)])))


def _handed_over(wrap: Callable[[Any], Any]) -> Any:
    writer = Agent[Turn](name="writer", tools=[mailer()])
    return Answers(lambda: Agent(name="first", handoffs=[wrap(writer)]))


NAMED = {"approval": {"tools": ["send_*"]}}

WAYS = {
    "always": lambda: Way(Has(mailer())),
    "by a function": lambda: Way(Has(_by_function())),
    "by name": lambda: Way(Has(mailer(needs_approval=False)), settings=NAMED),
    "MCP server": lambda: Way(Has(Mailer())),
    "MCP server, by a function": lambda: Way(Has(_by_agent_policy())),
    "MCP server, attribute": lambda: Way(Has(Mailer("never", require_approval=["send_*"]))),
    "MCP server, by name": lambda: Way(
        Has(Mailer("never", require_approval="never")), settings=NAMED
    ),
    "MCP server, destructive": lambda: Way(
        Has(Mailer(None)), settings={"approval": {"destructive": True}}
    ),
    "inner agent": lambda: Way(_within(), [ask("expert")], ["The expert has written."]),
    "inner agent of one": lambda: Way(
        _deep_within(), [ask("outer"), ask("inner")], ["Inner.", "Outer."]
    ),
    "hand-off": lambda: Way(_handed_over(lambda a: a), [Call("transfer_to_writer", {})]),
    "hand-off object": lambda: Way(_handed_over(handoff), [Call("transfer_to_writer", {})]),
}


def _script(model_server: ModelServer, way: Way, *answers: Any) -> None:
    for call in way.before:
        model_server.reply(call)
    model_server.reply("One moment. ", ANN)
    for answer in (*way.after, *answers):
        model_server.reply(answer)


async def _asked(chat: Chat, text: str = "Write to Ann", thread_id: str | None = None) -> Any:
    """Say something after which one call waits; return the widget that asks."""
    streamed = await chat.say(text, thread_id)
    assert streamed.error is None, streamed.error
    [item] = asked(streamed)
    return item


@pytest.mark.parametrize("fast_path", [True, False], ids=["fast", "slow"])
@pytest.mark.parametrize("name", WAYS)
async def test_a_run_waits_for_an_approval_and_goes_on_after_a_restart(
    make_chat: MakeChat, model_server: ModelServer, name: str, fast_path: bool
) -> None:
    way, store, watch = WAYS[name](), MemoryStorePlugin(), Watch()
    sections = served_by(model_server, fast_path=fast_path, **way.settings)
    _script(model_server, way, "It is sent.", "You are welcome.")
    chat = await make_chat(watch, way.plugin, store, **sections)
    item = await _asked(chat)
    assert SENT == []
    assert "send_mail" in says(item)
    assert '"to": "ann"' in says(item)
    await watch.ended.wait()
    [outcome] = watch.outcomes
    assert outcome.status == "completed"
    assert [(call.name, call.arguments) for call in outcome.waiting] == [
        ("send_mail", {"to": "ann"})
    ]

    other = await make_chat(WAYS[name]().plugin, store, **sections)
    [*_, stored] = await shown(other, item["thread_id"])
    assert stored == item
    going_on = await click(other, item)
    assert going_on.error is None
    assert replaced(going_on) == ["Approved"]
    assert going_on.text == "It is sent."
    assert SENT == ["ann"]
    thanks = await other.say("Thank you", item["thread_id"])
    assert thanks.text == "You are welcome."
    said = [text for role, text in told(model_server.requests[-1]) if role == "tool"]
    assert len(said) == len(way.before) - name.startswith("inner") * (len(way.before) - 1) + (
        not name.startswith("inner")
    )
    calls = [c for m in model_server.requests[-1].body["messages"] for c in m.get("tool_calls", [])]
    assert len(calls) == len(said)
    assert len({call["id"] for call in calls}) == len(calls)
    assert SENT == ["ann"]


async def test_what_was_denied_is_not_run_and_the_model_is_told(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(watch, Has(mailer()), **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("As you like.")
    item = await _asked(chat)
    assert buttons(item) == ["approve", "deny", "always"]
    streamed = await click(chat, item, "deny")
    assert replaced(streamed) == ["Denied"]
    assert streamed.text == "As you like."
    assert SENT == []
    assert told(model_server.requests[-1])[-1] == (
        "tool",
        "The user denied this call: the tool send_mail was not run.",
    )
