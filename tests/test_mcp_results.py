"""What tools return beside text: pictures, sound, structured content, resources, unknown parts."""

from __future__ import annotations

import base64
import io
import json
import logging
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from agents import ToolOutputFileContent, ToolOutputImage, ToolOutputText, function_tool
from agents.mcp import MCPServerStreamableHttp

from chatkit_server import Turn, hookimpl
from chatkit_server.agent import pictures
from chatkit_server.agent.media import Media, as_parts, noted, remembered
from chatkit_server.agent.pictures import MOST_PIXELS, data_url, picture_name, read_head
from chatkit_server.agent.tools import cut, plain_output
from chatkit_server.mcp.outlines import misfit, outline
from chatkit_server.settings.schema import ImageSettings
from chatkit_server.testing.model_server import Call, ModelServer, Text
from chatkit_server.web.keys import MCP
from tests.client import Chat
from tests.conftest import MakeChat
from tests.mcp_calls import connected, until
from tests.security.hostile_mcp import ECHO, HostileServer, Message, listing, returning

IMAGES = ImageSettings()
TIMES = "\N{MULTIPLICATION SIGN}"


def png(width: int, height: int, data: bytes | None = None) -> bytes:
    """A grey picture, whose rows may be missing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height) if data is None else data
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


SMALL = png(640, 480)
SMALL_TEXT = base64.b64encode(SMALL).decode()


def image(data: bytes, kind: str = "image/png") -> dict[str, Any]:
    return {"type": "image", "image_url": data_url(kind, data)}


def of_mcp(data: bytes, kind: str = "image/png") -> Message:
    return {"type": "image", "data": base64.b64encode(data).decode(), "mimeType": kind}


# Pictures


def jpeg(width: int, height: int) -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", 40_000) + b"\0" * 39_998
    size = b"\xff\xc2" + struct.pack(">HBHH", 11, 8, height, width) + b"\0" * 4
    return b"\xff\xd8\xff" + segment[1:] + segment + size


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png(300, 200, b""), "image/png"),
        (b"GIF89a" + struct.pack("<HH", 300, 200), "image/gif"),
        (jpeg(300, 200), "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x2b\x01\0\xc7\0\0", "image/webp"),
        (b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 300, 200), "image/webp"),
        (
            b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 299 | 199 << 14),
            "image/webp",
        ),
        (b"BM" + b"\0" * 16 + struct.pack("<ii", 300, -200), "image/bmp"),
    ],
)
def test_the_size_of_a_picture_is_read_from_its_beginning(data: bytes, kind: str) -> None:
    head = read_head(data)
    assert head is not None
    assert (head.kind, head.width, head.height) == (kind, 300, 200)
    assert picture_name(data_url("x/y", data)) == f"an image of 300{TIMES}200"
    for end in range(len(data) if len(data) < 100 else 100):
        read_head(data[:end])


@pytest.mark.parametrize("url", ["", "https://x/y.png", "data:image/png;base64,!", "data:,"])
def test_a_picture_without_a_size_has_a_name_too(url: str) -> None:
    assert picture_name(url) == "an image"


async def test_small_pictures_stay_as_they_are_under_their_own_type() -> None:
    assert await Media(IMAGES).fitted(image(SMALL)) == image(SMALL)
    assert await Media(IMAGES).fitted([image(SMALL, "image/jpg")]) == [image(SMALL)]
    elsewhere = {"type": "image", "image_url": "https://example.com/cat.png", "detail": "low"}
    assert await Media(IMAGES).fitted(elsewhere) == elsewhere


async def test_a_data_url_in_place_of_base64_is_read() -> None:
    url = data_url("image/png", SMALL)
    twice = {"type": "image", "image_url": f"data:image/*;base64,{url}"}
    assert await Media(IMAGES).fitted(twice) == image(SMALL)
    assert picture_name(twice["image_url"]) == f"an image of 640{TIMES}480"


async def test_large_pictures_are_scaled_down() -> None:
    pytest.importorskip("PIL", reason="needs the extra `images`")
    made = await Media(IMAGES).fitted(image(png(3136, 1000)))
    head = read_head(base64.b64decode(made["image_url"].partition(",")[2]))
    assert head is not None
    assert (head.kind, head.width, head.height) == ("image/png", 1568, 500)


async def test_pictures_of_too_many_bytes_are_packed_and_turned() -> None:
    images = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
    noise = images.effect_noise((900, 600), 90)
    exif = images.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    noise.convert("RGB").save(file, "JPEG", quality=95, exif=exif)
    settings = ImageSettings.model_validate({"max_size": "100kB"})
    made = await Media(settings).fitted(image(file.getvalue()))
    data = base64.b64decode(made["image_url"].partition(",")[2])
    head = read_head(data)
    assert head is not None
    assert head.kind == "image/jpeg"
    assert head.height > head.width
    assert len(data) <= 100_000


async def test_pictures_are_no_bombs() -> None:
    side = int(MOST_PIXELS**0.5) + 1
    bomb = png(side, side, zlib.compress(b"\0" * 1000))
    made = await Media(IMAGES).fitted(image(bomb))
    assert made["text"] == f"[an image of {side}{TIMES}{side}, not shown: it is too large]"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(2000, 10, b"no picture"), f"an image of 2000{TIMES}10, not shown: it is too large"),
        (b"<svg/>", "an image, not shown: image/svg+xml of 6 bytes is not supported"),
        (png(0, 5, b""), f"an image of 0{TIMES}5, not shown"),
    ],
)
async def test_what_cannot_be_shown_is_told(data: bytes, words: str) -> None:
    made = await Media(IMAGES).fitted(image(data, "image/svg+xml"))
    assert made["text"].startswith(f"[{words}")


@pytest.fixture
def without_pillow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package Pillow is not installed."""
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    pictures._has_pillow.cache_clear()
    pictures._ask_for_pillow.cache_clear()
    yield
    pictures._has_pillow.cache_clear()
    pictures._ask_for_pillow.cache_clear()


