"""The short way of a token through LiteLLM gives the same as LiteLLM and the SDK by themselves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from agents import Agent, Model, RunConfig, Runner
from agents.items import TResponseStreamEvent
from aiohttp import web
from chatkit_plugins.litellm_models import Config, Plugin

from chatkit_server.agent.completions.pieces import FROM
from chatkit_server.models import FastPathModel, valid_text
from chatkit_server.testing.model_script import Part, counted
from chatkit_server.testing.model_server import (
    Call,
    Error,
    Gate,
    ModelServer,
    Reasoning,
    Refusal,
    Reply,
)
from chatkit_server.turns import failures
from chatkit_server.turns.failures import explain
from tests.plugins import model_checks as checks
from tests.plugins.test_fast_path import STREAMS, add, without_ids

# LiteLLM uses pydantic in ways that it deprecates, once for each chunk that tells usage
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")

TEXT = "response.output_text.delta"
Told = list[tuple[str, str | None]]


class Heard:
    """What a turn hears, in order; `direct` counts what took the short way."""

    def __init__(self) -> None:
        self.told: Told = []
        self.direct = 0
        self.usages: list[tuple[int, int]] = []

    def text(self, text: str) -> None:
        self.told.append((TEXT, text))
        self.direct += 1

    def usage(self, input_tokens: int, output_tokens: int) -> None:
        self.usages.append((input_tokens, output_tokens))

    async def event(self, event: TResponseStreamEvent) -> None:
        self.told.append((event.type, getattr(event, "delta", None)))


class Ran:
    """A run to its end, with what it raised."""

    def __init__(self, model: Model) -> None:
        agent = Agent(name="a", model=model, tools=[add])
        config = RunConfig(tracing_disabled=True)
        self.result = Runner.run_streamed(agent, "Go", run_config=config)
        self.told: Told = []
        self.error: Exception | None = None

    async def to_the_end(self) -> Ran:
        try:
            async for event in self.result.stream_events():
                if event.type == "raw_response_event":
                    self.told.append((event.data.type, getattr(event.data, "delta", None)))
        except Exception as error:
            self.error = error
        return self

    @property
    def failure(self) -> tuple[type, str, bool] | None:
        if self.error is None:
            return None
        told = explain(self.error)
        return type(self.error), told.message, told.allow_retry

    @property
    def items(self) -> Any:
        return without_ids(self.result.to_input_list())


async def check_both_ways(model: Model) -> Heard:
    """Run a model twice, which gets the same answers both times, and compare what comes out."""
    assert isinstance(model, FastPathModel)
    heard = Heard()
    long_way = await Ran(model).to_the_end()
    short_way = await Ran(model.bind(heard)).to_the_end()
    # The SDK drops what it has queued when a model fails
    told = len(long_way.told) if long_way.error is not None else None
    assert heard.told[:told] == long_way.told
    assert short_way.failure == long_way.failure
    assert short_way.items == long_way.items
    assert short_way.result.final_output == long_way.result.final_output
    assert short_way.result.context_wrapper.usage == long_way.result.context_wrapper.usage
    return heard


def plugin(prefix: str, base_url: str, **settings: Any) -> Plugin:
    provider = {"base_url": base_url, "api_key": checks.KEY}
    section = {"providers": {prefix: provider}, "max_retries": 0} | settings
    return Plugin(Config.model_validate(section))


@pytest.fixture
async def model(model_server: ModelServer) -> AsyncIterator[FastPathModel]:
    """A model of the server, as the plugin gives it."""
    provider = plugin("openai", model_server.url).model_providers()["litellm"]
    model = provider.get_model("openai/any")
    assert isinstance(model, FastPathModel)
    yield model
    await provider.aclose()


ANSWERS: dict[str, list[tuple[Part, ...]]] = {
    **STREAMS,
    "the same word for long": [("well ", *["and "] * 90, "so.")],
    "no usage": [("One ", "two ", "three.")],
    "reasoning and a call": [
        (Reasoning("I ", "reasoning"), Reasoning("add.", "reasoning"), Call("add", {"a": 1})),
        ("It ", "failed."),
    ],
}
FAILURES = {
    "a refusal": Reply((Refusal("I may not."),)),
    "text, then a refusal": Reply(("Well, ", "well. ", Refusal("I may not."))),
    "an error in the middle": Reply(("One ", "two ", "three ", Error("down", "server_error"))),
    "filtered": Reply(("One ", "two ", "three "), finish="content_filter"),
    "cut off": Reply(("One ", "two ", "three "), finish="length"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_both_ways_give_the_same(
    model: FastPathModel, model_server: ModelServer, name: str
) -> None:
    replies = [Reply(part, usage=name != "no usage") for part in ANSWERS[name]]
    model_server.script.extend([*replies, *replies])
    await check_both_ways(model)
    sent = [json.loads(json.dumps(r.body["messages"])) for r in model_server.requests]
    half = len(sent) // 2
    assert half == len(replies)
    assert without_ids(sent[:half]) == without_ids(sent[half:])


@pytest.mark.parametrize("name", FAILURES)
async def test_both_ways_fail_the_same(
    model: FastPathModel, model_server: ModelServer, name: str
) -> None:
    model_server.script.extend([FAILURES[name]] * 2)
    await check_both_ways(model)


@pytest.mark.parametrize("case", checks.CASES.values(), ids=checks.CASES)
async def test_a_failure_is_told_in_words(
    case: checks.Case, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    ours = plugin("openai", model_server.url, timeouts=case.timeouts)
    provider = ours.model_providers()["litellm"]
    model = provider.get_model("openai/any")
    assert isinstance(model, FastPathModel)
    await checks.check_case(case, model_server, model.bind(Heard()), caplog)
    await provider.aclose()


async def test_text_takes_the_short_way(model: FastPathModel, model_server: ModelServer) -> None:
    words = tuple(f"word{i} " for i in range(FROM // 2))
    model_server.script.append(Reply(words))
    heard = Heard()
    ran = await Ran(model.bind(heard)).to_the_end()
    assert heard.direct == len(words) - 1
    assert ran.result.final_output == "".join(words)
    assert TEXT not in [kind for kind, _ in ran.told]


async def test_text_is_told_before_the_next_piece_comes(
    model: FastPathModel, model_server: ModelServer
) -> None:
    direct = asyncio.Event()

    class Waited(Heard):
        def text(self, text: str) -> None:
            super().text(text)
            direct.set()

    gate = Gate()
    model_server.reply("One ", "two ", gate, "three.")
    heard = Waited()
    running = asyncio.create_task(Ran(model.bind(heard)).to_the_end())
    await asyncio.wait_for(direct.wait(), 10)
    assert heard.told[-1] == (TEXT, "two ")
    gate.open()
    assert (await running).result.final_output == "One two three."


class Recorded:
    """Answers every request with the next recorded stream, in blocks of a few bytes."""

    def __init__(self) -> None:
        self.streams: Iterator[bytes] = iter(())
        self.block = 1_000_000
        self.bodies: list[Any] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.bodies.append(json.loads(await request.read()))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        data = next(self.streams)
        for start in range(0, len(data), self.block):
            await response.write(data[start : start + self.block])
        return response


@pytest.fixture
async def recorded() -> AsyncIterator[tuple[Recorded, str]]:
    """A server of recorded streams, and its URL."""
    answers = Recorded()
    runner = web.ServerRunner(web.Server(answers))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield answers, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def sse(*events: dict[str, Any]) -> bytes:
    lines = []
    for event in events:
        kind = event.get("type")
        lines.append(f"event: {kind}\n" if kind else "")
        written = json.dumps(event, ensure_ascii=False)
        lines.append(
            f"data: {written if valid_text(written) == written else json.dumps(event)}\n\n"
        )
    return "".join(lines).encode()


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """One content block of Anthropic's."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def texts(*pieces: str) -> list[dict[str, Any]]:
    return [{"type": "text_delta", "text": piece} for piece in pieces]


