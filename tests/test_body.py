"""The body of a request: what is read, what is refused, and how the error names the field."""

from __future__ import annotations

from typing import Any, Literal

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from chatkit_server.errors import BadRequest, TooLarge
from chatkit_server.web.body import MAX_DEPTH, MAX_VALUES, read_object, validation_error


def test_an_object_is_read() -> None:
    body = {"a": [1, "ü", None, {"b": True}], "c": {}}
    assert read_object(orjson.dumps(body)) == body


@pytest.mark.parametrize("data", [b"", b"{", b"{]", b"\xff", b"nan"])
def test_what_is_not_json_is_refused_with_the_reason(data: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^The body is not JSON: \w+.*") as raised:
        read_object(data)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("data", [b"[]", b'"text"', b"1", b"null", b"true"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^The body must be a JSON object\.$"):
        read_object(data)


def levels(count: int, inner: str) -> bytes:
    """Return an object of so many levels, of lists or of objects within it."""
    begin, end = ("[", "]") if inner == "lists" else ('{"a":', "}")
    return ('{"a":' + begin * (count - 1) + "1" + end * (count - 1) + "}").encode()


@pytest.mark.parametrize("inner", ["lists", "objects"])
def test_a_body_may_have_so_many_levels(inner: str) -> None:
    read_object(levels(MAX_DEPTH - 1, inner))
    with pytest.raises(BadRequest, match=rf"^The body has more than {MAX_DEPTH} levels\.$"):
        read_object(levels(MAX_DEPTH, inner))


def test_a_body_may_have_so_many_values() -> None:
    # the object, its key, the list, and what is in it
    most = [0] * (MAX_VALUES - 3)
    read_object(orjson.dumps({"a": most}))
    with pytest.raises(TooLarge, match=rf"^The body has more than {MAX_VALUES} values\. "):
        read_object(orjson.dumps({"a": [*most, 0]}))
    keys = {str(n): 0 for n in range(MAX_VALUES // 2)}
    with pytest.raises(TooLarge):
        read_object(orjson.dumps(keys))


@pytest.mark.parametrize(
    "body", [{"a": "x\0"}, {"\0": 1}, {"a": [1, {"b": "\0"}]}, {"a": {"b\0c": []}}]
)
def test_a_text_may_have_no_nul(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"^The body contains a NUL character \(\\u0000\)\.$"):
        read_object(orjson.dumps(body))


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        if len(name) > 3:
            raise ValueError("too long. " + "x" * 500)
        return name


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = ""
    inner: list[Strict] = []


class Home(BaseModel):
    pets: list[Cat | Dog]
    notes: dict[str, int] = {}
    owner: Cat | None = None


def message_of(body: Any, model: Any = Home) -> str:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(model).validate_python(body)
    error = validation_error(raised.value, body)
    assert isinstance(error, BadRequest)
    return error.message


CAT = {"kind": "cat", "lives": 9}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "pets: Field required"),
        ({"pets": 1}, "pets: Input should be a valid list"),
        ({"pets": [CAT, {"kind": "cat"}]}, "pets.1.lives: Field required"),
        ({"pets": [{"kind": "cat", "lives": "many"}]}, "pets.0.lives: Input should be a valid int"),
        ({"pets": [], "notes": {"a": 1, "b": []}}, "notes.b: Input should be a valid integer"),
        ({"pets": [], "owner": 3}, "owner: Input should be a JSON object"),
        ({"pets": [], "notes": 3}, "notes: Input should be a JSON object"),
        ([], "body: Input should be a JSON object"),
    ],
)
def test_an_error_names_the_field(body: Any, message: str) -> None:
    assert message_of(body).startswith(message)


def test_an_error_is_the_validators_own_words_in_short() -> None:
    said = message_of({"kind": "dog", "name": "Rover"}, Dog)
    assert said.startswith("name: too long. xxx")
    assert len(said) == len("name: ") + 300


@pytest.mark.parametrize(
    ("body", "start"),
    [
        ({"nane": 1}, "nane: unknown field. Did you mean"),
        ({"inner": [{}, {"zzzzzz": 1}]}, "inner.1.zzzzzz: unknown field. Known: name, inner"),
        ({"n" * 1000: 1}, "n" * 300 + ": unknown field."),
        ({"name": 1}, "name: Input should be a valid string"),
    ],
)
def test_an_unknown_field_is_told_with_the_known_ones(body: Any, start: str) -> None:
    asked: list[tuple[int | str, ...]] = []

    def known(path: tuple[int | str, ...]) -> list[str]:
        asked.append(path)
        return ["name", "inner"]

    with pytest.raises(ValidationError) as raised:
        Strict.model_validate(body)
    message = validation_error(raised.value, body, known).message
    assert message.startswith(start)
    if "unknown" in start:
        assert message.endswith("Known: name, inner")
        assert asked == [("inner", 1) if "inner" in body else ()]
    with_other_rules = validation_error(raised.value, body).message
    assert "Known" not in with_other_rules