async def test_without_the_library_a_large_picture_is_a_note(
    without_pillow: None, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        made = await Media(IMAGES).fitted(image(png(2000, 10)))
        assert made["text"] == f"[an image of 2000{TIMES}10, not shown: it is too large]"
    assert caplog.text.count("install `chatkit-server[images]`") == 1


BITMAP = b"BM" + b"\0" * 16 + struct.pack("<ii", 30, 20) + b"\0" * 100


async def test_without_the_library_a_format_that_models_do_not_read_is_told(
    without_pillow: None,
) -> None:
    made = await Media(IMAGES).fitted(image(BITMAP, "image/x-ms-bmp"))
    reason = f"image/bmp of {len(BITMAP)} bytes is not supported"
    assert made["text"] == f"[an image of 30{TIMES}20, not shown: {reason}]"


GIF = base64.b64decode("R0lGODlhAQABAIAAAP8AAAAAACwAAAAAAQABAAACAkQBADs=")
WEBP = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")


def photo() -> bytes:
    """A JPEG with a preview in its head."""
    images = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
    file = io.BytesIO()
    images.effect_noise((64, 64), 90).save(file, "JPEG")
    data = file.getvalue()
    preview = b"\xff\xd8\xff\xda\xff\xd9"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(preview) + 2) + preview + data[2:]


@pytest.fixture(params=["png", "gif", "webp", "jpeg"])
def whole(request: pytest.FixtureRequest) -> bytes:
    """A picture of each format."""
    known = {"png": SMALL, "gif": GIF, "webp": WEBP}
    return known.get(request.param) or photo()


async def shown_or_told(data: bytes) -> str:
    """Return the note in place of a picture, if there is one."""
    made = await Media(IMAGES).fitted(image(data))
    return made.get("text") or "shown"


