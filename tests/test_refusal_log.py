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
from chatkit_server.web import refusals
from chatkit_server.web.refusals import RefusalLog, printable
from tests.client import Chat
from tests.conftest import MakeChat
from tests.memory_store import MemoryStorePlugin

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


async def test_only_some_lines_of_a_kind_are_written(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    for number in range(60):
        log.write("401", logging.INFO, f"no sign-in {number}", most=3)
    log.write("403", logging.WARNING, "not allowed")
    log.close()
    assert lines(caplog) == [
        ("INFO", "no sign-in 0"),
        ("INFO", "no sign-in 1"),
        ("INFO", "no sign-in 2"),
        ("WARNING", "not allowed"),
        ("INFO", "refused (401): … and 57 more like it"),
    ]
    log.write("401", logging.INFO, "once more", most=3)
    assert lines(caplog)[-1] == ("INFO", "once more")
    log.close()


async def test_what_was_left_out_is_summed_up_when_the_time_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    summed_up = loop.create_future()

    class Listens(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "more like it" in record.getMessage() and not summed_up.done():
                summed_up.set_result(record.getMessage())

    listens = Listens()
    refusals.log.addHandler(listens)
    try:
        log = RefusalLog(seconds=0.01)
        for _ in range(3):
            log.write("401", logging.INFO, "no sign-in", most=1)
        async with asyncio.timeout(5):
            assert await summed_up == "refused (401): … and 2 more like it"
    finally:
        refusals.log.removeHandler(listens)
    log.write("401", logging.INFO, "a new minute", most=1)
    assert lines(caplog)[-1] == ("INFO", "a new minute")
    log.close()


async def test_a_stranger_cannot_invent_kinds(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog()
    for number in range(1000):
        log.write(f"origin {number}", logging.WARNING, f"origin {number}", most=1)
    log.close()
    written = lines(caplog)
    assert len(written) == refusals.MOST_KINDS + 2
    assert written[-1][1] == f"refused (other): … and {999 - refusals.MOST_KINDS} more like it"


async def test_a_flood_of_requests_is_a_few_lines(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Door(Unauthorized("Sign in.")))
    for _ in range(30):
        assert (await chat.refused(hello()))[0] == 401
    assert len(lines(caplog)) == 20
    # Another kind is not hidden by them
    await chat.client.get("/nowhere")
    await chat.client.close()
    assert [line.partition(" (")[0] for _, line in lines(caplog)[20:]] == [
        "refused GET /nowhere",
        "refused",
    ]
    assert lines(caplog)[-1][1] == "refused (401 Unauthorized): … and 10 more like it"


def test_what_is_printable() -> None:
    assert printable("Grüße, 日本") == "Grüße, 日本"
    assert printable("a\nb\x00\u202e") == r"a\nb\x00\u202e"
    assert printable("abc", most=2) == "ab…"


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


async def test_a_request_of_a_refused_origin_leaves_a_line_for_each_origin(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await with_pages(make_chat)
    body = {"type": "threads.list", "params": {}}
    for origin in (STRANGER, STRANGER, "null", STRANGER):
        response = await chat.post(body, headers={"Origin": origin})
        assert response.status == 200
        assert "Access-Control-Allow-Origin" not in response.headers
    assert [(level, "cors_origins" in line) for level, line in lines(caplog)] == [
        ("WARNING", True),
        ("WARNING", True),
    ]
    assert STRANGER in lines(caplog)[0][1]
    assert "Pages of null" in lines(caplog)[1][1]


async def test_pages_that_may_leave_no_line(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await with_pages(make_chat)
    own = str(chat.client.make_url("/")).rstrip("/")
    for origin in (PAGE, own):
        await chat.post({"type": "threads.list", "params": {}}, headers={"Origin": origin})
    assert lines(caplog) == []
