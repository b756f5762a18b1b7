"""Tools that wait for the user's approval."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, RunContextWrapper, RunState, Tool, UserError, function_tool, handoff
from agents.mcp import MCPServer
from chatkit.agents import ClientToolCall
from chatkit.types import ActiveStatus, LockedStatus, NoticeEvent, ThreadItemDoneEvent, WidgetItem
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from mcp.types import Tool as McpTool

from chatkit_server import Turn, hookimpl
from chatkit_server.agent import loading
from chatkit_server.agent.paused import PAUSED_TYPE, WaitingCall, is_paused_run
from chatkit_server.mcp.approval import is_destructive, needs_approval
from chatkit_server.settings.schema import ApprovalSettings
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Call, ModelServer, Reasoning
from chatkit_server.turns.approval_widget import asking, shown_arguments
from tests.approving import asked, buttons, click, post_click, replaced, says, shown
from tests.client import Chat
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.strict_history import check
from tests.test_mcp import InProcess
from tests.test_tools import Has, as_tool, ask
from tests.test_turns import Tools, Watch, told

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
    for request in model_server.requests:
        assert check("openai", request.body) == []
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


async def test_a_second_click_changes_nothing(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("It is sent.")
    item = await _asked(chat)
    await click(chat, item)
    again = await click(chat, item, "deny")
    assert replaced(again) == ["Approved"]
    assert again.text == ""
    assert SENT == ["ann"]
    assert len(model_server.requests) == 2


@pytest.mark.parametrize("expired", [False, True])
async def test_a_message_instead_denies_the_call(
    make_chat: MakeChat, model_server: ModelServer, expired: bool
) -> None:
    approval = {"expires": "1ms" if expired else "1d", "on_message": "deny"}
    chat = await make_chat(Has(mailer()), **served_by(model_server, approval=approval))
    model_server.reply(ANN)
    model_server.reply("Never mind, then.")
    item = await _asked(chat)
    streamed = await chat.say("Forget it", item["thread_id"])
    words = (
        "Expired: it was not approved in time."
        if expired
        else ("Not approved: you wrote something else.")
    )
    assert replaced(streamed) == [words]
    assert streamed.text == "Never mind, then."
    reason = "did not approve it in time" if expired else "wrote something else"
    (_, output), (role, text) = told(model_server.requests[-1])[-2:]
    assert reason in output
    assert (role, text) == ("user", "Forget it")
    late = await click(chat, item)
    assert replaced(late) == [words]
    assert SENT == []
    assert len(model_server.requests) == 2


async def test_a_message_may_be_refused_while_a_call_waits(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    approval = {"on_message": "refuse"}
    chat = await make_chat(Has(mailer()), **served_by(model_server, approval=approval))
    model_server.reply(ANN)
    model_server.reply("It is sent.")
    model_server.reply("You are welcome.")
    item = await _asked(chat)
    content = [{"type": "input_text", "text": "And?"}]
    params = {
        "input": {"content": content, "attachments": [], "inference_options": {}},
        "thread_id": item["thread_id"],
    }
    body = {"type": "threads.add_user_message", "params": params}
    assert await chat.refused(body) == (
        409,
        "A tool waits for your approval. Approve or deny it before you go on.",
    )
    assert len(await shown(chat, item["thread_id"])) == 2
    assert (await click(chat, item)).text == "It is sent."
    assert (await chat.say("Thanks", item["thread_id"])).text == "You are welcome."


async def test_an_approval_that_comes_too_late_runs_nothing(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    approval = {"expires": "1ms"}
    chat = await make_chat(Has(mailer()), **served_by(model_server, approval=approval))
    model_server.reply(ANN)
    model_server.reply("You were too late.")
    item = await _asked(chat)
    streamed = await click(chat, item)
    assert replaced(streamed) == ["Expired: it was not approved in time."]
    assert streamed.text == "You were too late."
    assert "did not approve it in time" in told(model_server.requests[-1])[-1][1]
    assert SENT == []


@pytest.mark.parametrize("plugin", [lambda: Has(mailer()), lambda: Has(Mailer())])
async def test_a_tool_may_be_allowed_for_the_conversation(
    make_chat: MakeChat, model_server: ModelServer, plugin: Callable[[], Any]
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(plugin(), store, **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("It is sent.")
    item = await _asked(chat)
    assert (await click(chat, item, "always")).text == "It is sent."
    other = await make_chat(plugin(), store, **served_by(model_server))
    model_server.reply("Here: ", BOB, ANN)
    model_server.reply("Both.")
    streamed = await other.say("And to Bob", item["thread_id"])
    assert asked(streamed) == []
    assert streamed.text == "Here: Both."
    assert sorted(SENT) == ["ann", "ann", "bob"]
    model_server.reply(BOB)
    assert asked(await other.say("In another conversation"))
    assert (await other.ask("threads.get_by_id", thread_id=item["thread_id"]))["metadata"] == {}


async def test_the_button_for_the_conversation_may_be_left_out(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    approval = {"always_in_conversation": False}
    chat = await make_chat(Has(mailer()), **served_by(model_server, approval=approval))
    for reply in (ANN, "It is sent.", BOB):
        model_server.reply(reply)
    item = await _asked(chat)
    assert buttons(item) == ["approve", "deny"]
    assert replaced(await click(chat, item, "always")) == ["Approved"]
    assert asked(await chat.say("And Bob", item["thread_id"]))


@pytest.mark.parametrize("nested", [False, True])
async def test_a_run_goes_on_when_all_its_calls_are_decided(
    make_chat: MakeChat, model_server: ModelServer, nested: bool
) -> None:
    chat = await make_chat(_within() if nested else Has(mailer()), **served_by(model_server))
    if nested:
        model_server.reply(ask("expert"))
    model_server.reply("Both: ", ANN, BOB)
    if nested:
        model_server.reply("The expert is done.")
    model_server.reply("One of them.")
    streamed = await chat.say("Write to both")
    first, second = asked(streamed)
    assert '"ann"' in says(first)
    assert '"bob"' in says(second)
    one = await click(chat, first, "deny")
    assert replaced(one) == ["Denied"]
    assert one.text == ""
    assert one.error is None
    assert buttons((await shown(chat, first["thread_id"]))[-1])
    two = await click(chat, second)
    assert replaced(two) == ["Denied", "Approved"]
    assert two.text == "One of them."
    assert SENT == ["bob"]


async def test_an_agent_that_is_a_tool_is_asked_about_before_its_own_tools(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    expert = Agent[Turn](name="expert", tools=[mailer()])
    chat = await make_chat(Has(as_tool(expert, needs_approval=True)), **served_by(model_server))
    for reply in (ask("expert"), ANN, "Inner.", "Outer."):
        model_server.reply(reply)
    outer = await _asked(chat)
    assert "`expert`" in says(outer)
    assert len(model_server.requests) == 1
    [inner] = asked(await click(chat, outer))
    assert "`send_mail`" in says(inner)
    assert (await click(chat, inner)).text == "Outer."
    assert SENT == ["ann"]


async def test_an_agent_of_the_settings_goes_on_after_a_hand_off(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store = MemoryStorePlugin()
    sections = served_by(model_server, name="One", handoffs=["two"])
    sections["agents"] = {"two": {"instructions": "You are two.", "handoffs": ["One"]}}
    chat = await make_chat(Has(mailer()), store, **sections)
    other = await make_chat(Has(mailer()), store, **sections)
    for reply in (Call("transfer_to_two"), ANN, "It is sent.", "Still two."):
        model_server.reply(reply)
    item = await _asked(chat)
    assert (await click(other, item)).text == "It is sent."
    assert (await chat.say("Thanks", item["thread_id"])).text == "Still two."
    asked_as = [r.body["messages"][0]["content"] for r in model_server.requests]
    assert [text == "You are two." for text in asked_as] == [False, True, True, True]


async def test_all_calls_of_a_tool_are_allowed_with_one_click(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply(ANN, BOB)
    model_server.reply("Both.")
    first, _ = asked(await chat.say("Write to both"))
    streamed = await click(chat, first, "always")
    assert replaced(streamed) == ["Approved", "Approved"]
    assert streamed.text == "Both."
    assert sorted(SENT) == ["ann", "bob"]


async def test_a_run_that_went_on_may_wait_again(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    watch = Watch()
    chat = await make_chat(watch, Has(mailer()), **served_by(model_server))
    model_server.reply("First Ann. ", ANN)
    model_server.reply("Now Bob. ", BOB)
    model_server.reply("Both.")
    model_server.reply("Bye.")
    item = await _asked(chat)
    streamed = await click(chat, item)
    assert streamed.text == "Now Bob. "
    [other] = asked(streamed)
    assert (await click(chat, other)).text == "Both."
    assert SENT == ["ann", "bob"]
    await chat.say("Thanks", item["thread_id"])
    assert [entry for entry in told(model_server.requests[-1]) if entry[0] != "system"] == [
        ("user", "Write to Ann"),
        ("assistant", "calls send_mail"),
        ("tool", "sent to ann"),
        ("assistant", "calls send_mail"),
        ("tool", "sent to bob"),
        ("assistant", "Both."),
        ("user", "Thanks"),
    ]
    items = [i["type"] for i in await shown(chat, item["thread_id"])]
    answers = ["assistant_message", "widget"] * 2
    assert items == [
        "user_message",
        *answers,
        "assistant_message",
        "user_message",
        "assistant_message",
    ]
    for request in model_server.requests:
        for flavour in ("openai", "anthropic"):
            assert check(flavour, request.body) == []
    requests = [outcome.usage.requests for outcome in watch.outcomes]
    assert requests[:3] == [1, 1, 1]


# Who clicks what


async def test_a_click_that_is_none_is_refused(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply(ANN)
    item = await _asked(chat)
    for wrong in ("yes", None, ["approve"], {"decision": "approve"}):
        response = await post_click(chat, item, wrong)
        assert response.status == 400
        assert "decision" in (await response.json())["message"]
    response = await post_click(chat, {**item, "id": "msg_other"}, "approve")
    assert response.status == 404
    chat.headers["X-User"] = "bob"
    assert (await post_click(chat, item, "approve")).status == 404
    assert SENT == []
    assert len(model_server.requests) == 1


async def test_a_widget_of_a_plugin_that_looks_alike_runs_nothing(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Imitates:
        def __init__(self) -> None:
            self.seen: list[WidgetItem] = []

        @hookimpl
        async def persist(self, item: Any) -> None:
            if isinstance(item, WidgetItem):
                self.seen.append(item)

        @hookimpl
        async def respond(self, turn: Turn) -> Any:
            if turn.message is None or "imitate" not in turn.message.content[0].text:
                return None
            copy = self.seen[0].model_copy(update={"id": turn.generate_id("message")})
            return _events(ThreadItemDoneEvent(item=copy))

        @hookimpl
        async def action(self, action: Any) -> Any:
            done = NoticeEvent(level="info", message=f"plugin: {action.type}")
            return _events(done)

    chat = await make_chat(Has(mailer()), Imitates(), **served_by(model_server))
    model_server.reply(ANN)
    item = await _asked(chat)
    streamed = await chat.say("imitate it", item["thread_id"])
    [alike] = asked(streamed)
    assert alike["widget"] == item["widget"]
    assert replaced(await click(chat, alike)) == ["Not approved: you wrote something else."]
    assert SENT == []
    model_server.reply(BOB)
    other = await _asked(chat)
    params = {"thread_id": other["thread_id"], "item_id": other["id"], "action": {"type": "mine"}}
    events = await chat.stream("threads.custom_action", **params)
    assert events.data[-1]["message"] == "plugin: mine"


async def _events(*events: Any) -> Any:
    for event in events:
        yield event


async def test_a_click_in_a_locked_conversation_waits_until_it_is_open(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(Has(mailer()), store, **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("It is sent.")
    item = await _asked(chat)
    [threads] = store.memory.threads.values()
    thread = threads[item["thread_id"]]
    thread.status = LockedStatus(reason="we look into it")
    response = await post_click(chat, item, "approve")
    assert response.status == 409
    assert "we look into it" in (await response.json())["message"]
    thread.status = ActiveStatus()
    assert (await click(chat, item)).text == "It is sent."


# What cannot go on


def _broken(store: MemoryStorePlugin, thread_id: str, state: str) -> None:
    items = store.memory.items[thread_id]
    [run] = [i for i in items.values() if is_paused_run(i)]
    content = {**run.content, "state": state}  # type: ignore[union-attr,dict-item]
    items[run.id] = run.model_copy(update={"content": content})


@pytest.mark.parametrize("what", ["corrupted", "another version", "other agents"])
async def test_a_run_that_cannot_go_on_says_so(
    make_chat: MakeChat, model_server: ModelServer, what: str
) -> None:
    store = MemoryStorePlugin()
    name = iter(["first", "other" if what == "other agents" else "first"])
    tools = [mailer()]
    plugin = Answers(lambda: Agent(name=next(name, "first"), tools=tools))
    chat = await make_chat(plugin, store, **served_by(model_server))
    model_server.reply("Let me. ", ANN)
    item = await _asked(chat)
    if what == "corrupted":
        _broken(store, item["thread_id"], '{"$schemaVersion":')
    if what == "another version":
        _broken(store, item["thread_id"], '{"$schemaVersion": "99.0"}')
    streamed = await click(chat, item)
    assert replaced(streamed) == [
        "Not run: the server has changed since you were asked. Ask again."
    ]
    assert streamed.error is not None
    assert "has changed" in streamed.error["message"]
    assert SENT == []
    assert len(model_server.requests) == 1
    model_server.reply("I see.")
    await chat.say("What now?", item["thread_id"])
    said = told(model_server.requests[-1])
    assert [text for role, text in said if role == "tool"] == [
        "The tool send_mail was not run: the server has changed since the user was asked to "
        "approve it. Ask again if it is still needed."
    ]


@pytest.mark.parametrize("content", [{}, {"calls": [{"odd": 1}]}, {"expires_at": "never"}])
async def test_what_another_version_has_saved_does_not_wait(
    make_chat: MakeChat, model_server: ModelServer, content: dict[str, Any]
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(Has(mailer()), store, **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("Well.")
    item = await _asked(chat)
    items = store.memory.items[item["thread_id"]]
    [run] = [i for i in items.values() if is_paused_run(i)]
    items[run.id] = run.model_copy(update={"content": {"type": PAUSED_TYPE, **content}})
    assert replaced(await click(chat, item)) == ["Not approved: you wrote something else."]
    assert (await chat.say("And now?", item["thread_id"])).text == "Well."
    assert SENT == []


async def test_a_tool_that_is_gone_is_an_error_for_the_model(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(Has(mailer()), store, **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("I cannot.")
    item = await _asked(chat)
    other = await make_chat(store, **served_by(model_server))
    streamed = await click(other, item)
    assert streamed.text == "I cannot."
    assert "not found" in told(model_server.requests[-1])[-1][1]


async def test_a_server_that_is_needed_and_away_keeps_the_call_waiting(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    server = Mailer(required=True)
    chat = await make_chat(Has(server), **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("It is sent.")
    item = await _asked(chat)
    server.fails = OSError("away")
    assert (await post_click(chat, item, "approve")).status == 503
    assert buttons((await shown(chat, item["thread_id"]))[-1])
    server.fails = None
    assert (await click(chat, item)).text == "It is sent."
    assert SENT == ["ann"]


async def test_a_call_that_nobody_could_run_is_not_asked_about(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply(Call("send_mail", '{"to": '))
    model_server.reply("I wrote it wrong.")
    streamed = await chat.say("Write to Ann")
    assert asked(streamed) == []
    assert streamed.text == "I wrote it wrong."
    assert "not a JSON object" in told(model_server.requests[-1])[-1][1]
    assert SENT == []


# What else a run wants


async def test_what_the_client_is_to_do_comes_when_the_run_has_gone_on(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    @function_tool
    async def show(ctx: RunContextWrapper[Turn]) -> str:
        """Show it on the page."""
        ctx.context.client_tool_call = ClientToolCall(name="show_page", arguments={"page": 1})
        return "asked the page"

    chat = await make_chat(Tools(show, mailer()), **served_by(model_server))
    model_server.reply(Call("show", {}), ANN)
    model_server.reply("All done.")
    streamed = await chat.say("Show and write")
    assert streamed.done("client_tool_call") == []
    [item] = asked(streamed)
    going_on = await click(chat, item)
    [call] = going_on.done("client_tool_call")
    assert call["name"] == "show_page"
    assert SENT == ["ann"]
    output = await chat.stream(
        "threads.add_client_tool_output", thread_id=item["thread_id"], result={"shown": True}
    )
    assert output.text == "All done."
    tools = [text for role, text in told(model_server.requests[-1]) if role == "tool"]
    assert sorted(tools) == ["sent to ann", '{"shown": true}']


async def test_a_retry_and_a_deletion_end_what_waits(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply(ANN)
    model_server.reply("I do not write.")
    item = await _asked(chat)
    thread_id = item["thread_id"]
    [message, _] = await shown(chat, thread_id)
    again = await chat.stream(
        "threads.retry_after_item", thread_id=thread_id, item_id=message["id"]
    )
    assert again.text == "I do not write."
    assert [role for role, _ in told(model_server.requests[-1])] == ["system", "user"]
    assert (await post_click(chat, item, "approve")).status == 404
    model_server.reply(ANN)
    item = await _asked(chat)
    await chat.ask("threads.delete", thread_id=item["thread_id"])
    assert (await post_click(chat, item, "approve")).status == 404
    assert SENT == []


async def test_a_run_of_another_model_goes_on(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store, watch = MemoryStorePlugin(), Watch()
    chat = await make_chat(Has(mailer()), store, **served_by(model_server))
    model_server.reply(Reasoning("I should write."), ANN)
    model_server.reply("It is sent.")
    item = await _asked(chat)
    sections = served_by(model_server)
    sections["agent"]["model"] = "test/other"
    other = await make_chat(watch, Has(mailer()), store, **sections)
    assert (await click(other, item)).text == "It is sent."
    assert model_server.requests[-1].body["model"] == "other"
    await watch.ended.wait()
    assert watch.outcomes[0].model == "test/other"
    [(call, result)] = watch.outcomes[0].tools
    assert (call.name, result.output) == ("send_mail", "sent to ann")


async def test_what_was_approved_has_not_run_if_a_message_comes_before_the_rest(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    model_server.reply(ANN, BOB)
    model_server.reply("Never mind.")
    first, second = asked(await chat.say("Write to both"))
    await click(chat, first)
    words = "Not approved: you wrote something else."
    assert replaced(await chat.say("Forget it", first["thread_id"])) == [words, words]
    outputs = [text for role, text in told(model_server.requests[-1]) if role == "tool"]
    assert len(outputs) == 2
    assert all("was not run" in output for output in outputs)
    assert replaced(await click(chat, second)) == [words]
    assert SENT == []


async def test_a_call_that_nobody_was_asked_about_does_not_hold_up_the_others(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(Has(mailer()), store, **served_by(model_server))
    model_server.reply(ANN, BOB)
    model_server.reply("One of them.")
    first, second = asked(await chat.say("Write to both"))
    # As if the server had died before this was saved
    del store.memory.items[first["thread_id"]][second["id"]]
    assert (await click(chat, first)).text == "One of them."
    assert SENT == ["ann"]


async def test_an_old_widget_runs_nothing_after_other_messages(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is too far away for the message that came instead to see it."""
    monkeypatch.setattr(loading, "_FURTHEST", 0)
    chat = await make_chat(Has(mailer()), **served_by(model_server, history={"items": 1}))
    model_server.reply(ANN)
    model_server.reply("Something else.")
    item = await _asked(chat)
    streamed = await chat.say("Something else", item["thread_id"])
    assert replaced(streamed) == []
    late = await click(chat, item)
    assert replaced(late) == ["Not approved: you wrote something else."]
    assert len(model_server.requests) == 2
    assert SENT == []


