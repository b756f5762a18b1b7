"""What a body may cost: nothing before its sender is known, and little after."""

from __future__ import annotations

import gc
import gzip
import json
import logging
import socket
from io import BytesIO
from typing import Any
from weakref import ReferenceType, ref

import orjson
import pytest
from aiohttp import ClientSession, web

from chatkit_server import Unauthorized, User, hookimpl
from chatkit_server.errors import BadRequest, TooLarge
from chatkit_server.web.body import MAX_MARKS, MAX_VALUES, read_object
from tests.client import Chat
from tests.conftest import MakeChat
from tests.security.hostile_client import ask, connected, healthy, request
from tests.security.listening import listening

CHAT = "/api/chat"
SIGNED_IN = {"Authorization": "Bearer ann"}
WRONG = {"Authorization": "Bearer wrong"}


# Before authentication


async def test_a_stranger_hears_so_without_sending_a_body() -> None:
    async with listening() as server, connected(server.port) as client:
        await client.send(request("POST", CHAT, Content_Length="1000000", **WRONG))
        response = await client.response()
        assert (response.status, response.headers["connection"]) == (401, "close")


@pytest.mark.parametrize("body", [b"not JSON", b'{"type": "unknown"}', b"x" * 20_000_000])
async def test_the_body_of_a_stranger_is_not_read(body: bytes) -> None:
    async with listening() as server:
        assert (await ask(server.port, request("POST", CHAT, body, **WRONG))).status == 401


async def test_an_honest_client_with_a_wrong_token_reads_its_answer() -> None:
    async with (
        listening() as server,
        ClientSession(f"http://127.0.0.1:{server.port}") as session,
    ):
        for _ in range(3):
            response = await session.post(CHAT, data=BytesIO(b"x" * 10_000_000), headers=WRONG)
            assert response.status == 401
            assert (await response.json())["message"] == "Sign in first."


async def test_a_client_that_sends_all_before_it_reads_gets_its_answer_too() -> None:
    async with listening() as server, connected(server.port) as client:
        await client.send(request("POST", CHAT, b"x" * 10_000_000, **WRONG))
        assert (await client.response()).status == 401


async def test_what_follows_a_refusal_is_not_taken_without_end() -> None:
    async with (
        listening(server={"max_body": "100kB"}) as server,
        connected(server.port) as client,
    ):
        await client.send(request("POST", CHAT, Content_Length="1000000000", **WRONG))
        while not client.writer.is_closing() and server.open:
            await client.send(b"x" * 65_536)
        assert await healthy(server.port)


async def test_a_body_is_asked_for_only_of_a_known_user() -> None:
    body = orjson.dumps({"type": "threads.list", "params": {}})
    expect = {"Expect": "100-continue", "Content_Length": str(len(body))}
    async with listening() as server:
        async with connected(server.port) as client:
            await client.send(request("POST", CHAT, **expect, **WRONG))
            assert (await client.response()).status == 401
        async with connected(server.port) as client:
            await client.send(request("POST", CHAT, **expect, **SIGNED_IN))
            assert (await client.response(head_only=True)).status == 100
            await client.send(body)
            assert (await client.response()).json["data"] == []
        async with connected(server.port) as client:
            too_large = {**expect, "Content_Length": "17000000"}
            await client.send(request("POST", CHAT, **too_large, **SIGNED_IN))
            assert (await client.response()).status == 413
        response = await ask(server.port, request("POST", CHAT, b"{}", Expect="200-ok"))
        assert response.status == 417


# Packed bodies