async def test_a_picture_that_breaks_off_is_a_note(whole: bytes) -> None:
    assert await shown_or_told(whole) == "shown"
    beginning = whole[: -max(3, len(whole) // 10)]
    assert "not shown: it is broken, or not whole]" in await shown_or_told(beginning)


async def test_a_picture_that_breaks_off_is_a_note_without_the_library(
    whole: bytes, without_pillow: None
) -> None:
    await test_a_picture_that_breaks_off_is_a_note(whole)


async def test_a_picture_with_broken_pixels_is_a_note() -> None:
    pytest.importorskip("PIL", reason="needs the extra `images`")
    assert "it is broken, or not whole]" in await shown_or_told(png(20, 10, b"no picture"))


async def test_the_pictures_of_a_result_and_of_a_turn_are_bounded() -> None:
    size = len(SMALL) + 100
    media = Media(ImageSettings.model_validate({"max_size": f"{2 * size}B"}))
    shown = []
    for _ in range(7):
        made = await media.fitted([image(SMALL)] * 3)
        shown.append(sum(part["type"] == "image" for part in made))
    assert shown[0] == 2
    assert sum(shown) < 12
    many = await Media(IMAGES).fitted([image(png(8, 8))] * 30)
    assert [part["type"] for part in many] == ["image"] * 20 + ["text"] * 10


async def test_base64_that_is_none_is_a_note() -> None:
    broken = {"type": "image", "image_url": "data:image/png;base64,%%%"}
    made = await Media(IMAGES).fitted(broken)
    assert made["text"] == "[an image, not shown: it is not valid Base64]"


async def test_files_that_are_too_large_are_notes() -> None:
    file = {"type": "file", "file_data": "QUJD" * 100, "filename": "plan.pdf"}
    assert await Media(IMAGES).fitted(file) == file
    made = await Media(ImageSettings.model_validate({"max_size": "100B"})).fitted(file)
    assert made["text"] == "[a file, plan.pdf, not shown: it is too large]"


def test_outputs_with_pictures_are_parts() -> None:
    url = data_url("image/png", SMALL)
    mixed = ["look", ToolOutputImage(image_url=url), {"n": 1}, ToolOutputText(text="so")]
    texts = [{"type": "text", "text": text} for text in ("look", '{"n": 1}', "so")]
    assert plain_output(mixed) == [texts[0], image(SMALL), *texts[1:]]
    assert plain_output(ToolOutputImage(image_url=url)) == image(SMALL)
    assert as_parts(ToolOutputFileContent(file_id="f1")) == {"type": "file", "file_id": "f1"}
    others: list[Any] = [{"type": "image"}, [1, 2], {"type": "file", "name": "x"}, 5]
    assert [as_parts(other) for other in others] == others


def test_only_the_texts_beside_pictures_are_cut() -> None:
    long = {"type": "text", "text": "x" * 50}
    made = cut([long, image(SMALL), long], 40)
    assert made[1] == image(SMALL)
    assert made[0]["text"].startswith("x" * 40 + "\n[cut off here: 10 of 50")
    assert len(made) == 2
    assert cut(image(SMALL), 10) == image(SMALL)


def test_nobody_else_gets_pictures() -> None:
    text = f"look\n[an image of 640{TIMES}480, shown only to the model]"
    assert noted([{"type": "text", "text": "look"}, image(SMALL)]) == text
    assert noted({"a": 1}) == {"a": 1}
    assert noted({"type": "text", "text": "look"}) == "look"
    parts = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": data_url("image/png", SMALL)},
        {"type": "input_file", "file_data": "QUJD", "filename": "plan.pdf"},
    ]
    item = {"type": "function_call_output", "call_id": "c", "output": parts}
    kept = remembered(item)["output"].split("\n")
    assert kept[0] == "look"
    assert kept[1].startswith(f"[an image of 640{TIMES}480, shown before and not kept")
    assert kept[2].startswith("[a file, plan.pdf, shown before and not kept")


# From an MCP server to a model


class Servers:
    """Brings the MCP server."""

    def __init__(self, url: str) -> None:
        self._server = MCPServerStreamableHttp({"url": url}, name="files")

    @hookimpl
    def mcp_servers(self) -> list[Any]:
        return [self._server]


async def until_connected(chat: Chat) -> None:
    """Wait for the MCP server."""
    app = chat.client.app
    assert app is not None
    await until(lambda: connected(app[MCP]))


def endpoint(server: ModelServer, **profile: Any) -> dict[str, Any]:
    test = {"base_url": server.url, "profile": profile}
    return {
        "agent": {"model": "test/model"},
        "plugins": {"compatible_models": {"endpoints": {"test": test}}},
    }


def responses(server: ModelServer) -> dict[str, Any]:
    openai = {"base_url": server.url, "api_key": "k"}
    return {"agent": {"model": "openai/gpt-5"}, "plugins": {"openai_models": openai}}


CONTENT = {"content": [{"type": "text", "text": "a plan"}, of_mcp(SMALL)]}


async def told(
    make_chat: MakeChat,
    server: ModelServer,
    mcp: HostileServer,
    sections: dict[str, Any],
    value: Any,
) -> Any:
    """Have the model call the tool, and return the messages or items of the request after that."""
    mcp.behaviour = returning(value)
    chat = await make_chat(Servers(mcp.url), **sections)
    await until_connected(chat)
    server.reply(Call("echo", {"text": "attack"}))
    server.reply(Text("Seen."))
    first = await chat.say("look")
    assert first.text == "Seen."
    body = server.requests[-1].body
    server.reply(Text("Yes."))
    await chat.say("and now?", first.thread_id)
    later = json.dumps(server.requests[-1].body)
    assert SMALL_TEXT not in later
    return body.get("messages") or body["input"]


async def test_a_responses_model_gets_pictures_in_the_output(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    async with HostileServer().run() as mcp:
        items = await told(make_chat, model_server, mcp, responses(model_server), CONTENT)
    [output] = [item["output"] for item in items if item["type"] == "function_call_output"]
    assert output == [
        {"type": "input_text", "text": "a plan"},
        {"type": "input_image", "image_url": data_url("image/png", SMALL)},
    ]


async def test_a_chat_model_that_sees_gets_pictures_in_a_message_after_that(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with HostileServer().run() as mcp:
        sections = endpoint(model_server, images=True)
        messages = await told(make_chat, model_server, mcp, sections, CONTENT)
    tool, user = messages[-2:]
    assert (tool["role"], tool["content"]) == ("tool", "a plan")
    assert user["role"] == "user"
    [picture] = [part for part in user["content"] if part["type"] == "image_url"]
    assert picture["image_url"]["url"] == data_url("image/png", SMALL)
    ours = [r for r in caplog.records if r.name.startswith(("chatkit", "mcp", "openai"))]
    assert not [record for record in ours if SMALL_TEXT in record.getMessage()]


async def test_a_chat_model_that_does_not_see_gets_a_note(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    async with HostileServer().run() as mcp:
        sections = endpoint(model_server, images=False)
        messages = await told(make_chat, model_server, mcp, sections, CONTENT)
    assert messages[-1]["role"] == "tool"
    assert messages[-1]["content"].startswith(f"a plan\n[an image of 640{TIMES}480, not shown")


LINK = {
    "type": "resource_link",
    "uri": "file:///plan.md",
    "name": "plan",
    "mimeType": "text/markdown",
    "description": "How it goes on.",
    "size": 12,
}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"content": [], "structuredContent": {"n": "é"}}, '{"n": "é"}'),
        ({"structuredContent": {"n": 1}}, '{"n": 1}'),
        ({"content": None, "structuredContent": [1, 2]}, "[1, 2]"),
        ({"content": [{"type": "text", "text": "a"}], "structuredContent": {"n": 1}}, "a"),
        ({"toolResult": {"old": 1}}, '{"old": 1}'),
        ({"content": "just text"}, "just text"),
        ({"content": [{"type": "text", "text": 5}]}, "5"),
        ({"content": [{"type": "text", "text": None}, "b"]}, "\nb"),
        ({"content": [{"type": "text", "text": "a", "annotations": "bad"}]}, "a"),
        ({"content": [{"type": "text", "text": "a"}], "_meta": 5, "isError": None}, "a"),
        ({"content": None}, "[The tool returned nothing.]"),
        (
            {"content": [5, None, "s", {"type": "text"}, {"text": "no type"}]},
            "5\nnull\ns\n\nno type",
        ),
        ({"content": [{"type": None, "text": "a"}]}, "a"),
        ({"content": [{"resource": {"uri": "file:///a", "text": "b"}}]}, "[resource: file:///a]\nb"),
        ({"content": [{"uri": "file:///a", "name": "b"}]}, "[resource: b, file:///a]"),
        (
            {"content": [{"data": "QUJD", "mimeType": "audio/mpeg"}]},
            "[audio/mpeg of 3 bytes, left out here]",
        ),
        (
            {"content": [{"x": 1}]},
            "[content of the type 'None', which is not known here]\n{\"x\": 1}",
        ),
        (
            {"content": [{"type": "video", "data": "A" * 9000, "mimeType": "video/mp4"}]},
            "[content of the type 'video', which is not known here]\n"
            '{"type": "video", "data": "[9000 characters, left out here]", '
            '"mimeType": "video/mp4"}',
        ),
        (
            {"content": [LINK]},
            "[resource: plan, text/markdown, 12 bytes, file:///plan.md]\nHow it goes on.",
        ),
        (
            {"content": [{"type": "resource", "resource": {"uri": "file:///a", "text": "A text"}}]},
            "[resource: file:///a]\nA text",
        ),
        (
            {
                "content": [
                    {
                        "type": "resource",
                        "resource": {"uri": "file:///a.pdf", "blob": "QUJD" * 50,
                                     "mimeType": "application/pdf"},
                    }
                ]
            },
            "[application/pdf of 150 bytes, left out here: file:///a.pdf]",
        ),
        (
            {"content": [{"type": "audio", "data": "QUJD" * 50, "mimeType": "audio/mpeg"}]},
            "[audio/mpeg of 150 bytes, left out here]",
        ),
    ],
    ids=lambda value: json.dumps(value)[:60],
)  # fmt: skip
async def test_results_are_told_as_text(
    value: Message, words: str, make_chat: MakeChat, model_server: ModelServer
) -> None:
    async with HostileServer().run() as mcp:
        messages = await told(make_chat, model_server, mcp, endpoint(model_server), value)
    assert messages[-1]["content"] == words


