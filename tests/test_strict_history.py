"""The rules of providers for a history: what they take, and what each refuses."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.strict_history import RULES, check


def call(call_id: str = "abcDEF123", arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    function = {"name": "weather", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function, **more}


def called(*calls: dict[str, Any], content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **more}


def tool(call_id: str = "abcDEF123") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "sunny"}


def assistant(content: Any = "Sunny.", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


SYSTEM = {"role": "system", "content": "Be kind."}
USER = {"role": "user", "content": "Hello."}
SIGNED = {"extra_content": {"google": {"thought_signature": "abc"}}}
GOOD = [SYSTEM, USER, called(call()), tool(), assistant(), USER]


def with_own(flavour: str, messages: list[Any]) -> list[Any]:
    """Return the messages with what only this provider wants."""
    messages = deepcopy(messages)
    for message in messages:
        if flavour == "deepseek" and message.get("tool_calls"):
            message.setdefault("reasoning_content", "")
        if flavour == "gemini":
            for one in message.get("tool_calls") or ():
                one.update(SIGNED)
    return messages


@pytest.mark.parametrize("flavour", RULES)
def test_what_all_take(flavour: str) -> None:
    assert check(flavour, {"messages": with_own(flavour, GOOD)}) == []


REFUSED_BY_ALL = {
    "a call without an answer": [USER, called(call()), USER],
    "an answer without a call": [USER, tool()],
    "a call answered twice": [USER, called(call()), tool(), tool()],
    "an answer after something else": [USER, called(call()), USER, tool()],
    "the id of another turn": [*GOOD, called(call()), tool()],
    "an empty id": [USER, called(call("")), tool("")],
    "a long id": [USER, called(call("c" * 41)), tool("c" * 41)],
    "one id for two": [USER, called(call(), call()), tool()],
    "arguments that are no JSON": [USER, called(call(arguments='{"a":')), tool()],
    "arguments that are no object": [USER, called(call(arguments="null")), tool()],
    "arguments with NaN": [USER, called(call(arguments='{"a": NaN}')), tool()],
    "arguments that are no text": [USER, called(call(arguments={})), tool()],
    "no content": [USER, assistant(None), USER],
    "no calls in a list": [USER, called(), USER],
    "the assistant last": [USER, assistant()],
    "an unknown role": [{"role": "function", "content": "x"}, USER],
}


@pytest.mark.parametrize("flavour", RULES)
@pytest.mark.parametrize("messages", REFUSED_BY_ALL.values(), ids=REFUSED_BY_ALL)
def test_what_all_refuse(flavour: str, messages: list[Any]) -> None:
    assert check(flavour, {"messages": messages})


STRICT = {"openai", "mistral", "groq"}
IN_ORDER = {"mistral", "deepseek", "gemma", "anthropic", "gemini"}
REFUSED: dict[str, tuple[set[str], list[Any]]] = {
    "an unknown field": (STRICT, [USER, assistant(annotations=[]), USER]),
    "reasoning": (STRICT, [USER, assistant(reasoning_content="x"), USER]),
    "an unknown field of a call": (STRICT, [USER, called(call(index=0)), tool()]),
    "an id of ten characters": ({"mistral"}, [USER, called(call("a" * 10)), tool("a" * 10)]),
    "an odd id": ({"mistral", "anthropic"}, [USER, called(call("a.b:c")), tool("a.b:c")]),
    "a user after a tool": ({"mistral", "gemma"}, [USER, called(call()), tool(), USER]),
    "two users": (IN_ORDER, [USER, USER]),
    "two system messages": (IN_ORDER, [SYSTEM, SYSTEM, USER]),
    "a late system message": (IN_ORDER - {"gemini"}, [USER, assistant(), SYSTEM, USER]),
    "blank text": ({"anthropic"}, [USER, assistant(" "), USER]),
    "parts": ({"deepseek", "groq"}, [{"role": "user", "content": [{"type": "text", "text": "x"}]}]),
}


@pytest.mark.parametrize(("by", "messages"), REFUSED.values(), ids=REFUSED)
def test_what_some_refuse(by: set[str], messages: list[Any]) -> None:
    refusing = {
        flavour for flavour in RULES if check(flavour, {"messages": with_own(flavour, messages)})
    }
    assert refusing == by


def test_what_must_go_back() -> None:
    assert check("deepseek", {"messages": GOOD})
    assert check("gemini", {"messages": [USER, called(call()), tool()]})
    assert check("gemini", {"messages": GOOD}) == []
