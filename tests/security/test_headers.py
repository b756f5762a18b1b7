"""Headers, paths and methods that no client should send have an answer all the same."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from chatkit_server import User, hookimpl
from chatkit_server.web import connections
from tests.client import Chat
from tests.conftest import MakeChat
from tests.databases import DATABASES, DatabaseKind, new_url
from tests.mcp_calls import until
from tests.security.hostile_client import Response, ask, connected, healthy, request
from tests.security.listening import Listening, listening

CHAT = "/api/chat"
BYTES = ["\udcff", "a\udc80b", "\udced\udcb3\udcbf", "é", "x" * 8000, "\x7f", "\x01", "\t", "'; --"]
HEADERS = [
    "Idempotency-Key",
    "chatkit-frame-instance-id",
    "Last-Event-ID",
    "X-Request-Id",
    "Accept-Language",
    "X-Forwarded-For",
    "User-Agent",
    "Cookie",
    "Accept",
    "Content-Type",
    "If-None-Match",
]
PATHS = [
    f"{CHAT}/turns/%s",
    f"{CHAT}/turns/%s/events",
    f"{CHAT}/threads/%s/turn",
    f"{CHAT}/client.js?%s",
    f"{CHAT}/turns/x/events?after=%s",
    "/%s",
]
PARTS = [
    "%FF",
    "%ED%B3%BF",
    "%00",
    "a%00b",
    "%0d%0aX:%20y",
    "%2e%2e%2f",
    "%",
    "%zz",
    "\udcff",
    "é",
    "x" * 7000,
    "\udcff" * 3000,
    "?",
    "a//b",
]


def say(text: str) -> bytes:
    return orjson.dumps({"messages": [{"role": "user", "content": text}]})


def no_traceback(caplog: pytest.LogCaptureFixture) -> bool:
    return not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("database", DATABASES)
async def test_any_bytes_in_a_header_have_an_answer(
    database: DatabaseKind, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plugins = {
        "demo_model": {"pace": "1ms"},
        "tortoise_store": {"url": new_url(database, tmp_path)},
    }
    caplog.set_level(logging.INFO)
    async with listening(plugins=plugins) as server:
        for name in HEADERS:
            for value in BYTES:
                headers = {"Authorization": "Bearer ann", name: value}
                response = await ask(server.port, request("POST", CHAT, say("hello"), **headers))
                refused = 409 if name == "Last-Event-ID" and value.strip() else 200
                # aiohttp refuses control characters
                allowed = {refused, 400} if value in ("\x7f", "\x01") else {refused}
                assert response.status in allowed, (name, value, response.body)
        assert await healthy(server.port)
    assert no_traceback(caplog)


@pytest.mark.parametrize("database", DATABASES)
async def test_any_bytes_in_a_path_have_an_answer(
    database: DatabaseKind, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plugins = {"demo_model": None, "tortoise_store": {"url": new_url(database, tmp_path)}}
    caplog.set_level(logging.INFO)
    async with listening(plugins=plugins) as server:
        for path in PATHS:
            for part in PARTS:
                data = request("GET", path % part, Authorization="Bearer ann")
                response = await ask(server.port, data)
                assert response.status in (200, 400, 404), (path, part, response)
        assert await healthy(server.port)
    assert no_traceback(caplog)
    assert max(len(record.getMessage()) for record in caplog.records) < 1000


async def test_the_same_odd_key_is_the_same_request() -> None:
    async with listening() as server:
        headers = {"Authorization": "Bearer ann", "Idempotency-Key": "k\udcff\udcfe"}
        ids = set()
        for _ in range(2):
            response = await ask(server.port, request("POST", CHAT, say("hello"), **headers))
            ids.add(response.headers["x-turn-id"])
        other = {**headers, "Idempotency-Key": "k\udcff\udcfd"}
        response = await ask(server.port, request("POST", CHAT, say("hello"), **other))
        assert len({*ids, response.headers["x-turn-id"]}) == 2


@pytest.mark.parametrize(
    "junk", ["7", "x", ":", "turn_1:x", "turn_1:-1", "turn_1:99999999999", "\udcff:1", "{}:x"]
)
async def test_a_junk_last_event_is_answered_like_an_unknown_one(
    make_chat: MakeChat, junk: str
) -> None:
    chat = await make_chat()
    turn_id = (await chat.say("hello")).response.headers["X-Turn-Id"]
    unknown = await last_event(chat, turn_id, "turn_unknown:1")
    assert unknown == (409, 400)
    if junk.isascii():
        assert await last_event(chat, turn_id, junk.format(turn_id)) == unknown


async def last_event(chat: Chat, turn_id: str, given: str) -> tuple[int, int]:
    """Return the statuses of the chat's route and of the events' route."""
    headers = {"Last-Event-ID": given}
    posted = await chat.post(say("hello"), headers=headers)
    followed = await chat.client.get(f"{CHAT}/turns/{turn_id}/events", headers=headers)
    return posted.status, followed.status


# HEAD


async def test_head_has_no_body_and_follows_nothing() -> None:
    async with listening() as server:
        posted = await ask(
            server.port, request("POST", CHAT, say("hello"), Authorization="Bearer ann")
        )
        turn_id = posted.headers["x-turn-id"]
        paths = [
            f"{CHAT}/turns/{turn_id}/events",
            f"{CHAT}/turns/{turn_id}",
            f"{CHAT}/threads/thr_x/turn",
            f"{CHAT}/client.js",
            "/healthz",
            "/readyz",
            "/nowhere",
        ]
        for path in paths:
            head, after = await head_and_next(server, path)
            got = await ask(server.port, request("GET", path, Authorization="Bearer ann"))
            assert (head.status, head.headers["content-type"].partition(";")[0]) == (
                got.status,
                got.headers["content-type"].partition(";")[0],
            ), path
            assert after.json == {"status": "ok"}


async def head_and_next(server: Listening, path: str) -> tuple[Response, Response]:
    """Send HEAD and another request on one connection: a body would be taken for its answer."""
    async with connected(server.port) as client:
        await client.send(request("HEAD", path, Authorization="Bearer ann"))
        head = await client.response(head_only=True)
        await client.send(request("GET", "/healthz"))
        return head, await client.response()


# The end of a response


class Streams:
    """A plugin whose route streams, and says that it keeps the connection."""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.router.add_get("/streamed", self._stream)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Connection": "Keep-Alive"})
        await response.prepare(request)
        await response.write(b"all of it")
        return response


CREATE = orjson.dumps(
    {
        "type": "threads.create",
        "params": {
            "input": {
                "content": [{"type": "input_text", "text": "hello"}],
                "attachments": [],
                "inference_options": {},
            }
        },
    }
)


@pytest.mark.parametrize("connection", ["", "keep-alive", "Keep-Alive", "close"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_the_end_of_a_stream_is_seen(version: str, connection: str) -> None:
    headers = {"Authorization": "Bearer ann", "version": version}
    headers |= {"Connection": connection} if connection else {}
    keeps = version == "1.1" and connection != "close"
    async with listening(Streams()) as server:
        first = await ask(server.port, request("POST", CHAT, CREATE, **headers))
        turn = f"{CHAT}/turns/{first.headers['x-turn-id']}/events"
        for data, end in (
            (request("POST", CHAT, CREATE, **headers), b": end\n"),
            (request("POST", CHAT, say("hello"), **headers), b": end\n"),
            (request("GET", turn, **headers), b": end\n"),
            (request("GET", "/streamed", **headers), b"all of it"),
        ):
            async with connected(server.port) as client:
                await client.send(data)
                response = await client.response()
                assert response.status == 200
                assert response.body.endswith(end)
                assert response.headers.get("connection", "").lower() == (
                    "close" if version == "1.1" and connection == "close" else ""
                )
                assert ("transfer-encoding" in response.headers) == (version == "1.1")
                if keeps:
                    await client.send(request("GET", "/healthz"))
                    assert (await client.response()).status == 200
                else:
                    assert await client.everything() == b""


async def test_a_response_with_a_length_keeps_a_connection_that_is_to_be_kept() -> None:
    async with listening() as server, connected(server.port) as client:
        for _ in range(2):
            await client.send(request("GET", "/healthz", version="1.0", Connection="keep-alive"))
            response = await client.response()
            assert response.headers["connection"] == "keep-alive"


# The first line


ODD = (b"200", b"400", b"401", b"403", b"404", b"405", b"408", b"431")
"""The statuses of odd requests."""


ODD_HEADERS = [
    b"",
    b"Host: a\r\nHost: b\r\n",
    b"Host: \xff\r\n",
    b"Host: [::1\r\n",
    b"Host: localhost\r\n" + b"A: b\r\n" * 500,
    b"Host: localhost\r\nX: " + b"x" * 200_000 + b"\r\n",
]

ODD_REQUESTS = [
    *(b"GET /healthz HTTP/1.1\r\n" + headers + b"\r\n" for headers in ODD_HEADERS),
    b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://example.com/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET //example.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"BREW /api/chat HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET /healthz\r\n\r\n",
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"\r\n" * 1000 + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    bytes(1000),
]


async def test_odd_requests_have_an_answer(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rest of a body that never ends is received for so long
    monkeypatch.setattr(connections, "LINGER", 1.0)
    async with listening(server={"limits": {"headers": "1s", "idle": "1s"}}) as server:

        async def answer(data: bytes) -> bytes:
            async with connected(server.port) as client:
                await client.send(data)
                return await client.everything()

        answers = await asyncio.gather(*(answer(data) for data in ODD_REQUESTS))
        for data, got in zip(ODD_REQUESTS, answers, strict=True):
            assert got.startswith(b"HTTP/"), (data, got)
            assert got.split(b" ")[1] in ODD, (data, got)
        assert await healthy(server.port)
    assert no_traceback(caplog)


class Reads:
    """An `auth` hook that reads the body before it knows the user."""

    @hookimpl
    async def auth(self, request: web.Request) -> User | None:
        if "X-Read" not in request.headers:
            return None
        await request.read()
        return User("ann")


BROKEN_CHUNKS = [
    b"ZZ\r\n",
    b"5\r\nabcdefgh\r\n",
    b"\r\n",
    b"-1\r\n",
    b"0x5\r\nabcde\r\n",
    b"5;\x00\r\n",
    b"fffffffffffffffffff\r\n",
    b"5\nabcde\n",
    b"0\r\nX\x00: b\r\n\r\n",
    b"0\r\nXXX\r\n\r\n",
    b"0\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    b"0\r\n" + b"A: b\r\n" * 300 + b"\r\n",
]


@pytest.mark.parametrize("broken", BROKEN_CHUNKS, ids=lambda data: ascii(data[:12]))
@pytest.mark.parametrize("user", [{"Authorization": "Bearer ann"}, {"X_Read": "1"}])
@pytest.mark.parametrize("good", [b"", b"5\r\n{abcd\r\n"])
async def test_a_broken_chunk_ends_the_request(
    broken: bytes, user: dict[str, str], good: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    head = request("POST", CHAT, Transfer_Encoding="chunked", **user)
    async with listening(Reads()) as server:
        for pieces in ([head + good + broken], [head, good, broken], [head + good, broken]):
            async with connected(server.port) as client:
                for piece in pieces:
                    await client.send(piece)
                    # Each arrives by itself
                    assert await healthy(server.port)
                response = await client.response()
                assert response.status in (400, 431)
                assert list(response.json) == ["message"]
                assert await client.everything() == b""
    assert no_traceback(caplog)
    assert len(caplog.messages) == 3


async def test_a_stranger_is_answered_before_the_body_and_its_broken_chunk() -> None:
    head = request("POST", CHAT, Transfer_Encoding="chunked")
    async with listening() as server, connected(server.port) as client:
        await client.send(head + b"5\r\n{abcd\r\n")
        response = await client.response()
        assert (response.status, response.headers["connection"]) == (401, "close")
        await client.send(b"ZZ\r\n")
        assert await healthy(server.port)


SECRET = "eyJhbGciOi"


@pytest.mark.parametrize("size", [9_000, 60_000])
async def test_long_headers_are_read(size: int) -> None:
    async with listening() as server:
        token = SECRET + "x" * size
        headers = {"Authorization": "Bearer ann", "X_Groups": token}
        response = await ask(server.port, request("POST", CHAT, say("hello"), **headers))
        assert response.status == 200
        response = await ask(server.port, request("GET", f"/healthz?{token}"))
        assert response.status == 200


async def test_a_large_body_is_not_a_large_head() -> None:
    data = request("POST", CHAT, say("x" * 200_000), Authorization="Bearer ann")
    end = data.index(b"\r\n\r\n")
    async with listening(turns={"limits": {"message": "1MB"}}) as server:
        for cut in range(end - 1, end + 6):
            async with connected(server.port) as client:
                await client.send(data[:cut])
                assert await healthy(server.port)
                await client.send(data[cut:])
                assert (await client.response()).status == 200


@pytest.mark.parametrize(
    "headers",
    [f"X: {SECRET}{'x' * 70_000}\r\n", f"X: {SECRET}{'x' * 6_000}\r\n" * 11],
    ids=["one", "many"],
)
async def test_large_heads_are_told_so(headers: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening(server={"limits": {"unread": "200ms"}}) as server:
        for end in ("\r\n", ""):
            data = f"GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}{end}"
            response = await ask(server.port, data.encode())
            assert response.status == 431
            assert "larger than 65536 bytes" in response.json["message"]
    assert [line.partition(": ")[2][:4] for line in caplog.messages] == ["431 "] * 2
    assert SECRET not in caplog.text


@pytest.mark.parametrize("size", [66_000, 200_000, 600_000])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_pages_can_read_that_their_token_is_too_large(
    size: int, before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The token comes whole, and a body after it, before the answer is sent: no reset loses it."""
    caplog.set_level(logging.INFO)
    token = f"Authorization: Bearer {SECRET}{'x' * size}\r\n"
    pages = {
        "https://app.example.com": "https://app.example.com",
        "https://evil.example.com": None,
    }
    async with listening(server={"cors_origins": list(pages)[:1]}) as server:
        for page, allowed in pages.items():
            origin = f"Origin: {page}\r\n"
            headers = origin + token if before else token + origin
            data = f"POST {CHAT} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: 90000\r\n\r\n"
            response = await ask(server.port, data.encode() + b"x" * 90_000)
            assert response.status == 431
            assert "sign-in token" in response.json["message"]
            assert response.headers.get("access-control-allow-origin") == allowed
    assert len(caplog.messages) == 2
    assert SECRET not in caplog.text


