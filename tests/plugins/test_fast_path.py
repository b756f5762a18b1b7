"""The short way of a token gives the same text, items and history as the Agents SDK's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from agents import (
    Agent,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    RunConfig,
    Runner,
    function_tool,
)
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from chatkit_plugins.compatible_models import Config, Plugin

from chatkit_server.agent.completions.parser import Parser
from chatkit_server.agent.completions.pieces import FROM
from chatkit_server.models import BodyLimits, FastPathModel
from chatkit_server.testing.model_script import Part, counted
from chatkit_server.testing.model_server import (
    KEEP_ALIVE,
    Call,
    Error,
    ModelServer,
    Raw,
    Reasoning,
    Refusal,
    Reply,
    Text,
)
from chatkit_server.turns.failures import explain

STREAMS: dict[str, list[tuple[Part, ...]]] = {
    "text": [("One ", "two ", "three.")],
    "one piece": [("All at once.",)],
    "no text": [()],
    "empty pieces": [("", "a", "", "b")],
    "the same piece again": [("ha", "ha", "ha", "haha", "ha")],
    "words of the world": [("naïve ", "日本", "語 ", "👩‍👩‍👧", "!")],
    "keep-alives": [("One ", KEEP_ALIVE, "two ", KEEP_ALIVE, "three.")],
    "reasoning, then text": [(Reasoning("Let me "), Reasoning("think."), "One ", "two.")],
    "text, then reasoning, then text": [("One ", "two ", Reasoning("hm"), "three ", "four.")],
    "a call": [(Call("add", {"a": 1, "b": 2}),), ("It is ", "3.")],
    "text and calls": [
        ("Let me ", "see. ", Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3, "b": 4})),
        ("3 ", "and ", "7."),
    ],
    "calls, then text": [(Call("add", {"a": 1, "b": 2}), "On ", "it. ", "Wait."), ("3.",)],
}


@function_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def is_shown(event: TResponseStreamEvent) -> bool:
    """Whether a turn shows something of an event: items that are no text, and reasoning."""
    if event.type in ("response.output_item.added", "response.output_item.done"):
        return event.item.type == "function_call"
    return event.type == "response.reasoning_summary_text.delta"


class Heard:
    """What a turn would hear: pieces of text, and the types of the other events that it shows."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.pieces: list[str] = []
        self.direct = 0
        self.usages: list[tuple[int, int]] = []

    def text(self, text: str) -> None:
        self.pieces.append(text)
        self.direct += 1

    def usage(self, input_tokens: int, output_tokens: int) -> None:
        self.usages.append((input_tokens, output_tokens))

    async def event(self, event: TResponseStreamEvent) -> None:
        if event.type == "response.output_text.delta":
            self.pieces.append(event.delta)
        elif is_shown(event):
            self.told.append(event.type)


async def run(server: ModelServer, model: Model, parts: list[tuple[Part, ...]]) -> Any:
    server.script.extend(Reply(part) for part in parts)
    result = Runner.run_streamed(
        Agent(
            name="a",
            model=model,
            tools=[add],
            model_settings=ModelSettings(include_usage=True),
        ),
        "Go",
        run_config=RunConfig(tracing_disabled=True),
    )
    return result, [event async for event in result.stream_events()]


def without_ids(value: Any) -> Any:
    """Leave out what differs between two runs: the ids that were made up for them."""
    if isinstance(value, list):
        return [without_ids(child) for child in value]
    if isinstance(value, dict):
        made_up = ("id", "call_id", "tool_call_id", "provider_data")
        return {key: without_ids(child) for key, child in value.items() if key not in made_up}
    return value


def in_any_order(items: list[Any]) -> list[str]:
    """Our calls come after the text of their answer, wherever the model wrote them."""
    return sorted(json.dumps(item, sort_keys=True) for item in without_ids(items))


def usages(result: Any) -> list[Any]:
    """The tokens of each request."""
    entries: list[Any] = result.context_wrapper.usage.request_usage_entries
    return entries


@pytest.fixture
async def model(model_server: ModelServer) -> AsyncIterator[FastPathModel]:
    """A model of the server, as the plugin gives it."""
    async with ours(model_server.url) as model:
        yield model


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[FastPathModel]:
    config = Config.model_validate({"endpoints": {"test": {"base_url": url}}})
    provider = Plugin(config).model_providers()["test"]
    model = provider.get_model("any")
    assert isinstance(model, FastPathModel)
    yield model
    await provider.aclose()


