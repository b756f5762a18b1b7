"""`run --reload`: what was changed answers, and nobody who talks to the server notices."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector

from chatkit_server import SettingsError
from chatkit_server.reload import supervisor
from chatkit_server.reload.sources import Sources
from tests.mcp_calls import until
from tests.processes import PATIENCE, Server, environment, running, started

SETTINGS = """
server: {port: 0, drain: 100s}
plugin_dirs: [my_plugins]
plugins:
  anonymous_auth:
  tortoise_store: {url: "sqlite://chatkit.db"}
  demo_model:
  says:
"""

PLUGIN = """
import asyncio
import os
from pathlib import Path
from aiohttp import web
from chatkit.types import AssistantMessageContent, AssistantMessageItem, ThreadItemDoneEvent
from chatkit_server import hookimpl
from .words import WORD

async def word(request):
    if "wait" in request.query:
        await let_go()
    return web.Response(text=WORD, headers={"Process": str(os.getpid())})

async def let_go():
    Path("waits").touch()
    while not Path("go").exists():
        await asyncio.sleep(0.01)

async def end(request):
    os._exit(7)

@hookimpl
def setup(app):
    app.router.add_get("/word", word)
    app.router.add_post("/end", end)

@hookimpl
async def respond(turn):
    yield said(turn, f"{WORD} begins")
    await let_go()
    yield said(turn, f"{WORD} ends")

def said(turn, text):
    content = [AssistantMessageContent(text=text)]
    return ThreadItemDoneEvent(item=turn.new_item(AssistantMessageItem, content=content))
