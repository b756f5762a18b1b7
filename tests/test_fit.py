"""Requests as they are sent: what each kind of endpoint accepts, whatever the history is."""

from __future__ import annotations

import copy
import itertools
import json
import random
import re
from typing import Any

import pytest

from chatkit_server.agent.completions.messages import read_items
from chatkit_server.agent.completions.order import GO_ON, NO_ANSWER
from chatkit_server.agent.completions.requests import fit
from chatkit_server.agent.completions.schemas import loosened
from chatkit_server.agent.pairs import CALL_CUT_OFF
from chatkit_server.models import Profile, profile_of

Items = list[dict[str, Any]]
PNG = "data:image/png;base64,iVBORw0KGgo="


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "input_text", "text": text} for text in texts]}


def said(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "m", "type": "message", "role": "assistant", "content": content}


def called(own: str, arguments: str = "{}", name: str = "weather", **data: Any) -> Any:
    call = {"type": "function_call", "call_id": own, "name": name, "arguments": arguments}
    return {**call, "provider_data": {"model": "m", **data}} if data else call


def result(call_id: str, output: Any = "sunny") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def thought(text: str, **data: Any) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "summary": summary, "provider_data": {"model": "m", **data}}


def image(url: str = PNG) -> dict[str, Any]:
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def sent(items: Items | str, profile: Profile | None = None, **request: Any) -> Items:
    request.setdefault("tools", [tool()])
    messages: Items = fit({"messages": [], **request}, profile or Profile(), items)["messages"]
    return messages


def tool(parameters: Any = None, name: str = "weather", **more: Any) -> dict[str, Any]:
    function = {"name": name, "description": "", "parameters": parameters, **more}
    return {"type": "function", "function": function}


def short(messages: Items) -> list[Any]:
    """Return messages as pairs of role and content, with the calls' ids in place of calls."""
    found: list[Any] = []
    for message in messages:
        calls = message.get("tool_calls")
        ids = ([call["id"] for call in calls],) if calls else ()
        found.append((message["role"], message["content"], *ids))
    return found


HISTORIES: dict[str, tuple[Items, list[Any]]] = {
    "neighbours of one role": (
        [user("one", "two"), user("three"), said("four"), said("five"), user("six")],
        [("user", "one\n\ntwo\n\nthree"), ("assistant", "four\n\nfive"), ("user", "six")],
    ),
    "calls of one answer, one by one": (
        [user("hi"), called("a"), called("b"), result("a", "1"), result("b", "2")],
        [("user", "hi"), ("assistant", None, ["a", "b"]), ("tool", "1"), ("tool", "2")],
    ),
    "calls of two answers": (
        [user("hi"), called("a"), result("a", "1"), called("b"), result("b", "2")],
        [
            ("user", "hi"),
            ("assistant", None, ["a"]),
            ("tool", "1"),
            ("assistant", None, ["b"]),
            ("tool", "2"),
        ],
    ),
    "a text between a call and its result": (
        [user("hi"), called("a"), said("wait"), result("a", "1"), said("done"), user("more")],
        [
            ("user", "hi"),
            ("assistant", "wait", ["a"]),
            ("tool", "1"),
            ("assistant", "done"),
            ("user", "more"),
        ],
    ),
    "a message between a call and its result": (
        [user("hi"), called("a"), user("well?"), result("a", "1")],
        [("user", "hi"), ("assistant", None, ["a"]), ("tool", "1"), ("user", "well?")],
    ),
    "results in another order": (
        [user("hi"), called("a"), called("b"), result("b", "2"), result("a", "1")],
        [("user", "hi"), ("assistant", None, ["a", "b"]), ("tool", "1"), ("tool", "2")],
    ),
    "a result before its call": (
        [user("hi"), result("a", "1"), called("a")],
        [("user", "hi"), ("assistant", None, ["a"]), ("tool", "1")],
    ),
    "a result without a call": (
        [user("hi"), result("x"), user("more")],
        [("user", "hi\n\nmore")],
    ),
    "a call without a result": (
        [user("hi"), called("a"), user("more")],
        [("user", "hi"), ("assistant", None, ["a"]), ("tool", CALL_CUT_OFF), ("user", "more")],
    ),
    "an id for several turns": (
        [
            user("hi"),
            called("a"),
            user("again"),
            called("a"),
            result("a", "2"),
        ],
        [
            ("user", "hi"),
            ("assistant", None, ["a"]),
            ("tool", CALL_CUT_OFF),
            ("user", "again"),
            ("assistant", None, ["call_"]),
            ("tool", "2"),
        ],
    ),
    "an empty answer": ([user("hi"), said(" "), user("more")], [("user", "hi\n\nmore")]),
    "only reasoning": ([user("hi"), thought("hm"), user("more")], [("user", "hi\n\nmore")]),
    "a blank result": (
        [user("hi"), called("a"), result("a", " ")],
        [("user", "hi"), ("assistant", None, ["a"]), ("tool", "(no output)")],
    ),
    "an answer first": (
        [said("welcome"), user("hi")],
        [("user", "(The conversation begins.)"), ("assistant", "welcome"), ("user", "hi")],
    ),
    "an answer last": (
        [user("hi"), said("well")],
        [("user", "hi"), ("assistant", "well"), ("user", GO_ON)],
    ),
    "nothing": ([], [("user", "(The conversation begins.)")]),
    "items of other protocols": (
        [
            user("hi"),
            {"type": "web_search_call", "id": "ws", "status": "completed"},
            {"type": "item_reference", "id": "x"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_audio"}]},
            said("there"),
            {"role": "user", "content": "more"},
        ],
        [("user", "hi"), ("assistant", "there"), ("user", "more")],
    ),
    "a refusal": (
        [
            user("hi"),
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "refusal", "refusal": "no"}],
            },
            user("why"),
        ],
        [("user", "hi"), ("assistant", "no"), ("user", "why")],
    ),
}