@asynccontextmanager
async def theirs(url: str) -> AsyncIterator[Model]:
    """The Agents SDK's own model, on OpenAI's client."""
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield OpenAIChatCompletionsModel("any", client)


async def compare(server: ModelServer, url: str, parts: list[tuple[Part, ...]]) -> None:
    """Run the same answers through the SDK's own model and the short way of ours."""
    heard = Heard()
    async with theirs(url) as model:
        long_way, events = await run(server, model, parts)
    async with ours(url) as model:
        short_way, _ = await run(server, model.bind(heard), parts)
    raw = [event.data for event in events if event.type == "raw_response_event"]
    pieces = [event.delta for event in raw if event.type == "response.output_text.delta"]
    others = [e.type for e in raw if is_shown(e)]
    assert [piece for piece in heard.pieces if piece] == [piece for piece in pieces if piece]
    assert sorted(heard.told) == sorted(others)
    assert in_any_order(short_way.to_input_list()) == in_any_order(long_way.to_input_list())
    assert short_way.final_output == long_way.final_output
    # Ids of another length are other numbers of tokens read
    assert [u.output_tokens for u in usages(short_way)] == [
        u.output_tokens for u in usages(long_way)
    ]
    asked = [json.loads(json.dumps(request.body)) for request in server.requests]
    half = len(asked) // 2
    assert half == len(parts)
    assert asked[0]["tools"]
    assert without_ids(asked[:half]) == without_ids(asked[half:])


@pytest.mark.parametrize("name", STREAMS)
async def test_both_ways_give_the_same(model_server: ModelServer, name: str) -> None:
    await compare(model_server, model_server.url, STREAMS[name])


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("name", ["text and calls", "words of the world"])
async def test_both_ways_give_the_same_however_the_bytes_come(
    model_server: ModelServer, name: str, size: int
) -> None:
    async with TestServer(dribbling(model_server.url, size)) as between:
        await compare(model_server, str(between.make_url("/v1")), STREAMS[name])


async def test_both_ways_fail_with_the_same(model_server: ModelServer) -> None:
    parts = ("One ", Error("overloaded"))
    heard = Heard()
    async with theirs(model_server.url) as model:
        with pytest.raises(openai.APIError) as long_way:
            await run(model_server, model, [parts])
    async with ours(model_server.url) as model:
        with pytest.raises(openai.APIError) as short_way:
            await run(model_server, model.bind(heard), [parts])
    assert type(short_way.value) is type(long_way.value)
    assert explain(short_way.value).message == explain(long_way.value).message


def dribbling(url: str, size: int) -> web.Application:
    """A server before the model server, whose answers come in blocks of so many bytes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with (
            ClientSession() as session,
            session.post(
                f"{url}/chat/completions", data=body, headers={"Content-Type": "application/json"}
            ) as asked,
        ):
            whole = await asked.read()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for start in range(0, len(whole), size):
            await response.write(whole[start : start + size])
            await asyncio.sleep(0)
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    return app


class Slow(Heard):
    """Takes its time for the text that begins a message, and remembers the order of all."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def text(self, text: str) -> None:
        self.order.append(text)

    async def event(self, event: TResponseStreamEvent) -> None:
        if event.type == "response.output_text.delta":
            await asyncio.sleep(0.02)
            self.order.append(event.delta)
        elif is_shown(event):
            self.order.append(event.type)


async def test_text_waits_for_what_came_before_it() -> None:
    call = Call("add", {"a": 1, "b": 2})
    thought = Reasoning("Hm.")
    parts: list[tuple[Part, ...]] = [("One ", "two ", thought, "three ", "four.", call), ("Done.",)]
    # The next piece is there while the one before is still being told
    async with ModelServer(delay=0.005) as server:
        slow = Slow()
        async with ours(server.url) as model:
            await run(server, model.bind(slow), parts)
    words = [told for told in slow.order if not told.startswith("response.output_item")]
    thinking = "response.reasoning_summary_text.delta"
    assert words == ["One ", "two ", thinking, "three ", "four.", "Done."]


