"""Which tool a sentence asks for, and what to answer.

It knows some sentences about a to-do list. Any other tool is called by its name: “show a card”
calls `show_card`, and “research owls” calls `research`, if it takes one text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from agents import FunctionTool, Tool

INTRODUCTION = (
    "I am the demo model of chatkit-server: I run offline and understand only a few sentences "
    "about a to-do list. Try “add buy milk to my list”, “what is on my list?”, “complete task 1” "
    "or “delete task 1”. Choose another model in settings.yaml to talk about anything else."
)

MOST = 4000
"""Characters of a message that are looked at: the patterns take long on more."""

_POLITE = r"(?:(?:please|now|(?:can|could|would) you|i want to)\b\W*)*"
_BETWEEN = r"\W+(?:(?:an?|the|me|some)\W+)*"

_TASK = r"(?:(?:task|item|number|no\.?)\s*)?#?(?P<id>\d+)"
_INTENTS: list[tuple[str, re.Pattern[str]]] = [
    (intent, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for intent, pattern in (
        (
            "update_task",
            rf"\b(?:rename|change|update|edit)\s+{_TASK}\s+(?:to|into|as)\s+(?P<title>.+)",
        ),
        ("complete_task", rf"\b(?:complete|finish|close|check off|tick off|mark)\s+{_TASK}\b"),
        ("complete_task", rf"^\s*{_TASK}\s+is\s+done\b"),
        ("delete_task", rf"\b(?:delete|remove|drop)\s+{_TASK}\b"),
        (
            "add_task",
            r"\b(?:add|put)\s+(?P<title>.+?)\s+(?:to|on|onto)\s+(?:my|the)\s+"
            r"(?:to-?do\s+|task\s+|shopping\s+)?list\b",
        ),
        ("add_task", r"\b(?:add|create)\s+(?:an?\s+|the\s+)?(?:new\s+)?task:?\s+(?P<title>.+)"),
        ("add_task", r"\bremind me to\s+(?P<title>.+)"),
        ("add_task", r"^\s*(?:please\s+)?add:?\s+(?P<title>.+)"),
        ("list_tasks", r"\b(?:list|show|what|which|see|read)\b.*\b(?:tasks?|list|to-?dos?)\b"),
        ("list_tasks", r"\bwhat do i have to do\b"),
    )
]


@dataclass(frozen=True)
class ToolRequest:
    """A tool to call, with its arguments."""

    name: str
    arguments: dict[str, Any]


def last_words(text: str) -> str:
    """Return the last paragraph of a message: quotes, notes and hidden items are told before it."""
    return text.partition("\n\n# User-provided context")[0].rpartition("\n\n")[2]


def understand(text: str, tools: list[Tool]) -> ToolRequest | None:
    """Return the tool call that the text asks for, if there is such a tool."""
    text = text[:MOST]
    named = [found for tool in tools if (found := _named(text, tool))]
    whole = next((request for rest, request in named if not rest), None)
    return whole or _about_tasks(text, tools) or max(named, key=_shortest_rest, default=_NOTHING)[1]


def picked(text: str, name: str, tools: list[Tool]) -> ToolRequest | None:
    """Return a call of the tool that the user picked, if the text is all that it needs."""
    found = next((tool for tool in tools if tool.name == name), None)
    return understand(text, [found]) or _call(found, text) if found is not None else None


_NOTHING: tuple[str, ToolRequest | None] = "", None


def _shortest_rest(named: tuple[str, ToolRequest | None]) -> int:
    return -len(named[0])


def _named(text: str, tool: Tool) -> tuple[str, ToolRequest] | None:
    """Return what follows the tool's name in a text that begins with it, and the call."""
    words = [re.escape(word) for word in re.split(r"[_\W]+", tool.name) if word]
    name = _BETWEEN.join(words)
    match = re.match(rf"\W*{_POLITE}{name}\b[\s:]*(.*)", text, re.IGNORECASE | re.DOTALL)
    if not words or match is None:
        return None
    rest = re.sub(r"\b(?:please)?\W*$", "", match[1], flags=re.IGNORECASE)
    request = _call(tool, rest)
    return (rest, request) if request else None


def _call(tool: Tool, text: str) -> ToolRequest | None:
    """Return a call of a tool that needs nothing, or one text."""
    if not isinstance(tool, FunctionTool):
        return None
    properties: dict[str, Any] = tool.params_json_schema.get("properties", {})
    needed = [name for name, schema in properties.items() if "default" not in schema]
    if not needed:
        return ToolRequest(tool.name, {})
    if len(needed) == 1 and text and properties[needed[0]].get("type") == "string":
        return ToolRequest(tool.name, {needed[0]: text})
    return None


def _about_tasks(text: str, tools: list[Tool]) -> ToolRequest | None:
    for intent, pattern in _INTENTS:
        match = pattern.search(text)
        tool = _tool_for(intent, tools)
        if match and tool:
            return ToolRequest(tool.name, _arguments(match, tool))
    return None


def _tool_for(intent: str, tools: list[Tool]) -> FunctionTool | None:
    """Return the tool with this name, with or without a prefix."""
    functions = [tool for tool in tools if isinstance(tool, FunctionTool)]
    return next((tool for tool in functions if tool.name.endswith(intent)), None)


def _arguments(match: re.Match[str], tool: FunctionTool) -> dict[str, Any]:
    """Return the matched groups, with the names and types of the tool's schema."""
    properties: dict[str, Any] = tool.params_json_schema.get("properties", {})
    arguments: dict[str, Any] = {}
    for name, value in match.groupdict().items():
        value = value.strip().rstrip(".!").strip("\"'“”") if value else value
        known = next((key for key in properties if key in (name, f"task_{name}")), name)
        number = properties.get(known, {}).get("type") in ("integer", "number")
        arguments[known] = int(value) if number else value
    return arguments


def answer(text: str, results: list[str]) -> str:
    """Return the answer: the tools' results, or an introduction."""
    if results:
        return "\n".join(result for result in results if result) or "Done."
    if re.match(r"\s*(?:hi|hello|hey|good (?:morning|evening|day))\b", text, re.IGNORECASE):
        return f"Hello! {INTRODUCTION}"
    return INTRODUCTION
