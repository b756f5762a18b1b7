"""Answers in chat-completions chunks, from the bytes on the wire to what is told and kept.

What servers were seen to send is in `tests/model_streams`; here are the rules behind that.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from openai.types.responses import Response

from chatkit_server.agent.completions.parser import Parser
from chatkit_server.models import Answer, BodyLimits, Chunk, OutputMeter, TurnLimits
from chatkit_server.turns import failures
from chatkit_server.turns.failures import explain

OSLO = '{"city": "Oslo"}'
ROME = '{"city": "Rome"}'


@dataclass
class Heard:
    """What a turn hears of an answer, and the answer's items."""

    text: str = ""
    thoughts: str = ""
    images: list[str] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)

    @property
    def said(self) -> str:
        """The text that is kept."""
        parts = [part for item in self.items if item.type == "message" for part in item.content]
        return "".join(part.text for part in parts)

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The calls that are kept."""
        return [(i.name, i.arguments) for i in self.items if i.type == "function_call"]

    @property
    def reasoning(self) -> str:
        """The reasoning that is kept."""
        found = [item for item in self.items if item.type == "reasoning"]
        return "".join(part.text for item in found for part in item.summary)


class Sink:
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def text(self, text: str) -> None:
        self._heard.text += text

    def usage(self, input_tokens: int, output_tokens: int) -> None:
        """Nothing is counted here."""

    async def event(self, event: TResponseStreamEvent) -> None:
        if event.type == "response.output_text.delta":
            self._heard.text += event.delta
        elif event.type == "response.reasoning_summary_text.delta":
            self._heard.thoughts += event.delta
        elif event.type == "response.output_item.done":
            self._item(event.item)

    def _item(self, item: Any) -> None:
        if item.type == "image_generation_call":
            self._heard.images.append(item.result)


async def read(*chunks: Any, done: bool = True, tags: bool = True) -> Heard:
    """Read an answer: chunks, or bytes as they are."""
    lines = [c if isinstance(c, bytes) else b"data: %b\n\n" % dumped(c) for c in chunks]
    parser = Parser(BodyLimits(10**6, 10**6))

    async def parsed() -> AsyncIterator[Chunk]:
        for chunk in parser.feed(b"".join([*lines, b"data: [DONE]\n\n" if done else b""])):
            yield chunk
        for chunk in parser.end():
            yield chunk

    heard = Heard()
    make: Any = Response.model_construct
    empty = make(id="r", model="m", output=[])
    meter = OutputMeter(TurnLimits())
    answer = Answer(empty, Sink(heard), meter, tools={"weather", "ping"}, tags=tags)
    async for event in answer.events(parsed(), lambda: parser.done):
        if event.type == "response.completed":
            heard.items = event.response.output
    ids = [item.call_id for item in heard.items if item.type == "function_call"]
    assert len(set(ids)) == len(ids)
    return heard


def dumped(chunk: Any) -> bytes:
    return json.dumps(chunk).encode()


def delta(finish: Any = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def call(
    index: Any = None, id: Any = None, name: Any = None, arguments: Any = None
) -> dict[str, Any]:
    """A piece of a call, with what is not None."""
    function = {"name": name, "arguments": arguments}
    piece = {"index": index, "id": id}
    return {
        **{key: value for key, value in piece.items() if value is not None},
        "function": {key: value for key, value in function.items() if value is not None},
    }


def calls(*deltas: list[Any]) -> list[dict[str, Any]]:
    return [*(delta(tool_calls=pieces) for pieces in deltas), delta("tool_calls")]


CALLS: dict[str, tuple[list[Any], list[str]]] = {
    "a new id in each piece": (
        calls([call(0, "a", "weather", '{"ci')], [call(0, "b", None, 'ty": "Oslo"}')]),
        [OSLO],
    ),
    "a new id and the name in each piece": (
        calls([call(0, "a", "weather", '{"ci')], [call(0, "b", "weather", 'ty": "Oslo"}')]),
        [OSLO],
    ),
    "objects run together": (calls([call(0, "a", "weather", OSLO + ROME)]), [OSLO, ROME]),
    "an empty object first": (calls([call(0, "a", "weather", "{}" + OSLO)]), [OSLO]),
    "an object twice": (calls([call(0, "a", "weather", OSLO + OSLO)]), [OSLO]),
    "twice in one chunk": (
        calls([call(None, None, "ping", "{}"), call(None, None, "ping", "{}")]),
        ["{}", "{}"],
    ),
    "without arguments under one index": (
        calls([call(0, "a", "ping")], [call(0, "b", "ping")]),
        ["{}", "{}"],
    ),
    "one index, no ids": (
        calls([call(0, "", "weather", OSLO)], [call(0, "", "weather", ROME)]),
        [OSLO, ROME],
    ),
    "in turn, with ids and without indexes": (
        calls(
            [call(None, "a", "weather", '{"city": ')],
            [call(None, "b", "weather", '{"city": ')],
            [call(None, "a", None, '"Oslo"}')],
            [call(None, "b", None, '"Rome"}')],
        ),
        [OSLO, ROME],
    ),
    "in turn, with ids and one index": (
        calls(
            [call(0, "a", "weather", '{"city": ')],
            [call(0, "b", "weather", '{"city": ')],
            [call(0, "a", None, '"Oslo"}')],
            [call(0, "b", None, '"Rome"}')],
        ),
        [OSLO, ROME],
    ),
    "one id": (
        calls([call(0, "x", "weather", OSLO), call(1, "x", "weather", ROME)]),
        [OSLO, ROME],
    ),
    "one id, no index": (
        calls([call(None, "x", "weather", OSLO)], [call(None, "x", "weather", ROME)]),
        [OSLO, ROME],
    ),
    "a summary": (
        calls([call(0, "a", "weather", OSLO)], [call(0, "a", "weather", '{"city":"Oslo"}')]),
        [OSLO],
    ),
    "a summary of all, without ids": (
        calls(
            [call(0, "a", "weather", OSLO)],
            [call(1, "b", "weather", ROME)],
            [call(None, None, "weather", OSLO), call(None, None, "weather", ROME)],
        ),
        [OSLO, ROME],
    ),
    "a summary with another id": (
        calls([call(0, "a", "weather", OSLO)], [call(0, "z", "weather", OSLO)]),
        [OSLO],
    ),
    "the same twice, with ids and indexes": (
        calls([call(0, "a", "weather", OSLO)], [call(1, "b", "weather", OSLO)]),
        [OSLO, OSLO],
    ),
    "a message at the end": (
        [
            delta(tool_calls=[call(0, "a", "weather", OSLO)]),
            {"choices": [{"message": {"tool_calls": [call(None, "z", "weather", OSLO)]}}]},
            delta("tool_calls"),
        ],
        [OSLO],
    ),
    "a whole piece after a broken one": (
        calls([call(0, "a", "weather", '{"cit')], [call(0, "a", "weather", OSLO)]),
        [OSLO],
    ),
    "indexes of other types": (
        calls([call("1", "a", "weather", OSLO)], [call(2.0, "b", "weather", ROME)]),
        [OSLO, ROME],
    ),
    "no function around it": (calls([{"id": 7, "name": "weather", "arguments": OSLO}]), [OSLO]),
    "an object": (calls([call(0, "a", "weather", {"city": "Oslo"})]), [OSLO]),
    "encoded twice": (calls([call(0, "a", "weather", json.dumps(OSLO))]), [OSLO]),
    "null as text": (calls([call(0, "a", "ping", '"null"')]), ["{}"]),
    "an empty list": (calls([call(0, "a", "ping", "[]")]), ["{}"]),
    "blank": (calls([call(0, "a", "ping", " \n")]), ["{}"]),
    "half a character": (
        calls([call(0, "a", "weather", '{"city": "O\\ud83d"}')]),
        ['{"city": "O�"}'],
    ),
    "no name": (calls([call(0, "a", None, OSLO)]), []),
    "the rest of a call elsewhere": (
        calls([call(0, "a", "weather", '{"city": ')], [call(1, "b", None, '"Oslo"}')]),
        [OSLO],
    ),
    "no object at all": (calls(["text", None, 3]), []),
    "no list": (calls(call(0, "a", "weather", OSLO)), [OSLO]),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", CALLS)
async def test_calls(name: str) -> None:
    chunks, expected = CALLS[name]
    heard = await read(*chunks)
    assert [arguments for _, arguments in heard.calls] == expected


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("functions.weather", "weather"),
        ("default_api:weather", "weather"),
        ("mcp__weather", "weather"),
        ("functions.weather:0", "weather"),
        (" wea\0ther\n", "weather"),
        ("nosuch.tool", "nosuch.tool"),
    ],
)
async def test_names(written: str, meant: str) -> None:
    heard = await read(*calls([call(0, "a", written, OSLO)]))
    assert heard.calls == [(meant, OSLO)]


@pytest.mark.parametrize(
    "written", ['{"city": "Os', '["Oslo"]', "Oslo", '{"days": NaN}', '{"a":' + "[" * 900, "3"]
)
async def test_arguments_that_are_no_object_are_kept_beside_the_call(written: str) -> None:
    [item] = (await read(*calls([call(0, "a", "weather", written)]))).items
    assert item.arguments == "{}"
    assert item.provider_data["invalid_arguments"] == written


def said(text: str) -> bytes:
    """A chunk with this text, as it is written in JSON."""
    return b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % text.encode()


SAID: dict[str, tuple[list[Any], str]] = {
    "a number": ([delta(content=3), delta(content=True)], "3true"),
    "a list": ([delta(content=[{"type": "text", "text": "Hi"}, " there"])], "Hi there"),
    "an object in an object": ([delta(content=[{"text": {"value": "Hi"}}])], "Hi"),
    "a message after its pieces": (
        [delta(content="Hi"), {"choices": [{"message": {"content": "Hi there"}}]}],
        "Hi there",
    ),
    "a delta that is text": ([{"choices": [{"delta": "Hi"}]}], "Hi"),
    "a completion of text": ([{"choices": [{"text": "Hi"}]}], "Hi"),
    "choices that are no list": ([{"choices": {"delta": {"content": "Hi"}}}], "Hi"),
    "another choice": (
        [delta(content="Hi"), {"choices": [{"index": 1, "delta": {"content": "No"}}]}],
        "Hi",
    ),
    "halves in two pieces": (
        [said("\\ud83d"), said("\\ude00")],
        "😀",
    ),
    "a lone half": ([said("A \\ud83d")], "A �"),
    "a refusal": ([delta(refusal="I may "), delta(refusal="not.")], "I may not."),
    "a refusal that is the content too": ([delta(refusal="No.", content="No.")], "No."),
    "a refusal in pieces that are the content too": (
        [delta(refusal="No", content="No"), delta(content=", sir."), delta(refusal=", sir.")],
        "No, sir.",
    ),
    "a completion's text at the end": (
        [delta(content="Hi"), {"choices": [{"text": " you", "finish_reason": "stop"}]}],
        "Hi you",
    ),
    "an end in quotes": ([delta(content="Hi"), b'data: "[DONE]"\n\n'], "Hi"),
    "an end in small letters": ([delta(content="Hi"), b"data: [done]\n\n"], "Hi"),
    "an end in the text": ([delta(content="say [DONE] now")], "say [DONE] now"),
    "an event with a name": ([b"event: ping\ndata: {}\n\n", delta(content="Hi")], "Hi"),
    "words to keep alive": ([b"event: keepalive\ndata: x\n\n", delta(content="Hi")], "Hi"),
    "nothing to keep alive": ([b"data:\n\nretry: 3\n\ndata: null\n\n", delta(content="Hi")], "Hi"),
    "sound": (
        [delta(audio={"transcript": "Hi"}), delta(audio={"transcript": " you"})],
        "Hi you\n\n[The model answered with sound, which cannot be played here.]",
    ),
}


@pytest.mark.parametrize("name", SAID)
async def test_text(name: str) -> None:
    chunks, text = SAID[name]
    heard = await read(*chunks)
    assert (heard.text, heard.said) == (text, text)


FIRST, SECOND = said("H"), said("i")
BODIES: dict[str, bytes] = {
    "a byte-order mark": b'\xef\xbb\xbfdata: {"choices":[{"delta":{"content":"Hi"}}]}\n\n',
    "blank lines first": b'\n\n\ndata: {"choices":[{"delta":{"content":"Hi"}}]}\n\n',
    "carriage returns": b'data: {"choices":[{"delta":{"content":"Hi"}}]}\r\r',
    "both": b'data: {"choices":[{"delta":{"content":"Hi"}}]}\r\n\r\n',
    "one line feed": FIRST.replace(b"\n\n", b"\n") + SECOND.replace(b"\n\n", b"\n"),
    "two lines of one event": b'data: {"choices":\ndata: [{"delta":{"content":"Hi"}}]}\n\n',
    "no line feed at the end": FIRST + b'data:{"choices":[{"delta":"i","finish_reason":"stop"}]}',
    "JSON": b'{"choices": [{"message": {"content": "Hi"}}]}',
    "JSON in lines": b'{\n "choices": [\n  {"message": {"content": "Hi"}}]\n}\n',
    "lines of JSON": (
        b'{"choices":[{"delta":{"content":"H"}}]}\n'
        b'{"choices":[{"delta":{"content":"i"},"finish_reason":"stop"}]}\n'
    ),
}


@pytest.mark.parametrize("name", BODIES)
async def test_bodies(name: str) -> None:
    separate = b"\n\ndata: [DONE]\n\n" if BODIES[name].endswith((b"\n", b"\r")) else b""
    heard = await read(BODIES[name], b"" if b'"message"' in BODIES[name] else separate, done=False)
    assert heard.said == "Hi"


THOUGHTS: dict[str, tuple[list[Any], str, str]] = {
    "two fields": ([delta(reasoning="a", reasoning_content="a"), delta(content="b")], "a", "b"),
    "two fields, one after the other": (
        [delta(reasoning="a"), delta(reasoning_content="a"), delta(content="b")],
        "a",
        "b",
    ),
    "two fields in turn": (
        [
            delta(reasoning="a"),
            delta(reasoning_content="c"),
            delta(reasoning="d"),
            delta(content="b"),
        ],
        "acd",
        "b",
    ),
    "details": ([delta(reasoning_details=[{"text": "a"}]), delta(content="b")], "a", "b"),
    "a list": ([delta(reasoning=[{"text": "a"}, "c"]), delta(content="b")], "ac", "b"),
    "pieces of the content": (
        [delta(content=[{"type": "thinking", "thinking": [{"text": "a"}]}, {"text": "b"}])],
        "a",
        "b",
    ),
    "marked by Gemini": (
        [
            delta(content="<thought>a", extra_content={"google": {"thought": True}}),
            delta(content="c</thought>", extra_content={"google": {"thought": True}}),
            delta(content="b"),
        ],
        "ac",
        "b",
    ),
    "tags in pieces": (
        [delta(content=c) for c in "\n<think>\na\n</think>\n\nb <i>"],
        "a\n",
        "b <i>",
    ),
    "tags in capitals": ([delta(content="<Thinking>a</Thinking>b")], "a", "b"),
    "other tags": ([delta(content="◁think▷a◁/think▷b")], "a", "b"),
    "two thoughts": ([delta(content="<think>a</think>\n<think>c</think>b")], "ac", "b"),
    "an empty thought": ([delta(content="<think>\n\n</think>\n\nb")], "", "b"),
    "a tag in the middle": ([delta(content="b <think>a</think>")], "", "b <think>a</think>"),
    "the beginning of a tag": ([delta(content="<thin"), delta(content=" ice")], "", "<thin ice"),
    "a field and tags": ([delta(reasoning="a"), delta(content="<think>a</think>b")], "a", "b"),
}


@pytest.mark.parametrize("name", THOUGHTS)
async def test_thoughts(name: str) -> None:
    chunks, thought, text = THOUGHTS[name]
    heard = await read(*chunks)
    assert (heard.thoughts, heard.reasoning) == (thought, thought)
    assert (heard.text, heard.said) == (text, text)


async def test_a_thought_whose_tag_was_never_opened_is_taken_out_at_the_end() -> None:
    heard = await read(delta(content="a\n</think>\n\n"), delta(content="b"))
    assert (heard.thoughts, heard.reasoning, heard.said) == ("a", "a", "b")


async def test_tags_stay_where_they_are_not_expected() -> None:
    heard = await read(delta(content="<think>a\n</think>\nb"), tags=False)
    assert (heard.thoughts, heard.said) == ("", "<think>a\n</think>\nb")


async def test_blank_text_is_no_answer() -> None:
    assert (await read(delta(content=" \n"))).items == []


async def test_objects_of_a_thought_go_back_as_they_came() -> None:
    pieces = [{"type": "thinking", "thinking": "a"}, {"type": "thinking", "thinking": "b"}]
    signed = {"type": "thinking", "signature": "s"}
    chunks = [delta(thinking_blocks=[one]) for one in (*pieces, signed)]
    [item] = (await read(*chunks, delta(thinking_blocks=[pieces[0]]), delta("stop"))).items
    assert item.provider_data["thinking_blocks"] == [
        {"type": "thinking", "thinking": "ab", "signature": "s"},
        {"type": "thinking", "thinking": "a"},
    ]


async def test_citations() -> None:
    cited = {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3}
    annotations = [{"type": "url_citation", "url_citation": cited}, {"url": 5}, None]
    sources = {"citations": ["https://b.example", "https://c.example", "ftp://d.example"]}
    chunks = [delta(content="See ", annotations=annotations), delta(content="it [2].") | sources]
    [item] = (await read(*chunks)).items
    found = [(one.url, one.title, one.end_index) for one in item.content[0].annotations]
    assert found == [
        ("https://a.example", "A", 3),
        ("https://b.example", "https://b.example", 10),
        ("https://c.example", "https://c.example", 11),
    ]


async def test_images() -> None:
    chunks = [
        delta(images=[{"image_url": {"url": "data:image/png;base64,AAAA"}}]),
        delta(content=[{"inline_data": {"mime_type": "image/webp", "data": "BBBB"}}]),
        delta(images=["https://a.example/x.png", {"url": "javascript:x"}, 5]),
    ]
    heard = await read(*chunks)
    assert heard.images == ["AAAA", "data:image/webp;base64,BBBB", "https://a.example/x.png"]
    # An answer without items is no answer to the SDK
    assert ([item.type for item in heard.items], heard.said) == (["message"], "")


RATE_LIMIT = failures.RATE_LIMIT
ERRORS: dict[str, tuple[list[Any], str]] = {
    "an object": (
        [{"error": {"message": "x", "code": 429}}],
        failures.RATE_LIMIT,
    ),
    "a text": ([{"error": "rate limit reached"}], RATE_LIMIT),
    "an object in an object": (
        [{"error": {"error": {"code": "context_length_exceeded"}}}],
        failures.TOO_LONG,
    ),
    "of a choice": (
        [{"choices": [{"delta": {}, "error": {"code": 502, "message": "gone"}}]}],
        failures.PROVIDER_DOWN,
    ),
    "an object of its own": (
        [{"object": "error", "message": "maximum context length is 10", "code": 400}],
        failures.TOO_LONG,
    ),
    "an event": ([b'event: error\ndata: {"message": "x"}\n\n'], failures.PROVIDER_DOWN),
    "an event of text": ([b"event: error\ndata: boom\n\n"], failures.PROVIDER_DOWN),
    "a detail": ([b'{"detail": "Not authenticated"}'], failures.WRONG_KEY),
    "details": ([b'{"detail": [{"msg": "field required"}]}'], failures.PROVIDER_DOWN),
    "a list": ([b'[{"error": {"code": 401, "message": "x"}}]'], failures.WRONG_KEY),
    "MiniMax's": (
        [{"choices": None, "base_resp": {"status_code": 1004, "status_msg": "unauthorized"}}],
        failures.WRONG_KEY,
    ),
    "JSON alone after the text": (
        [delta(content="Hi"), b'{"error": {"message": "x", "code": 429}}\n'],
        RATE_LIMIT,
    ),
    "a web page": ([b"<!doctype html>\n<html>Sign in</html>"], failures.WEB_PAGE),
    "plain text": ([b"upstream connect error\n"], failures.NONSENSE),
    "nothing": ([b""], failures.BROKEN_OFF),
    "cut off": ([b'data: {"choices": [{"delta": {"con'], failures.BROKEN_OFF),
    "filtered": ([delta("content_filter: hate", content="Hi")], failures.CONTENT_REFUSED),
    "SAFETY": ([delta("SAFETY")], failures.CONTENT_REFUSED),
    "a bad call": ([delta("MALFORMED_FUNCTION_CALL")], failures.BAD_CALL),
    "a filtered call": ([delta("function_call_filter: MALFORMED")], failures.BAD_CALL),
    "too long": ([delta("MAX_TOKENS", content="Hi")], failures.CUT_OFF),
    "failed": ([delta("error", content="Hi")], failures.PROVIDER_DOWN),
    "unknown, and nothing said": ([delta("banana")], failures.EMPTY),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_errors(name: str) -> None:
    chunks, told = ERRORS[name]
    with pytest.raises((openai.OpenAIError, ModelBehaviorError, ConnectionError)) as caught:
        await read(*chunks, done=False)
    assert explain(caught.value).message == told


@pytest.mark.parametrize("finish", ["eos", "STOP", "", None, "end_turn", "banana", 1, {"a": 1}])
async def test_endings(finish: Any) -> None:
    assert (await read(delta(content="Hi"), delta(finish))).said == "Hi"
