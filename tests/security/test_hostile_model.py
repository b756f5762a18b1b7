"""A hostile model ends its own turn, in words, and costs the server little."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from agents import function_tool
from agents.exceptions import ModelBehaviorError
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from chatkit_plugins.compatible_models.body import ResponseBody

from chatkit_server import hookimpl
from chatkit_server.agent import output, responses
from chatkit_server.agent.completions import reader
from chatkit_server.agent.completions.parser import Parser
from chatkit_server.agent.tools import arguments_of, cut
from chatkit_server.events.recorder import LONG_ANSWER
from chatkit_server.models import BodyLimits, EventPace, ModelTimeouts, RequestTimer
from chatkit_server.testing.model_server import Call, ModelServer, Reasoning
from chatkit_server.turns import failures
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.security import hostile_model as hostile
from tests.security.hostile_model import Behaviour, HostileModel
from tests.timing import times_as_long

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")

Ask = Callable[..., Awaitable[Streamed]]
PROVIDERS = ["mine", "openai", "litellm"]


def sections(provider: str, url: str, **settings: Any) -> dict[str, Any]:
    """The settings of a server whose model is at this address."""
    if provider == "mine":
        endpoint = {"base_url": url, "api_key": "sk-1", "max_retries": 0} | settings
        plugin: Any = {"compatible_models": {"endpoints": {"mine": endpoint}}}
        model = "mine/any"
    elif provider == "openai":
        plugin = {"openai_models": {"base_url": url, "api_key": "sk-1", "max_retries": 0}}
        plugin["openai_models"] |= settings
        model = "openai/any"
    else:
        openai = {"base_url": url, "api_key": "sk-1"}
        plugin = {"litellm_models": {"providers": {"openai": openai}, "max_retries": 0} | settings}
        model = "litellm/openai/any"
    return {"plugins": plugin, "agent": {"model": model}}


class Tools:
    """Gives the agent a tool, and notes what it was called with."""

    def __init__(self) -> None:
        self.called: list[str] = []

        @function_tool
        def note(text: str) -> str:
            """Note a text."""
            self.called.append(text)
            return "noted"

        self.tool = note

    @hookimpl
    async def pre_turn(self, turn: Any) -> None:
        turn.tools.append(self.tool)


@pytest.fixture
def ask(make_chat: MakeChat) -> Ask:
    """Return a function that asks a hostile model once, and returns what the client got."""

    async def ask(
        behaviour: Behaviour,
        provider: str = "mine",
        plugins: tuple[object, ...] = (),
        limits: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Streamed:
        async with HostileModel(behaviour) as model:
            given = sections(provider, model.url, **settings)
            chat = await make_chat(*plugins, turns={"limits": limits or {}}, **given)
            streamed = await chat.say("secret words")
            assert model.asked <= 1
            return streamed

    return ask


def message(streamed: Streamed) -> str:
    assert streamed.error is not None, streamed.types
    return str(streamed.error["message"])


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(provider: str, status: int, ask: Ask) -> None:
    async with ModelServer() as other:
        behaviour = hostile.redirect(f"{other.url}/chat/completions", status)
        assert message(await ask(behaviour, provider)) == failures.MOVED
        assert not other.requests


async def test_the_log_says_where_a_redirect_goes(
    ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(hostile.redirect("http://elsewhere.example/" + "x" * 5000))
    assert "'http://elsewhere.example/x" in caplog.text
    assert "set `base_url`" in caplog.text
    assert "x" * 1000 not in caplog.text


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_packed_answer_is_not_unpacked(
    provider: str, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    assert message(await ask(hostile.packed(50_000_000), provider)) == failures.NONSENSE
    assert "packed its answer as 'gzip'" in caplog.text
    assert "HTTP 400" not in caplog.text


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [400, 500])
async def test_only_the_beginning_of_a_packed_error_is_unpacked(
    provider: str, status: int, ask: Ask
) -> None:
    told = message(await ask(hostile.packed(50_000_000, status), provider))
    assert told == (failures.PROVIDER_DOWN if status == 500 else failures.REFUSED_REQUEST)


ERROR = orjson.dumps(
    {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(ERROR), "gzip"),
        (gzip.compress(ERROR), "X-GZip"),
        (zlib.compress(ERROR), "deflate"),
        (gzip.compress(ERROR)[:-4], "gzip"),
    ],
    ids=["gzip", "x-gzip", "deflate", "cut off"],
)
async def test_a_packed_error_is_told(
    body: bytes, encoding: str, provider: str, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    behaviour = hostile.packed_error(body, 429, encoding)
    assert message(await ask(behaviour, provider)) == failures.NO_QUOTA
    assert "You exceeded your quota" in caplog.text


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"\x0b\x02\x80junk\x03", "br"), (b"(\xb5/\xfd junk", "zstd"), (b"not packed", "gzip")],
)
async def test_what_cannot_be_unpacked_is_told_as_such(
    body: bytes, encoding: str, provider: str, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    behaviour = hostile.packed_error(body, 503, encoding)
    assert message(await ask(behaviour, provider)) == failures.PROVIDER_DOWN
    assert f"packed this error as '{encoding}'" in caplog.text
    assert "503" in caplog.text
    assert "junk" not in caplog.text


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("piece", [b"model " * 1000, b"[" * 6000, b'{"error": "' + b"x" * 5000])
async def test_only_the_beginning_of_an_error_is_read(
    piece: bytes, provider: str, ask: Ask
) -> None:
    assert message(await ask(hostile.endless_error(piece), provider)) == failures.REFUSED_REQUEST


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_error_that_stalls_is_told_by_its_beginning(
    provider: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "ERROR_SECONDS", 0.1)
    stalled = hostile.stalled_error(b'{"error": {"message": "insufficient_quota')
    assert message(await ask(stalled, provider)) == failures.NO_QUOTA


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("piece", "before"),
    [
        (b"x" * 1000, b"data: "),
        (b"data: x\n" * 100, b""),
        (b"data: x\r\n" * 100, b""),
    ],
    ids=["one line", "lines", "lines with returns"],
)
async def test_an_event_without_an_end(
    piece: bytes, before: bytes, provider: str, ask: Ask
) -> None:
    behaviour = hostile.endless(piece, before=before)
    assert message(await ask(behaviour, provider, max_event="100kB")) == failures.NONSENSE


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("piece", [b": nothing\n\n", b"\n", b"event: x\n\n"])
async def test_an_answer_without_an_end(piece: bytes, provider: str, ask: Ask) -> None:
    behaviour = hostile.endless(piece * 1000)
    assert message(await ask(behaviour, provider, max_answer="200kB")) == failures.NONSENSE


async def test_small_pieces_of_text_become_few_events(ask: Ask) -> None:
    piece = hostile.chunk({"content": "x"})
    end = hostile.chunk({}, "stop") + b"data: [DONE]\n\n"
    streamed = await ask(hostile.bytes_of(lambda: [piece * 100] * 200 + [end]))
    assert streamed.text == "x" * 20_000
    assert len(streamed.data) < 3000


async def test_empty_chunks_do_not_keep_a_turn_alive(ask: Ask) -> None:
    behaviour = hostile.endless(b'data: {"choices": []}\n\n' * 100)
    told = message(await ask(behaviour, limits={"silence": "1s"}))
    assert told.startswith("The model sent nothing for")
    behaviour = hostile.endless(hostile.chunk({"content": ""}) * 100)
    told = message(await ask(behaviour, limits={"turn": "1s"}))
    assert told.startswith("The answer took longer than")


@pytest.mark.parametrize(
    "bad",
    [
        b"[" * 500_000,
        b'{"choices": ' + b"[" * 500_000,
        b'{"choices": [' + b"{}," * 500_000 + b"{}]}",
        b'{"choices": [{"index": 0, "delta": {"x": ' + b"[" * 900 + b"]" * 900 + b"}}]}",
        b'{"choices": [{"index": 0, "delta": {"content": "\\ud83e"}}]}',
        b'{"choices": [{"index": 0, "delta": {"tool_calls": [' + b"{}," * 9999 + b"{}]}}]}",
        b'{"choices": [{"index": ' + b"9" * 10_000 + b', "delta": {"content": "x"}}]}',
        b'{"error": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"\x00" * 1000,
        b'{"choices": {}, "usage": []}',
    ],
    ids=range(10),
)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_malformed_chunk_ends_the_turn_in_words(
    bad: bytes, provider: str, ask: Ask
) -> None:
    streamed = await ask(hostile.endless(b"data: " + bad + b"\n\n", times=1), provider)
    assert message(streamed) != failures.GENERAL


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_reasoning_has_a_limit(provider: str, ask: Ask) -> None:
    behaviour = hostile.scripted(Reasoning("Hm, let me think. " * 1000), "Yes.")
    streamed = await ask(behaviour, provider, limits={"reasoning": "10kB"})
    assert message(streamed) == output.LONG_REASONING
    [workflow] = streamed.done("workflow")
    assert 0 < sum(len(task["content"]) for task in workflow["workflow"]["tasks"]) <= 10_000


@pytest.mark.parametrize("size", [48_000, 200_000])
async def test_updates_of_reasoning_cost_what_they_add(size: int, ask: Ask) -> None:
    words = "Thinking, line by line.\n" * (size // 24)
    pieces = (words[i : i + 12] for i in range(0, len(words), 12))
    deltas = [{"reasoning_content": piece} for piece in pieces]
    streamed = await ask(
        hostile.chunks([*deltas, {"content": "Yes."}]), limits={"reasoning": "2MB"}
    )
    assert streamed.error is None
    assert streamed.text == "Yes."
    [workflow] = streamed.done("workflow")
    assert "".join(task["content"] for task in workflow["workflow"]["tasks"]) == words
    told = len(await streamed.response.read())
    assert told < 6 * len(words)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_arguments_of_a_tool_have_a_limit(provider: str, ask: Ask) -> None:
    tools = Tools()
    behaviour = hostile.scripted(Call("note", {"text": "x" * 20_000}))
    streamed = await ask(behaviour, provider, (tools,), {"tool_arguments": "10kB"})
    assert message(streamed) == output.LONG_ARGUMENTS
    assert not tools.called


@pytest.mark.parametrize("provider", ["mine", "litellm"])
async def test_arguments_of_a_call_without_a_name_are_counted(provider: str, ask: Ask) -> None:
    call = {"index": 0, "function": {"arguments": "x" * 1000}}
    behaviour = hostile.endless(hostile.chunk({"tool_calls": [call]}))
    streamed = await ask(behaviour, provider, (Tools(),), {"tool_arguments": "50kB"})
    assert message(streamed) == output.LONG_ARGUMENTS


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_calls_of_an_answer_have_a_limit(provider: str, ask: Ask) -> None:
    tools = Tools()
    calls = [Call("note", {"text": "x"}) for _ in range(5)]
    streamed = await ask(hostile.scripted(*calls), provider, (tools,), {"tool_calls": 4})
    assert message(streamed) == output.MANY_CALLS
    assert not tools.called


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_name_of_a_tool_has_a_limit(provider: str, ask: Ask) -> None:
    behaviour = hostile.scripted(Call("n" * 10_000, {}))
    assert message(await ask(behaviour, provider, (Tools(),))) == failures.NONSENSE


@pytest.mark.parametrize("levels", [200, 900, 50_000])
async def test_arguments_that_are_nested_too_deeply(
    levels: int, make_chat: MakeChat, model_server: ModelServer
) -> None:
    deep = '{"text": ' + "[" * levels + "]" * levels + "}"
    model_server.reply(Call("note", deep))
    tools = Tools()
    chat = await make_chat(tools, **sections("mine", model_server.url))
    streamed = await chat.say("hello")
    assert streamed.error is None
    assert not tools.called
    [call] = model_server.requests[-1].body["messages"][-2]["tool_calls"]
    assert call["function"]["arguments"] == "{}"


async def test_text_that_only_comes_at_the_end_is_counted(ask: Ask) -> None:
    item = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "x" * 5000, "annotations": []}],
    }
    event = {"type": "response.output_item.done", "output_index": 0, "sequence_number": 0}
    data = b"data: " + orjson.dumps(event | {"item": item}) + b"\n\n"
    streamed = await ask(hostile.endless(data, times=1), "openai", limits={"answer": "1kB"})
    assert message(streamed) == LONG_ANSWER


async def test_parts_and_messages_have_a_limit(ask: Ask) -> None:
    def delta(output_index: int, content_index: int) -> bytes:
        event = {
            "type": "response.output_text.delta",
            "delta": "x",
            "item_id": "m",
            "logprobs": [],
            "sequence_number": 0,
            "output_index": output_index,
            "content_index": content_index,
        }
        return b"data: " + orjson.dumps(event) + b"\n\n"

    for index in (-1, 10**12):
        behaviour = hostile.endless(delta(0, index), times=1)
        assert message(await ask(behaviour, "openai")) == failures.NONSENSE
    behaviour = hostile.bytes_of(lambda: (delta(i, 0) for i in itertools.count()))
    assert message(await ask(behaviour, "openai")) == LONG_ANSWER


def test_a_long_line_takes_linear_time() -> None:
    def parse(size: int) -> None:
        parser = Parser(BodyLimits(10**9, 10**9))
        parser.feed(b'data: {"a": "')
        for _ in range(size // 1000):
            parser.feed(b"x" * 1000)
        assert len(parser.feed(b'"}\n\n')) == 1

    # Forty times as long: sixteen hundred times the work if it is not linear. No more than that:
    # glibc would ask the kernel for memory again and again, and each new page costs time
    assert times_as_long(lambda: parse(8_000_000), lambda: parse(200_000), 200) < 200


@pytest.mark.parametrize(
    ("before", "piece"), [(b"data: ", b"x"), (b"", b"data: x\n"), (b"", b"data:\n")]
)
def test_an_event_ends_at_its_limit_however_it_comes(before: bytes, piece: bytes) -> None:
    parser = Parser(BodyLimits(10_000, 10**9))
    parser.feed(before)

    def feed() -> None:
        for _ in range(20_000):
            parser.feed(piece)

    with pytest.raises(ModelBehaviorError, match="max_event"):
        feed()


async def test_events_in_pieces_are_whole_lines_again() -> None:
    stream = b"data: one\n\nevent: x\r\ndata: two\r\n\r\n" * 2000

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(stream), size):
            yield stream[start : start + size]

    for size in (1, 2, 3, 7, 1000, len(stream)):
        lines = [line async for line in BodyLimits(100, 10**6).lines(pieces(size))]
        assert b"".join(lines) == stream
        assert all(line.endswith((b"\n", b"\r")) for line in lines if line)


@pytest.mark.parametrize("entry", [{}, {"type": "x"}, {"type": ["x"]}, 1])
@pytest.mark.parametrize("place", ["output", "tools"])
async def test_entries_of_unknown_types_are_few(place: str, entry: Any, ask: Ask) -> None:
    response = {"id": "r", "object": "response", "model": "m", place: [entry] * 200}
    event = {"type": "response.in_progress", "sequence_number": 1, "response": response}
    behaviour = hostile.endless(b"data: " + orjson.dumps(event) + b"\n\n")
    assert message(await ask(behaviour, "openai")) == failures.NONSENSE


def test_what_models_send_is_no_matter_of_its_types() -> None:
    tool = {"type": "function", "name": "x", "parameters": {"anyOf": [{}] * 1000}}
    event = {
        "response": {"output": [{"type": "message", "content": []}] * 100, "tools": [tool] * 9}
    }
    assert not responses.has_more_parts(event, responses.MOST_PARTS, {"message", "function"})
    assert responses.has_more_parts(event, responses.MOST_PARTS, {"function"})


# Others get their turn


class OtherTask:
    """Counts how often another task runs while the block does."""

    def __init__(self) -> None:
        self.steps = 0

    async def __aenter__(self) -> OtherTask:
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            self.steps += 1
            await asyncio.sleep(0)


async def test_other_tasks_run_while_a_client_works_at_many_lines() -> None:
    piece = b'data: {"a": "b"}\n\n' * 10_000

    async def body() -> AsyncIterator[bytes]:
        yield piece

    async with OtherTask() as other:
        lines = [part async for part in BodyLimits(10**6, 10**6).lines(body())]
    assert b"".join(lines) == piece
    assert max(map(len, lines)) < 2 * responses.AT_ONCE
    assert other.steps >= len(lines) - 1


@dataclass
class Received:
    """A response whose whole body has arrived."""

    content: StreamReader
    url = "http://model"
    headers: dict[str, str] = field(default_factory=dict)

    def release(self) -> None:
        """Nothing is to be released."""


async def test_other_tasks_run_between_chunks_and_few_are_queued(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "_PER_SECOND", 10**9)
    monkeypatch.setattr("chatkit_server.agent.pace.UNINTERRUPTED", 0)
    protocol = BaseProtocol(asyncio.get_running_loop())
    protocol.connection_made(asyncio.Transport())
    content = StreamReader(protocol, 2**20)
    fed = 100 * b'data: {"choices": [{"delta": {"reasoning_details": [1]}}]}\n\n'

    async def feed() -> None:
        # Faster than the consumer, who gets one chunk while others run once
        for _ in range(100):
            content.feed_data(fed)
            await asyncio.sleep(0)
        content.feed_eof()

    received: Any = Received(content)
    body = ResponseBody(received)
    source = reader.ChunkReader(body, RequestTimer(ModelTimeouts()), BodyLimits(10**6, 10**6))
    seen = most = 0
    feeding = asyncio.create_task(feed())
    async with OtherTask() as other:
        async for _ in source.chunks():
            seen += 1
            most = max(most, len(source._queued))
    await feeding
    assert seen == 10_000
    assert other.steps > seen / 2
    # Beyond the limit, what had arrived is still queued: here, all that was fed since
    assert most < 10_000


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_answer_of_many_events_is_slowed_down(
    provider: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = 0
    keep = EventPace.keep

    async def count(self: EventPace) -> None:
        nonlocal kept
        kept += 1
        await keep(self)

    monkeypatch.setattr(EventPace, "keep", count)
    parts = [part for _ in range(20) for part in (Reasoning("a"), "b")]
    streamed = await ask(hostile.scripted(*parts), provider)
    assert streamed.error is None
    assert kept >= 20


def test_a_large_output_is_cut_before_it_is_written() -> None:
    written = 0

    class Part:
        def __str__(self) -> str:
            nonlocal written
            written += 1
            return "x" * 100

    shown = cut([Part() for _ in range(100_000)], 1000)
    assert shown.endswith("[cut off here: the rest is left out]")
    assert written < 100
    circle: list[Any] = []
    circle.append(circle)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for odd in (circle, deep):
        assert "cut off here" in cut(odd, 1000)
    assert arguments_of("[" * 100_000) is None


async def test_an_honest_answer_still_comes(make_chat: MakeChat, model_server: ModelServer) -> None:
    for provider in PROVIDERS:
        chat: Chat = await make_chat(**sections(provider, model_server.url))
        streamed = await chat.say("hello")
        assert (streamed.error, streamed.text) == (None, "You said: hello")
