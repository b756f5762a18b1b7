"""Text from anywhere becomes text that everything takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from chatkit.types import AssistantMessageContent, AssistantMessageItem

from chatkit_server import TurnFailed
from chatkit_server.events.wire import dump
from chatkit_server.text import HalfJoiner, valid_text, valid_values, without_lone_escapes


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("Grüße 🎈", "Grüße 🎈"),
        ("a\ud83d\ude00b", "a😀b"),
        ("\ud83d", "\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("a\0b", "a\ufffdb"),
    ],
)
def test_halves_and_nuls_are_replaced(text: str, valid: str) -> None:
    assert valid_text(text) == valid


def test_what_is_valid_is_the_same_object() -> None:
    item = AssistantMessageItem(
        id="a",
        thread_id="t",
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text="Hi")],
    )
    value: dict[str, Any] = {"a": [1, None, ("é", item)], "b": {"c": 2.5}}
    assert valid_values(value) is value


def test_values_are_looked_at_in_depth() -> None:
    item = AssistantMessageItem(
        id="a",
        thread_id="t",
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text="Hi \ud83d")],
    )
    found = valid_values({"\ud83d": [("\0", 1)], "item": item})
    assert found["\ufffd"] == [("\ufffd", 1)]
    assert found["item"].content[0].text == "Hi \ufffd"
    assert item.content[0].text == "Hi \ud83d", "nothing is changed in place"
    assert b"Hi \xef\xbf\xbd" in dump(item)
    circle: list[Any] = ["\ud83d"]
    circle.append(circle)
    assert valid_values(circle)[0] == "\ufffd", "it ends"


def test_a_deep_value_takes_no_longer() -> None:
    deep: Any = "\ud83d"
    for _ in range(60):
        deep = [deep]
    assert "\ufffd" in str(valid_values(deep))


@pytest.mark.parametrize(
    ("written", "valid"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uD83D\uDE00"', rb'"\uD83D\uDE00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\ude00\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
    ],
)
def test_escapes_of_halves_are_replaced(written: bytes, valid: bytes) -> None:
    assert without_lone_escapes(written) == valid


def test_halves_in_two_pieces_are_joined() -> None:
    joiner = HalfJoiner()
    pieces = ["a\ud83d", "\ude00b", "plain", "\ude00", "c\ud83d", "d\0"]
    assert [joiner.add(piece) for piece in pieces] == [
        "a",
        "😀b",
        "plain",
        "\ufffd",
        "c",
        "\ufffdd\ufffd",
    ]


def test_an_error_is_told_in_valid_text() -> None:
    assert TurnFailed("No \ud83d").message == "No \ufffd"