async def test_text_takes_the_short_way(model: FastPathModel, model_server: ModelServer) -> None:
    heard = Heard()
    words = tuple(f"word{i} " for i in range(FROM // 2))
    await run(model_server, model.bind(heard), [(Text(*words),)])
    assert heard.direct == len(words) - 1
    assert heard.pieces == list(words)


async def test_much_text_at_once_takes_the_short_way_together(
    model: FastPathModel, model_server: ModelServer
) -> None:
    heard = Heard()
    words = tuple(f"word{i} " for i in range(10_000))
    await run(model_server, model.bind(heard), [(Text(*words),)])
    assert "".join(heard.pieces) == "".join(words)
    assert 0 < heard.direct < len(words) / 4


async def test_thoughts_faster_than_a_model_are_told_in_batches(
    model: FastPathModel, model_server: ModelServer
) -> None:
    thoughts = [f"thought{i} " for i in range(20_000)]
    deltas = [{"choices": [{"delta": {"reasoning": thought}}]} for thought in thoughts]
    at_once = b"".join(b"data: %b\n\n" % json.dumps(delta).encode() for delta in deltas)
    _, events = await run(model_server, model, [(Raw(at_once), "So it is.")])
    told = [event.data for event in events if event.type == "raw_response_event"]
    pieces = [e.delta for e in told if e.type == "response.reasoning_summary_text.delta"]
    assert "".join(pieces) == "".join(thoughts)
    assert len(pieces) < len(thoughts) / 20


async def test_a_refusal_is_what_the_model_says(
    model: FastPathModel, model_server: ModelServer
) -> None:
    heard = Heard()
    result, _ = await run(model_server, model.bind(heard), [(Refusal("I may not."),)])
    assert (heard.pieces, result.final_output) == (["I may not."], "I may not.")


STREAM = (
    ': hello\n\ndata: {"a": "naïve 日本"}\n\ndata:{"b": 2}\r\n\r\nevent: x\nid: 7\n'
    'data: {"choices":\ndata:  3}\n\n: comment\n\n\n\ndata: {"d": 4}\n\ndata: [DONE]\n\n'
    'data: {"e": 5}\n\n'
).encode()
CHUNKS = [{"a": "naïve 日本"}, {"b": 2}, {"choices": 3}, {"d": 4}]


def parsed(*blocks: bytes) -> list[dict[str, Any]]:
    parser = Parser(BodyLimits(1000, 1000))
    return [chunk for block in blocks if not parser.done for chunk in parser.feed(block)]


def test_every_split_of_the_bytes_gives_the_same_chunks() -> None:
    for cut in range(len(STREAM) + 1):
        assert parsed(STREAM[:cut], STREAM[cut:]) == CHUNKS
    assert parsed(*(bytes([byte]) for byte in STREAM)) == CHUNKS


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        ({"choices": {"a": 1, "b": 2}}, "One two."),
        ({"choices": [{"delta": "text", "finish_reason": "stop"}]}, "One two.text"),
        ({"choices": [], "usage": 5}, "One two."),
        ({"choices": [], "usage": {"prompt_tokens": "many"}}, "One two."),
        ({"choices": [{"delta": {"content": 3}}]}, "One two.3"),
    ],
)
async def test_odd_chunks_are_read(
    model: FastPathModel, model_server: ModelServer, odd: dict[str, Any], text: str
) -> None:
    line = Raw(b"data: %b\n\n" % json.dumps(odd).encode())
    model_server.script.append(Reply(("One ", "two.", line), usage=False))
    result, _ = await run(model_server, model.bind(Heard()), [])
    assert result.final_output == text


@pytest.mark.parametrize("odd", [{"choices": ["text"]}, {"choices": 3}, ["text"], "text", 3])
async def test_what_is_no_chunk_is_told_as_nonsense(
    model: FastPathModel, model_server: ModelServer, odd: object
) -> None:
    line = Raw(b"data: %b\n\n" % json.dumps(odd).encode())
    model_server.script.append(Reply(("One ", "two.", line), usage=False))
    with pytest.raises(ModelBehaviorError, match="malformed chunk"):
        await run(model_server, model.bind(Heard()), [])


async def test_usage_in_each_chunk_is_told_as_it_comes(
    model: FastPathModel, model_server: ModelServer
) -> None:
    heard = Heard()
    parts = (counted("One ", 9, 1), "two ", counted("three ", 9, 3), Reasoning("hm"))
    await run(model_server, model.bind(heard), [(*parts, counted("four.", 9, 5))])
    *so_far, whole = heard.usages
    assert list(dict.fromkeys(so_far)) == [(9, 1), (9, 3), (9, 5)]
    assert whole[1] == 5
    assert "".join(heard.pieces) == "One two three four."
