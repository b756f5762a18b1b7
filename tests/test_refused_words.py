"""Guardrails of the settings: what they guard, what the user is told, and what later turns know."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from agents import function_tool

from chatkit_server import Outcome, Turn, hookimpl
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.turns.failures import GENERAL, GUARDRAIL_INPUT
from tests.client import Streamed
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.test_guardrails import kept, shown_at_the_end

GUARDS = """
    from agents import (
        GuardrailFunctionOutput, ToolGuardrailFunctionOutput, input_guardrail, output_guardrail,
        tool_input_guardrail, tool_output_guardrail,
    )

    def found(word, said):
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=word in str(said))

    @input_guardrail
    async def off_topic(context, agent, input):
        return found("cars", input)

    @input_guardrail(run_in_parallel=False)
    def before(context, agent, input):
        return found("cars", input)

    @output_guardrail
    async def secrets(context, agent, output):
        return found("password", output)

    def checked(word, text):
        if word in str(text):
            return ToolGuardrailFunctionOutput.raise_exception()
        return ToolGuardrailFunctionOutput.allow()

    @tool_input_guardrail
    def arguments(data):
        return checked("everything", data.context.tool_arguments)

    @tool_output_guardrail
    def results(data):
        return checked("password", data.output)
"""


BROKEN = """
    @input_guardrail
    def broken_input(context, agent, input):
        raise ValueError("no")

    @output_guardrail
    async def broken_output(context, agent, output):
        raise ValueError("no")

    @output_guardrail
    async def none(context, agent, output):
        return None
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of plugins with a module of guardrails."""
    package = tmp_path / "my_app"
    package.mkdir()
    (package / "guards.py").write_text(dedent(GUARDS), encoding="utf-8")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("chatkit_plugin_file"):
            del sys.modules[name]


class Watch:
    """Adds a tool to each turn, and notes how it ends."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        @function_tool
        async def delete(what: str) -> str:
            """Delete something."""
            return f"deleted {what}"

        turn.tools.append(delete)

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def guarded(server: ModelServer, folder: Path, agent: Any = None, **rules: Any) -> dict[str, Any]:
    sections = served_by(server, **(agent or {}))
    found = {name: {"from": f"my_app.guards:{name}", **rule} for name, rule in rules.items()}
    return {**sections, "guardrails": found, "plugin_dirs": [str(folder)]}


def texts(streamed: Streamed) -> list[str]:
    return [item["content"][0]["text"] for item in streamed.done("assistant_message")]


def sent(server: ModelServer) -> list[tuple[str, str]]:
    """Return what the last request says, besides the instructions."""
    messages = server.requests[-1].body["messages"][1:]
    return [(message["role"], message["content"]) for message in messages]


ONLY_GARDENS = {"en": "Only gardens.", "de": "Nur Gärten."}


@pytest.mark.parametrize("rule", ["off_topic", "before"])
@pytest.mark.parametrize("show", ["error", "message"])
async def test_a_refused_message_is_told_in_the_settings_words(
    make_chat: MakeChat, model_server: ModelServer, folder: Path, show: str, rule: str
) -> None:
    watch = Watch()
    rules = {rule: {"words": ONLY_GARDENS, "show": show}}
    chat = await make_chat(watch, **guarded(model_server, folder, **rules))
    chat.headers["Accept-Language"] = "de-AT"
    model_server.reply("Cars are nice.")
    streamed = await chat.say("Tell me of cars")
    [outcome] = watch.outcomes
    assert outcome.guardrail == rule
    shown = ["user_message"] + ["assistant_message"] * (show == "message")
    assert await kept(chat, streamed.thread_id) == shown
    if show == "error":
        assert streamed.error is not None
        assert (streamed.error["message"], outcome.status) == ("Nur Gärten.", "failed")
        assert shown_at_the_end(streamed) == set()
    else:
        assert (streamed.error, outcome.status) == (None, "completed")
        assert texts(streamed)[-1] == "Nur Gärten."
        [message] = shown_at_the_end(streamed)
        assert message == streamed.done("assistant_message")[-1]["id"]
    assert len(model_server.requests) == (rule == "off_topic")
    model_server.script.clear()
    model_server.reply("Roses.")
    again = await chat.say("And roses?", streamed.thread_id)
    assert (again.error, again.text) == (None, "Roses."), "what was refused does not refuse more"
    assert "cars" not in str(sent(model_server)).lower()
    assert ("assistant", "Nur Gärten.") in sent(model_server) or show == "error"


@pytest.mark.parametrize("show", ["error", "message"])
async def test_an_answer_that_is_withheld(
    make_chat: MakeChat, model_server: ModelServer, folder: Path, show: str
) -> None:
    agent = {"refusal": "I may not say that.", "show_refusal": show}
    chat = await make_chat(Watch(), **guarded(model_server, folder, agent, secrets={}))
    model_server.reply("The password ", "is x.")
    streamed = await chat.say("Go")
    told = [streamed.error["message"]] if streamed.error else texts(streamed)[-1:]
    assert told == ["I may not say that."]
    assert "password" not in str(await chat.ask("items.list", thread_id=streamed.thread_id))
    model_server.reply("Fine.")
    await chat.say("Well", streamed.thread_id)
    last = sent(model_server)
    assert "Go" in last[0][1], "the message itself was all right"
    assert "I may not say that." in str(last)
    assert "password" not in str(last)


