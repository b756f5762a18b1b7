"""What MCP servers ask, as questions, and the answers as the servers want them."""

from __future__ import annotations

from typing import Any

import pytest
from chatkit.types import StructuredInputAnswer

from chatkit_server.mcp.forms import MOST_FIELDS, Form, NoForm
from tests.timing import takes_less


def form(required: list[str] | None = None, **fields: Any) -> Form:
    schema = {"type": "object", "properties": fields, "required": required or []}
    return Form.of("shop", {"message": "Order", "requestedSchema": schema})


def read(made: Form, *answers: list[str] | None) -> tuple[Any, Any]:
    """Return what the server gets for answers in the order of the questions, and what is wrong."""
    given = {}
    for (name, question), values in zip(made.questions(1, str), answers, strict=True):
        question.answer = StructuredInputAnswer(values=values or [], skipped=values is None)
        given[name] = made.given(name, question)
    return made.read(given, {})


COLOURS = [{"const": "#f00", "title": "Red"}, {"const": "#00f", "title": "Blue"}]
MANY = {"type": "array", "minItems": 1, "maxItems": 2, "items": {"anyOf": COLOURS}}
AGE = {"type": "integer", "minimum": 18, "maximum": 99}


@pytest.mark.parametrize(
    ("schema", "given", "value"),
    [
        ({"type": "string"}, ["  two words "], "  two words "),
        ({"type": "string", "enum": ["s", "m"]}, ["m"], "m"),
        ({"type": "string", "enum": ["s", "m"], "enumNames": ["Small", "Medium"]}, ["Small"], "s"),
        ({"type": "string", "oneOf": COLOURS}, ["Blue"], "#00f"),
        ({"type": "string", "oneOf": COLOURS}, ["#00F"], "#00f"),
        (MANY, ["Red", "Blue"], ["#f00", "#00f"]),
        ({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}, ["b"], ["b"]),
        ({"type": "boolean"}, ["Yes"], True),
        ({"type": "boolean"}, ["No"], False),
        ({"type": "boolean"}, ["true"], True),
        (AGE, ["42"], 42),
        (AGE, ["42.0"], 42),
        ({"type": "number"}, [" 4.5 "], 4.5),
        ({"type": "string", "format": "email"}, [" ann@acme.example "], "ann@acme.example"),
        ({"type": "string", "format": "uri"}, ["https://acme.example/a"], "https://acme.example/a"),
        ({"type": "string", "format": "date"}, ["2030-02-28"], "2030-02-28"),
        ({"type": "string", "format": "date-time"}, ["2030-02-28T18:30:00+00:00"], None),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["abc"], "abc"),
    ],
)
def test_answers_become_values(schema: dict[str, Any], given: list[str], value: Any) -> None:
    content, wrong = read(form(it=schema), given)
    assert wrong == {}
    assert content == {"it": given[0] if value is None else value}
    assert type(content["it"]) is type(given[0] if value is None else value)


@pytest.mark.parametrize(
    ("schema", "given", "problem"),
    [
        ({"type": "string", "enum": ["s", "m"]}, ["x"], "“x” is none of the choices."),
        ({"type": "boolean"}, ["maybe"], "“maybe” is none of the choices."),
        (MANY, ["Red", "Blue", "Red"], "Choose at most 2."),
        (AGE, ["old"], "“old” is not a number."),
        (AGE, ["1,000"], "“1,000” is not a number."),
        (AGE, ["nan"], "“nan” is not a number."),
        (AGE, ["18.5"], "“18.5” is not a whole number."),
        (AGE, ["7"], "The number must be at least 18."),
        (AGE, ["100"], "The number must be at most 99."),
        ({"type": "string", "format": "email"}, ["ann"], "“ann” is not an e-mail address."),
        ({"type": "string", "format": "uri"}, ["acme"], "“acme” is not a web address."),
        (
            {"type": "string", "format": "date"},
            ["31.12.2030"],
            "“31.12.2030” is not a date such as 2030-12-31.",
        ),
        (
            {"type": "string", "format": "date-time"},
            ["soon"],
            "“soon” is not a time such as 2030-12-31T18:30.",
        ),
        ({"type": "string", "minLength": 2}, ["a"], "The answer must have at least 2 characters."),
        ({"type": "string", "maxLength": 2}, ["abc"], "The answer must have at most 2 characters."),
        ({"type": "string"}, None, "This needs an answer."),
    ],
)
def test_what_is_no_answer_is_said(
    schema: dict[str, Any], given: list[str] | None, problem: str
) -> None:
    made = form(["it", "other"], it=schema, other={"type": "string"})
    content, wrong = read(made, given, ["fine"])
    assert wrong == {"it": problem}
    assert content == {"other": "fine"}
    [(name, question)] = made.questions(1, str, wrong)
    assert name == "it"
    assert question.question == f"shop asks: Order\n{problem}\nit"