def claude(reason: str, *blocks: list[dict[str, Any]]) -> bytes:
    """An answer as Anthropic's API streams it."""
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "any",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }
    return sse(
        {"type": "message_start", "message": message},
        {"type": "ping"},
        *(event for events in blocks for event in events),
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": 12},
        },
        {"type": "message_stop"},
    )


THINKING = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "Let me "},
    {"type": "thinking_delta", "thinking": "think."},
    {"type": "signature_delta", "signature": "c2lnbmVk"},
)
TOOLS = [
    block(
        number,
        {"type": "tool_use", "id": f"toolu_{number}", "name": "add", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"a": 1, '},
        {"type": "input_json_delta", "partial_json": f'"b": {number}}}'},
    )
    for number in (2, 3)
]
CITATION = {
    "type": "char_location",
    "cited_text": "naïve",
    "document_index": 0,
    "document_title": "A",
    "start_char_index": 0,
    "end_char_index": 5,
}
SAID = claude("end_turn", block(0, {"type": "text", "text": ""}, *texts("It ", "is ", "done.")))
CLAUDE = {
    "text": [SAID],
    "thinking, then text": [
        claude("end_turn", THINKING, block(1, {"type": "text", "text": ""}, *texts("a", "b", "c")))
    ],
    "thinking, text and calls": [
        claude(
            "tool_use",
            THINKING,
            block(1, {"type": "text", "text": ""}, *texts("Let ", "me ", "see.")),
            *TOOLS,
        ),
        SAID,
    ],
    "two texts, one cited": [
        claude(
            "end_turn",
            block(0, {"type": "text", "text": ""}, *texts("One ", "two ")),
            block(
                1,
                {"type": "text", "text": ""},
                {"type": "citations_delta", "citation": CITATION},
                *texts("naïve ", "日本語 ", "👩‍👩‍👧"),
            ),
        )
    ],
    "broken off": [claude("end_turn", block(0, {"type": "text"} | texts("")[0]))[:-300]],
    "an error in the middle": [
        sse(
            *block(0, {"type": "text", "text": ""}, *texts("One ", "two ", "three ")),
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        )
    ],
}


def gemini(*parts: dict[str, Any], finish: str = "STOP") -> bytes:
    """An answer as Gemini's API streams it, one part in each chunk, all with the usage so far."""
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 12, "totalTokenCount": 21}
    said: list[Any] = [{"content": {"parts": [part], "role": "model"}} for part in parts]
    last = {"content": {"parts": []}, "finishReason": finish, "index": 0}
    return sse(*({"candidates": [c], "usageMetadata": usage} for c in [*said, last]))