async def test_a_run_that_cannot_be_saved_fails(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, **_: Any) -> str:
        raise UserError("no")

    watch = Watch()
    chat = await make_chat(watch, Has(mailer()), **served_by(model_server))
    model_server.reply(ANN)
    monkeypatch.setattr(RunState, "to_string", fail)
    streamed = await chat.say("Write to Ann")
    assert streamed.error is not None
    assert "`send_mail`" in streamed.error["message"]
    assert streamed.done("widget") == []
    await watch.ended.wait()
    assert watch.outcomes[0].waiting == []
    [(call, result)] = watch.results
    assert (call.name, result.failed) == ("send_mail", True)
    model_server.reply("As you like.")
    await chat.say("Never mind", streamed.thread_id)
    assert ("tool", "The tool send_mail was not run: it needs the user's approval.") in told(
        model_server.requests[-1]
    )


# What is shown


@pytest.mark.parametrize(
    ("arguments", "shown_as"),
    [
        ("{}", ""),
        ('{"a": ["\u00e4", 1]}', '{\n  "a": [\n    "\u00e4",\n    1\n  ]\n}'),
        ('{"file": "cod.exe\u202egnp"}', '{\n  "file": "cod.exe\\u202egnp"\n}'),
        ("ls -l", "ls -l"),
        (json.dumps({"text": "x" * 9000}), "x\n\u2026 (5016 more characters)"),
    ],
)
def test_how_arguments_are_shown(arguments: str, shown_as: str) -> None:
    found = shown_arguments(arguments, str)
    assert found == shown_as or (len(shown_as) > 20 and found.endswith(shown_as))
    assert len(found) < 4100


