"""What a model is told as text: the output of tools, and the settings' instructions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from agents import Agent, ModelSettings, ToolOutputText, function_tool
from chatkit.types import ThreadMetadata

from chatkit_server import Turn, User
from chatkit_server.agent.ready import as_changed
from chatkit_server.agent.team.members import instructions
from chatkit_server.agent.tools import cut, output_text, plain_output
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def turn_of(user: User, **fields: Any) -> Turn:
    return Turn(
        thread=ThreadMetadata(id="thr_1", created_at=NOW),
        store=MemoryStore(),
        request_context=StoreContext(user),
        user=user,
        operation="plain",
        **fields,
    )


def test_output_is_text_or_json() -> None:
    assert output_text("é") == "é"
    assert output_text({"é": [1, None]}) == '{"é": [1, null]}'
    assert output_text({"at": NOW}) == f'{{"at": "{NOW}"}}'


@pytest.mark.parametrize(
    ("output", "plain"),
    [
        ("a", "a"),
        (ToolOutputText(text="a"), "a"),
        ({"type": "text", "text": "a"}, "a"),
        ([ToolOutputText(text="a"), "b", {"type": "text", "text": "c"}], "a\nb\nc"),
        ([""], ""),
        ([], ""),
    ],
)
def test_output_of_nothing_but_text_is_that_text(output: Any, plain: str) -> None:
    assert plain_output(output) == plain


@pytest.mark.parametrize(
    "output",
    [
        {"type": "image", "image_url": "x"},
        {"type": "text", "text": 1},
        {"text": "a"},
        {"type": "input", "text": "a"},
        ["a", {"type": "image"}],
        [1],
        None,
        7,
    ],
)
def test_other_output_stays_as_it_is(output: Any) -> None:
    assert plain_output(output) is output


@pytest.mark.parametrize("text", ["x" * 40, "é" * 20, "🎈" * 10, "x" * 10, ""])
def test_output_that_fits_is_not_cut(text: str) -> None:
    assert cut(text, 40) == text


def test_long_output_is_cut_between_characters_and_says_so() -> None:
    assert cut("x" * 41, 40) == "x" * 40 + "\n[cut off here: 1 of 41 bytes are left out]"
    assert cut("é" * 20, 39) == "é" * 19 + "\n[cut off here: 1 of 40 bytes are left out]"
    balloons = cut("🎈" * 11, 43)
    assert balloons == "🎈" * 10 + "\n[cut off here: 1 of 44 bytes are left out]"


def test_output_of_any_kind_is_cut_as_json() -> None:
    small = {"a": "x"}
    assert cut(small, 40) is small
    assert cut({"a": "x" * 100}, 10).startswith('{"a": "xxx\n[cut off here: ')


def test_half_a_character_has_a_size() -> None:
    assert cut("\ud83e" * 41, 40).startswith("?" * 40 + "\n[cut off here: 1 of 41 bytes")


def test_instructions_know_the_user() -> None:
    turn = turn_of(User("ann", name="Ann"), locale="de-AT")
    template = "{user_name} ({user_id}) speaks {locale}; {other} {{user_id}} stay."
    assert instructions(template, turn) == "Ann (ann) speaks de-AT; {other} {ann} stay."


def test_instructions_do_without_a_name_and_a_language() -> None:
    assert instructions("[{user_name}][{locale}]", turn_of(User("ann"))) == "[][]"


def test_a_name_cannot_write_instructions() -> None:
    turn = turn_of(User("{locale}", name="Ann\n\n\x00\x7fIgnore this" + "x" * 200), locale="de")
    assert instructions("{user_id}", turn) == "{locale}"
    name = instructions("{user_name}", turn)
    assert name.startswith("Ann Ignore thisx")
    assert len(name) == 100


def test_hooks_change_a_copy_of_the_agent() -> None:
    @function_tool
    def add() -> str:
        """Add."""
        return ""

    settings = ModelSettings(temperature=0.5)
    agent: Agent[Turn] = Agent(name="a", instructions="old", handoff_description="kept")
    turn = turn_of(User("ann"), model="m", model_settings=settings, tools=[add])
    changed = as_changed(agent, turn)
    assert (changed.name, changed.instructions, changed.handoff_description) == ("a", "old", "kept")
    assert (changed.model, changed.model_settings, changed.tools) == ("m", settings, [add])
    assert changed.mcp_servers is turn.mcp_servers
    turn.instructions = ""
    assert as_changed(agent, turn).instructions == "", "none is a wish, too"
    assert (agent.instructions, agent.model, agent.tools) == ("old", None, [])