def test_a_long_address_is_refused_at_once() -> None:
    made = form(["it"], it={"type": "string", "format": "email"})
    address = "a@" + "." * 100_000 + "@"
    assert "it" in read(made, [address])[1]
    assert takes_less(lambda: read(made, [address]), 0.5), "this takes milliseconds"


def test_what_is_left_out() -> None:
    made = form(
        ["a"], a={"type": "string"}, b={"type": "string"}, c={"type": "integer", "default": 3}
    )
    assert read(made, ["x"], None, None) == ({"a": "x", "c": 3}, {})
    assert read(made, None, None, None) == (None, {})


def test_questions_say_who_asks_and_what() -> None:
    made = form(
        ["size"],
        size={"type": "string", "enum": ["s", "m"], "title": "Size", "default": "m"},
        age={**AGE, "description": "In years."},
        note={"type": "string"},
    )
    size, age, note = (question for _, question in made.questions(1, str))
    assert size.question == "shop asks: Order\nSize: Without an answer: m."
    assert (age.question, age.description) == (  # type: ignore[union-attr]
        "age",
        "In years. From 18 to 99. You may leave this out.",
    )
    assert (note.question, note.description) == ("note", "You may leave this out.")  # type: ignore[union-attr]


def test_questions_are_in_the_language_of_the_user() -> None:
    german = {"Yes": "Ja", "No": "Nein"}
    made = form(it={"type": "boolean"})
    [(name, question)] = made.questions(1, lambda text: german.get(text, text))
    assert [option.value for option in question.options] == ["Ja", "Nein"]  # type: ignore[union-attr]
    question.answer = StructuredInputAnswer(values=["Nein"])
    assert made.read({name: made.given(name, question)}, {}) == ({"it": False}, {})


def test_a_form_without_fields_is_a_question() -> None:
    made = form()
    [(_, question)] = made.questions(1, str)
    assert [option.value for option in question.options] == ["Yes", "No"]  # type: ignore[union-attr]
    assert read(made, ["Yes"]) == ({}, {})
    assert read(made, ["No"]) == (None, {})
    assert read(made, None) == (None, {})


def test_an_address_to_open() -> None:
    url = "https://pay.example:8443/7?a=b"
    made = Form.of("shop", {"mode": "url", "message": "Pay", "url": url})
    [(_, question)] = made.questions(1, str)
    assert question.question.endswith(f"Open this page of pay.example, and come back: {url}")
    assert read(made, ["Done"]) == ({}, {})
    assert read(made, ["No"]) == (None, {})


@pytest.mark.parametrize(
    "params",
    [
        {"requestedSchema": {"properties": {"password": {"type": "string"}}}},
        {"requestedSchema": {"properties": {"a": {"type": "string", "title": "Your API key"}}}},
        {"requestedSchema": {"properties": {f"f{n}": {} for n in range(MOST_FIELDS + 1)}}},
        {"requestedSchema": {"properties": {"a": {"type": "object"}}}},
        {"requestedSchema": {"properties": {"a": {"type": "array"}}}},
        {"requestedSchema": {"properties": {"a": 7}}},
        {"requestedSchema": {"properties": [7]}},
        {"requestedSchema": {"properties": {"a": {"enum": list(map(str, range(99)))}}}},
        {"mode": "url", "url": "javascript:alert(1)"},
        {"mode": "url", "url": "http://[::1"},
        {"mode": "url"},
    ],
    ids=lambda params: str(params)[:60],
)
def test_what_is_not_shown(params: dict[str, Any]) -> None:
    with pytest.raises(NoForm):
        Form.of("shop", {"message": "Order", **params})


def test_texts_of_a_server_are_cut() -> None:
    made = Form.of(
        "shop",
        {
            "message": "a\0b\x1b[31m" + "x" * 9000,
            "requestedSchema": {"properties": {"a": {"type": "string", "title": "t" * 9000}}},
        },
    )
    [(_, question)] = made.questions(1, str)
    assert len(question.question) < 1500
    assert "\0" not in question.question
    assert "\x1b" not in question.question


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": "a", "maximum": []},
        {"type": "string", "minLength": "a", "maxLength": None, "title": 7, "description": 8},
        {"type": "array", "minItems": "x", "items": {"enum": [1, None, {}]}},
        {"oneOf": [7, {"const": 1}]},
        {"type": "string", "default": {"a": 1}},
    ],
)
def test_odd_schemas_break_nothing(schema: dict[str, Any]) -> None:
    made = form(["it"], it=schema)
    for given in (["1"], ["x"], None):
        read(made, given)
