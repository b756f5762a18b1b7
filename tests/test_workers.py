"""`run --workers`: several processes answer at one address, and none of them is missed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, UnixConnector

from chatkit_server import Settings, workers
from chatkit_server.app import create_app
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.load import load_plugins
from chatkit_server.reload.generation import Child, News
from chatkit_server.reload.workers import _Generation, _Workers
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.workers import ENDING, SERVING, Board, count_of
from tests.client import Chat
from tests.databases import DATABASES, DatabaseKind, empty_url
from tests.mcp_calls import until
from tests.processes import PATIENCE, Server, environment, running, started
from tests.test_reload import is_running

SETTINGS = """
server: {drain: 100s}
log: {record: 100kB}
turns: {stale: 1s, when_busy: reject}
plugin_dirs: [my_plugins]
plugins:
  anonymous_auth:
  tortoise_store: {url: "${DB:-sqlite://chatkit.db}", auto_migrate: true}
  demo_model: {pace: 1ms}
  todo_mcp:
  says:
"""

PLUGIN = """
import asyncio
import logging
import os
from pathlib import Path
from aiohttp import web
from chatkit.types import AssistantMessageContent, AssistantMessageItem, ThreadItemDoneEvent
from chatkit_server import hookimpl, workers
from chatkit_server.shutdown import signals
from chatkit_server.web import together

WORD = "one"
PID = str(os.getpid())
together.BEAT = 0.1
if "HANGS" in os.environ:
    workers.LATE = 0.5
    signals.GRACE = 2.0

async def word(request):
    return web.Response(text=WORD, headers={"Process": PID})

async def write(request):
    for number in range(300):
        logging.getLogger("lines").warning("%s %s", number, PID[-1] * int(request.query["size"]))
    return web.Response(text=WORD, headers={"Process": PID})

async def hang(request):
    sum(range(10**12))

async def begin(app):
    Path(f"began-{PID}").touch()
    if DIES or WAITS:
        try:
            Path("first").touch(exist_ok=False)
        except FileExistsError:
            if DIES:
                os._exit(9)
            while not Path("go").exists():
                await asyncio.sleep(0.01)
    yield

DIES = False
WAITS = False

@hookimpl
def setup(app):
    app.router.add_get("/word", word)
    app.router.add_get("/write", write)
    app.router.add_post("/hang", hang)
    app.cleanup_ctx.append(begin)

@hookimpl
async def ready():
    return "it is sick" if Path(f"sick-{PID}").exists() else None

@hookimpl
async def respond(turn):
    yield said(turn, f"{WORD} begins")
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    yield said(turn, f"{WORD} ends")

def said(turn, text):
    content = [AssistantMessageContent(text=text)]
    return ThreadItemDoneEvent(item=turn.new_item(AssistantMessageItem, content=content))
"""

DEMO = Settings.model_validate({"plugins": {"demo_model": None}})

MESSAGE = {"messages": [{"role": "user", "content": "hi"}]}


def write(folder: Path, **changes: str) -> None:
    """Write the settings, and a plugin with these variables."""
    (folder / "settings.yaml").write_text(SETTINGS)
    plugins = folder / "my_plugins"
    plugins.mkdir(exist_ok=True)
    text = PLUGIN
    for name, value in changes.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
    (plugins / "says.py").write_text(text)


@asynccontextmanager
async def working(
    folder: Path, count: int = 2, *arguments: str, **variables: str
) -> AsyncIterator[Server]:
    """Run workers, and wait until all of them serve."""
    arguments = ("--workers", str(count), *arguments)
    async with running(folder, *arguments, env=environment(**variables)) as server:
        await server.process.line(f"started in .*: {count} workers? serves?")
        yield server


class Connections:
    """Connections to a server that stay open."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self.sessions: list[ClientSession] = []
        self.processes: list[str] = []

    async def open(self, count: int) -> Counter[str]:
        """Open some more at once; return how many each process has of them."""
        new = [ClientSession(self._url) for _ in range(count)]
        for session in new:
            await self._stack.enter_async_context(session)
        answers = await asyncio.gather(*(session.get("/word") for session in new))
        found = [answer.headers["Process"] for answer in answers]
        self.sessions += new
        self.processes += found
        return Counter(found)

    async def to_each(self, count: int = 2) -> dict[str, ClientSession]:
        """Return a connection to each process."""
        while len(set(self.processes)) < count:
            await self.open(2)
        return dict(zip(self.processes, self.sessions, strict=True))


