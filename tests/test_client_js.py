"""The client's half: the script that pages load, in Node and in a browser, on a bad network."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from agents import function_tool
from aiohttp import web
from aiohttp.test_utils import TestServer

from chatkit_server import Outcome, Turn, Unauthorized, User, hookimpl
from chatkit_server.events.places import news, place_of_thread
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.web.keys import ENGINE, THREADS
from tests.browser import COMMANDS, Page, chromium, new_page
from tests.client import Chat
from tests.conftest import MakeChat
from tests.programs import missing, program
from tests.proxy import (
    Proxy,
    Where,
    after_chunk,
    after_frames,
    at_once,
    inside_character,
)
from tests.serving import served_by
from tests.test_elsewhere import until
from tests.test_resume import add

JS = Path(__file__).parent / "js"
SCRIPT = Path(__file__).parents[1] / "chatkit_server/web/client.js"
MODULES = JS / "node_modules/@microsoft/fetch-event-source/lib/esm"
TEXT = ("Grüße", ", ", "日本", " and ", "🎈", ".")

Run = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with the packages that the tests need."""
    found = program("node", "nodejs")
    if not MODULES.exists():
        command = [program("npm"), "install", "--no-audit", "--no-fund", "--no-package-lock"]
        done = subprocess.run(command, cwd=JS, capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"npm install does not work in {JS}: {done.stderr[-500:]}")
    return found