def google(*pieces: str) -> list[dict[str, Any]]:
    return [{"text": piece} for piece in pieces]


GEMINI = {
    "text": [gemini(*google("One ", "naïve ", "日本語."))],
    "thoughts, then text": [
        gemini({"text": "Let me think.", "thought": True}, *google("One ", "two ", "three."))
    ],
    "text and a signed call": [
        gemini(
            *google("Let ", "me ", "see."),
            {
                "functionCall": {"name": "add", "args": {"a": 1, "b": 2}},
                "thoughtSignature": "c2lnbmVk",
            },
        ),
        gemini(*google("It ", "is ", "3.")),
    ],
    "a signed text": [
        gemini(*google("One ", "two "), {"text": "three", "thoughtSignature": "c2lnbmVk"})
    ],
    "filtered": [gemini(*google("One ", "two ", "three"), finish="SAFETY")],
    "a call without arguments": [
        gemini({"functionCall": {"name": "add"}}),
        gemini(*google("It ", "failed.")),
    ],
    "half a character in arguments": [
        gemini({"functionCall": {"name": "add", "args": {"a": "\ud83d"}}}),
        gemini(*google("It ", "failed.")),
    ],
    "an error in the middle": [
        gemini(*google("One ", "two "), finish="")
        + sse({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}})
    ],
    "broken off": [gemini(*google("One ", "two ", "three"), finish="")],
    "a malformed call": [gemini(finish="MALFORMED_FUNCTION_CALL")],
    "an unknown end": [gemini(*google("One ", "two ", "three"), finish="SOMETHING_NEW")],
}
PROVIDERS = {
    "anthropic": ("anthropic/claude-sonnet-4-5", CLAUDE),
    "gemini": ("gemini/gemini-2.5-flash", GEMINI),
}


@pytest.mark.parametrize("size", [1_000_000, 7], ids=["whole", "in pieces"])
@pytest.mark.parametrize(
    ("prefix", "name"), [(prefix, name) for prefix, (_, of) in PROVIDERS.items() for name in of]
)
async def test_both_ways_give_the_same_of_other_providers(
    recorded: tuple[Recorded, str], prefix: str, name: str, size: int
) -> None:
    answers, url = recorded
    model, streams = PROVIDERS[prefix]
    answers.streams, answers.block = iter(streams[name] * 2), size
    models = plugin(prefix, url).model_providers()["litellm"]
    heard = await check_both_ways(models.get_model(model))
    await models.aclose()
    assert next(answers.streams, None) is None
    if name == "text":
        assert heard.told[-1][0] == "response.completed"
    if (prefix, name) == ("anthropic", "text"):
        assert heard.direct == 2


GEMINI_FAILS = {
    "filtered": failures.CONTENT_REFUSED,
    "an error in the middle": failures.PROVIDER_DOWN,
    "broken off": failures.BROKEN_OFF,
    "a malformed call": failures.BAD_CALL,
}


@pytest.mark.parametrize("name", GEMINI_FAILS)
async def test_geminis_reasons_are_told(recorded: tuple[Recorded, str], name: str) -> None:
    answers, url = recorded
    answers.streams = iter(GEMINI[name])
    models = plugin("gemini", url).model_providers()["litellm"]
    ran = await Ran(models.get_model("gemini/gemini-2.5-flash")).to_the_end()
    assert ran.failure is not None
    assert ran.failure[1] == GEMINI_FAILS[name]
    await models.aclose()