@pytest.mark.parametrize(("items", "expected"), HISTORIES.values(), ids=HISTORIES)
def test_any_history_is_in_order(items: Items, expected: list[Any]) -> None:
    found = short(sent(items))
    for message in found:
        if message[0] == "assistant" and len(message) == 3:
            message[2][:] = [i if len(i) < 5 else i[:5] for i in message[2]]
    assert found == expected


# What the endpoints check


def check_openai(messages: Items) -> None:
    """Calls are followed by their results, ids are unique and short, nothing is null or empty."""
    seen: set[str] = set()
    waiting: list[str] = []
    for message in messages:
        if waiting:
            assert message["role"] == "tool", "calls are not followed by their results"
            assert message["tool_call_id"] == waiting.pop(0)
        else:
            assert message["role"] != "tool", "a result without a call"
        calls = message.get("tool_calls", [])
        assert message["content"] or calls, "an empty message"
        waiting = [call["id"] for call in calls] or waiting
        for call in calls:
            assert call["id"] not in seen
            assert 0 < len(call["id"]) <= 40
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            seen.add(call["id"])
    assert not waiting


def check_turns(messages: Items, *, system: int) -> None:
    """Roles alternate, but for calls and their results."""
    roles = [message["role"] for message in messages]
    assert roles.count("system") == system
    body = [role for role in roles if role != "system"]
    assert roles[system:] == body
    assert body[0] == "user"
    assert body[-1] in ("user", "tool")
    for before, after in itertools.pairwise(body):
        assert (before, after) not in [("user", "user"), ("assistant", "assistant")]


def check_mistral(messages: Items) -> None:
    check_turns(messages, system=1)
    for before, after in itertools.pairwise(messages):
        assert (before["role"], after["role"]) != ("tool", "user")
    for message in messages:
        assert message.keys() <= {"role", "content", "tool_calls", "tool_call_id"}
        for call in message.get("tool_calls", []):
            assert re.fullmatch("[a-zA-Z0-9]{9}", call["id"])


def check_gemma(messages: Items) -> None:
    check_turns(messages, system=0)
    assert {message["role"] for message in messages} <= {"user", "assistant"}
    first = messages[0]["content"]
    assert (first if isinstance(first, str) else first[0]["text"]).startswith("be nice")


