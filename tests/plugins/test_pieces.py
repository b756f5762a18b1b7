"""Chunks that are joined because they arrived at once."""

from __future__ import annotations

from typing import Any

import pytest

from chatkit_server.agent.completions import pieces
from chatkit_server.agent.completions.parser import Chunk
from chatkit_server.agent.completions.pieces import joined


@pytest.fixture(autouse=True)
def any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Join however few wait."""
    monkeypatch.setattr(pieces, "FROM", 2)


def chunk(delta: Any, **more: Any) -> Chunk:
    """Return a chunk with one choice."""
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None, **more}]}


def call(arguments: str, index: int = 0, **more: Any) -> Chunk:
    """Return a chunk with a piece of a tool call's arguments."""
    function = {"arguments": arguments, "name": more.pop("name", None)}
    return chunk({"tool_calls": [{"index": index, "function": function, **more}]})


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([chunk({"content": t}) for t in "abc"], [chunk({"content": "abc"})]),
        ([chunk({"reasoning": t}) for t in "abc"], [chunk({"reasoning": "abc"})]),
        (
            [chunk({"reasoning_content": t}) for t in "ab"] + [chunk({"content": "c"})],
            [chunk({"reasoning_content": "ab"}), chunk({"content": "c"})],
        ),
        (
            [chunk({"role": "assistant", "content": "", "reasoning": t}) for t in "ab"],
            [chunk({"role": "assistant", "content": "", "reasoning": "ab"})],
        ),
        (
            [chunk({"reasoning": t, "reasoning_content": t}) for t in "ab"],
            [chunk({"reasoning": "ab", "reasoning_content": "ab"})],
        ),
        ([call("{"), call("}")], [call("{}")]),
        (
            [call("{"), call("}"), call("[", 1), call("]", 1)],
            [call("{}"), call("[]", 1)],
        ),
    ],
    ids=["text", "reasoning", "kinds", "role", "two fields", "arguments", "two calls"],
)
def test_pieces_of_the_same_text_are_joined(chunks: list[Chunk], expected: list[Chunk]) -> None:
    assert joined(chunks) == expected


@pytest.mark.parametrize(
    "second",
    [
        chunk({"reasoning": "b"}, finish_reason="stop"),
        chunk({"reasoning": "b"}, logprobs={"content": []}),
        chunk({"reasoning": "b"}, index=1),
        {**chunk({"reasoning": "b"}), "usage": {"total_tokens": 1}},
        {**chunk({"reasoning": "b"}), "error": {"message": "no"}},
        chunk({"reasoning": ["b"]}),
        chunk({"content": ["b"]}),
        chunk({"reasoning": "b", "annotations": [{}]}),
        chunk({"reasoning_details": [{"text": "b"}]}),
        chunk({}),
        {"id": "c", "choices": []},
    ],
)
def test_whatever_else_is_in_a_chunk_stays_in_a_chunk_of_its_own(second: Chunk) -> None:
    for first in (chunk({"reasoning": "a"}), second):
        assert joined([first, second]) == [first, second]


def test_a_call_that_begins_is_not_joined_to_another() -> None:
    begun = [call("", id="1", name="add"), call("{}"), call("", id="2", name="add"), call("{}")]
    assert joined(begun) == begun


def test_what_was_received_is_not_changed() -> None:
    received = [call("{"), call("}"), chunk({"reasoning": "a"}), chunk({"reasoning": "b"})]
    before = [call("{"), call("}"), chunk({"reasoning": "a"}), chunk({"reasoning": "b"})]
    joined(received)
    assert received == before


def test_a_few_keep_the_pace_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    few = [chunk({"reasoning": "a"})] * (pieces.FROM - 1)
    assert joined(few) == few
    assert joined([*few, few[0]]) == [chunk({"reasoning": "a" * pieces.FROM})]