"""


def write(folder: Path, word: str = "one") -> Path:
    """Write settings and a plugin that says a word; return the file of the word."""
    (folder / "settings.yaml").write_text(SETTINGS)
    plugins = folder / "my_plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "says.py").write_text(PLUGIN)
    words = plugins / "words.py"
    words.write_text(f"WORD = {word!r}\n")
    return words


@asynccontextmanager
async def reloading(folder: Path, *arguments: str) -> AsyncIterator[Server]:
    async with running(folder, "--reload", *arguments, env=environment()) as server:
        yield server
        # A worker of the server has its output too, and outlives nobody
        assert await server.stop() == 0, server.process.said


async def says(session: ClientSession) -> str:
    async with session.get("/word") as response:
        assert response.status == 200
        return await response.text()


def saying(session: ClientSession, word: str) -> Callable[[], Awaitable[bool]]:
    async def said() -> bool:
        return await says(session) == word

    return said


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_was_changed_answers_and_what_runs_goes_on(tmp_path: Path) -> None:
    words = write(tmp_path)
    async with reloading(tmp_path) as server, ClientSession(server.url) as other:
        chat = server.chat()
        answer = await chat.post({"messages": [{"role": "user", "content": "hi"}]})
        waiting = asyncio.create_task(other.get("/word", params={"wait": "1"}))
        assert await says(server.session) == "one"
        await until((tmp_path / "waits").exists)

        # The same size, and perhaps the same second
        words.write_text("WORD = 'two'\n")
        await server.process.line(r"reloaded in \d+\.\d\d s: my_plugins/words.py")
        # On the connections that were open before, and on new ones
        assert await says(server.session) == "two"
        async with ClientSession(server.url) as new:
            assert await says(new) == "two"

        (tmp_path / "go").touch()
        async with await waiting as response:
            assert await response.text() == "one"
        read = await chat.read(answer)
        assert read.text == "one beginsone ends"
        assert read.data[-1]["status"] == "completed"
        # Its connection, too, is the new one's by now
        await eventually(saying(other, "two"))

        await assert_mistakes_cost_nothing(server, words)
        assert len([line for line in server.process.output if "listens on" in line]) == 1


def is_running(process: int) -> bool:
    """Whether a process runs; one whose parent does not look has ended, too."""
    cmdline = Path(f"/proc/{process}/cmdline")
    return cmdline.exists() and cmdline.read_bytes() != b""


def write_word(words: Path, text: str) -> None:
    words.write_text(f"WORD = {text}\n")


async def assert_mistakes_cost_nothing(server: Server, words: Path) -> None:
    folder = words.parent.parent
    process, session = server.process, server.session
    goes_on = "not reloaded .*: the server goes on as before"
    process.errors.clear()
    write_word(words, "(")
    await process.line(r"my_plugins/words.py:1: SyntaxError: '\(' was never closed")
    await process.line(goes_on)
    assert await says(session) == "two"

    process.errors.clear()
    os.unlink(words)
    await process.line(r"plugins.says: .*my_plugins/says.py:\d+: .*words")
    await process.line(goes_on)
    assert await says(session) == "two"

    process.errors.clear()
    write_word(words, "'six'")
    await process.line("reloaded in .*words.py")
    assert await says(session) == "six"

    process.errors.clear()
    (folder / "settings.yaml").write_text(f"{SETTINGS}  new:\n")
    await process.line(r"plugins.new: unknown plugin")
    await process.line(goes_on)
    (folder / "my_plugins" / "new.py").write_text("")
    await process.line("reloaded in .*new.py")

    # Files that plugins write, and that only have another time
    process.errors.clear()
    (folder / "my_plugins" / "data.json").write_text("{}")
    os.utime(words)
    (folder / "settings.yaml").write_text(SETTINGS)
    await process.line("reloaded in .* s: settings.yaml$")


async def test_nobody_is_refused_while_files_are_saved(tmp_path: Path) -> None:
    words = write(tmp_path)
    done = asyncio.Event()
    seen: list[str] = []

    async def ask(session: ClientSession) -> None:
        while not done.is_set():
            seen.append(await says(session))

    async with reloading(tmp_path) as server, ClientSession(server.url) as other:
        asking = [asyncio.create_task(ask(each)) for each in (server.session, other)]
        for number in range(12):
            # As editors do that write another file and put it in place
            new = words.with_suffix(".new")
            new.write_text(f"WORD = 'number {number}'\n")
            new.replace(words)
            if number % 4 == 3:
                await eventually(saying(other, f"number {number}"))
        done.set()
        await asyncio.gather(*asking)
    assert set(seen) <= {"one", *(f"number {number}" for number in range(20))}


async def test_all_processes_end_together(tmp_path: Path) -> None:
    write(tmp_path)
    async with running(tmp_path, "--reload", env=environment()) as server:
        async with server.session.get("/word") as response:
            process = int(response.headers["Process"])
        answer = await server.chat().post({"messages": [{"role": "user", "content": "hi"}]})
        await until((tmp_path / "waits").exists)
        # All of them hear it from the terminal: once each, or the turn would end
        server.process.press_ctrl_c()
        await server.process.line("1 running turn .* a second signal ends")
        (tmp_path / "go").touch()
        assert (await server.chat().read(answer)).data[-1]["status"] == "completed"
        assert await server.process.end() == 0

    async with running(tmp_path, "--reload", env=environment()) as server:
        async with server.session.get("/word") as response:
            process = int(response.headers["Process"])
        server.process.send(signal.SIGKILL)
        await server.process.line("shutting down")
        await server.process.end()
        assert not is_running(process)


async def test_a_socket_of_the_file_system(tmp_path: Path) -> None:
    words = write(tmp_path)
    path = tmp_path / "chat.sock"
    arguments = ("run", "--reload", "--socket", "chat.sock")
    async with started(tmp_path, *arguments, env=environment()) as process:
        await process.line("listens on the socket")
        connector = UnixConnector(str(path))
        async with ClientSession("http://localhost", connector=connector) as session:
            assert await says(session) == "one"
            words.write_text("WORD = 'two'\n")
            await process.line("reloaded in .*words.py")
            assert await says(session) == "two"

            process.errors.clear()
            # Nobody waits for a server that ended; a GET would be sent to the next one, too
            async with ClientSession(
                "http://localhost", connector=UnixConnector(str(path))
            ) as last:
                await asyncio.gather(last.post("/end"), return_exceptions=True)
            await process.line(r"ended by itself \(exit status 7\), and is started again")
        async with ClientSession("http://localhost", connector=UnixConnector(str(path))) as session:
            assert await says(session) == "two"
        assert path.is_socket()
        assert await process.stop() == 0
    assert not path.exists()


def test_links_in_a_folder_of_plugins(tmp_path: Path) -> None:
    elsewhere, plugins = tmp_path / "elsewhere", tmp_path / "my_plugins"
    for folder in (plugins, elsewhere / "package", elsewhere / "data"):
        folder.mkdir(parents=True)
    module, part = elsewhere / "module.py", elsewhere / "package" / "part.py"
    for file in (module, part, part.with_name("__init__.py"), elsewhere / "data" / "text.md"):
        file.touch()
    (plugins / "module.py").symlink_to(module)
    (plugins / "package").symlink_to(elsewhere / "package")
    (elsewhere / "package" / "itself").symlink_to(elsewhere / "package")
    (plugins / "data").symlink_to(elsewhere / "data")
    (plugins / "nowhere.py").symlink_to(elsewhere / "nowhere.py")
    os.mkfifo(plugins / "pipe.py")
    sources = Sources()
    sources.add([], [plugins])
    assert {elsewhere, plugins / "package"} <= sources.directories()
    module.write_text("1")
    part.write_text("1")
    # Who knows how large the folder of a link is that is not a package?
    (elsewhere / "data" / "text.md").write_text("1")
    changed = {file.relative_to(plugins).as_posix() for file in sources.changed()}
    assert changed == {"module.py", "package/part.py"}


async def test_a_start_that_fails(tmp_path: Path) -> None:
    words = write(tmp_path)
    # No module of this name stays behind, from which its file would be known
    words.write_text("import sys\nsys.path.insert(0, '.')\nfrom mine_outside import WORD\n")
    outside = tmp_path / "mine_outside.py"
    outside.write_text("WORD = (\n")
    arguments = ("run", "--reload", "--port", "0")
    async with started(tmp_path, *arguments, env=environment()) as process:
        await process.line("not started .exit status 2.: tried again when a file changes")
        # Nothing else happens that would wake it
        assert await process.stop(signal.SIGINT) == 0
    async with started(tmp_path, *arguments, env=environment()) as process:
        await process.line("not started")
        outside.write_text("WORD = 'one'\n")
        found = await process.line(r"listens on http://127.0.0.1:(\d+)")
        again = ("run", "--reload", "--port", found[1])
        async with started(tmp_path, *again, env=environment()) as second:
            # No change of a file helps here
            await second.line("the port is in use")
            assert await second.end() == 2
        assert await process.stop() == 0
    arguments = ("run", "--reload", "--settings", "nowhere.yaml")
    async with started(tmp_path, *arguments, env=environment()) as process:
        await process.line("nowhere.yaml: no such file")
        assert await process.end() == 2


def test_a_bundled_plugin_may_lack_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def lack(module: str) -> None:
        asked.append(module)
        raise SettingsError("not installed: obstore")

    monkeypatch.setattr(supervisor, "import_module", lack)
    supervisor.import_bundled_plugins()
    assert "chatkit_plugins.attachments" in asked