def check_deepseek(messages: Items) -> None:
    check_turns(messages, system=1)
    for message in messages:
        assert isinstance(message["content"], str | None)
        if message["role"] == "assistant":
            assert message["reasoning_content"]


def check_groq(messages: Items) -> None:
    check_turns(messages, system=1)
    for message in messages:
        assert message.keys() <= {"role", "content", "tool_calls", "tool_call_id"}


def check_anthropic(messages: Items) -> None:
    check_turns(messages, system=1)
    for message in messages:
        for call in message.get("tool_calls", []):
            assert re.fullmatch("[a-zA-Z0-9_-]+", call["id"])
            # The thinking comes before all calls, in one message
            assert all(block["signature"] for block in message.get("thinking_blocks", ()))


STRICT: dict[str, tuple[Profile, Any]] = {
    "openai": (profile_of("openai", "gpt-4o"), check_openai),
    "mistral": (profile_of("mistral", "mistral-small-latest"), check_mistral),
    "gemma": (profile_of("vllm", "google/gemma-3-12b-it"), check_gemma),
    "deepseek": (profile_of("deepseek", "deepseek-chat"), check_deepseek),
    "groq": (profile_of("groq", "moonshotai/kimi-k2-instruct"), check_groq),
    "anthropic": (profile_of("anthropic", "claude-opus-4-6", litellm=True), check_anthropic),
    "unknown": (Profile(), lambda messages: check_turns(messages, system=1)),
}

MIXED: Items = [
    user("hi"),
    thought("hm", thinking_blocks=[{"type": "thinking", "thinking": "hm", "signature": "s"}]),
    said("let me see"),
    called("functions.weather:0", call_id="functions.weather:0"),
    called("functions.weather:0", '{"city": ', call_id="functions.weather:0"),
    result("functions.weather:0", "sunny"),
    result("functions.weather:0", [{"type": "input_text", "text": "a map"}, image()]),
    said("It is sunny"),
    user("(the answer was stopped)"),
    user("what is it?", "quoted"),
    {"role": "user", "content": [image()]},
    called("", "[1]"),
    said(""),
    result("", ""),
    user("and now?"),
    said("\n"),
    called("x" * 70, "null"),
    user("(the answer was stopped)"),
    user("go on"),
    said("the last"),
]


@pytest.mark.parametrize(("profile", "check"), STRICT.values(), ids=STRICT)
def test_any_history_fits_any_endpoint(profile: Profile, check: Any) -> None:
    chance = random.Random(3)
    for _ in range(60):
        items = copy.deepcopy(MIXED)
        for _ in range(chance.randrange(8)):
            at = chance.randrange(len(items))
            match chance.randrange(3):
                case 0:
                    del items[at]
                case 1:
                    items.insert(chance.randrange(len(items)), items[at])
                case 2:
                    items.insert(chance.randrange(len(items)), items.pop(at))
        before = copy.deepcopy(items)
        system = [{"role": "system", "content": "be nice"}]
        messages = sent(items, profile, messages=system)
        assert items == before
        check_openai(messages)
        check(messages)
        json.dumps(messages)


def test_the_same_history_is_sent_the_same_way() -> None:
    for profile, _ in STRICT.values():
        first = sent(MIXED[:-1], profile)
        assert sent(MIXED[:-1], profile) == first
        # What a provider keeps of the beginning can be used again
        kept = min(10, len(first) - 1)
        assert sent([*MIXED[:-1], user("more")], profile)[:kept] == first[:kept]


# Ids

IDS: dict[str, list[str]] = {
    "own": ["call_1", "call_2"],
    "given": ["weather:0", "call_2"],
    "functions": ["functions.weather:0", "functions.weather:1"],
}


