"""The line that a refused request leaves in the log, and the id that it shares with the client."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from chatkit.types import LockedStatus

from chatkit_server import (
    Conflict,
    Forbidden,
    ServerError,
    TooManyRequests,
    Turn,
    Unauthorized,
    Unavailable,
    User,
    hookimpl,
)
from chatkit_server.lines import short
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.web import refusals
from chatkit_server.web.refusals import RefusalLog
from tests.client import Chat
from tests.conftest import MakeChat
from tests.test_repeats import counted

PAGE = "https://app.example.com"
STRANGER = "https://evil.example.com"
SAID = "what the user says"


@pytest.fixture(autouse=True)
def at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chatkit_server")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The level and text of each line about a request, in order."""
    ours = [record for record in caplog.records if record.name.startswith("chatkit_server.web")]
    return [(record.levelname, record.getMessage()) for record in ours]


def hello(**rest: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": SAID}], **rest}


class Refuses:
    """Refuses every turn."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        raise self.error


class Door:
    """Lets nobody in."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @hookimpl
    async def auth(self) -> User:
        raise self.error


def expected(response: ClientResponse, path: str, reason: str, user: str = "") -> str:
    request_id = response.headers["X-Request-Id"]
    who = f", user {user}" if user else ""
    return f"refused {response.method} {path} (request {request_id}{who}): {reason}"


@pytest.mark.parametrize(
    ("error", "status", "level"),
    [
        (Forbidden("Not for you."), 403, "INFO"),
        (Conflict("Not now."), 409, "INFO"),
        (TooManyRequests("Too much."), 429, "INFO"),
        (Unavailable("Down."), 503, "WARNING"),
        (ServerError("Broken."), 500, "WARNING"),
    ],
)
async def test_a_refused_turn_leaves_one_line(
    make_chat: MakeChat,
    caplog: pytest.LogCaptureFixture,
    error: ServerError,
    status: int,
    level: str,
) -> None:
    chat = await make_chat(Refuses(error))
    response = await chat.post(hello(), headers={"X-User": "acme/ann"})
    assert response.status == status
    reason = f"{status} {error.message}"
    assert lines(caplog) == [(level, expected(response, "/api/chat", reason, "acme/ann"))]
    assert SAID not in caplog.text


@pytest.mark.parametrize(
    "error", [Unauthorized("Sign in."), Forbidden("Not from there."), Unavailable("No keys.")]
)
async def test_a_refused_sign_in_leaves_one_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, error: ServerError
) -> None:
    chat = await make_chat(Door(error))
    response = await chat.post(hello())
    [(_, line)] = lines(caplog)
    assert line == expected(response, "/api/chat", f"{error.status} {error.message}")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (hello(temperature=1), 400),
        ({"type": "threads.get_by_id", "params": {"thread_id": "thr_unknown"}}, 404),
        ({"type": "input.transcribe", "params": {"audio_base64": "", "mime_type": ""}}, 422),
        (hello(thread_id="thr_locked"), 409),
        (b" " * 100_001, 413),
    ],
)
async def test_a_refused_body_leaves_one_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, body: Any, status: int
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(store, server={"max_body": "100kB"})
    thread_id = (await chat.plain(SAID)).data[0]["thread_id"]
    [threads] = store.memory.threads.values()
    threads[thread_id].status = LockedStatus(reason="under review")
    if isinstance(body, dict) and "thread_id" in body:
        body["thread_id"] = thread_id
    response = await chat.post(body)
    assert response.status == status
    [(level, line)] = lines(caplog)
    assert level == "INFO"
    assert f": {status} {(await response.json())['message']}" in line
    assert response.headers["X-Request-Id"] in line
    assert SAID not in caplog.text


async def test_a_wrong_path_or_method_leaves_one_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat()
    missing = await chat.client.get("/nowhere%0Aforged?token=secret")
    other = await chat.client.put(chat.path)
    assert lines(caplog) == [
        ("INFO", expected(missing, "/nowhere%0Aforged", r"404 Not Found: GET /nowhere\nforged")),
        ("INFO", expected(other, "/api/chat", "405 Method Not Allowed: PUT /api/chat")),
    ]


