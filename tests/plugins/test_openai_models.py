from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import Agent, ModelProvider, ModelSettings, RunConfig, Runner
from agents.exceptions import ModelBehaviorError
from aiohttp import web
from chatkit_plugins.openai_models import Config, Plugin
from openai.types.shared import Reasoning as Reasons

from chatkit_server import Settings, SettingsError, Turn, TurnFailed, hookimpl
from chatkit_server.plugin.load import load_plugins
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source
from chatkit_server.testing.model_server import (
    Break,
    Call,
    End,
    Error,
    ModelServer,
    Raw,
    Reasoning,
    Refusal,
)
from chatkit_server.turns import failures
from tests.conftest import MakeChat
from tests.plugins import model_checks as checks
from tests.strict_responses import StrictResponses


@pytest.fixture
async def server() -> AsyncIterator[StrictResponses]:
    async with StrictResponses() as server:
        yield server


def provider(server: ModelServer, **settings: Any) -> ModelProvider:
    section = {"base_url": server.url, "api_key": checks.KEY, "max_retries": 0} | settings
    models: ModelProvider = Plugin(validate(Config, section, Source())).model_providers()["openai"]
    return models


@pytest.fixture
async def models(server: ModelServer) -> AsyncIterator[ModelProvider]:
    models = provider(server)
    yield models
    await models.aclose()


@pytest.mark.parametrize("case", checks.CASES.values(), ids=checks.CASES)
async def test_a_failure_is_told_in_words(
    case: checks.Case, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    models = provider(server, timeouts=case.timeouts)
    await checks.check_case(case, server, models.get_model("any"), caplog)
    assert server.requests[0].path == "/v1/responses"
    await models.aclose()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("server_error", failures.PROVIDER_DOWN),
        ("rate_limit_exceeded", failures.RATE_LIMIT),
        ("context_length_exceeded", failures.TOO_LONG),
        ("insufficient_quota", failures.NO_QUOTA),
        ("invalid_prompt", failures.CONTENT_REFUSED),
        ("image_content_policy_violation", failures.CONTENT_REFUSED),
        ("invalid_image_url", failures.BAD_IMAGE),
        ("image_too_large", failures.BAD_IMAGE),
        ("vector_store_timeout", failures.TIMEOUT),
    ],
)
@pytest.mark.parametrize("bare", [True, False])
async def test_an_error_event(
    code: str, message: str, bare: bool, server: ModelServer, models: ModelProvider
) -> None:
    server.reply("Let ", Error("secret-text", code, bare=bare))
    assert (await checks.failure(models.get_model("any"))).message == message


ODD_EVENTS = [
    b'event: keepalive\ndata: {"type":"keepalive"}\n\n',
    b"event: ping\n\n",
    b"event: ping\ndata:\n\n",
    b"data: \n\n",
    b"data\n\n",
    b'data: {"type":\ndata:\nid: 3\ndata: "keepalive"}\n\n',
    b"id: 7\n\nretry: 100\r\n\r\n",
    b"data: {}\n\n",
    b'data: {"type": null}\n\n',
    b"\r\r\n\n",
    b"\xef\xbb\xbf: hello\n\n",
]


async def test_events_that_are_not_known_are_passed_over(
    server: ModelServer, models: ModelProvider
) -> None:
    for odd in ODD_EVENTS:
        server.reply("Hel", Raw(odd), "lo")
        assert (await checks.run(models.get_model("any"))).result.final_output == "Hello", odd