@pytest.mark.parametrize("rule", ["arguments", "results"])
async def test_the_arguments_and_the_output_of_a_tool_are_guarded(
    make_chat: MakeChat, model_server: ModelServer, folder: Path, rule: str
) -> None:
    rules = {rule: {"tools": "del*", "words": "Not that."}}
    chat = await make_chat(Watch(), **guarded(model_server, folder, **rules))
    what = "everything" if rule == "arguments" else "the password"
    model_server.reply(Call("delete", {"what": what}))
    streamed = await chat.say("Go")
    assert streamed.error is not None
    assert streamed.error["message"] == "Not that."
    model_server.reply(Call("delete", {"what": "one"}))
    model_server.reply("Done.")
    assert (await chat.say("Go on", streamed.thread_id)).text == "Done."
    other = {rule: {"tools": "add"}}
    chat = await make_chat(Watch(), **guarded(model_server, folder, **other))
    model_server.reply(Call("delete", {"what": what}))
    model_server.reply("Done.")
    assert (await chat.say("Go")).error is None


async def test_a_guardrail_may_guard_some_agents_only(
    make_chat: MakeChat, model_server: ModelServer, folder: Path
) -> None:
    agent = {"name": "Triage", "handoffs": ["billing"]}
    sections = guarded(model_server, folder, agent, secrets={"agents": "bill*"})
    sections["agents"] = {"billing": {"instructions": "Bill."}}
    chat = await make_chat(**sections)
    model_server.reply("The password is x.")
    assert (await chat.say("Go")).text == "The password is x."
    model_server.reply(Call("transfer_to_billing"))
    model_server.reply("The password is x.")
    assert (await chat.say("Go")).error is not None


async def test_words_for_a_guardrail_that_an_agent_brings(
    make_chat: MakeChat, model_server: ModelServer, folder: Path
) -> None:
    (folder / "my_app" / "team.py").write_text(
        "from agents import Agent\n"
        "from my_app.guards import off_topic\n"
        "gardener = Agent(name='Gardener', input_guardrails=[off_topic])\n",
        encoding="utf-8",
    )
    sections = guarded(model_server, folder, {"from": "my_app.team:gardener"})
    words = {"off_topic": {"words": "Only gardens."}}
    chat = await make_chat(**{**sections, "guardrails": words})
    streamed = await chat.say("Tell me of cars")
    assert streamed.error is not None
    assert streamed.error["message"] == "Only gardens."
    chat = await make_chat(**sections)
    streamed = await chat.say("Tell me of cars")
    assert streamed.error is not None
    assert streamed.error["message"] == GUARDRAIL_INPUT


async def test_a_plain_client_reads_the_words_too(
    make_chat: MakeChat, model_server: ModelServer, folder: Path
) -> None:
    rules = {"before": {"words": "Only gardens.", "show": "message"}}
    chat = await make_chat(**guarded(model_server, folder, **rules))
    streamed = await chat.plain("Tell me of cars")
    assert streamed.text == "Only gardens."
    assert streamed.data[-1]["done"] is True


@pytest.mark.parametrize("show", ["message", "error"])
async def test_a_plain_client_is_told_that_what_it_has_read_is_taken_back(
    make_chat: MakeChat, model_server: ModelServer, folder: Path, show: str
) -> None:
    rules = {"secrets": {"words": "Only gardens.", "show": show}}
    chat = await make_chat(**guarded(model_server, folder, **rules))
    model_server.reply("The password", " is x")
    streamed = await chat.plain("Tell me")
    _, *said, withdrawn, words, done = streamed.data
    assert "".join(line["content"] for line in said) == "The password is x"
    assert withdrawn == {"withdrawn": True}
    assert words == (
        {"content": "Only gardens."}
        if show == "message"
        else {"error": "Only gardens.", "allow_retry": False}
    )
    assert done["status"] == ("completed" if show == "message" else "failed")


async def test_a_retry_of_a_refused_message_is_answered(
    make_chat: MakeChat, model_server: ModelServer, folder: Path
) -> None:
    rules = {"before": {"words": "Only gardens.", "show": "message"}}
    chat = await make_chat(**guarded(model_server, folder, **rules))
    streamed = await chat.say("Tell me of cars")
    [message] = streamed.done("user_message")
    retried = await chat.stream(
        "threads.retry_after_item", thread_id=streamed.thread_id, item_id=message["id"]
    )
    assert texts(retried) == ["Only gardens."]
    assert await kept(chat, streamed.thread_id) == ["user_message", "assistant_message"]


@pytest.mark.parametrize("rule", ["broken_input", "broken_output", "none"])
async def test_an_answer_is_withheld_if_its_guardrail_fails(
    make_chat: MakeChat, model_server: ModelServer, folder: Path, rule: str
) -> None:
    with (folder / "my_app" / "guards.py").open("a", encoding="utf-8") as file:
        file.write(dedent(BROKEN))
    watch = Watch()
    chat = await make_chat(watch, **guarded(model_server, folder, **{rule: {"show": "message"}}))
    model_server.reply("Hello.")
    streamed = await chat.say("Hi")
    assert streamed.error is not None
    assert (streamed.error["message"], streamed.error["allow_retry"]) == (GENERAL, True)
    assert await kept(chat, streamed.thread_id) == ["user_message"]
    assert watch.outcomes[0].guardrail == rule