async def test_a_packed_body_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def unpack(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("unpacked")

    monkeypatch.setattr("aiohttp.http_parser.DeflateBuffer.feed_data", unpack)
    packed = gzip.compress(b" " * 10_000_000)
    async with listening() as server:
        for who in ({}, WRONG, SIGNED_IN):
            for encoding in ("gzip", "deflate", "br", "zstd", "identity, gzip"):
                for path in (CHAT, f"{CHAT}/turns/x/cancel", "/elsewhere"):
                    data = request("POST", path, packed, Content_Encoding=encoding, **who)
                    response = await ask(server.port, data)
                    assert response.status == 415, path
                    assert response.headers["accept-encoding"] == "identity"
        plain = request("POST", CHAT, b"{}", Content_Encoding="identity", **SIGNED_IN)
        assert (await ask(server.port, plain)).status == 400
    assert [record for record in caplog.records if record.exc_info] == []


# JSON


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":[' + b",".join([b"[]"] * MAX_VALUES) + b"]}",
        b'{"a":[' + b",".join([b"{}"] * MAX_VALUES) + b"]}",
        b'{"a":[' + b",".join([b'""'] * MAX_VALUES) + b"]}",
        b"{" + b",".join(b'"%d":1' % n for n in range(MAX_VALUES)) + b"}",
        b'{"a":[' + b",".join([b"[" * 90 + b"]" * 90] * (MAX_VALUES // 90 + 1)) + b"]}",
        b'{"a":"\\",\\\\",' + b'"b":[' + b",".join([b"1"] * MAX_VALUES) + b"]}",
        b'{"a":"' + b"\\\\" * MAX_MARKS + b'"}',
        b'{"a":"' + b"," * (MAX_MARKS + 1) + b'"}',
        b"[" * 1_000_000,
        b'"' * 1_000_000,
    ],
    ids=lambda data: data[:12].decode(),
)
def test_too_many_values_are_refused_before_they_are_parsed(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_server.web.body.orjson.loads", None)
    with pytest.raises(TooLarge, match=r"^The body has more than "):
        read_object(data)


@pytest.mark.parametrize(
    "text",
    ["," * 200_000, "[{" * 100_000, '"' * 200_000, "\\" * 200_000, '\\",[' * 50_000, "é:" * 90_000],
    ids=lambda text: str(text[:4]),
)
def test_a_text_may_contain_what_it_likes(text: str) -> None:
    for ascii_only in (False, True):
        data = json.dumps({"a": text, "b": [1]}, ensure_ascii=ascii_only).encode()
        assert read_object(data) == {"a": text, "b": [1]}


@pytest.mark.parametrize("many", [1, 7, 500])
def test_values_are_counted_exactly(many: int) -> None:
    texts = ['a"b', "c,d", "[", "e\\", '\\"', "\\\\", ":{", ""]
    value = {f"k{n}": [texts[n % len(texts)], {"x": n}] for n in range(many)}
    data = orjson.dumps(value)
    # The object, and for each: key, list, text, object, key, number
    count = 1 + 6 * many
    assert read_object(data, count) == value
    with pytest.raises(TooLarge):
        read_object(data, count - 1)


@pytest.mark.parametrize("data", [b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"1" + b"}" * 900])
def test_deep_bodies_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(BadRequest):
        read_object(data)


async def test_many_wrong_values_are_counted_not_described(make_chat: MakeChat) -> None:
    chat = await make_chat()
    content = [{"type": "input_text", "text": "x"}]
    message = {"content": content, "attachments": [1] * 5000, "inference_options": {}}
    body = {"type": "threads.create", "params": {"input": message}}
    assert await chat.refused(body) == (400, "The body has 5000 wrong values.")


async def test_the_number_of_values_is_a_setting(make_chat: MakeChat) -> None:
    chat: Chat = await make_chat(server={"limits": {"values": 30}})
    await chat.say("hello")
    status, message = await chat.refused({"type": "threads.list", "params": {"a": [0] * 30}})
    assert status == 413
    assert "server.limits.values" in message


# Odd framing


async def test_a_body_of_tiny_chunks_is_a_body() -> None:
    body = orjson.dumps({"type": "threads.list", "params": {}, "metadata": {"a": "x" * 500}})
    chunks = b"".join(b"1;ext=%s\r\n%c\r\n" % (b"e" * 10, byte) for byte in body) + b"0\r\n\r\n"
    async with listening() as server:
        head = request("POST", CHAT, Transfer_Encoding="chunked", **SIGNED_IN)
        response = await ask(server.port, head + chunks)
        assert response.status == 200, response.body
        assert response.json["data"] == []


@pytest.mark.parametrize(("number", "accepted"), [(2000, True), (50_000, False)])
@pytest.mark.parametrize("wait", [False, True], ids=["at once", "after the head"])
async def test_a_body_in_chunks_of_a_byte_is_refused_if_it_is_large(
    number: int, accepted: bool, wait: bool
) -> None:
    body = orjson.dumps({"type": "threads.list", "params": {}}).ljust(number)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    async with listening() as server, connected(server.port) as client:
        head = request("POST", CHAT, Transfer_Encoding="chunked", **SIGNED_IN)
        if wait:
            await client.send(head)
            await client.send(chunks)
        else:
            await client.send(head + chunks)
        response = await client.response()
        assert response.status == (200 if accepted else 400)
        assert accepted or "chunks are too small" in response.json["message"]
        assert await healthy(server.port)


async def test_a_body_in_chunks_with_long_extensions_is_refused() -> None:
    chunk = b"1;" + b"x" * 500 + b"\r\n \r\n"
    async with listening() as server, connected(server.port) as client:
        head = request("POST", CHAT, Transfer_Encoding="chunked", **SIGNED_IN)
        await client.send(head + chunk * 1000)
        response = await client.response()
        assert response.status == 400
        assert "chunks are too small" in response.json["message"]


async def test_a_chunked_body_has_the_same_limit() -> None:
    async with listening(server={"max_body": "100kB"}) as server:
        head = request("POST", CHAT, Transfer_Encoding="chunked", **SIGNED_IN)
        chunks = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        response = await ask(server.port, head + chunks * 3)
        assert response.status == 413


async def test_a_client_that_leaves_within_its_body_leaves_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening() as server:
        for who in (WRONG, SIGNED_IN):
            async with connected(server.port) as client:
                await client.send(request("POST", CHAT, Content_Length="1000", **who) + b"{")
                raw = client.writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert await healthy(server.port)
    assert [record for record in caplog.records if record.exc_info] == []


async def test_what_takes_long_to_parse_is_refused_before_the_rest_arrives() -> None:
    async with listening() as server, connected(server.port) as client:
        await client.send(request("POST", CHAT, Content_Length="15000000", **SIGNED_IN))
        await client.send(b'{"a": [' + b"[]," * MAX_MARKS)
        response = await client.response()
        assert (response.status, response.headers["connection"]) == (413, "close")
        assert f"more than {MAX_MARKS}" in response.json["message"]


async def test_a_refused_body_is_not_held() -> None:
    refused: list[ReferenceType[Unauthorized]] = []

    class Refused(Unauthorized):
        def __init__(self) -> None:
            super().__init__("no")
            refused.append(ref(self))

    class RefusesAll:
        @hookimpl
        async def auth(self, request: web.Request) -> User:
            await request.read()
            raise Refused

    gc.disable()
    try:
        async with listening(RefusesAll()) as server:
            assert (await ask(server.port, request("POST", CHAT, b"{}"))).status == 401
            # The traceback of the error leads to the body
            assert [error() for error in refused] == [None]
    finally:
        gc.enable()