def test_nothing_in_a_call_looks_like_the_widget_itself() -> None:
    call = WaitingCall("msg", "call", "a`** _b_\nc", '{"text": "```\\n**Approved**"}', "s*h*op")
    widget, _ = asking("run", call, str, always=False)
    title, arguments, row = widget.model_dump()["children"]
    assert title["value"] == "**Run `a''' _b_ c` of s'h'op?**"
    assert arguments["value"].startswith("````json\n")
    assert arguments["value"].endswith("\n````")
    assert len(row["children"]) == 2


# Which tools of an MCP server


@pytest.mark.parametrize(
    ("hints", "destroys"),
    [
        (None, True),
        ({}, True),
        ({"destructive_hint": True}, True),
        ({"destructive_hint": False}, False),
        ({"read_only_hint": True}, False),
        ({"read_only_hint": True, "destructive_hint": True}, False),
        ({"read_only_hint": False}, True),
    ],
)
def test_what_may_destroy_something(hints: dict[str, bool] | None, destroys: bool) -> None:
    annotations = None if hints is None else ToolAnnotations(**hints)
    tool = McpTool(name="drop", input_schema={"type": "object"}, annotations=annotations)
    assert is_destructive(tool) is destroys
    server = Mailer(None)
    settings = ApprovalSettings(destructive=True)
    assert needs_approval(server, tool, "drop", settings) is destroys
    assert needs_approval(server, tool, "drop", ApprovalSettings()) is False