async def test_text_comes_in_pieces(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_text(server, models.get_model("any"))


async def test_an_answer_that_is_not_streamed(server: ModelServer, models: ModelProvider) -> None:
    quick = provider(server, timeouts=checks.QUICK)
    await checks.check_whole_answer(server, models.get_model("any"), quick.get_model("any"))
    await quick.aclose()


async def test_five_turns_with_tools(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_five_turns(server, models.get_model("any"))


async def test_parallel_calls(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_parallel_calls(server, models.get_model("any"))


async def test_reasoning(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_reasoning(server, models.get_model("any"), "reasoning_content")


async def test_a_refusal(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_refusal(server, models.get_model("any"))


async def test_tries_again_before_the_first_piece_only(server: ModelServer) -> None:
    models = provider(server, max_retries=2)
    await checks.check_retries(server, models.get_model("any"))
    server.requests.clear()
    await checks.check_no_second_try(server, models.get_model("any"))
    await models.aclose()


async def test_too_many_steps(models: ModelProvider) -> None:
    await checks.check_endless_calls(models.get_model("any"))


async def test_something_else_than_a_model_listens_there(
    server: ModelServer, models: ModelProvider
) -> None:
    server.fail(200, raw="<html>Welcome!</html>", headers={"Content-Type": "text/html"})
    assert (await checks.failure(models.get_model("any"))).message == failures.NONSENSE


async def test_organization_and_project_are_sent(server: ModelServer) -> None:
    models = provider(server, organization="org-ours", project="proj-ours")
    await checks.run(models.get_model("any"))
    assert server.requests[0].headers["OpenAI-Organization"] == "org-ours"
    assert server.requests[0].headers["OpenAI-Project"] == "proj-ours"
    await models.aclose()


async def test_one_pool_closed_with_the_server(server: ModelServer) -> None:
    section = {"base_url": server.url, "api_key": checks.KEY}
    plugin = Plugin(validate(Config, section, Source()))
    app = web.Application()
    plugin.setup(app)
    runner = web.AppRunner(app)
    await runner.setup()
    models = plugin.model_providers()["openai"]
    for _ in range(3):
        await checks.run(models.get_model("a"))
        await checks.run(models.get_model("b"))
    assert len(server.connections) == 1
    await runner.cleanup()
    await checks.failure(models.get_model("a"))
    assert len(server.requests) == 6


@pytest.mark.parametrize("section", [None, {"api_key": ""}])
def test_a_missing_key_stops_the_start(section: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SettingsError) as caught:
        load_plugins(Settings(plugins={"openai_models": section}))
    assert "plugins.openai_models" in str(caught.value)
    assert "OPENAI_API_KEY" in str(caught.value)


def test_the_key_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", checks.KEY)
    hooks = load_plugins(Settings(plugins={"openai_models": None}))
    [(_, providers)] = hooks.boot_all("model_providers")
    assert set(providers) == {"openai"}
    assert checks.KEY not in repr(Config())


def answered(call_id: str = "call_1", **call: Any) -> list[Any]:
    """A question, a call as an answer, and its result."""
    return [
        {"role": "user", "content": "What is left?"},
        {"type": "function_call", "call_id": call_id, "name": "ping", "arguments": "{}", **call},
        {"type": "function_call_output", "call_id": call_id, "output": "milk"},
    ]


def message(text: str = "Milk.", **fields: Any) -> Any:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "content": content, **fields}


def thought(model: str = "o9", **fields: Any) -> Any:
    read = {"encrypted_content": f"encrypted by {model}"}
    return {"id": "rs_1", "type": "reasoning", "summary": [], **read, **fields}


def without_encryption(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "encrypted_content"}


ASK: Any = {"role": "user", "content": "Go on."}
CALL: Any
RESULT: Any
CALL, RESULT = answered()[1:]
FOREIGN: Any = {"provider_data": {"model": "gemini"}}


def kinds(server: ModelServer) -> list[str]:
    """The types of the items that were sent last."""
    return [item.get("type", "message") for item in server.requests[-1].body["input"]]


async def test_reasoning_is_sent_back_and_nothing_is_stored(
    server: StrictResponses, models: ModelProvider
) -> None:
    server.reply(Reasoning("A list."), Call("add_task", {"title": "milk"}))
    server.reply(Reasoning("Done."), "Added.")
    ran = await checks.run(models.get_model("o9"), tools=[checks.add_task])
    history = ran.result.to_input_list()
    await checks.run(models.get_model("o9"), [*history, {"role": "user", "content": "And now?"}])
    assert [request.body["store"] for request in server.requests] == [False] * 3
    assert {str(request.body["include"]) for request in server.requests} == {
        "['reasoning.encrypted_content']"
    }
    assert kinds(server) == [
        *("message", "reasoning", "function_call", "function_call_output"),
        *("reasoning", "message", "message"),
    ]
    assert server.refusals == []
    assert "_1" not in str([item.get("id") for item in server.requests[-1].body["input"]])


@pytest.mark.parametrize(
    ("ours", "agents", "sent"),
    [(False, None, False), (True, None, True), (False, True, True), (True, False, False)],
)
async def test_the_store_setting_and_that_of_the_agent(
    ours: bool, agents: bool | None, sent: bool, server: StrictResponses
) -> None:
    models = provider(server, store=ours)
    await checks.run(models.get_model("o9"), settings=ModelSettings(store=agents))
    assert server.requests[-1].body["store"] is sent
    await models.aclose()


@pytest.mark.parametrize("store", [False, True])
@pytest.mark.parametrize(
    ("history", "sent"),
    [
        ([ASK, thought(), message(), ASK], "message reasoning message message"),
        (
            [ASK, thought(), thought(id="rs_2"), message(), ASK],
            "message reasoning reasoning message message",
        ),
        ([ASK, thought()], "message"),
        ([ASK, thought(), ASK], "message message"),
        (
            [ASK, thought(), CALL, RESULT, thought()],
            "message reasoning function_call function_call_output",
        ),
        ([ASK, CALL, thought(), RESULT], "message function_call function_call_output"),
        ([ASK, thought(), message(""), ASK], "message message"),
        (
            [ASK, thought(), {"type": "item_reference", "id": "msg_1"}, message(), ASK],
            "message message message",
        ),
        (
            [ASK, without_encryption(thought()), CALL, RESULT],
            "message function_call function_call_output",
        ),
        (
            [ASK, thought(encrypted_content=None, status=None), message(), ASK],
            "message message message",
        ),
        (
            [ASK, thought(status="completed", content=None), message(), ASK],
            "message reasoning message message",
        ),
        (
            [ASK, thought(id="__fake_id__"), message(id="__fake_id__"), ASK],
            "message message message",
        ),
        ([ASK, thought(**FOREIGN), message(**FOREIGN), ASK], "message message message"),
        (
            [ASK, message(provider_data={}, phase="final_answer", status="completed"), ASK],
            "message message message",
        ),
        (
            [ASK, message(content=[{"type": "refusal", "refusal": "No."}]), ASK],
            "message message message",
        ),
        (
            [
                ASK,
                thought(),
                {
                    "type": "image_generation_call",
                    "id": "ig_1",
                    "status": "completed",
                    "result": "aGk=",
                },
                ASK,
            ],
            "message message message",
        ),
        (
            [
                ASK,
                thought(),
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": "x"},
                },
                message(),
                ASK,
            ],
            "message reasoning web_search_call message message",
        ),
        (
            answered(id="fc_1", status="completed", created_by="x"),
            "message function_call function_call_output",
        ),
        (
            answered(id="__fake_id__", provider_data={"thought_signature": "abc"}),
            "message function_call function_call_output",
        ),
        (answered("call_" + "x" * 200), "message function_call function_call_output"),
        (answered(name="tools.ping it!"), "message function_call function_call_output"),
        (answered(arguments='{"city": '), "message function_call function_call_output"),
        (answered(arguments={"city": "Rome"}), "message function_call function_call_output"),
        (answered(arguments="[1]"), "message function_call function_call_output"),
        (answered(arguments='{"city": "\\ud83d"}'), "message function_call function_call_output"),
    ],
)
async def test_any_history_is_accepted(
    history: list[Any], sent: str, store: bool, server: StrictResponses
) -> None:
    models = provider(server, store=store)
    await checks.run(models.get_model("o9"), history)
    assert kinds(server) == sent.split()
    assert server.refusals == []
    assert "provider_data" not in str(server.requests[-1].body)
    await models.aclose()


async def test_a_history_is_not_changed(models: ModelProvider) -> None:
    history = [ASK, thought(), message(**FOREIGN), *answered(**FOREIGN)]
    before = copy.deepcopy(history)
    await checks.run(models.get_model("o9"), history)
    assert history == before


async def test_text_of_reasoning_goes_back_to_servers_that_do_not_encrypt_it() -> None:
    async with ModelServer() as open_server:
        models = provider(open_server)
        text = {"type": "reasoning_text", "text": "Hm."}
        item: Any = without_encryption(thought(content=[text]))
        await checks.run(models.get_model("gpt-oss"), [ASK, item, CALL, RESULT])
        assert open_server.requests[-1].body["input"][1] == item
        await models.aclose()


async def test_a_model_whose_name_does_not_tell_that_it_does_not_reason(
    server: StrictResponses, models: ModelProvider
) -> None:
    server.fail(400, "Reasoning input items can only be provided to a reasoning model.")
    ran = await checks.run(models.get_model("o9"), [ASK, thought(), CALL, RESULT])
    assert ran.result.final_output
    assert kinds(server) == ["message", "function_call", "function_call_output"]


async def test_what_another_account_encrypted_is_left_out(
    server: StrictResponses, models: ModelProvider
) -> None:
    history = [ASK, thought("another"), CALL, RESULT]
    assert (await checks.run(models.get_model("o9"), history)).result.final_output
    assert kinds(server) == ["message", "function_call", "function_call_output"]
    assert len(server.refusals) == 1


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-4.1-mini", "ft:gpt-4o-mini:ours", "x/gpt-4o"])
async def test_models_that_do_not_reason_are_known(
    name: str, server: StrictResponses, models: ModelProvider
) -> None:
    settings = ModelSettings(reasoning=Reasons(effort="low"))
    history: list[Any] = [ASK, thought(name), message(), ASK]
    await checks.run(models.get_model(name), history, settings=settings)
    assert kinds(server) == ["message"] * 3
    assert server.refusals == []
    assert {"include", "reasoning"}.isdisjoint(server.requests[-1].body)


async def test_what_a_model_refuses_is_not_asked_again(
    server: StrictResponses, models: ModelProvider, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ModelSettings(temperature=0.5, reasoning=Reasons(effort="low", summary="auto"))
    for number in (1, 2):
        ran = await checks.run(models.get_model("o9"), settings=settings)
        assert ran.result.final_output == "You said: hello"
        assert len(server.requests) == number + 1
    assert server.requests[-1].body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "the model o9 refuses `temperature`: it is left out from now on"
    ]
    await checks.run(models.get_model("o10"), settings=settings)
    assert len(server.refusals) == 2


@pytest.mark.parametrize(
    ("refusal", "left_out"),
    [
        (
            {
                "error": {
                    "message": "Encrypted content is not supported with this model.",
                    "param": "include",
                }
            },
            "include",
        ),
        ({"error": {"message": "Encrypted content is not supported with this model."}}, "include"),
        ({"error": {"message": "Unknown parameter: 'include'.", "param": None}}, "include"),
        ({"error": {"message": "Unknown parameter: include[0]", "param": "include[0]"}}, "include"),
        (
            {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "store"],
                        "msg": "Extra inputs are not permitted",
                        "input": False,
                    }
                ]
            },
            "store",
        ),
        ({"error": 'json: unknown field "store"'}, "store"),
        ({"message": "unknown field `include`, expected one of `model`, `input`"}, "include"),
        ({"error": {"message": "Unrecognized key(s) in object: 'include', 'store'"}}, "include"),
        (
            {
                "error": {
                    "message": "Unsupported parameter: 'reasoning.effort' is not supported with "
                    "this model.",
                    "param": "reasoning.effort",
                }
            },
            "reasoning.effort",
        ),
        (
            {
                "error": {
                    "message": "Your organization must be verified to generate reasoning "
                    "summaries.",
                    "param": "reasoning.summary",
                }
            },
            "reasoning.summary",
        ),
        (
            {
                "error": {
                    "message": "Unsupported parameter: 'text.verbosity'.",
                    "param": "text.verbosity",
                }
            },
            "text.verbosity",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_that_names_a_parameter(
    refusal: Any, left_out: str, status: int, server: StrictResponses, models: ModelProvider
) -> None:
    server.fail(status, raw=json.dumps(refusal), headers={"Content-Type": "application/json"})
    reasons = Reasons(effort="low", summary="auto")
    settings = ModelSettings(reasoning=reasons, verbosity="low")
    for _ in range(2):
        await checks.run(models.get_model("o9"), settings=settings)
    first, *others = [request.body for request in server.requests]
    assert len(others) == 2
    parameter, _, field = left_out.partition(".")
    assert parameter in first
    for body in others:
        rest = (
            {key: value for key, value in first[parameter].items() if key != field}
            if field
            else None
        )
        assert body.get(parameter) == (rest or None)
        assert body.keys() == first.keys() - ({parameter} if not rest else set())


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_knows_neither_include_nor_store(
    status: int, server: StrictResponses, models: ModelProvider
) -> None:
    server.unknown = {"include", "store"}
    for requests in (3, 4):
        ran = await checks.run(models.get_model("qwen"))
        assert ran.result.final_output == "You said: hello"
        assert len(server.requests) == requests


async def test_a_parameter_that_stays_refused_ends_the_turn(
    server: StrictResponses, models: ModelProvider
) -> None:
    for _ in range(2):
        server.fail(400, "Unsupported parameter: 'temperature'")
    told = await checks.failure(models.get_model("o9"))
    assert told.message == failures.REFUSED_REQUEST
    assert len(server.requests) == 2


EMPTY = {
    "nothing": (),
    "blank text": (" \n",),
    "only reasoning": (Reasoning("Hm."),),
}


@pytest.mark.parametrize("parts", EMPTY.values(), ids=EMPTY)
async def test_an_empty_answer_is_an_error(
    parts: Any, server: StrictResponses, models: ModelProvider
) -> None:
    server.reply(*parts)
    told = await checks.failure(models.get_model("o9"))
    assert isinstance(told, TurnFailed)
    assert (told.message, told.allow_retry) == (failures.EMPTY, True)
    server.reply(*parts)
    with pytest.raises(ModelBehaviorError, match="gave no answer"):
        await Runner.run(
            Agent(name="a", model=models.get_model("o9")),
            "hello",
            run_config=RunConfig(tracing_disabled=True),
        )


async def test_items_that_the_last_event_does_not_repeat(
    server: StrictResponses, models: ModelProvider
) -> None:
    ended = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
    event = {"type": "response.completed", "sequence_number": 99, "response": ended}
    part = {"type": "output_text", "text": "Hello", "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    done = {"type": "response.output_item.done", "sequence_number": 98, "output_index": 0}
    raw = b"".join(
        f"data: {json.dumps(one)}\n\n".encode() for one in (done | {"item": item}, event)
    )
    server.reply("Hello", Raw(raw), End())
    assert (await checks.run(models.get_model("o9"))).result.final_output == "Hello"


@pytest.mark.parametrize("streamed", [True, False])
async def test_an_answer_in_one_piece(
    streamed: bool, server: StrictResponses, make_chat: MakeChat
) -> None:
    """Some servers answer with JSON, or send the last event alone, although a stream is wanted."""
    call: Any = {"type": "function_call", "id": "fc_1", "call_id": "0", "name": "add_task"}
    call = {**call, "arguments": {"title": "milk"}, "status": "completed"}
    part = {"type": "output_text", "text": "Added.\ud83d", "annotations": []}
    text = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    for item in (call, text):
        whole = {"id": "resp_1", "object": "response", "status": "completed", "output": [item]}
        if streamed:
            event = {"type": "response.completed", "sequence_number": 1, "response": whole}
            server.reply(Raw(f"data: {json.dumps(event)}\n\n".encode()), End())
        else:
            headers = {"Content-Type": "application/json"}
            server.fail(200, raw=json.dumps(whole, indent=2), headers=headers)
    chat = await make_chat(ToolPlugin(), **sections(server))
    told = await chat.say("Add milk")
    assert told.error is None
    [shown] = told.done("assistant_message")
    assert shown["content"][0]["text"] == "Added.\ufffd"
    assert server.requests[-1].body["input"][-1]["output"] == "added milk"
    assert (await chat.say("Go on", told.thread_id)).error is None
    assert server.refusals == []


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        ({"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}, failures.RATE_LIMIT),
        (
            {"object": "response", "status": "failed", "error": {"code": "server_error"}},
            failures.PROVIDER_DOWN,
        ),
        (
            {
                "object": "response",
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
            },
            failures.CUT_OFF,
        ),
        ({"object": "response", "status": "completed", "output": []}, failures.EMPTY),
        ({"hello": 1}, failures.NONSENSE),
        ([1], failures.NONSENSE),
    ],
)
async def test_no_answer_in_one_piece(
    whole: Any, message: str, server: StrictResponses, models: ModelProvider
) -> None:
    server.fail(200, raw=json.dumps(whole), headers={"Content-Type": "application/json"})
    told = await checks.failure(models.get_model("o9"))
    assert told.message == message.format(wait="a minute")


async def test_half_characters_are_joined_or_replaced(
    server: StrictResponses, models: ModelProvider
) -> None:
    def event(kind: str, **fields: Any) -> bytes:
        told = {"type": f"response.{kind}", "sequence_number": 9, "output_index": 0, **fields}
        return f"data: {json.dumps(told)}\n\n".encode()

    place = {"item_id": "msg_1", "content_index": 0, "logprobs": []}
    deltas = ["Hi \ud83d", "\ude00", " \ud83d", "!", "\ude00", "\ud83d"]
    text = "Hi \ud83d\ude00 \ud83d!\ude00\ud83d"
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    ended = {"id": "resp_1", "object": "response", "status": "completed", "output": [item]}
    pieces = [event("output_text.delta", delta=delta, **place) for delta in deltas]
    pieces += [event("output_item.done", item=item), event("completed", response=ended)]
    server.reply(Raw(b"".join(pieces)), End())
    ran = await checks.run(models.get_model("o9"))
    assert "".join(ran.pieces) == "Hi 😀 \ufffd!\ufffd"
    assert ran.result.final_output == "Hi 😀 \ufffd!\ufffd\ufffd"
    assert json.dumps(ran.result.to_input_list(), ensure_ascii=False).encode()


async def test_ids_of_calls_that_are_used_again(
    server: StrictResponses, models: ModelProvider
) -> None:
    history: list[Any] = []
    for turn in (1, 2):
        two = [Call("add_task", {"title": f"{title} {turn}"}, id="call_0") for title in "ab"]
        server.reply(*two)
        history.append(ASK)
        ran = await checks.run(models.get_model("o9"), history, [checks.add_task])
        assert ran.result.final_output == f"The tools say: added a {turn} | added b {turn}"
        history = ran.result.to_input_list()
    assert server.refusals == []
    assert kinds(server).count("function_call") == 4


class ToolPlugin:
    """Gives every turn a tool."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(checks.add_task)


def sections(server: ModelServer, **agent: Any) -> dict[str, Any]:
    """Return sections for `make_chat` whose agent asks a model that reasons."""
    own = {"base_url": server.url, "api_key": checks.KEY, "max_retries": 0}
    return {
        "agent": {"model": "openai/o9", **agent},
        "plugins": {
            "compatible_models": {"endpoints": {"test": {"base_url": server.url}}},
            "openai_models": own,
        },
    }


ADD = Call("add_task", {"title": "milk"})
ENDINGS: dict[str, tuple[list[tuple[Any, ...]], str]] = {
    "refused": ([(Reasoning("Hm."), Refusal("I won't."))], failures.CONTENT_REFUSED),
    "reasoning, then lost": ([(Reasoning("Hm."), End())], failures.BROKEN_OFF),
    "text, then lost": ([(Reasoning("Hm."), "Let ", Break())], failures.BROKEN_OFF),
    "a call, then lost": ([(Reasoning("Hm."), ADD, End())], failures.BROKEN_OFF),
    "lost after the tool": (
        [(Reasoning("Hm."), ADD), (Reasoning("So."), End())],
        failures.BROKEN_OFF,
    ),
    "failed after the tool": (
        [(Reasoning("Hm."), ADD), (Reasoning("So."), Error("secret-text"))],
        failures.PROVIDER_DOWN,
    ),
    "empty": ([(Reasoning("Hm."),)], failures.EMPTY),
    "empty after the tool": ([(Reasoning("Hm."), ADD), (Reasoning("So."),)], failures.EMPTY),
    "an unknown tool": ([(Reasoning("Hm."), Call("remove all!")), ("Sorry.",)], ""),
    "arguments that are cut off": (
        [(Reasoning("Hm."), Call("add_task", '{"title": ')), (Reasoning("So."), "Sorry.")],
        "",
    ),
}


@pytest.mark.parametrize(("answers", "told"), ENDINGS.values(), ids=ENDINGS)
async def test_the_next_message_after_any_end(
    answers: Any, told: str, server: StrictResponses, make_chat: MakeChat
) -> None:
    chat = await make_chat(ToolPlugin(), **sections(server))
    for parts in answers:
        server.reply(*parts)
    first = await chat.say("Add milk")
    assert (first.error or {}).get("message", "") == told
    for _ in range(2):
        assert (await chat.say("Go on", first.thread_id)).error is None
    assert server.refusals == []


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_the_next_message_after_an_incomplete_answer(
    finish: Any, server: StrictResponses, make_chat: MakeChat
) -> None:
    chat = await make_chat(ToolPlugin(), **sections(server))
    server.reply(Reasoning("Hm."), "Let ", finish=finish)
    first = await chat.say("Add milk")
    assert first.error is not None
    assert (await chat.say("Go on", first.thread_id)).error is None
    assert server.refusals == []


async def test_the_picker_in_the_middle_of_a_thread(
    server: StrictResponses, make_chat: MakeChat
) -> None:
    """A thread goes from chat completions to models that reason and that do not, and back."""
    names = ["test/any", "openai/o9", "openai/gpt-4o"]
    settings = {"models": names, "model_settings": {"temperature": 0.5}}
    chat = await make_chat(ToolPlugin(), **sections(server, **settings))
    thread = None
    for turn in range(2):
        for name in names:
            server.reply(Reasoning("Hm."), Call("add_task", {"title": f"milk {turn}"}))
            server.reply(Reasoning("So."), f"Added {turn}.")
            told = await chat.say("Add milk", thread, inference_options={"model": name})
            assert told.error is None
            assert told.text == f"Added {turn}."
            thread = told.thread_id
    assert [refusal for refusal in server.refusals if "temperature" not in refusal] == []
    assert kinds(server).count("function_call") == 6
