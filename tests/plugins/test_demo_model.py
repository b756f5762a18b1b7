"""The demo model calls tools by their names."""

from __future__ import annotations

from typing import Any

import pytest
from agents import Tool, function_tool
from chatkit_plugins.demo_model.sentences import picked, understand

from tests.timing import takes_less


@function_tool
def roll_dice() -> str:
    return "4"


@function_tool
def roll() -> str:
    return "7"


@function_tool
def research(topic: str, depth: int = 1) -> str:
    return topic


@function_tool
def move(x: int, y: int) -> str:
    return f"{x}, {y}"


@function_tool
def add_task(title: str) -> str:
    return title


@function_tool
def list_tasks() -> str:
    return "none"


@function_tool
def show_list() -> str:
    return "a list"


TOOLS: list[Tool] = [roll, roll_dice, research, move, add_task, list_tasks, show_list]


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("roll dice", "roll_dice", {}),
        ("Please roll the dice.", "roll_dice", {}),
        ("could you roll some dice for me?", "roll_dice", {}),
        ("roll", "roll", {}),
        ("Rolling stones", None, {}),
        ("I roll dice", None, {}),
        ("research: old owls!", "research", {"topic": "old owls"}),
        ("research", None, {}),
        ("move left", None, {}),
        ("show a list", "show_list", {}),
        ("show my list", "list_tasks", {}),
        ("what is on my list", "list_tasks", {}),
        ("add task: tea", "add_task", {"title": "tea"}),
        ("add tea to my list", "add_task", {"title": "tea"}),
        ("", None, {}),
    ],
)
def test_a_tool_is_called_by_its_name(text: str, name: str | None, arguments: Any) -> None:
    found = understand(text, TOOLS)
    assert (found and (found.name, found.arguments)) == (name and (name, arguments))


def test_a_picked_tool_gets_the_message() -> None:
    assert picked("owls", "research", TOOLS).arguments == {"topic": "owls"}
    assert picked("research owls", "research", TOOLS).arguments == {"topic": "owls"}
    assert picked("whatever", "roll", TOOLS).name == "roll"
    assert picked("whatever", "move", TOOLS) is None
    assert picked("whatever", "None", TOOLS) is None


@pytest.mark.parametrize("words", ["add ", "[", "show card [", "delete task "])
def test_a_long_message_is_read_at_once(words: str) -> None:
    message = words * (100_000 // len(words)) + "x"
    assert takes_less(lambda: understand(message, TOOLS), 0.5), "this takes milliseconds"
