"""An ASGI application beside the chat: what it gets, what its clients get, its start and end."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientPayloadError, ClientResponse, FormData, web
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from yarl import URL

from chatkit_server import AsgiApp, SettingsError, hookimpl
from chatkit_server import app as server_app
from chatkit_server.web.asgi import app as asgi_app
from tests.client import Chat
from tests.conftest import MakeChat
from tests.serving import served_app

METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
FAILED = {"message": "Something went wrong on the server. Try again later."}


class Beside:
    """Serves an application for all paths that the server does not have."""

    def __init__(self, app: ASGIApp) -> None:
        self._asgi = AsgiApp(app)

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.cleanup_ctx.append(self._asgi.run)
        self._asgi.serve_rest(app)


class Later:
    """Adds routes; the path of one is known only to its pattern."""

    @hookimpl
    def setup(self, app: web.Application) -> None:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(text="the plugin's")

        app.router.add_get("/exports/{name}", answer)
        app.router.add_get("/{name:later.*}", answer)


async def echo(request: Request) -> Response:
    """Tell what arrived."""
    scope = request.scope
    told = {
        "method": request.method,
        "url": str(request.url),
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "client": request.client and request.client.host,
        "cookies": request.cookies,
        "size": len(await request.body()),
    }
    return JSONResponse(told, headers={"X-Total": "1"})


def starlette(*routes: Route | Mount, **options: Any) -> Starlette:
    return Starlette(routes=[*routes, Route("/{path:path}", echo, methods=METHODS)], **options)


async def raw(chat: Chat, head: str) -> tuple[int, dict[str, Any]]:
    """Send a request as it is written; return the status and the JSON of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", chat.client.port)
    writer.write(f"{head}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1]), orjson.loads(answer.partition(b"\r\n\r\n")[2])


async def test_requests_arrive_as_they_were_sent(make_chat: MakeChat) -> None:
    chat = await make_chat(Beside(starlette()), server={"trusted_proxies": "127.0.0.1, 10.0.0.0/8"})
    here = "http://localhost"
    addresses: list[tuple[str, dict[str, str]]] = [
        ("GET /", {"path": "/", "raw_path": "/", "query": "", "client": "127.0.0.1"}),
        ("GET //x", {"path": "//x"}),
        ("PUT /a%2Bb%20c+d/%C3%BC%2Fx", {"path": "/a+b c+d/ü/x"}),
        ("PUT /a%2Bb%20c+d/%C3%BC%2Fx", {"raw_path": "/a%2Bb%20c+d/%C3%BC%2Fx"}),
        ("GET /%FF%00", {"path": "/\ufffd\0"}),
        ("GET /?a=1+2&b=%20&c=%zz&d", {"query": "a=1+2&b=%20&c=%zz&d", "path": "/"}),
        ("DELETE /x", {"method": "DELETE", "url": f"{here}/x"}),
        ("OPTIONS /x", {"method": "OPTIONS"}),
    ]
    for head, told in addresses:
        status, body = await raw(chat, f"{head} HTTP/1.1\r\nHost: localhost")
        assert (status, {**body, **told}) == (200, body), head
    named: list[tuple[str, dict[str, Any]]] = [
        ("Cookie: a=1; b=2", {"cookies": {"a": "1", "b": "2"}}),
        ("X-Forwarded-For: 9.9.9.9, 2001:db8::1, 10.0.0.3", {"client": "2001:db8::1"}),
        ("X-Forwarded-For: unknown", {"client": "127.0.0.1"}),
        ("X-Forwarded-Proto: https", {"url": "https://localhost/y"}),
        ("X-Forwarded-Proto: gopher", {"url": f"{here}/y"}),
        ("X-Forwarded-Host: evil.com", {"url": f"{here}/y"}),
    ]
    for headers, about in named:
        status, body = await raw(chat, f"GET /y HTTP/1.1\r\nHost: localhost\r\n{headers}")
        assert (status, {**body, **about}) == (200, body), headers


async def test_only_a_trusted_proxy_tells_who_asks(make_chat: MakeChat) -> None:
    chat = await make_chat(Beside(starlette()), server={"trusted_proxies": "10.0.0.1"})
    headers = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https"}
    response = await chat.client.get("/x", headers=headers)
    told = await response.json()
    assert told["client"] == "127.0.0.1"
    assert told["url"].startswith("http://")


async def test_the_server_keeps_its_paths(make_chat: MakeChat) -> None:
    chat = await make_chat(Beside(starlette()), Later())
    for method, path, status in (
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/api/chat/client.js", 200),
        ("POST", "/api/chat", 400),
        ("GET", "/api/chat", 405),
        ("POST", "/healthz", 405),
        ("DELETE", "/api/chat/turns/turn_1", 405),
        ("GET", "/exports/x", 200),
        ("PUT", "/exports/x", 405),
        ("GET", "/later/on", 200),
        # A route of Starlette at /api/chat would match it
        ("POST", "/api/chat%0a", 404),
    ):
        response = await chat.client.request(method, URL(path, encoded=True))
        assert (response.status, "X-Total" in response.headers) == (status, False), path
    for method, path in (
        ("GET", "/"),
        ("POST", "/exports"),
        ("GET", "/api/chat/"),
        ("PUT", "/api/chat/turn"),
        ("GET", "/healthz/"),
    ):
        response = await chat.client.request(method, path)
        assert (response.status, "X-Total" in response.headers) == (200, True), path
    assert (await chat.plain("hello")).text
    status, body = await raw(chat, "GET /x HTTP/1.1\r\nHost: evil.com")
    assert status == 403
    assert "evil.com" in body["message"]
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    response = await chat.client.get("/ws", headers=upgrade)
    assert response.status == 501
    assert await response.json() == {"message": "This server does not support WebSockets."}


async def stored(request: Request) -> Response:
    """Take an upload as FastAPI does: a failure of the parser is the client's."""
    try:
        async with request.form() as form:
            file: Any = form["file"]
            return JSONResponse({"name": file.filename, "size": len(await file.read())})
    except Exception as error:
        raise HTTPException(400, "There was an error parsing the body") from error


async def test_uploads(make_chat: MakeChat) -> None:
    app = starlette(Route("/files", stored, methods=["POST"]))
    chat = await make_chat(Beside(app), server={"max_body": "4MB"})

    def form(size: int) -> FormData:
        form = FormData()
        form.add_field("file", BytesIO(b"x" * size), filename="a.bin")
        return form

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for _ in range(0, size, 100_000):
            yield b"x" * 100_000

    many, too_many = 3_000_000, 5_000_000
    response = await chat.client.post("/files", data=form(many))
    assert await response.json() == {"name": "a.bin", "size": many}
    data: Any
    for data in (BytesIO(b"x" * many), pieces(many), b""):
        response = await chat.client.put("/raw", data=data)
        assert (await response.json())["size"] == (many if data else 0)
    for method, path, data in (
        ("POST", "/files", form(too_many)),
        ("PUT", "/raw", pieces(too_many)),
        ("PUT", "/raw", BytesIO(b"x" * too_many)),
    ):
        response = await chat.client.request(method, path, data=data)
        assert response.status == 413
        assert await response.json() == {"message": "The request is larger than 4000000 bytes."}
    response = await chat.client.post("/files", data=form(10), chunked=True)
    assert await response.json() == {"name": "a.bin", "size": 10}


async def test_a_body_is_asked_for_when_it_is_read(make_chat: MakeChat) -> None:
    async def refuse(request: Request) -> Response:
        return PlainTextResponse("no", 401, headers={"Transfer-Encoding": "chunked"})

    app = starlette(Route("/refuses", refuse, methods=["PUT"]))
    chat = await make_chat(Beside(app), server={"max_body": "1MB"})
    for path, size, first, then in (
        ("/raw", 3, b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.1 200 OK\r\n"),
        ("/refuses", 3, b"HTTP/1.1 401 Unauthorized\r\n", None),
        ("/raw", 2_000_000, b"HTTP/1.1 413 Request Entity Too Large\r\n", None),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", chat.client.port)
        head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
        writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert await reader.readline() == first
        rest = await reader.readuntil(b"\r\n\r\n" if then is None else b"\r\n")
        if then is None:
            assert b"transfer-encoding" not in rest.lower()
            # What was announced will not come
            assert b"Connection: close\r\n" in rest or path == "/raw"
        else:
            writer.write(b"x" * size)
            assert await reader.readline() == then
        writer.close()


async def test_responses_are_those_of_the_application(make_chat: MakeChat, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 200_000)

    async def cookies(request: Request) -> Response:
        response = PlainTextResponse("x", headers={"Connection": "keep-alive"})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    async def nothing(request: Request) -> Response:
        return Response(status_code=204)

    async def in_pieces(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b"y" * 1000

        return StreamingResponse(pieces(), headers={"Content-Length": "30000"})

    async def found(request: Request) -> Response:
        raise HTTPException(404, "No such fact")

    app = Starlette(
        routes=[
            Route("/cookies", cookies),
            Route("/nothing", nothing, methods=["DELETE"]),
            Route("/pieces", in_pieces),
            Route("/fact", found),
            Route("/folder/", cookies),
            Mount("/static", StaticFiles(directory=tmp_path)),
        ],
        exception_handlers={404: lambda _, error: JSONResponse({"detail": error.detail}, 404)},
    )
    chat = await make_chat(Beside(app))
    get = chat.client.get
    response = await get("/cookies")
    assert response.headers.getall("Set-Cookie") == [
        "a=1; Path=/; SameSite=lax",
        "b=2; Path=/; SameSite=lax",
    ]
    assert "X-Request-Id" in response.headers
    assert "Connection" not in response.headers
    response = await get("/static/a.txt")
    assert (response.content_length, await response.text()) == (200_000, "x" * 200_000)
    response = await get("/static/a.txt", headers={"Range": "bytes=0-9"})
    assert (response.status, await response.text()) == (206, "x" * 10)
    response = await get("/static/a.txt", headers={"If-None-Match": response.headers["ETag"]})
    assert (response.status, await response.text()) == (304, "")
    response = await get("/pieces")
    assert "Content-Type" not in response.headers
    assert (response.content_length, await response.text()) == (30_000, "y" * 30_000)
    for path, length in (("/static/a.txt", 200_000), ("/cookies", 1), ("/pieces", 30_000)):
        response = await chat.client.head(path)
        assert (response.status, response.content_length) == (200, length)
        assert await response.read() == b""
    response = await chat.client.delete("/nothing")
    assert (response.status, await response.read()) == (204, b"")
    response = await get("/folder", allow_redirects=False)
    assert (response.status, response.headers["Location"][-8:]) == (307, "/folder/")
    for path, detail in (("/fact", "No such fact"), ("/unknown", "Not Found")):
        response = await get(path)
        assert (response.status, await response.json()) == (404, {"detail": detail})
    response = await chat.client.put("/cookies")
    assert (response.status, "GET" in response.headers["Allow"]) == (405, True)


async def test_a_stream_comes_as_it_is_sent_and_no_faster_than_it_is_read(
    make_chat: MakeChat,
) -> None:
    go_on = asyncio.Event()
    sent = 0

    async def events(request: Request) -> Response:
        async def lines() -> AsyncIterator[str]:
            for number in range(3):
                yield f"data: {number}\n\n"
                await go_on.wait()
                go_on.clear()

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def endless(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                yield b"x" * 100_000
                sent += 1
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    app = starlette(Route("/events", events), Route("/endless", endless))
    chat = await make_chat(Beside(app))
    response = await chat.client.get("/events")
    for number in range(3):
        # Each is read before the next is made
        assert await response.content.readuntil(b"\n\n") == f"data: {number}\n\n".encode()
        go_on.set()
    assert await response.content.read() == b""
    response = await chat.client.get("/endless")
    before = -1
    while before != sent:
        before = sent
        for _ in range(100):
            await asyncio.sleep(0)
    assert 0 < sent < 1000
    response.close()


async def test_background_tasks_delay_nothing(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    may_end, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await may_end.wait()
        done.set()
        raise ZeroDivisionError

    async def start(request: Request) -> Response:
        return PlainTextResponse("started", background=BackgroundTask(work))

    chat = await make_chat(Beside(starlette(Route("/start", start))))
    reader, writer = await asyncio.open_connection("127.0.0.1", chat.client.port)
    for path in ("/start", "/x"):
        # On the same connection
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    assert not done.is_set()
    may_end.set()
    await done.wait()
    await until(lambda: "GET /start" in caplog.text)
    assert "ZeroDivisionError" in caplog.text


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


class Mistakes:
    """An application that makes one mistake for each path."""

    def __init__(self) -> None:
        self.received: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError

        async def start(*headers: tuple[bytes, bytes]) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def add(body: bytes, more: bool) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": more})

        match scope["path"]:
            case "/raises":
                raise ZeroDivisionError
            case "/only-starts":
                await start()
            case "/no-start":
                await add(b"x", False)
            case "/bad-header":
                await start((b"x-a", b"b\r\nc: d"))
                await add(b"x", False)
            case "/cancelled":
                raise asyncio.CancelledError
            case "/exits":
                sys.exit(3)
            case "/raises-late":
                await start()
                await add(b"x", True)
                raise ZeroDivisionError
            case "/ends-early":
                await start()
                await add(b"x", True)
            case "/counts-wrong":
                await start((b"content-length", b"10"))
                await add(b"x", False)
            case "/too-short":
                await start((b"content-length", b"10"))
                await add(b"x", True)
                await add(b"y", False)


async def test_an_application_that_fails(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Beside(Mistakes()), server={"cors_origins": OURS})
    for path in (
        "/raises",
        "/says-nothing",
        "/only-starts",
        "/no-start",
        "/bad-header",
        "/cancelled",
        "/exits",
    ):
        caplog.clear()
        response = await chat.client.get(path)
        assert (response.status, await response.json()) == (500, FAILED), path
        assert f"GET {path} " in caplog.text
    for path in ("/raises-late", "/ends-early", "/too-short"):
        caplog.clear()
        response = await chat.client.get(path)
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()
        assert f"GET {path} " in caplog.text
    assert await (await chat.client.get("/counts-wrong")).text() == "x"
    # The server knows already that this page may do everything
    asked, answered = await cors(chat, "/raises", OURS)
    assert (asked.status, answered.status) == (200, 500)
    assert answered.headers["Access-Control-Allow-Origin"] == OURS


async def test_errors_of_starlette_are_told_once(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: Request) -> Response:
        raise ZeroDivisionError

    async def failure(request: Request) -> Response:
        return PlainTextResponse("Internal Server Error", 500)

    async def own(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": "Oh"}, 500)

    routes = [Route("/fails", fail), Route("/says", failure)]
    chat = await make_chat(Beside(Starlette(routes=routes)))
    response = await chat.client.get("/fails")
    assert (response.status, await response.json()) == (500, FAILED)
    assert caplog.text.count("GET /fails ") == 1
    response = await chat.client.get("/says")
    assert (response.status, await response.text()) == (500, "Internal Server Error")
    chat = await make_chat(Beside(Starlette(routes=routes, exception_handlers={Exception: own})))
    response = await chat.client.get("/fails")
    assert (response.status, await response.json()) == (500, {"detail": "Oh"})
    await until(lambda: caplog.text.count("GET /fails ") == 2)


async def test_the_application_is_told_that_its_client_has_left(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    began, saved, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    left: list[Any] = []

    async def save(request: Request) -> Response:
        began.set()
        left.append(await request.receive())
        # What it has begun, it can finish
        left.append(await request.receive())
        saved.set()
        return PlainTextResponse("for nobody")

    async def events(request: Request) -> Response:
        async def lines() -> AsyncIterator[str]:
            try:
                yield "data: 1\n\n"
                await asyncio.Event().wait()
            finally:
                closed.set()

        return StreamingResponse(lines())

    async def upload(request: Request) -> Response:
        began.set()
        return PlainTextResponse(str(len(await request.body())))

    app = starlette(
        Route("/save", save), Route("/events", events), Route("/upload", upload, methods=["PUT"])
    )
    caplog.set_level(logging.DEBUG, "chatkit_server")
    chat = await make_chat(Beside(app))
    _, writer = await asyncio.open_connection("127.0.0.1", chat.client.port)
    writer.write(b"GET /save HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await began.wait()
    writer.close()
    await saved.wait()
    assert [message["type"] for message in left] == ["http.request", "http.disconnect"]
    response = await chat.client.get("/events")
    await response.content.readuntil(b"\n\n")
    response.close()
    await closed.wait()
    began.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", chat.client.port)
    writer.write(b"PUT /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
    await began.wait()
    writer.close()
    await until(lambda: "has left" in caplog.text)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_start_and_end(make_chat: MakeChat, caplog: pytest.LogCaptureFixture) -> None:
    happened: list[str] = []
    may_end = asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        happened.append("started")
        yield {"database": "open"}
        happened.append("stopped")

    async def work() -> None:
        await may_end.wait()
        happened.append("worked")

    async def ask(request: Request) -> Response:
        said = PlainTextResponse(request.state.database, background=BackgroundTask(work))
        request.state.database = "changed by one request"
        return said

    chat = await make_chat(Beside(starlette(Route("/ask", ask), lifespan=lifespan)))
    assert happened == ["started"]
    for _ in range(2):
        assert await (await chat.client.get("/ask")).text() == "open"
    asyncio.get_running_loop().call_soon(may_end.set)
    await chat.client.close()
    assert happened == ["started", "worked", "worked", "stopped"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_streams_and_background_tasks_do_not_hold_up_the_end(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_app, "LAST_ANSWERS", 0.01)
    monkeypatch.setattr(asgi_app, "LAST_CALLS", 0.01)

    async def start(request: Request) -> Response:
        return PlainTextResponse("", background=BackgroundTask(asyncio.Event().wait))

    async def silent(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.Event().wait()

        return StreamingResponse(pieces())

    async def endless(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 100_000

        return StreamingResponse(pieces())

    app = starlette(Route("/start", start), Route("/silent", silent), Route("/endless", endless))
    chat = await make_chat(Beside(app))
    # Only the task has to be cancelled: the streams end with their responses
    streams = [await chat.client.get(path) for path in ("/start", "/silent", "/endless")]
    await chat.client.server.close()
    for stream in streams:
        stream.close()
    alarms = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert alarms == ["calls of the ASGI application are cancelled: 1"]


def failing(what: str) -> ASGIApp:
    """Return an application that does not start."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        message = {"message": "no database"} if what == "says" else {}
        await send({"type": "lifespan.startup.failed", **message})

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise {"raises": ValueError, "exits": SystemExit}[what]("no database")
        yield

    return starlette(lifespan=lifespan) if what in ("raises", "exits") else app


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("raises", rf"{re.escape(__file__)}:\d+: ValueError: no database"),
        ("exits", rf"{re.escape(__file__)}:\d+: SystemExit: no database"),
        ("says", "did not start: no database"),
        ("is silent", "did not start: no reason given"),
    ],
)
async def test_an_application_that_does_not_start_stops_the_boot(what: str, why: str) -> None:
    app, _ = served_app(Beside(failing(what)))
    runner = web.AppRunner(app)
    with pytest.raises(SettingsError, match=f"^plugin Beside_0: .*{why}$"):
        await runner.setup()
    await runner.cleanup()


def test_only_one_plugin_serves_the_rest() -> None:
    with pytest.raises(SettingsError, match="Beside_1: another plugin serves the paths"):
        served_app(Beside(starlette()), Beside(starlette()))


OURS, THEIRS, BOTH = "http://ours.test", "http://theirs.test", "http://both.test"


async def cors(chat: Chat, path: str, origin: str, method: str = "PUT") -> list[ClientResponse]:
    """Return the answers to a preflight, and to its request."""
    asks = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-a"}
    return [
        await chat.client.options(path, headers={"Origin": origin, **asks}),
        await chat.client.request(method, path, headers={"Origin": origin, "X-A": "1"}),
    ]


@pytest.mark.parametrize("path", ["/files", "/mounted/files"])
async def test_pages_that_either_side_allows_are_let_in(
    make_chat: MakeChat, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    rules = Middleware(
        CORSMiddleware,
        allow_origins=[THEIRS, BOTH],
        allow_methods=["GET", "PUT"],
        allow_headers=["x-a"],
        expose_headers=["X-Total"],
        allow_credentials=True,
    )

    class Mounted(Beside):
        @hookimpl
        def setup(self, app: web.Application) -> None:
            super().setup(app)
            app.router.add_route("*", "/mounted/{rest:.*}", self._asgi.handle)

    caplog.set_level(logging.INFO)
    app = starlette(middleware=[rules])
    chat = await make_chat(Mounted(app), server={"cors_origins": [OURS, BOTH]})
    for origin in (OURS, THEIRS, BOTH):
        for response in await cors(chat, path, origin):
            assert response.status == 200
            assert response.headers.getall("Access-Control-Allow-Origin") == [origin]
            assert response.headers.getall("Access-Control-Allow-Credentials") == ["true"]
        exposed = response.headers.get("Access-Control-Expose-Headers", "").split(",")
        assert ("X-Total" in exposed, "X-Request-Id" in exposed) == (True, origin != THEIRS)
    assert (await cors(chat, path, BOTH, "DELETE"))[0].status == 200
    assert "refused" not in caplog.text
    packed = {"Origin": OURS, "Content-Encoding": "gzip"}
    if path == "/files":
        response = await chat.client.put(path, headers=packed, data=b"x")
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (415, OURS)
    for origin, method in (("http://other.test", "PUT"), (THEIRS, "DELETE")):
        asked, _ = await cors(chat, path, origin, method)
        assert asked.status == 403
        assert "server.cors_origins" in (await asked.json())["message"]
        assert "Access-Control-Allow-Origin" not in asked.headers


@pytest.mark.parametrize(
    ("server", "theirs", "expected"),
    [
        ({"cors_origins": "*", "cors_credentials": False}, True, {THEIRS: True, OURS: False}),
        ({"cors_origins": THEIRS}, False, {THEIRS: True}),
        ({"cors_origins": OURS}, False, {THEIRS: False, OURS: True}),
    ],
)
async def test_what_one_side_allows_without_credentials_the_other_may_add(
    make_chat: MakeChat, server: dict[str, Any], theirs: bool, expected: dict[str, bool]
) -> None:
    rules = Middleware(
        CORSMiddleware,
        allow_origins=[THEIRS],
        allow_methods=["PUT"],
        allow_headers=["x-a"],
        allow_credentials=theirs,
    )
    chat = await make_chat(Beside(starlette(middleware=[rules])), server=server)
    for origin, credentials in expected.items():
        for response in await cors(chat, "/x", origin):
            assert response.headers.getall("Access-Control-Allow-Origin") == [origin]
            allowed = response.headers.getall("Access-Control-Allow-Credentials", [])
            assert allowed == ["true"] * credentials