@pytest.fixture(scope="module")
def browser(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The debugging port of a browser; Node's package manager brings what its pages need."""
    command = program(*COMMANDS)
    with chromium(command, tmp_path_factory.mktemp("chromium")) as port:
        yield port


@pytest.fixture
async def origin(node: str) -> AsyncIterator[str]:
    """The origin of the page with the chat: not of the server. Node has brought the modules."""
    app = web.Application()
    app.router.add_static("/npm", MODULES)
    app.router.add_static("/", JS)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(params=["node", "chromium"])
async def run(request: pytest.FixtureRequest, origin: str) -> AsyncIterator[Run]:
    """Run a scenario of `scenario.js` in this runtime: `await run(chat, proxy, stopAt=3)`."""
    if request.param == "node":
        yield in_node(request.getfixturevalue("node"))
        return
    async with new_page(request.getfixturevalue("browser")) as page:
        await page.open(f"{origin}/page.html", "window.ready === true")
        yield in_page(page)


def in_node(command: str) -> Run:
    async def run(chat: Chat, proxy: Proxy, **job: Any) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            command,
            "run.js",
            cwd=JS,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate(orjson.dumps(described(chat, proxy, job)))
        assert process.returncode == 0, errors.decode()
        result: dict[str, Any] = json.loads(output)
        return result

    return run


def in_page(page: Page) -> Run:
    async def run(chat: Chat, proxy: Proxy, **job: Any) -> dict[str, Any]:
        result: dict[str, Any] = await page.evaluate(
            f"window.run({json.dumps(described(chat, proxy, job))})"
        )
        return result

    return run


def described(chat: Chat, proxy: Proxy, job: dict[str, Any]) -> dict[str, Any]:
    text = job.pop("text", "Hello")
    content = [{"type": "input_text", "text": text}]
    given = {"content": content, "attachments": [], "inference_options": {}}
    body = {"type": "threads.create", "params": {"input": given}}
    url = f"http://127.0.0.1:{proxy.port}{chat.path}"
    return {"url": url, "body": json.dumps(body), **job}


class Watch:
    """Gives every turn a tool, and remembers how turns ended."""

    def __init__(self) -> None:
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        @function_tool
        async def greeting() -> str:
            """Return a greeting."""
            return "Grüß Gott"

        turn.tools.append(greeting)

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.outcomes.put_nowait(outcome)


@pytest.fixture
async def make(
    make_chat: MakeChat, model_server: ModelServer, origin: str
) -> AsyncIterator[Callable[..., Awaitable[tuple[Chat, Proxy]]]]:
    """Make a server that pages of the origin may call, behind a proxy."""
    proxies: list[Proxy] = []

    async def make(*plugins: object, **sections: Any) -> tuple[Chat, Proxy]:
        server = {"cors_origins": [origin], **sections.pop("server", {})}
        chat = await make_chat(*plugins, **served_by(model_server), server=server, **sections)
        proxy = Proxy(int(chat.client.port or 0))
        proxies.append(await proxy.__aenter__())
        return chat, proxy

    yield make
    for proxy in proxies:
        await proxy.__aexit__()


Make = Callable[..., Awaitable[tuple[Chat, Proxy]]]


def said(result: dict[str, Any]) -> str:
    """The text that the messages bring piece by piece, each of them once and in order."""
    numbers = [int(message["id"].rpartition(":")[2]) for message in result["messages"]]
    assert numbers == list(range(1, len(numbers) + 1))
    data = [json.loads(message["data"]) for message in result["messages"]]
    return "".join(event["update"].get("delta", "") for event in data if "update" in event)


async def texts(chat: Chat) -> list[str]:
    """What is stored, in the only thread that there is."""
    [thread] = (await chat.ask("threads.list"))["data"]
    items = await chat.ask("items.list", thread_id=thread["id"], order="asc")
    return ["".join(part["text"] for part in item["content"]) for item in items["data"]]


def resumed(proxy: Proxy) -> int:
    return sum(request.endswith(b"/events") for request in proxy.requests if b"GET" in request)


# The script itself


def test_the_script_is_small() -> None:
    assert len(SCRIPT.read_bytes()) < 8000


def test_node_tests_pass(node: str) -> None:
    done = subprocess.run([node, "--test"], cwd=JS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout
    assert "# skipped 0" in done.stdout
    assert int(done.stdout.partition("# pass ")[2].split()[0]) > 30


# On a good network and on bad ones


async def test_a_whole_answer_takes_one_request(
    run: Run, make: Make, model_server: ModelServer
) -> None:
    chat, proxy = await make(server={"keep_alive": "5ms"})
    gate = Gate()
    model_server.reply(*TEXT, gate, "Yes.")
    running = asyncio.create_task(run(chat, proxy))
    await gate.reached()
    await asyncio.sleep(0.03)
    gate.open()
    result = await running
    assert result["error"] is None
    assert said(result) == "".join(TEXT) + "Yes."
    assert all(message["data"] for message in result["messages"])
    assert len(result["turns"]) == 1
    posts = [request for request in proxy.requests if request.startswith((b"POST", b"GET"))]
    assert [request.partition(b" ")[0] for request in posts] == [b"GET", b"POST"]  # client.js first


@pytest.mark.parametrize(
    ("where", "clean"),
    [
        (after_frames(1), False),
        (after_frames(1, 1), False),
        (after_frames(1, 30), False),
        (after_frames(2, 90), False),
        (after_chunk, True),
    ],
    ids=["between frames", "one byte more", "in an id", "in the data", "as if it were the end"],
)
async def test_every_event_arrives_once_however_often_the_connection_is_cut(
    run: Run, make: Make, model_server: ModelServer, where: Where, clean: bool
) -> None:
    chat, proxy = await make(Watch())
    proxy.always, proxy.clean = where, clean
    model_server.reply(Call("greeting"))
    model_server.reply(*TEXT)
    # A slow client may read nothing of several connections
    result = await run(chat, proxy, options={"maxRetries": 50})
    assert result["error"] is None
    assert said(result) == "".join(TEXT)
    assert resumed(proxy) >= proxy.made > (1 if clean else 5)
    assert len(model_server.requests) == 2
    assert await texts(chat) == ["Hello", "".join(TEXT)]


async def test_every_event_arrives_once_whichever_frame_the_cut_comes_after(
    make: Make, model_server: ModelServer, browser: int, origin: str
) -> None:
    chat, proxy = await make()
    async with new_page(browser) as page:
        await page.open(f"{origin}/page.html", "window.ready === true")
        run = in_page(page)
        model_server.reply(*TEXT)
        whole = await run(chat, proxy)
        for frames in range(len(whole["messages"]) + 1):
            for where in (after_frames(frames), after_frames(frames, 9)):
                proxy.cuts.append(where)
                model_server.reply(*TEXT)
                result = await run(chat, proxy)
                assert result["error"] is None
                assert said(result) == "".join(TEXT)
    assert proxy.made >= 2 * len(whole["messages"])


async def test_a_cut_within_a_character_does_no_harm(
    run: Run, make: Make, model_server: ModelServer
) -> None:
    chat, proxy = await make()
    proxy.cuts.extend(inside_character(number) for number in (1, 1, 2, 1, 2))
    model_server.reply(*TEXT)
    result = await run(chat, proxy)
    assert result["error"] is None
    assert said(result) == "".join(TEXT)
    assert proxy.made == 5


async def test_a_connection_lost_before_the_first_event(
    run: Run, make: Make, model_server: ModelServer
) -> None:
    chat, proxy = await make()
    proxy.cuts.extend([at_once, at_once])
    model_server.reply(*TEXT)
    result = await run(chat, proxy)
    assert result["error"] is None
    assert said(result) == "".join(TEXT)
    assert proxy.made == 2


async def test_a_post_whose_answer_is_lost_begins_one_turn(
    run: Run, make: Make, model_server: ModelServer
) -> None:
    chat, proxy = await make()
    proxy.lose[b"POST"] = 2
    model_server.reply(*TEXT)
    result = await run(chat, proxy)
    assert result["error"] is None
    assert said(result) == "".join(TEXT)
    assert proxy.lose[b"POST"] == 0
    assert len(model_server.requests) == 1
    assert await texts(chat) == ["Hello", "".join(TEXT)]


async def test_without_a_server_attempts_come_to_an_end(
    run: Run, make: Make, model_server: ModelServer
) -> None:
    chat, proxy = await make()
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    running = asyncio.create_task(run(chat, proxy, options={"maxRetries": 4}))
    await proxy.passed(b"One")
    proxy.down = True
    proxy.hang_up()
    result = await running
    assert result["error"] is not None
    assert said(result).startswith("One")
    assert result["turns"]
    gate.open()


async def test_after_a_restart_the_answer_is_lost_and_said_to_be(
    run: Run, make: Make, make_chat: MakeChat, model_server: ModelServer, origin: str
) -> None:
    chat, proxy = await make()
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    running = asyncio.create_task(run(chat, proxy))
    await proxy.passed(b"One")
    restarted = await make_chat(**served_by(model_server), server={"cors_origins": [origin]})
    proxy.target = int(restarted.client.port or 0)
    proxy.hang_up()
    result = await running
    assert "lost" in result["error"]
    assert said(result).startswith("One")
    assert resumed(proxy) == 1
    gate.open()


# Stop


async def test_stop_ends_the_turn(run: Run, make: Make, model_server: ModelServer) -> None:
    watch = Watch()
    # Nothing but Stop would end it
    chat, proxy = await make(watch, turns={"disconnect": {"policy": "continue"}})
    model_server.reply("One, ", Gate(), "two.")
    result = await run(chat, proxy, stopAt=6)
    assert result["error"] is None
    assert said(result) == "One, "
    async with asyncio.timeout(10):
        assert (await watch.outcomes.get()).status == "cancelled"
    assert await texts(chat) == ["Hello", "One, "]
    assert sum(request.endswith(b"/cancel") for request in proxy.requests if b"POST" in request)


async def test_stop_after_a_resumed_stream(run: Run, make: Make, model_server: ModelServer) -> None:
    watch = Watch()
    chat, proxy = await make(watch, turns={"disconnect": {"policy": "continue"}})
    proxy.cuts.extend([after_frames(2), after_frames(1, 20)])
    model_server.reply("One, ", Gate(), "two.")
    result = await run(chat, proxy, stopAt=6)
    assert said(result) == "One, "
    async with asyncio.timeout(10):
        assert (await watch.outcomes.get()).status == "cancelled"
    assert proxy.made == 2


async def test_a_reload_is_no_stop(
    make: Make, model_server: ModelServer, browser: int, origin: str
) -> None:
    watch = Watch()
    chat, proxy = await make(watch)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    async with new_page(browser) as page:
        await page.open(f"{origin}/page.html", "window.ready === true")
        job = described(chat, proxy, {"abortOnPageHide": True})
        await page.evaluate(f"void window.run({json.dumps(job)})")
        await gate.reached()
        await page.open(f"{origin}/page.html?again", "window.ready && location.search === '?again'")
        [thread] = (await chat.ask("threads.list"))["data"]
        await chat.ask("threads.get_by_id", thread_id=thread["id"])
        gate.open()
        async with asyncio.timeout(10):
            assert (await watch.outcomes.get()).status == "completed"
    assert not any(request.endswith(b"/cancel") for request in proxy.requests)


# What others do


@dataclass
class Watching:
    """A page in Node that watches a thread."""

    process: asyncio.subprocess.Process

    async def write(self, given: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps(given) + b"\n")
        await self.process.stdin.drain()

    async def told(self) -> str:
        """What the page does next."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().strip()


@asynccontextmanager
async def watching(node: str, chat: Chat, proxy: Proxy, thread: str) -> AsyncIterator[Watching]:
    """Have a page watch a thread while the block runs."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        node, "watch.js", cwd=JS, stdin=pipe, stdout=pipe
    )
    page = Watching(process)
    try:
        await page.write({"url": f"http://127.0.0.1:{proxy.port}{chat.path}", "thread": thread})
        await until(lambda: chat.client.app[THREADS].count == 1)
        yield page
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0


async def test_what_others_do_in_the_thread_is_loaded(
    node: str, make: Make, model_server: ModelServer
) -> None:
    chat, proxy = await make()
    app = chat.client.app
    model_server.reply("Hello.")
    thread = (await chat.say("Hi")).thread_id
    async with watching(node, chat, proxy, thread) as page:
        model_server.reply("Two.")
        await chat.say("And on another device?", thread)
        assert await page.told() == "fetchUpdates"
        proxy.hang_up()
        assert await page.told() == "fetchUpdates"
        model_server.reply("Three.")
        await page.write({"say": add(thread, "And here?")})
        assert await page.told() == "said"
        app[ENGINE].events.tell(place_of_thread(User(id="somebody"), thread), news("removed"))
        assert await page.told() == "setThreadId null"


# Who is asking


class Tokens:
    """Lets in who has the token of the hour."""

    def __init__(self, valid: str) -> None:
        self.valid = valid

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        if request.headers.get("Authorization") != f"Bearer {self.valid}":
            raise Unauthorized("The token is not valid any more.")
        return User(id="ann")


async def test_a_token_that_expired_is_renewed(
    run: Run, make: Make, model_server: ModelServer
) -> None:
    chat, proxy = await make(Tokens("new"))
    model_server.reply(*TEXT)
    result = await run(chat, proxy, tokens=["old", "new"])
    assert result["error"] is None
    assert said(result) == "".join(TEXT)
    assert result["refusals"] == [False, True]
    assert len(model_server.requests) == 1


async def test_a_token_that_expires_within_an_answer_is_renewed(
    run: Run, make: Make, model_server: ModelServer
) -> None:
    tokens = Tokens("first")
    chat, proxy = await make(tokens)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    running = asyncio.create_task(run(chat, proxy, tokens=["first", "second"]))
    await proxy.passed(b"One")
    tokens.valid = "second"
    proxy.hang_up()
    gate.open()
    result = await running
    assert result["error"] is None
    assert said(result) == "One, two."
    assert result["refusals"].count(True) == 1


async def test_who_is_refused_twice_is_told_so(run: Run, make: Make) -> None:
    chat, proxy = await make(Tokens("new"))
    result = await run(chat, proxy, tokens=["old"])
    assert "401" in result["error"]
    assert "The token is not valid any more." in result["error"]
    assert result["refusals"] == [False, True]