@pytest.mark.parametrize(("form", "expected"), IDS.items(), ids=IDS)
def test_ids_have_the_form_of_the_profile(form: Any, expected: list[str]) -> None:
    items = [
        user("hi"),
        called("call_1", call_id="weather:0"),
        result("call_1"),
        called("call_2", call_id="weather:0"),
        result("call_2"),
    ]
    messages = sent(items, Profile(call_ids=form))
    assert [m["tool_calls"][0]["id"] for m in messages if "tool_calls" in m] == expected
    assert [m["tool_call_id"] for m in messages if m["role"] == "tool"] == expected


# Reasoning

THOUGHTS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "not sent": ({}, [{}, {}, {}]),
    "since the user": ({"reasoning": "reasoning_content"}, [{}, {}, {"reasoning_content": "c"}]),
    "all": (
        {"reasoning": "reasoning", "reasoning_turns": "all"},
        [{"reasoning": "a"}, {}, {"reasoning": "c"}],
    ),
    "all of them needed": (
        {"reasoning": "reasoning_content", "reasoning_required": True},
        [{"reasoning_content": " "}, {"reasoning_content": " "}, {"reasoning_content": "c"}],
    ),
    "objects": (
        {"reasoning": "reasoning_details", "reasoning_turns": "all"},
        [{"reasoning_details": [{"text": "a"}]}, {}, {"reasoning": "c"}],
    ),
}


@pytest.mark.parametrize(("fields", "expected"), THOUGHTS.values(), ids=THOUGHTS)
def test_reasoning_goes_back_as_the_profile_says(
    fields: dict[str, Any], expected: list[Any]
) -> None:
    items = [
        user("hi"),
        thought("a", reasoning_details=[{"text": "a"}]),
        called("1"),
        result("1"),
        said("well"),
        user("more"),
        thought("c"),
        called("2"),
        result("2"),
    ]
    plain = {"role", "content", "tool_calls"}
    found = [
        {key: value for key, value in message.items() if key not in plain}
        for message in sent(items, Profile(**fields))
        if message["role"] == "assistant"
    ]
    assert found == expected


def test_reasoning_goes_back_in_the_content() -> None:
    items = [user("hi"), thought("hm"), said("well"), user("more")]
    fields: dict[str, Any] = {"reasoning_turns": "all"}
    [_, tagged, _] = sent(items, Profile(reasoning="tags", **fields))
    assert tagged["content"] == "<think>\nhm\n</think>\n\nwell"
    [_, parts, _] = sent(items, Profile(reasoning="content", **fields))
    assert parts["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "well"},
    ]


def test_claude_gets_its_signed_thoughts_before_all_calls() -> None:
    profile = profile_of("anthropic", "claude-opus-4-6", litellm=True)
    block = {"type": "thinking", "thinking": "hm", "signature": "s"}
    items = [user("hi"), thought("hm", thinking_blocks=[block]), called("a"), called("b")]
    items += [result("b"), result("a")]
    request = {"reasoning_effort": "low", "messages": [], "tools": [tool()]}
    fitted = fit(request, profile, items)
    [_, answer, _, _] = fitted["messages"]
    assert answer["thinking_blocks"] == [block]
    assert [call["id"] for call in answer["tool_calls"]] == ["a", "b"]
    assert fitted["reasoning_effort"] == "low"
    # Without a signature, as of another model, it would be refused while it thinks
    unsigned = fit(request, profile, [user("hi"), thought("hm"), called("a"), result("a")])
    assert "thinking_blocks" not in unsigned["messages"][1]
    assert "reasoning_effort" not in unsigned


@pytest.mark.parametrize("field", ["extra_content", "provider_specific_fields"])
def test_gemini_gets_its_signatures(field: Any) -> None:
    items = [user("hi"), called("a", thought_signature="s"), called("b"), result("a")]
    items += [result("b"), called("c"), result("c")]
    messages = sent(items, Profile(thought_signatures=field))
    calls = [call for m in messages for call in m.get("tool_calls", [])]
    found = [call.get(field) for call in calls]
    signed: list[Any] = [
        {"thought_signature": "s"},
        {"thought_signature": "skip_thought_signature_validator"},
    ]
    if field == "extra_content":
        signed = [{"google": one} for one in signed]
    assert found == [signed[0], None, signed[1]]