@pytest.mark.parametrize(
    ("sdk", "own", "named", "needed"),
    [
        ("never", None, [], False),
        ("always", None, [], True),
        ({"send_mail": "always"}, None, [], True),
        ({"other": "always"}, None, [], False),
        ("always", "never", [], False),
        (None, "always", [], True),
        (None, ["send_*"], [], True),
        (None, ["Send_*"], [], False),
        (None, ["mail_send_mail"], [], True),
        ("never", "never", ["send_mail"], True),
        (None, [], ["mail_*"], True),
        (None, None, ["other"], False),
    ],
)
def test_which_tools_need_an_approval(sdk: Any, own: Any, named: list[str], needed: bool) -> None:
    server = Mailer(sdk, require_approval=own)
    tool = McpTool(name="send_mail", input_schema={"type": "object"})
    settings = ApprovalSettings(tools=named)
    assert needs_approval(server, tool, "mail_send_mail", settings) is needed


@pytest.mark.parametrize(
    ("destructive", "asks"), [(False, ["write"]), (True, ["process", "write"])]
)
async def test_the_settings_of_an_mcp_server_say_which_tools(
    make_chat: MakeChat,
    model_server: ModelServer,
    tmp_path: Path,
    destructive: bool,
    asks: list[str],
) -> None:
    written = tmp_path / "written"
    small = str(Path(__file__).with_name("mcp_small_server.py"))
    server = {
        "name": "disk",
        "command": sys.executable,
        "args": [small, str(written)],
        "require_approval": ["wri*"],
    }
    sections = served_by(model_server, approval={"destructive": destructive})
    sections["plugins"]["mcp_servers"] = {"servers": [server]}
    chat = await make_chat(**sections)
    model_server.reply(Call("process", {}), Call("write", {}))
    model_server.reply("It is written.")
    widgets = asked(await chat.say("Write"))
    assert [says(item) for item in widgets] == [f"**Run `{name}` of disk?**" for name in asks]
    assert not written.exists()
    for item in widgets:
        streamed = await click(chat, item)
    assert streamed.text == "It is written."
    assert written.read_text() == "once\n"