@asynccontextmanager
async def connections(server: Server) -> AsyncIterator[Connections]:
    async with AsyncExitStack() as stack:
        yield Connections(server.url, stack)


async def says(session: ClientSession) -> str:
    async with session.get("/word") as response:
        return await response.text()


def chat_of(session: ClientSession) -> Chat:
    return Chat(session, "/api/chat")  # type: ignore[arg-type]


async def begun(session: ClientSession) -> ClientResponse:
    """Begin an answer, and wait for the first of its words."""
    response = await chat_of(session).post(MESSAGE)
    assert response.status == 200, await response.text()
    async for line in response.content:
        if b"begins" in line:
            return response
    raise AssertionError("the stream has ended")


async def ready(session: ClientSession) -> tuple[int, str]:
    async with session.get("/readyz?verbose") as response:
        return response.status, await response.text()


async def until_ready(session: ClientSession, status: int) -> str:
    """Ask until the status of /readyz is this one, and return the answer."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found, text = await ready(session)
            if found == status:
                return text
            await asyncio.sleep(0.01)


async def test_a_reload_is_noticed_by_nobody(tmp_path: Path) -> None:
    write(tmp_path)
    done = asyncio.Event()
    seen: list[str] = []

    async def ask(url: str, session: ClientSession | None) -> None:
        while not done.is_set():
            if session is not None:
                seen.append(await says(session))
            async with ClientSession(url) as new:
                seen.append(await says(new))
            # Others need the processor, too
            await asyncio.sleep(0.01)

    async with working(tmp_path) as server, connections(server) as clients:
        process = server.process
        counts = await clients.open(20)
        assert len(counts) == 2
        assert min(counts.values()) > 5
        before = await clients.to_each()
        answers = [await begun(session) for session in before.values()]
        asking = [asyncio.create_task(ask(server.url, each)) for each in clients.sessions[:2]]

        write(tmp_path, WORD="'two'")
        process.send(signal.SIGHUP)
        await process.line(r"reloaded in \d+\.\d\d s: 2 workers serve")
        await process.line("replaced: a running turn may take up to 100 s")
        async with ClientSession(server.url) as new:
            assert await says(new) == "two"
        (tmp_path / "settings.yaml").write_text(f"{SETTINGS}  nonsense:\n")
        process.send(signal.SIGHUP)
        await process.line("plugins.nonsense: unknown plugin")
        await process.line("not reloaded .exit status 2.: the workers go on as before")
        done.set()
        await asyncio.gather(*asking)
        assert set(seen) == {"one", "two"}

        # Nothing that is on the disk now is taken for what was loaded
        async with ClientSession(server.url) as new, new.get("/word") as response:
            os.kill(int(response.headers["Process"]), signal.SIGKILL)
        await process.line(r"worker \d+ died \(signal 9\) after .*: replaced now; 1 of 2 workers")
        await process.line(r"worker \d+ serves: 2 workers serve")

        (tmp_path / "go").touch()
        for answer in answers:
            assert "one ends" in await answer.text()
        # Those that were replaced have ended
        await until(lambda: not any(is_running(int(pid)) for pid in before))
        assert await server.stop() == 0
        assert len([line for line in process.output if "listens on" in line]) == 1


@pytest.mark.parametrize("database", DATABASES)
async def test_others_go_on_for_a_worker_that_dies(tmp_path: Path, database: DatabaseKind) -> None:
    write(tmp_path)
    url = empty_url(database, tmp_path)
    async with working(tmp_path, DB=url) as server, connections(server) as clients:
        (dead, lost), (alive, other) = (await clients.to_each()).items()
        answer = await begun(lost)
        kept = await begun(other)
        os.kill(int(dead), signal.SIGKILL)
        await server.process.line(rf"worker {dead} died \(signal 9\)")
        turn = answer.headers["X-Turn-Id"]
        await server.process.line(f"recovered turn {turn} of a dead process")
        # By the one that lived on, or the new one
        found = await other.get(f"/api/chat/turns/{turn}")
        assert (await found.json())["state"] == "interrupted"
        await server.process.line(r"worker \d+ serves: 2 workers serve")
        assert '"serving": 2' in (await ready(other))[1]
        (tmp_path / "go").touch()
        assert "one ends" in await kept.text()
        assert await server.stop() == 0
        assert is_running(int(alive)) is False


async def test_who_dies_at_once_is_not_replaced_at_once(tmp_path: Path) -> None:
    write(tmp_path, DIES="True")
    arguments = ("run", "--port", "0", "--workers", "2")
    async with started(tmp_path, *arguments, env=environment()) as process:
        await process.line("died .exit status 9. after .*, before it served: replaced now; 1 of 2")
        await process.line("started in .*: 1 of 2 workers serve")
        found = await process.line(r"listens on (http://[^/]+)")
        async with ClientSession(found[1]) as session:
            assert await says(session) == "one"
        await process.line(r"before it served: replaced in 0.5 s; 1 of 2 workers serve")
        assert await process.stop() == 0

    # The first one: no other one tries
    forget_who_began(tmp_path)
    async with started(tmp_path, *arguments, env=environment()) as process:
        assert await process.end() == 2
        assert process.errors[-1].endswith("the first worker died (exit status 9) before it served")
    assert forget_who_began(tmp_path) == 1


async def test_how_many_are_wanted_is_known_while_they_start(tmp_path: Path) -> None:
    write(tmp_path, WAITS="True")
    async with running(tmp_path, "--workers", "3") as server:
        _, told = await server.get("/readyz?verbose")
        counts = told["parts"]["workers"]
        assert (counts["wanted"], counts["ending"]) == (3, 0)
        assert counts["serving"] + counts["starting"] < 4
        (tmp_path / "go").touch()
        await server.process.line("started in .*: 3 workers serve")
        assert await server.stop() == 0


def test_how_many_are_wanted_is_what_the_first_one_has_read(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        first = Child(1, ours, 0.0, [])
        forks = _Workers(tmp_path, 2)
        # The settings were changed, and SIGHUP was sent, before anything served
        forks._starting = _Generation("", 0.0, workers=[first])
        forks.serves(first, News(serves=True, workers=3), [])
        assert forks._board.wanted == 3
        forks.close()


async def test_many_connections_and_many_reloads(tmp_path: Path) -> None:
    write(tmp_path)
    async with working(tmp_path, 1) as server:
        port = int(server.url.rpartition(":")[2])
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(700)]
        write(tmp_path, WORD="'two'")
        server.process.send(signal.SIGHUP)
        await server.process.line("reloaded in .*: 1 worker serves")
        for _, writer in idle:
            writer.write(b"GET /word HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for reader, writer in idle:
            assert await reader.readuntil(b"\r\n\r\ntwo")
            writer.close()

        # Many reloads at once
        process = server.process
        process.errors.clear()
        for count in range(1, 11):
            process.send(signal.SIGHUP)
            # Those that start are cut off at any moment
            await until(lambda count=count: process.said.count("SIGHUP: reloading") == count)  # type: ignore[misc]
        await process.line("reloaded in .*: 1 worker serves")
        assert await says(server.session) == "two"
        assert await server.stop() == 0


def forget_who_began(folder: Path) -> int:
    """Return how many workers have begun to start."""
    files = list(folder.glob("began-*"))
    for file in files:
        file.unlink()
    return len(files)


def test_pauses_grow() -> None:
    generation = _Generation("", 0.0)
    assert generation.replaced_in(11.0) == generation.replaced_in(0.1) == 0.0
    assert generation.replaced_in(0.1) == 0.5
    # While one is waited for, others have no pause of their own
    assert 0.0 < generation.replaced_in(0.1) <= 0.5
    pauses = []
    for _ in range(8):
        generation.again -= generation.pause
        pauses.append(generation.replaced_in(0.1))
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    generation.again -= 41.0
    assert generation.replaced_in(0.1) == 0.0


async def test_the_end(tmp_path: Path) -> None:
    write(tmp_path)
    async with working(tmp_path) as server, connections(server) as clients:
        first, second = (await clients.to_each()).values()
        answers = [await begun(first), await begun(second)]
        # All of them hear it from the terminal: once each, or the turns would end
        server.process.press_ctrl_c()
        await server.process.line("1 running turn .* a second signal ends")
        for session in (server.session, clients.sessions[0]):
            status, text = await ready(session)
            assert (status, '"server": "shutting down"' in text) == (503, True)
        (tmp_path / "go").touch()
        for answer in answers:
            assert "one ends" in await answer.text()
        assert await server.process.end() == 0
    (tmp_path / "go").unlink()

    async with working(tmp_path) as server, connections(server) as clients:
        (_, first), (_, second) = (await clients.to_each()).items()
        answers = [await begun(first), await begun(second)]
        server.process.send(signal.SIGTERM)
        await server.process.line("shutting down")
        server.process.send(signal.SIGTERM)
        for answer in answers:
            assert "error" in await answer.text()
        assert await server.process.end() == 0


async def test_a_worker_that_is_sick_and_ends_alone(tmp_path: Path) -> None:
    write(tmp_path)
    async with working(tmp_path) as server, connections(server) as clients:
        (pid, first), (_, other) = (await clients.to_each()).items()
        assert (await ready(other))[0] == 200
        sick = tmp_path / f"sick-{pid}"
        sick.touch()
        # Whichever is asked
        assert f'"worker {pid}": "says: it is sick"' in await until_ready(other, 503)
        assert '"says": "it is sick"' in await until_ready(first, 503)
        sick.unlink()
        assert '"wanted": 2, "serving": 2' in await until_ready(other, 200)

        # The other one gets its requests
        answer = await begun(first)
        while clients.processes.count(pid) < 2:
            await clients.open(2)
        second = clients.sessions[clients.processes.index(pid)]
        os.kill(int(pid), signal.SIGTERM)
        await server.process.line("shutting down: 1 running turn")
        new = await begun(second)
        assert (await ready(second))[0] == 200
        (tmp_path / "go").touch()
        for each in (answer, new):
            assert "one ends" in await each.text()
        await server.process.line(f"worker {pid} ended by itself .exit status 0.* replaced now")
        assert await server.stop() == 0


def test_a_signal_is_not_passed_on_to_those_that_heard_it(tmp_path: Path) -> None:
    sent: list[tuple[int, int]] = []

    class Told(Child):
        def signal(self, number: int) -> None:
            sent.append((self.pid, number))

    ours, theirs = socket.socketpair()
    first, second, starting = (Told(pid, ours, 0.0, []) for pid in (1, 2, 3))
    generation = _Generation("", 0.0, workers=[first, second, starting], serving={first, second})
    forks = _Workers(tmp_path, 2)
    forks._serving = generation
    forks.signals.append(signal.SIGINT)
    first.heard = 1
    forks._pass_on()
    assert sent == [(2, signal.SIGINT), (3, signal.SIGTERM), (3, signal.SIGINT)]
    ours.close()
    theirs.close()
    forks.close()


async def test_a_turn_of_a_replaced_worker_has_its_time(tmp_path: Path) -> None:
    write(tmp_path)
    async with working(tmp_path, CHATKIT_SERVER__DRAIN="50ms") as server:
        answer = await begun(server.session)
        server.process.send(signal.SIGHUP)
        await server.process.line("reloaded in")
        assert '"status":"interrupted"' in await answer.text()
        assert await says(server.session) == "one"
        assert await server.stop() == 0


async def test_a_worker_that_hangs(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    await asyncio.gather(assert_others_go_on_beside_it(one), assert_it_is_replaced(other))


async def assert_others_go_on_beside_it(folder: Path) -> None:
    write(folder)
    text = SETTINGS.replace("100s", "100ms")
    (folder / "settings.yaml").write_text(text)
    async with working(folder, HANGS="1") as server, connections(server) as clients:
        (pid, hanging), (_, other) = (await clients.to_each()).items()
        asking = asyncio.create_task(hanging.post("/hang"))

        async def is_late() -> bool:
            return '"late": 1' in (await ready(other))[1]

        async with asyncio.timeout(PATIENCE):
            while not await is_late():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        # It is not in the way of others, whose connections are more by now
        assert set(await clients.open(10)) == set(clients.processes) - {pid}
        assert await server.stop() == 128 + signal.SIGKILL
        await asyncio.gather(asking, return_exceptions=True)


async def assert_it_is_replaced(folder: Path) -> None:
    write(folder)
    (folder / "settings.yaml").write_text(SETTINGS.replace("stale: 1s", "stale: 200ms"))
    async with working(folder, HANGS="1") as server, connections(server) as clients:
        pid, hanging = (await clients.to_each()).popitem()
        asking = asyncio.create_task(hanging.post("/hang"))
        await server.process.line(rf"worker {pid} has hung for \d+ s: killed")
        await server.process.line(r"worker \d+ serves: 2 workers serve")
        assert await server.stop() == 0
        await asyncio.gather(asking, return_exceptions=True)


async def test_nothing_holds_the_port_when_the_first_process_is_killed(tmp_path: Path) -> None:
    write(tmp_path)
    async with working(tmp_path) as server, connections(server) as clients:
        processes = await clients.to_each()
        answers = [await begun(session) for session in processes.values()]
        server.process.send(signal.SIGKILL)
        told = r"the first process \(\d+\) has died: this worker ends\. Start"
        await server.process.line(told)
        port = int(server.url.rpartition(":")[2])
        await until(lambda: is_free(port))
        async with started(
            tmp_path, "run", "--workers", "1", "--port", str(port), env=environment()
        ) as again:
            await again.line("started in .*: 1 worker serves")
            (tmp_path / "go").touch()
            for answer in answers:
                assert "one ends" in await answer.text()
            assert await again.stop() == 0
        await until(lambda: not any(is_running(int(pid)) for pid in processes))


def is_free(port: int) -> bool:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
            listening.listen()
        except OSError:
            return False
        return True


async def test_a_socket_and_the_setting_and_one_log(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "chat.sock"
    env = environment(CHATKIT_SERVER__WORKERS="2", CHATKIT_SERVER__SOCKET="chat.sock")
    async with started(tmp_path, "run", env=env) as process:
        await process.line("started in .*: 2 workers serve")
        async with AsyncExitStack() as stack:
            found: dict[str, ClientSession] = {}
            for _ in range(10):
                connector = UnixConnector(str(path))
                session = ClientSession("http://localhost", connector=connector)
                await stack.enter_async_context(session)
                async with session.get("/word") as response:
                    found[response.headers["Process"]] = session
            assert len(found) == 2
            for size in (3000, 20_000):
                writing = [each.get(f"/write?size={size}") for each in found.values()]
                await asyncio.gather(*writing)
        assert path.is_socket()
        assert await process.stop() == 0
    assert not path.exists()
    lines = [line for line in process.errors if " lines: " in line]
    assert len(lines) == 4 * 300
    for line in lines:
        assert re.fullmatch(r"[-:, \d]+WARNING lines: \d+ (\d)\1+(… .* left out\])?", line), line
        assert len(line.encode()) < 4096


async def test_options_that_exclude_each_other(tmp_path: Path) -> None:
    write(tmp_path)
    for arguments, why in (
        (("--workers", "2", "--reload"), "--reload is for development, with one process"),
        (("--workers", "0"), "expected a number from 1 to 256, or auto, not '0'"),
        (("--workers", ""), "expected a number from 1 to 256, or auto, not ''"),
        (("--workers", "1.5"), "expected a number from 1 to 256, or auto, not '1.5'"),
        (("--host", ""), "it is empty. Write 0.0.0.0 for all addresses, or leave it out"),
    ):
        async with started(tmp_path, "run", *arguments, env=environment()) as process:
            await process.line(why)
            assert await process.end() == 2


def test_workers_need_a_turn_store(caplog: pytest.LogCaptureFixture) -> None:
    for count in (1, 2):
        assert "turn_store" not in caplog.text
        settings = Settings.model_validate({"server": {"workers": count}})
        named = [("memory_store", MemoryStorePlugin()), *load_plugins(DEMO).plugins]
        create_app(settings, Hooks.of(named, settings.hooks), seat=Board().take_seat())
    assert "several workers, and no plugin with the hook `turn_store`" in caplog.text


def test_seats() -> None:
    board = Board()
    first, second = board.take_seat(), board.take_seat()
    first.state = second.state = SERVING
    first.connections = 3
    assert (first.has_more(), second.has_more()) == (True, False)
    second.connections = 3
    assert not first.has_more()
    first.tell("é" * 500)
    assert set(board.told(first.number)) == {"é", "\N{REPLACEMENT CHARACTER}"}
    [known] = second.others()
    assert known.is_fresh
    second.state = ENDING
    assert first.others() == []
    first.free()
    assert [state.seat for state in board.states()] == [second.number]
    third = board.take_seat()
    assert (third.number, third.connections, board.told(third.number)) == (first.number, 0, "")


def test_cores_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_of(None) == 1
    assert count_of(3) == 3
    assert count_of("auto") >= 1
    limit = workers._allowed
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert limit(tmp_path) == workers.MOST_WORKERS
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert limit(tmp_path) == 2
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert limit(tmp_path) == 1
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert limit(tmp_path) == 3