async def test_a_picture_in_a_resource_is_a_picture(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    resource = {"uri": "file:///a.png", "blob": SMALL_TEXT, "mimeType": "image/png"}
    value = {"content": [{"type": "resource", "resource": resource}]}
    async with HostileServer().run() as mcp:
        items = await told(make_chat, model_server, mcp, responses(model_server), value)
    assert items[-1]["output"][0]["type"] == "input_image"


async def test_a_picture_without_a_type_is_a_picture(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    value = {"content": [{"data": SMALL_TEXT, "mimeType": "image/png"}]}
    async with HostileServer().run() as mcp:
        items = await told(make_chat, model_server, mcp, responses(model_server), value)
    assert items[-1]["output"][0]["type"] == "input_image"


async def test_an_error_with_a_picture_has_a_note_of_it(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    async with HostileServer().run() as mcp:
        sections = endpoint(model_server, images=True)
        messages = await told(make_chat, model_server, mcp, sections, {**CONTENT, "isError": True})
    note = f"[image/png of {len(SMALL_TEXT) * 3 // 4} bytes, left out here]"
    assert messages[-1]["content"].endswith(f"a plan\n{note}")


SCHEMA = {
    "type": "object",
    "required": ["degrees"],
    "properties": {"degrees": {"type": "number"}, "days": {"type": "array", "items": {}}},
}


@pytest.mark.parametrize(
    ("structured", "problem"),
    [
        ({"degrees": "warm"}, "`degrees` is not of the type number"),
        ({}, "`degrees` is missing"),
        ({"degrees": 21.5}, None),
    ],
)
async def test_a_result_that_does_not_fit_its_schema_is_told_with_a_note(
    structured: Any, problem: str | None, make_chat: MakeChat, model_server: ModelServer
) -> None:
    tool = {**ECHO, "outputSchema": SCHEMA}
    value = {"content": [{"type": "text", "text": "warm"}], "structuredContent": structured}

    def behave(request: Message) -> Any:
        return listing(tool)(request) or returning(value)(request)

    async with HostileServer(behave).run() as mcp:
        chat = await make_chat(Servers(mcp.url), **endpoint(model_server))
        await until_connected(chat)
        model_server.reply(Call("echo", {"text": "attack"}))
        await chat.say("look")
    content = model_server.requests[-1].body["messages"][-1]["content"]
    note = f"\n[This does not fit the tool's own output schema: {problem}.]" if problem else ""
    assert content == f"warm{note}"


def test_only_the_outline_of_a_schema_is_looked_at() -> None:
    class Tool:
        meta = None

        def __init__(self, schema: Any) -> None:
            self.output_schema = schema

    def problem(schema: Any, value: Any) -> str | None:
        return misfit(Tool(schema), value)  # type: ignore[arg-type]

    hostile = {"type": "string", "pattern": "^(a+)+$", "$ref": "http://x/"}
    assert problem(hostile, "a" * 60 + "!") is None
    assert (
        problem({"type": ["string", "null"]}, 5) == "the result is not of the type string or null"
    )
    assert problem({"type": "integer"}, 5.0) is None
    assert problem({"type": "number"}, True) is not None
    assert problem({"items": {"type": "string"}}, ["a", 1]) is not None
    odd: Any
    for odd in (None, [], {"type": "odd"}, {"type": 5, "required": "x", "properties": []}):
        assert outline(odd) == {}
    deep: dict[str, Any] = {"type": "object"}
    deep["properties"] = {"again": deep}
    assert len(json.dumps(outline(deep))) < 1000
    wide = {"properties": {str(n): {"type": "string"} for n in range(100_000)}}
    assert len(outline(wide)["properties"]) <= 200
    assert problem({"items": {"type": "string"}}, ["a"] * 1_000_000) is None


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"<svg/>", "[an image, not shown: image/png of 6 bytes is not supported]"),
        (png(60_000, 60_000, b""), f"[an image of 60000{TIMES}60000, not shown: it is too large]"),
    ],
    ids=["another format", "too large"],
)
@pytest.mark.parametrize("text", ["", "a plan"])
async def test_a_client_gets_the_notes_of_pictures_that_are_not_shown_as_text(
    data: bytes, note: str, text: str, make_chat: MakeChat, model_server: ModelServer
) -> None:
    texts = [{"type": "text", "text": text}] if text else []
    async with HostileServer(returning({"content": [*texts, of_mcp(data)]})).run() as mcp:
        chat = await make_chat(Servers(mcp.url), **responses(model_server))
        await until_connected(chat)
        model_server.reply(Call("echo", {"text": "attack"}))
        model_server.reply(Text("Nothing to see."))
        answer = await chat.plain("look")
    [result] = [event["tool_call"]["result"] for event in answer.data if "tool_call" in event]
    assert result == "\n".join([*filter(None, [text]), note])


# From a tool of an agent


async def test_pictures_of_an_agents_own_tool_are_shown_too(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    @function_tool
    def photo() -> list[Any]:
        """Take a photo."""
        return ["here", ToolOutputImage(image_url=data_url("image/png", SMALL))]

    class Tools:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            turn.tools = [*turn.tools, photo]

    chat = await make_chat(Tools(), **responses(model_server))
    model_server.reply(Call("photo"))
    model_server.reply(Text("A cat."))
    answer = await chat.plain("take one")
    [output] = [
        item["output"]
        for item in model_server.requests[-1].body["input"]
        if item.get("type") == "function_call_output"
    ]
    assert [part["type"] for part in output] == ["input_text", "input_image"]
    told_client = json.dumps(answer.data)
    assert SMALL_TEXT not in told_client
    assert "shown only to the model" in told_client