async def test_a_head_of_any_size_is_answered_and_its_connection_closed() -> None:
    async with listening(server={"max_body": "1kB"}) as server, connected(server.port) as client:
        await client.send(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(40):
            await client.send(b"x" * 50_000)
        answer = await client.everything()
        assert not answer or answer.startswith(b"HTTP/1.1 431 ")
        await until(lambda: server.open == 0)


async def test_a_long_address_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening() as server:
        data = f"GET /{SECRET}{'x' * 80_000} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        response = await ask(server.port, data.encode())
        assert response.status == 414
        assert response.json == {"message": "The request's address is longer than 65536 bytes."}
    [line] = caplog.messages
    assert "414" in line
    assert SECRET not in line


async def test_a_large_head_behind_a_running_request_ends_the_connection() -> None:
    async with listening() as server, connected(server.port) as client:
        data = request("POST", CHAT, say("hello"), Authorization="Bearer ann")
        await client.send(data + b"GET /healthz HTTP/1.1\r\n" + b"X: x\r\n" * 100)
        for _ in range(200):
            await client.send(f"X: {'x' * 1_000}")
        await client.everything()
        await until(lambda: server.open == 0)


@pytest.mark.parametrize(
    "data",
    [
        f"GET /{SECRET} HTTP/1.1\r\nHost: a\r\n{SECRET}\x01: a\r\n\r\n".encode(),
        f"{SECRET} / HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
        f"GET http://[{SECRET}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nX: {SECRET}\r\n\r\n".encode(),
        f"GET / HTTP/{SECRET}\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {SECRET}\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: a\r\nX: {SECRET}\0\r\n\r\n".encode(),
        b"GET / HTTP/1.1\r\nHost: a\r\n" + f"X: {SECRET}\r\n".encode() * 200 + b"\r\n",
        request("POST", CHAT, b"{}", Expect=SECRET),
        request("GET", "/healthz", Expect=SECRET),
    ],
    ids=lambda data: ascii(data[:40]),
)
async def test_malformed_http_is_answered_in_json_without_quotes(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with listening() as server:
        async with connected(server.port) as client:
            await client.send(data)
            response = await client.response()
        many = data.count(SECRET.encode()) > 100
        assert response.status == (417 if b"Expect" in data else 431 if many else 400)
        assert response.headers["content-type"].startswith("application/json")
        assert list(response.json) == ["message"]
        assert SECRET not in response.body.decode()
    assert SECRET not in caplog.text
    assert no_traceback(caplog)
    assert len(caplog.messages) == (0 if data.startswith(SECRET.encode()) else 1)


async def test_an_upgrade_that_nobody_offers_is_a_plain_request() -> None:
    async with listening() as server:
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Key": "x"}
        response = await ask(server.port, request("GET", "/healthz", **upgrade))
        assert response.status == 200


async def test_many_headers_that_never_end_are_refused_early() -> None:
    async with listening() as server, connected(server.port) as client:
        await client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n")
        # Each is short, and none is the last
        for n in range(200):
            await client.send(f"X-{n}: {'x' * 1000}\r\n")
        answer = await client.everything()
        assert answer.split(b" ")[1] in (b"400", b"431")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with listening() as server, connected(server.port) as client:
        await client.send(request("GET", "/healthz") * 500 + request("GET", "/nowhere"))
        for _ in range(500):
            assert (await client.response()).status == 200
        assert (await client.response()).status == 404