# System messages

SYSTEMS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "first": ({}, [("system", "a\n\nb"), ("user", "hi\n\nmore")]),
    "anywhere": (
        {"system": "anywhere"},
        [("system", "a"), ("user", "hi"), ("system", "b"), ("user", "more")],
    ),
    "user": ({"system": "user"}, [("user", "a\n\nb\n\nhi\n\nmore")]),
    "developer": (
        {"system": "anywhere", "developer": True},
        [("system", "a"), ("user", "hi"), ("developer", "b"), ("user", "more")],
    ),
}


@pytest.mark.parametrize(("fields", "expected"), SYSTEMS.values(), ids=SYSTEMS)
def test_system_messages_are_where_the_profile_wants_them(
    fields: dict[str, Any], expected: list[Any]
) -> None:
    system = [{"role": "system", "content": "a"}]
    items = [user("hi"), {"role": "developer", "content": "b"}, user("more")]
    assert short(sent(items, Profile(**fields), messages=system)) == expected


def test_an_answer_comes_between_a_result_and_a_user() -> None:
    items = [user("hi"), called("a"), result("a", "1"), user("more")]
    [*_, before, last] = short(sent(items, Profile(alternate=True)))
    assert (before, last) == (("assistant", NO_ANSWER), ("user", "more"))


# Images

ITEMS_WITH_IMAGES = [
    {"role": "user", "content": [{"type": "input_text", "text": "look"}, image()]},
    called("a"),
    result("a", [{"type": "input_text", "text": "here"}, image()]),
]
IMAGE = {"type": "image_url", "image_url": {"url": PNG, "detail": "auto"}}
LOOK, HERE = {"type": "text", "text": "look"}, {"type": "text", "text": "here"}
NOTE = "[an image, not shown to this model]"

IMAGES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "not known": ({}, [[LOOK, IMAGE], None, f"here\n{NOTE}"]),
    "not seen": ({"images": False}, [f"look\n\n{NOTE}", None, f"here\n{NOTE}"]),
    "seen": (
        {"images": True},
        [
            [LOOK, IMAGE],
            None,
            "here",
            [{"type": "text", "text": "[From the tool weather:]"}, IMAGE],
        ],
    ),
    "seen in results": (
        {"images": True, "tool_answers": "parts"},
        [[LOOK, IMAGE], None, [HERE, IMAGE]],
    ),
}


@pytest.mark.parametrize(("fields", "expected"), IMAGES.values(), ids=IMAGES)
def test_images_are_sent_to_who_sees_them(fields: dict[str, Any], expected: list[Any]) -> None:
    messages = sent(ITEMS_WITH_IMAGES, Profile(**fields))
    assert [message["content"] for message in messages] == expected


def test_an_image_after_a_result_joins_what_the_user_says() -> None:
    items = [*ITEMS_WITH_IMAGES, user("and?")]
    [*_, last] = sent(items, Profile(images=True))
    assert [part["type"] for part in last["content"]] == ["text", "image_url", "text"]
    system = [{"role": "system", "content": "be nice"}]
    for profile, check in STRICT.values():
        check(sent(items, profile, messages=system))


def test_parts_are_sent_where_they_are_wanted() -> None:
    profile = Profile(content="parts", tool_answers="parts")
    messages = sent([user("hi"), called("a"), result("a", "1")], profile)
    assert [m["content"] for m in messages] == [
        [{"type": "text", "text": "hi"}],
        None,
        [{"type": "text", "text": "1"}],
    ]


def test_calls_without_text_have_the_content_that_is_wanted() -> None:
    items = [user("hi"), called("a"), result("a")]
    assert sent(items)[1]["content"] is None
    assert sent(items, Profile(empty_content=True))[1]["content"] == ""