async def test_gemini_is_told_of_a_call_that_it_made_twice(recorded: tuple[Recorded, str]) -> None:
    answers, url = recorded
    call = {"functionCall": {"name": "add", "args": {"a": 1, "b": 2}}}
    answers.streams = iter([gemini(call, call), gemini(*google("It is 3."))])
    models = plugin("gemini", url).model_providers()["litellm"]
    ran = await Ran(models.get_model("gemini/gemini-2.5-flash")).to_the_end()
    assert ran.result.final_output == "It is 3."
    parts = [part for content in answers.bodies[-1]["contents"] for part in content["parts"]]
    assert [part["function_call"]["name"] for part in parts if "function_call" in part] == [
        "add"
    ] * 2
    assert [p["function_response"]["name"] for p in parts if "function_response" in p] == [
        "add"
    ] * 2
    await models.aclose()


async def test_a_provider_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    models = plugin("mine", "http://127.0.0.1:1").model_providers()["litellm"]
    model = models.get_model("mine/any")
    # imports LiteLLM as the plugin does
    await models.load("mine/any")
    import litellm
    from litellm.llms.custom_llm import CustomLLM

    class Mine(CustomLLM):
        # an async generator, whatever its type in LiteLLM says
        async def astreaming(  # type: ignore[override]
            self, *_: Any, **__: Any
        ) -> AsyncIterator[Any]:
            for text in ("One ", "two ", "", "three ", "four."):
                yield {
                    "text": text,
                    "is_finished": False,
                    "finish_reason": "",
                    "usage": None,
                    "index": 0,
                    "tool_use": None,
                }
            used = {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}
            yield {
                "text": "",
                "is_finished": True,
                "finish_reason": "stop",
                "usage": used,
                "index": 0,
                "tool_use": None,
            }

    served = [{"provider": "mine", "custom_handler": Mine()}]
    monkeypatch.setattr(litellm, "custom_provider_map", served)
    monkeypatch.setattr(litellm, "_custom_providers", [])
    monkeypatch.setattr(litellm, "provider_list", list(litellm.provider_list))
    # LiteLLM learns of it with the first request
    await Ran(model).to_the_end()
    heard = await check_both_ways(model)
    assert heard.direct == 3
    assert heard.told[-1][0] == "response.completed"
    await models.aclose()


async def test_what_looks_at_the_text_in_litellm_still_sees_it_all(
    model: FastPathModel, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.script.extend([Reply(("One ", "two ", "three."))] * 2)
    await Ran(model).to_the_end()
    import litellm

    seen: list[str] = []

    def rule(text: str) -> bool:
        seen.append(text)
        return "three" not in text

    monkeypatch.setattr(litellm, "post_call_rules", [rule])
    heard = Heard()
    ran = await Ran(model.bind(heard)).to_the_end()
    assert seen[:3] == ["One ", "One two ", "One two three."]
    assert (heard.direct, ran.error is None) == (0, False)
    assert (TEXT, "three.") not in heard.told


async def test_litellms_own_limit_of_time_is_kept(
    model: FastPathModel, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.script.extend([Reply(("One ", "two ", "three."))] * 2)
    await Ran(model).to_the_end()
    from litellm import constants

    monkeypatch.setattr(constants, "LITELLM_MAX_STREAMING_DURATION_SECONDS", 0.0)
    heard = Heard()
    ran = await Ran(model.bind(heard)).to_the_end()
    assert heard.direct == 0
    assert "max streaming duration" in str(ran.error)


async def test_litellms_logs_are_told_the_whole_answer(
    model: FastPathModel, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.script.extend([Reply(("One ", "two ", "three."))] * 2)
    await Ran(model).to_the_end()
    import litellm
    from litellm.integrations.custom_logger import CustomLogger

    logged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    class Log(CustomLogger):
        async def async_log_success_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            logged.set_result(response_obj)

    for name in ("callbacks", "success_callback", "failure_callback", "input_callback"):
        monkeypatch.setattr(litellm, name, [])
    monkeypatch.setattr(litellm, "_async_success_callback", [Log()])
    heard = Heard()
    await Ran(model.bind(heard)).to_the_end()
    answer = await asyncio.wait_for(logged, 10)
    assert answer.choices[0].message.content == "One two three."
    assert (heard.direct, answer.usage.completion_tokens) == (2, 3)


async def test_usage_in_each_chunk_is_told_as_it_comes(
    model: FastPathModel, model_server: ModelServer
) -> None:
    heard = Heard()
    model_server.reply(counted("One ", 9, 1), "two ", counted("three ", 9, 3), "four.")
    await Ran(model.bind(heard)).to_the_end()
    assert heard.usages[:2] == [(9, 1), (9, 3)]
    assert heard.usages[-1][1] == 4
