"""Whatever was said before, a model's endpoint gets a conversation that it accepts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_server.agent.pairs import CALL_CUT_OFF
from chatkit_server.agent.portable import for_any_model, for_other_model
from chatkit_server.agent.sound import INVALID_ARGUMENTS, NO_OUTPUT, sound
from tests.strict import check_items

REASONING: Any = {"type": "reasoning", "id": "rs_1", "summary": []}


def user(text: Any = "Hello", **fields: Any) -> Any:
    return {"role": "user", "content": text, **fields}


def assistant(text: str = "Hi", **fields: Any) -> Any:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "content": content, **fields}


def call(call_id: Any = "c1", arguments: Any = "{}", name: Any = "add", **fields: Any) -> Any:
    fields = {"call_id": call_id, "name": name, "arguments": arguments, **fields}
    return {"type": "function_call", **fields}


def output(call_id: Any = "c1", text: Any = "3") -> Any:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def repaired(*items: Any) -> list[Any]:
    """Return the items as `sound` makes them, checked, and unchanged by a second time."""
    found: list[Any] = sound(items)
    check_items(found)
    assert sound(found) == found
    return found


def shape(items: list[Any]) -> list[str]:
    """Tell items in short: roles, names of types, and the outputs."""
    return [str(item.get("output") or item.get("role") or item["type"]) for item in items]


def test_what_is_sound_stays_as_it_is() -> None:
    items = [
        {"role": "system", "content": "Be kind."},
        user(),
        REASONING,
        assistant("Let me see."),
        call("c1"),
        call("c2"),
        output("c1"),
        output("c2", [{"type": "input_text", "text": "4"}]),
        {"type": "web_search_call", "id": "ws_1"},
        assistant("Grüße 🎈", id="msg_2"),
    ]
    found = repaired(*items)
    assert len(found) == len(items)
    assert all(a is b for a, b in zip(found, items, strict=True))


def test_ids_are_used_once() -> None:
    found = repaired(
        user(),
        call("call_0"),
        call("call_0", '{"a": 2}'),
        output("call_0", "one"),
        output("call_0", "two"),
        assistant(),
        user("Again"),
        call("call_0"),
        output("call_0", "three"),
    )
    ids = [item["call_id"] for item in found if "call_id" in item]
    assert ids[0] == ids[2] == "call_0"
    assert len(set(ids)) == 3
    assert [item["output"] for item in found if "output" in item] == ["one", "two", "three"]


@pytest.mark.parametrize("odd", ["", None, 7, "x" * 41, "a b", "functions.add:0", "é", "\ud83d"])
def test_odd_ids_are_replaced(odd: Any) -> None:
    first = call(odd, id="fc_1")
    found = repaired(user(), first, call("c2"), output(odd, "one"), output("c2", "two"))
    assert [item["output"] for item in found[3:]] == ["one", "two"]


def test_results_come_after_their_calls_in_order() -> None:
    found = repaired(
        user(), call("a"), call("b"), output("b", "two"), output("a", "one"), user("Next")
    )
    assert shape(found) == ["user", "function_call", "function_call", "one", "two", "user"]
    found = repaired(user(), call("a"), user("Meanwhile"), output("a", "one"))
    assert shape(found) == ["user", "function_call", "one", "user"]
    found = repaired(user(), REASONING, call("a"), assistant("I look."), output("a", "one"))
    assert shape(found) == ["user", "assistant", "reasoning", "function_call", "one"]


def test_a_call_has_one_result() -> None:
    found = repaired(
        user(), output("x", "of nobody"), call("a"), output("a", "one"), output("a", "twice")
    )
    assert shape(found) == ["user", "function_call", "one"]
    found = repaired(user(), call("a"), user("Again"), call("a"), output("a", "of the second"))
    assert shape(found) == [
        "user",
        "function_call",
        CALL_CUT_OFF,
        "user",
        "function_call",
        "of the second",
    ]
    computer = {"type": "computer_call", "call_id": "z", "id": "cu_1"}
    assert shape(repaired(user(), computer, assistant())) == ["user", "assistant"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", "{}"),
        (" ", "{}"),
        (None, "{}"),
        ("null", "{}"),
        ("[]", "{}"),
        ('""', "{}"),
        ({"a": 1}, '{"a": 1}'),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ('{"a": NaN}', '{"a": null}'),
        ('{"a": 1e999}', '{"a": null}'),
        (r'{"a": "\ud83d"}', '{"a": "\ufffd"}'),
        (r'{"a": "\u0000"}', '{"a": "\ufffd"}'),
        ('{"a": "b\n\0"}', '{"a": "b\\n\ufffd"}'),
        ('{"a": "\ud83d\ude00"}', '{"a": "\U0001f600"}'),
    ],
)
def test_arguments_are_an_object(written: Any, kept: str) -> None:
    made = repaired(user(), call("a", written), output("a"))[1]
    assert made["arguments"] == kept
    assert "provider_data" not in made


@pytest.mark.parametrize(
    ("written", "original"),
    [
        ('{"city": "Os', '{"city": "Os'),
        ("[1]", "[1]"),
        ("42", "42"),
        ("Rome \ud83d", "Rome \ufffd"),
        ("[" * 200 + "]" * 200, "[" * 200 + "]" * 200),
        ([1], "[1]"),
    ],
)
def test_what_is_no_object_is_kept_aside(written: Any, original: str) -> None:
    made = repaired(user(), call("a", written, provider_data={"model": "m"}), output("a"))[1]
    assert made["arguments"] == "{}"
    assert made["provider_data"] == {"model": "m", INVALID_ARGUMENTS: original}


@pytest.mark.parametrize(
    ("name", "told"),
    [("functions.add", "functions_add"), (" add ", "add"), ("", "unknown"), ("é" * 80, "_" * 64)],
)
def test_names_are_those_of_tools(name: str, told: str) -> None:
    assert repaired(user(), call("a", name=name), output("a"))[1]["name"] == told


@pytest.mark.parametrize("empty", ["", " \n", None, []])
def test_a_result_is_never_empty(empty: Any) -> None:
    assert repaired(user(), call(), output("c1", empty))[2]["output"] == NO_OUTPUT


def test_nothing_empty_is_said() -> None:
    found = repaired(
        user(),
        assistant(""),
        assistant(" \n"),
        user([{"type": "input_text", "text": ""}, {"type": "input_text", "text": "Go"}]),
        {"role": "assistant", "content": None},
        REASONING,
    )
    assert found == [
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Hello\n\nGo"}],
        }
    ]


def test_the_user_speaks_once_at_a_time() -> None:
    image = {"type": "input_image", "image_url": "https://example.org/p.png"}
    found = repaired(user("One"), user([image]), user("Two"), user("Three"), assistant())
    assert found[0]["content"] == [
        {"type": "input_text", "text": "One"},
        image,
        {"type": "input_text", "text": "Two\n\nThree"},
    ]


def test_plain_messages_of_the_assistant_are_one() -> None:
    found = repaired(
        user(), assistant("One"), assistant("Two"), {"role": "assistant", "content": "3"}
    )
    [_, said] = found
    assert [part["text"] for part in said["content"]] == ["One", "Two", "3"]
    data = {"provider_data": {"thinking": "x"}}
    assert len(repaired(user(), assistant("One"), assistant("Two", **data))) == 3


def test_text_is_valid_everywhere() -> None:
    found = repaired(
        user("a\ud83d"),
        call("a", '{"\ud83d": 1}'),
        output("a", [{"type": "input_text", "text": "b\0\udc00"}]),
        assistant("c\ud83d\ude00"),
    )
    assert "a\ufffd" in str(found)
    assert "b\ufffd\ufffd" in str(found)
    assert "c😀" in str(found)


def test_what_one_api_has_becomes_what_all_have() -> None:
    items = [
        user(),
        REASONING,
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "file_search_call", "id": "fs_1", "queries": []},
        {"type": "code_interpreter_call", "id": "ci_1", "code": "1"},
        {"type": "image_generation_call", "id": "ig_1", "result": "AAAA"},
        {"type": "item_reference", "id": "msg_9"},
        {"type": "mcp_call", "id": "m1", "name": "find", "arguments": '{"a":1}', "output": "it"},
        {"type": "custom_tool_call", "call_id": "u1", "name": "patch", "input": "+ x"},
        {"type": "custom_tool_call_output", "call_id": "u1", "output": "done"},
        assistant("Found."),
    ]
    found = repaired(*for_any_model(items))
    assert shape(found) == [
        "user",
        "reasoning",
        "function_call",
        "it",
        "function_call",
        "done",
        "assistant",
    ]
    assert found[4]["arguments"] == '{"input": "+ x"}'
    assert shape(repaired(*for_other_model(items)))[1] == "function_call"


IDS = st.sampled_from(["c1", "c2", "call_0", "", None, "x" * 60])
TEXTS = st.one_of(st.sampled_from(["", " ", "Hi", "\0", "\ud83d"]), st.text(max_size=5))
ITEMS = st.one_of(
    st.builds(user, TEXTS),
    st.builds(assistant, TEXTS),
    st.builds(call, IDS, st.one_of(TEXTS, st.none(), st.sampled_from(["{}", '{"a": 1}']))),
    st.builds(output, IDS, st.one_of(TEXTS, st.none(), st.dictionaries(TEXTS, TEXTS, max_size=2))),
    st.just(REASONING),
    st.just({"type": "computer_call", "call_id": "c1", "id": "cu_1"}),
)


@given(st.lists(ITEMS, max_size=12))
def test_anything_becomes_sound(items: list[Any]) -> None:
    repaired(*items)