def test_calls_are_text_where_they_need_tools() -> None:
    items = [user("hi"), said("well"), called("a", '{"city": "Rome"}'), result("a"), user("more")]
    profile = Profile(calls_need_tools=True)
    assert short(sent(items, profile, tools=None)) == [
        ("user", "hi"),
        ("assistant", 'well\n\n[I called weather with {"city": "Rome"}]'),
        ("user", "[What weather returned:]\n\nsunny\n\nmore"),
    ]
    assert "tool_calls" in sent(items, profile)[1]


def test_calls_are_text_where_no_role_is_known_for_them() -> None:
    items = [user("hi"), called("a", '{"city": "Rome"}'), result("a"), user("more")]
    assert short(sent(items, Profile(calls="text", alternate=True))) == [
        ("user", "hi"),
        ("assistant", '[I called weather with {"city": "Rome"}]'),
        ("user", "[What weather returned:]\n\nsunny\n\nmore"),
    ]


def test_calls_are_single_where_a_message_may_have_one() -> None:
    calls = [called("a"), called("b"), result("a"), result("b", "rain")]
    assert short(
        sent([user("hi"), said("well"), *calls, user("more")], Profile(calls="single"))
    ) == [
        ("user", "hi"),
        ("assistant", "well", ["a"]),
        ("tool", "sunny"),
        ("assistant", None, ["b"]),
        ("tool", "rain"),
        ("user", "more"),
    ]


# Messages as the Agents SDK makes them


def test_messages_of_the_sdk_are_read_too() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [{"id": "a", "function": {"name": "weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}]},
    ]
    before = copy.deepcopy(messages)
    found = sent([], Profile(reasoning="reasoning"), messages=messages)
    assert messages == before
    assert short(found) == [("user", "hi"), ("assistant", None, ["a"]), ("tool", "1")]
    assert found[1]["reasoning"] == "hm"


def test_arguments_are_always_an_object() -> None:
    texts = ['{"a": 1}', '{"n": 123456789012345678901234567890}', "", "null", "[1]", '{"a": ', "x"]
    items = [called(str(number), text) for number, text in enumerate(texts)]
    found = [call.arguments for message in read_items(items) for call in message.calls]
    assert found == [*texts[:2], *["{}"] * 5]


# Parameters

PARAMETERS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "the limit's name": (
        {"max_tokens": "max_completion_tokens"},
        {"max_tokens": 9},
        {"max_completion_tokens": 9},
    ),
    "the limit's older name": ({}, {"max_completion_tokens": 9}, {"max_tokens": 9}),
    "no limit": (
        {"max_tokens": "max_completion_tokens"},
        {"max_tokens": None},
        {"max_tokens": None},
    ),
    "no stream options": (
        {"stream_options": False},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True},
    ),
    "no sampling": ({"sampling": False}, {"temperature": 0.1, "top_p": 1, "seed": 3}, {"seed": 3}),
    "no effort": ({"reasoning_effort": False}, {"reasoning_effort": "low"}, {}),
    "no parallel calls": ({"parallel_tool_calls": False}, {"parallel_tool_calls": True}, {}),
    "a choice without tools": ({}, {"tools": [], "tool_choice": "auto"}, {"tools": []}),
}