@pytest.mark.parametrize("name", ["a\nforged", "a\x1b[31mred", "a\u2028b", "x" * 10_000])
async def test_a_line_is_one_line_whatever_is_asked(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    chat = await make_chat()
    await chat.refused({"type": name})
    await chat.refused(hello(**{name: 1}))
    await chat.refused(hello(model=name), headers={"X-User": "b" * 5000})
    said = [line for _, line in lines(caplog)]
    assert len(said) == 3
    assert all(line.isprintable() and len(line) < 700 for line in said)


# Not more lines than fit


def write(log: RefusalLog, reason: str, times: int = 1, request: str = "POST /chat: 400") -> None:
    for _ in range(times):
        log.write(request, logging.INFO, reason, f"refused {request} {reason}")


def summaries(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for _, line in lines(caplog) if line.startswith("refused ") and " more " in line]


async def test_only_some_lines_of_a_kind_are_written(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    write(log, "no sign-in", 60)
    # Another reason, and the same of another route
    write(log, "not allowed")
    write(log, "no sign-in", request="GET /chat: 400")
    log.close()
    assert [line for _, line in lines(caplog)] == [
        *["refused POST /chat: 400 no sign-in"] * refusals.MOST_ALIKE,
        "refused POST /chat: 400 not allowed",
        "refused GET /chat: 400 no sign-in",
        f"refused {60 - refusals.MOST_ALIKE} more like this: POST /chat: 400 no sign-in",
    ]
    write(log, "no sign-in")
    assert lines(caplog)[-1] == ("INFO", "refused POST /chat: 400 no sign-in")
    log.close()


async def test_a_repeated_reason_leaves_room_for_others_of_its_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = RefusalLog()
    write(log, "The model `a` is not offered here.", 60)
    write(log, "The model `b` is not offered here.")
    assert "`b`" in lines(caplog)[-1][1]
    log.close()
    assert summaries(caplog) == [
        f"refused {60 - refusals.MOST_ALIKE} more like this: "
        "POST /chat: 400 The model … is not offered here."
    ]


async def test_what_was_left_out_is_summed_up_when_the_time_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    summed_up = loop.create_future()

    class Listens(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "more like this" in record.getMessage() and not summed_up.done():
                summed_up.set_result(record.getMessage())

    listens = Listens()
    refusals.log.addHandler(listens)
    try:
        log = RefusalLog(seconds=0.01)
        write(log, "no sign-in", refusals.MOST_ALIKE + 2)
        async with asyncio.timeout(5):
            expected = "refused 2 more like this: POST /chat: 400 no sign-in"
            assert await summed_up == expected
    finally:
        refusals.log.removeHandler(listens)
    write(log, "a new minute")
    assert lines(caplog)[-1] == ("INFO", "refused POST /chat: 400 a new minute")
    log.close()


@pytest.mark.parametrize(
    "reason",
    [
        "{}: unknown field. Known: messages",
        "messages.{n}.role: Field required",
        "type: unknown operation `{}`.",
        "The model '{}' is not offered.",
        'The model "{}" is not offered.',
        "Item msg_{n} not found in this conversation.",
        "Pages of {} may not use this server.",
        "Not Found: GET /{}",
    ],
)
async def test_a_client_cannot_invent_kinds(caplog: pytest.LogCaptureFixture, reason: str) -> None:
    log = RefusalLog()
    for number in range(100):
        letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        write(log, reason.format(f"{letters} {letters}", n=number))
    log.close()
    assert len(lines(caplog)) == refusals.MOST_OF_KIND + 1
    assert f"{100 - refusals.MOST_OF_KIND} more" in lines(caplog)[-1][1]


async def test_kinds_without_end_are_one_kind(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    reasons = [f"{chr(0x4E00 + number)}" for number in range(1000)]
    for reason in reasons:
        write(log, reason)
    log.close()
    assert len(lines(caplog)) == refusals.MOST_KINDS + refusals.MOST_OF_KIND + 1
    more = 1000 - refusals.MOST_KINDS - refusals.MOST_OF_KIND
    assert lines(caplog)[-1][1] == f"refused {more} more like this: other requests"


async def test_a_full_minute_has_room_for_new_kinds(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    for letter in "abcdefghijklmnopqrstuvwxyz":
        write(log, letter, 100)
    assert len(lines(caplog)) == refusals.MOST_LINES + 26 - refusals.MOST_LINES // 10
    write(log, "something new", 2)
    assert lines(caplog)[-1][1] == "refused POST /chat: 400 something new"
    assert lines(caplog)[-2][1] != lines(caplog)[-1][1]
    log.close()


async def test_a_flood_of_requests_is_a_few_lines(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Door(Unauthorized("Sign in.")))
    for _ in range(30):
        assert (await chat.refused(hello()))[0] == 401
    assert len(lines(caplog)) == refusals.MOST_ALIKE
    # They do not hide others: neither another status nor the same of another route
    await chat.client.get("/nowhere")
    await chat.client.get(f"{chat.path}/turns/turn_1")
    assert [line.partition(" (")[0] for _, line in lines(caplog)[-2:]] == [
        "refused GET /nowhere",
        f"refused GET {chat.path}/turns/turn_1",
    ]
    await chat.client.close()
    assert summaries(caplog) == ["refused 20 more like this: POST /api/chat: 401 Sign in."]


async def test_a_summary_names_the_route(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat()
    for number in range(refusals.MOST_OF_KIND + 3):
        await chat.client.get(f"/nowhere/{number}")
        await chat.client.get(f"{chat.path}/turns/turn_{number}")
        await chat.client.put(f"{chat.path}/turns/turn_{number}")
    await chat.client.close()
    route = f"{chat.path}/turns/{{turn_id}}"
    assert summaries(caplog) == [
        "refused 3 more like this: GET unknown path: 404 Not Found: GET …",
        f"refused {refusals.MOST_OF_KIND + 3 - refusals.MOST_ALIKE} more like this: "
        f"GET {route}: 404 Turn not found.",
        f"refused 3 more like this: PUT {route}: 405 Method Not Allowed: PUT …",
    ]


# Malformed HTTP


MALFORMED = {
    b"POST /api/chat HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n": "Invalid header token",
    b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 9000): "Got more than …",
    b"POST /api/chat HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n": "Invalid header value char",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": "Invalid character",
    b"POST http://[bad/ HTTP/1.1\r\nHost: a\r\n\r\n": "Invalid URL",
}


async def send(chat: Chat, raw: bytes) -> bytes:
    """Send bytes to the server; return the first line of the response."""
    reader, writer = await asyncio.open_connection(chat.client.host, chat.client.port)
    writer.write(raw)
    first = await reader.readline()
    # The server logs before it closes the connection
    await reader.read()
    writer.close()
    return first


@pytest.mark.parametrize("raw", MALFORMED, ids=list(MALFORMED.values()))
async def test_malformed_http_leaves_one_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, raw: bytes
) -> None:
    chat = await make_chat()
    assert b" 400 " in await send(chat, raw)
    [(level, line)] = lines(caplog)
    assert level == "INFO"
    status = 431 if MALFORMED[raw].startswith("Got more than") else 400
    assert line.startswith(f"refused malformed HTTP from 127.0.0.1: {status} ")
    assert MALFORMED[raw].partition("…")[0] in line
    assert len(line) < 120
    assert [record.name for record in caplog.records if record.exc_info] == []


async def test_a_flood_of_malformed_http_is_a_few_lines(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat()
    for _ in range(2 * refusals.MOST_ALIKE):
        await send(chat, b"POST http://[bad/ HTTP/1.1\r\nHost: a\r\n\r\n")
    await chat.client.close()
    assert len(lines(caplog)) == refusals.MOST_ALIKE + 1
    assert summaries(caplog) == [
        f"refused {refusals.MOST_ALIKE} more like this: malformed HTTP: 400 Invalid URL"
    ]


async def test_a_packed_body_leaves_one_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat()
    request = (
        b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 4\r\n\r\nnope"
    )
    assert b" 415 " in await send(chat, request)
    [(_, line)] = lines(caplog)
    assert "415 Content-Encoding: " in line
    assert [record.name for record in caplog.records if record.exc_info] == []


async def test_errors_of_the_server_itself_keep_their_traceback(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Nothing())
    await chat.client.get("/nothing")
    logger = logging.getLogger("aiohttp.server")
    logger.error("Unhandled exception", exc_info=ZeroDivisionError("a bug"))
    logger.error("without an exception")
    told = [record for record in caplog.records if record.name == "aiohttp.server"]
    assert len(told) == 3
    assert told[1].exc_info is not None
    await chat.client.close()
    assert logger.filters == []


class Nothing:
    """Has a route that returns no response."""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        async def nothing(request: web.Request) -> None:
            return None

        app.router.add_get("/nothing", nothing)  # type: ignore[arg-type]


def test_text_as_a_part_of_a_line() -> None:
    assert short("Grüße, 日本") == "Grüße, 日本"
    assert short("a\nb\x00\u202e") == r"a\nb\x00\u202e"
    assert short("abc", most=2) == "ab…"


class Named:
    """Everybody is this user."""

    def __init__(self, user: User) -> None:
        self.user = user

    @hookimpl
    async def auth(self) -> User:
        return self.user


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (User("anna"), "anna"),
        (User("anna", "acme"), "acme/anna"),
        (User("auth0|5f7c-8.x@example.com", "guests:1"), None),
        (User("Jürgen", "größe"), "größe/Jürgen"),
        (User("acme/anna"), "'acme/anna'"),
        (User("anna", "acme/sales"), "'acme/sales'/anna"),
        (User("sales/anna", "acme"), "acme/'sales/anna'"),
        (User("a): Not found. (request 1, user b"), "'a): Not found. (request 1, user b'"),
        (User("acme'/'anna"), r"'acme\'/\'anna'"),
        (User("a\\'b"), r"'a\\\'b'"),
        (User("a\nb"), r"'a\nb'"),
        (User(" anna"), "' anna'"),
        (User("a" * 201), f"'{'a' * 200}'…"),
    ],
)
async def test_no_user_reads_as_another(
    user: User, shown: str | None, make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Named(user))
    with caplog.at_level("INFO"):
        response = await chat.post(b"no JSON")
    assert response.status == 400
    who = shown or f"{user.tenant}/{user.id}"
    assert f"{response.headers['X-Request-Id']}, user {who}): 400 " in caplog.text


# The id of a request


@pytest.mark.parametrize("given", ["abc-123", "x" * 100, "!~"])
async def test_the_clients_id_of_a_request_is_kept(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    chat = await make_chat()
    headers = {"X-Request-Id": given}
    stream = await chat.post(hello(), headers=headers)
    assert stream.content_type == "text/event-stream"
    missing = await chat.client.get("/nowhere", headers=headers)
    answer = await chat.post({"type": "threads.list", "params": {}}, headers=headers)
    health = await chat.client.get("/healthz", headers=headers)
    for response in (stream, missing, answer, health):
        assert response.headers["X-Request-Id"] == given
        await response.read()
    assert f"(request {given})" in caplog.text


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 101, "Grüße"])
async def test_a_request_without_a_usable_id_gets_one(
    make_chat: MakeChat, given: str | None
) -> None:
    chat = await make_chat()
    headers = {} if given is None else {"X-Request-Id": given}
    ids = set()
    for _ in range(2):
        response = await chat.client.get("/healthz", headers=headers)
        ids.add(response.headers["X-Request-Id"])
    assert len(ids) == 2
    assert all(request_id.startswith("req_") for request_id in ids)


class Fails:
    """Has a route that fails."""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        async def fail(request: web.Request) -> web.Response:
            raise ZeroDivisionError("hunter2")

        app.router.add_get("/fails", fail)


async def test_an_unexpected_error_is_one_line_with_its_traceback_and_the_id(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Fails())
    response = await chat.client.get("/fails", headers={"X-Request-Id": "abc"})
    assert response.status == 500
    assert "hunter2" not in await response.text()
    assert lines(caplog) == [("ERROR", "GET /fails (request abc) failed")]
    [record] = [r for r in caplog.records if r.levelname == "ERROR"]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


# Origins


async def with_pages(make_chat: MakeChat, *plugins: object) -> Chat:
    return await make_chat(*plugins, server={"cors_origins": PAGE})


async def test_a_refused_origin_leaves_a_line_that_says_what_allows_it(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await with_pages(make_chat)
    headers = {"Origin": STRANGER, "Access-Control-Request-Method": "POST"}
    preflight = await chat.client.options(chat.path, headers=headers)
    assert preflight.status == 403
    message = (await preflight.json())["message"]
    assert message == (
        f"Pages of {STRANGER} may not use this server. To allow them, add the origin to "
        "`server.cors_origins`."
    )
    assert lines(caplog) == [("INFO", expected(preflight, chat.path, f"403 {message}"))]


class Suspicious:
    """Refuses pages of other origins, as a plugin may."""

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        raise Forbidden(f"Pages of {request.headers['Origin']} may not use this server.")


async def test_a_request_of_a_refused_origin_leaves_one_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await with_pages(make_chat)
    for origin in (STRANGER, "null"):
        response = await chat.post(
            {"type": "threads.list", "params": {}}, headers={"Origin": origin}
        )
        assert response.status == 200
        assert "Access-Control-Allow-Origin" not in response.headers
        reason = (
            f"Pages of {origin} may not use this server. To allow them, add the origin to "
            "`server.cors_origins`."
        )
        level, line = lines(caplog)[-1]
        assert (level, line.partition("): ")[2]) == ("INFO", reason)
    assert len(lines(caplog)) == 2


@pytest.mark.parametrize(
    ("path", "status"), [("/api/chat", 403), ("/nowhere", 404), ("/fails", 500)]
)
async def test_a_refused_request_of_a_refused_origin_leaves_one_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, path: str, status: int
) -> None:
    chat = await with_pages(make_chat, Suspicious(), Fails())
    method = "POST" if status == 403 else "GET"
    response = await chat.client.request(method, path, data=b"{}", headers={"Origin": STRANGER})
    assert response.status == status
    assert len(lines(caplog)) == 1


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
async def test_invented_origins_are_a_few_lines(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    chat = await with_pages(make_chat)
    for number in range(40):
        origin = f"https://evil{number}.example.com"
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        await chat.client.request(method, chat.path, data=b"{}", headers=headers)
    await chat.client.close()
    assert len(lines(caplog)) <= refusals.MOST_OF_KIND + 1
    assert "Pages of … may not use" in lines(caplog)[-1][1] or method == "POST"


async def test_pages_that_may_leave_no_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await with_pages(make_chat)
    own = str(chat.client.make_url("/")).rstrip("/")
    for origin in (PAGE, own):
        await chat.post({"type": "threads.list", "params": {}}, headers={"Origin": origin})
    assert lines(caplog) == []


# Errors of the server


class Broken:
    """A plugin with a mistake: without the header that it looks for, it fails."""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.router.add_get("/broken", self._fail)

    async def _fail(self, request: web.Request) -> web.Response:
        raise ZeroDivisionError("a bug")

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        return User(request.headers["X-User"])


@pytest.mark.parametrize("path", ["/api/chat", "/broken"])
async def test_a_mistake_that_strangers_reach_is_a_few_tracebacks(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    chat = await make_chat(Broken())
    method, status = ("POST", 401) if path == "/api/chat" else ("GET", 500)
    with counted() as written:
        for _ in range(30):
            async with chat.client.request(method, path, data=b"{}") as response:
                assert response.status == status
    assert written.getvalue().count("Traceback") == 1
    kind = (
        "authentication: KeyError in "
        if path == "/api/chat"
        else "GET /broken: ZeroDivisionError in "
    )
    assert f": request failed (29 more): {kind}" in written.getvalue()