@pytest.mark.parametrize(("fields", "given", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_are_those_that_are_known(
    fields: dict[str, Any], given: dict[str, Any], expected: dict[str, Any]
) -> None:
    request = {"model": "m", "messages": [], "tools": [tool()], **given}
    before = copy.deepcopy(request)
    fitted = fit(request, Profile(**fields))
    assert request == before
    unchanged = ("model", "messages", *(() if "tools" in given else ("tools",)))
    assert {key: value for key, value in fitted.items() if key not in unchanged} == expected


# Tools


def test_as_many_tools_are_sent_as_are_allowed() -> None:
    tools = [tool(name=f"t{number}") for number in range(130)]
    fitted = fit({"messages": [], "tools": tools}, Profile(), [user("hi")])
    assert [t["function"]["name"] for t in fitted["tools"]] == [f"t{n}" for n in range(128)]
    every = fit({"messages": [], "tools": tools}, Profile(max_tools=None), [user("hi")])
    assert len(every["tools"]) == 130
    none = fit({"messages": [], "tools": tools, "tool_choice": "auto"}, Profile(max_tools=0))
    assert not {"tools", "tool_choice"} & none.keys()


def test_a_tool_has_the_fields_that_are_known() -> None:
    def function(profile: Profile, **fields: Any) -> dict[str, Any]:
        request = {"messages": [], "tools": [tool(**fields)]}
        found: dict[str, Any] = fit(request, profile)["tools"][0]["function"]
        return found

    nothing = {"type": "object", "properties": {}}
    assert function(Profile(), strict=False) == {"name": "weather", "parameters": nothing}
    assert function(Profile(), strict=True)["strict"] is True
    assert "strict" not in function(Profile(strict=False), strict=True)
    assert function(Profile(), parameters={"type": "object"})["parameters"] == nothing
    schema = {"$schema": "x", "type": "object", "properties": {"a": {"const": 1}}}
    assert function(Profile(), parameters=schema)["parameters"] == schema


SCHEMAS: dict[str, tuple[Any, Any]] = {
    "a reference": (
        {
            "properties": {"a": {"$ref": "#/$defs/city", "description": "where"}},
            "$defs": {"city": {"type": "string", "description": "a city"}},
        },
        {"type": "object", "properties": {"a": {"type": "string", "description": "where"}}},
    ),
    "a constant": ({"const": "a"}, {"type": "string", "enum": ["a"]}),
    "numbers to choose from": (
        {"type": "integer", "enum": [1, 2]},
        {"type": "integer", "description": "One of: 1, 2"},
    ),
    "a type or null": ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    "several types": (
        {"type": ["string", "integer"]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    ),
    "something or null": (
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "title": "n"},
        {"type": "integer", "minimum": 1, "nullable": True, "title": "n"},
    ),
    "one of": (
        {"oneOf": [{"type": "string"}, {"type": "boolean"}]},
        {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
    ),
    "all of": (
        {"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a", "b"]}]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    ),
    "what is not known": (
        {
            "$schema": "x",
            "$id": "y",
            "type": "object",
            "additionalProperties": False,
            "properties": {"a": {"type": "string", "format": "uri", "exclusiveMinimum": 1}},
        },
        {"type": "object", "properties": {"a": {"type": "string"}}},
    ),
    "a list of anything": ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
    "a property with the name of a keyword": (
        {"properties": {"const": {"type": "string"}, "$ref": {"type": "string"}}},
        {"type": "object", "properties": {"const": {"type": "string"}, "$ref": {"type": "string"}}},
    ),
    "a reference to nowhere": ({"$ref": "#/$defs/x", "title": "t"}, {"title": "t"}),
    "true": (True, {}),
    "a type that is none": ({"type": "file", "title": "t"}, {"title": "t"}),
}


@pytest.mark.parametrize(("schema", "expected"), SCHEMAS.values(), ids=SCHEMAS)
def test_loose_schemas_are_simple(schema: Any, expected: Any) -> None:
    before = copy.deepcopy(schema)
    assert loosened(schema) == expected
    assert schema == before


def test_a_schema_that_refers_to_itself_more_than_once_ends() -> None:
    branch = {"$ref": "#/$defs/tree"}
    tree = {"type": "object", "properties": {"left": branch, "right": branch}}
    assert len(json.dumps(loosened({**tree, "$defs": {"tree": tree}}))) < 1000


def test_a_schema_does_not_grow_without_end() -> None:
    levels = {
        str(level): {"properties": {"a": {"$ref": f"#/$defs/{level + 1}"}, "b": {"allOf": [below]}}}
        for level in range(29)
        for below in [{"$ref": f"#/$defs/{level + 1}"}]
    }
    assert len(json.dumps(loosened({"$ref": "#/$defs/0", "$defs": levels}))) < 200_000


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}, "all": {"allOf": [True]}}}
    assert len(json.dumps(loosened(tree))) < 5000
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert loosened(circle) == {}
    request = {"messages": [], "tools": [tool(tree)]}
    assert fit(request, Profile(schemas="loose"))["tools"][0]["function"]["parameters"]
