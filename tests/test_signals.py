"""Signals end a server, whatever hangs in it."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector

from tests.mcp_calls import until
from tests.processes import Process, environment, running, started

SETTINGS = """
server: {drain: 100ms, port: 0}
hooks: {timeout: 100s}
plugin_dirs: [my_plugins]
plugins:
  anonymous_auth:
  tortoise_store: {url: "sqlite://chatkit.db"}
  demo_model: {pace: 20ms}
  hangs:
"""

PLUGIN = """
import asyncio, ctypes, operator, os, re, threading, time
from functools import partial
from chatkit_server import hookimpl
from chatkit_server.plugin import startup
from chatkit_server.shutdown import signals

signals.GRACE = 2.0
startup.SLOW_END = 0.2

async def never_end():
    print("HANGS", flush=True)
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass

def block():
    print("HANGS", flush=True)
    time.sleep(1000)

def at_once(hang):
    # A signal comes right after the line. All is one call of C: no other thread can read it first
    write = partial(ctypes.PyDLL(None).write, 1, b"HANGS\\n", 6)
    list(map(operator.call, (write, hang)))

def hold():
    at_once(partial(sum, range(10**12)))

def in_start(): block()

async def at_start(): await never_end()

async def in_thread():
    threading.Thread(target=block).start()

async def in_executor():
    asyncio.get_running_loop().run_in_executor(None, block)

async def in_task():
    asyncio.current_task().kept = asyncio.create_task(never_end(), name="mine")

async def hang(request):
    block() if KIND == "in_loop" else hold()

async def in_regex():
    at_once(partial(re.compile("(a+)+b").match, "a" * 60))

async def unread():
    # As when the terminal is gone, or `head` has ended
    read, write = os.pipe()
    os.close(read)
    for descriptor in (1, 2):
        os.dup2(write, descriptor)

async def nothing():
    if KIND not in ("in_loop", "held"):
        print("HANGS", flush=True)

KIND = os.environ["HANG"]

@hookimpl
def setup(app):
    if KIND == "in_setup":
        block()
    async def context(app):
        await globals().get(KIND, nothing)()
        yield
        if KIND == "at_end":
            await never_end()
        if KIND == "slow_end":
            await asyncio.sleep(1000)
    app.cleanup_ctx.append(context)
    app.router.add_get("/hang", hang)

@hookimpl
async def pre_turn(turn):
    if KIND == "pre_turn":
        await never_end()
"""

ASKED = ("in_loop", "held")
"""Those that hang when they are asked to."""

AFTER_START = ("at_end", "in_thread", "in_executor", "in_task", *ASKED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with settings, and a plugin that hangs as the variable HANG says."""
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "hangs.py").write_text(PLUGIN)
    return tmp_path


async def ended(process: Process, *numbers: signal.Signals) -> tuple[int, float]:
    """Send signals, and return the exit status and the seconds until the end."""
    began = time.monotonic()
    for number in numbers:
        process.send(number)
    return await process.end(), time.monotonic() - began


def has_ended(pid: str) -> bool:
    """Whether a process is gone, or nobody has looked at its end yet."""
    command = Path("/proc", pid, "cmdline")
    return not command.exists() or not command.read_text()


async def of_each(
    folder: Path, kinds: tuple[str, ...], look: Callable[[str, Process], Awaitable[None]]
) -> None:
    """Start a server for each kind of hanging, all at once, and look at each when it hangs."""

    async def try_it(kind: str) -> None:
        own = folder / kind
        own.mkdir()
        async with AsyncExitStack() as stack:
            arguments = ("run", "--settings", "../settings.yaml")
            process = await stack.enter_async_context(
                started(own, *arguments, env=environment(HANG=kind))
            )
            if kind in AFTER_START:
                port = (await process.line(r"listens on http://127.0.0.1:(\d+)"))[1]
            if kind in ASKED:
                _, writer = await asyncio.open_connection("127.0.0.1", int(port))
                writer.write(b"GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n")
                stack.callback(writer.close)
            await process.line("HANGS")
            await look(kind, process)

    async with asyncio.TaskGroup() as group:
        for kind in kinds:
            group.create_task(try_it(kind))


async def test_one_signal_ends_it_within_its_limit(folder: Path) -> None:
    """GRACE is two seconds here. The rest is for slow machines; nothing would end otherwise."""

    async def look(kind: str, process: Process) -> None:
        number = signal.SIGHUP if kind == "in_thread" else signal.SIGTERM
        status, seconds = await ended(process, number)
        assert seconds < 20, kind
        if kind == "held":
            assert status == -signal.SIGKILL
            assert "Still running: at_once (" in process.said
        else:
            assert status == 3
            assert "Still running: " in process.said
            assert "hangs.py:" in process.said
        assert "listens on" in process.said or kind == "at_start"

    await of_each(folder, ("at_start", "at_end", "in_thread", "in_task", "in_loop", "held"), look)


async def test_two_signals_end_it_within_two_seconds(folder: Path) -> None:
    """The MCP server ignores that its input ends, and SIGTERM: its parent has to kill it."""
    script = """trap "" TERM; echo $$ > pid; exec sleep 1000"""
    server = f"{{name: deaf, command: sh, args: [-c, '{script}']}}"
    more = f"  mcp_servers: {{servers: [{server}]}}\n"
    (folder / "settings.yaml").write_text(SETTINGS.replace("100ms", "10m") + more)

    async def look(kind: str, process: Process) -> None:
        child = folder / kind / "pid"
        if kind in AFTER_START:
            await until(child.exists)
        status, seconds = await ended(process, signal.SIGTERM, signal.SIGINT)
        assert seconds < 20, kind
        assert status == (-signal.SIGKILL if kind in ("held", "in_regex") else 3)
        if kind in AFTER_START:
            await until(lambda: has_ended(child.read_text().strip()))

    await of_each(folder, ("in_executor", "in_regex", "held"), look)


async def test_a_signal_before_the_server_begins_ends_it_at_once(folder: Path) -> None:
    async def look(kind: str, process: Process) -> None:
        status, seconds = await ended(process, signal.SIGTERM)
        assert (status, seconds < 20) == (0, True)

    await of_each(folder, ("in_setup",), look)


async def test_hanging_up_cuts_nothing_off(folder: Path) -> None:
    """A plugin that does not end keeps nobody else from ending."""
    env = environment(HANG="slow_end", CHATKIT_SERVER__DRAIN="10m")
    async with running(folder, env=env) as server:
        body = {"messages": [{"role": "user", "content": "hello"}]}
        async with server.session.post(server.path, json=body) as stream:
            async for line in stream.content:
                if b'"content"' in line:
                    break
            server.process.send(signal.SIGHUP)
            await server.process.line("shutting down: 1 running turn")
            server.process.send(signal.SIGHUP)
            assert '"status":"completed"' in await stream.text()
        assert await server.process.end() == 0
        await server.process.line("plugin hangs: `context` did not end within 0.2 s")


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


async def test_nobody_has_to_read_what_it_writes(folder: Path) -> None:
    text = SETTINGS.replace("port: 0", "socket: c.sock")
    (folder / "settings.yaml").write_text(text)
    async with started(folder, "run", env=environment(HANG="unread")) as process:
        # The file is there a moment before the server listens
        await until(lambda: answers(folder / "c.sock"))
        connector = UnixConnector(str(folder / "c.sock"))
        async with ClientSession("http://localhost", connector=connector) as session:
            assert (await session.get("/readyz")).status == 200
            body = {"messages": [{"role": "user", "content": "add buy milk to my list"}]}
            async with session.post("/api/chat", json=body) as response:
                assert '"done":true' in await response.text()
        assert await process.stop() == 0
        assert not process.output


IGNORED = """
import os, signal
from chatkit_server.shutdown.signals import Signals

signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
Signals()
os.kill(os.getpid(), signal.SIGHUP)
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, b".")
    signal.pause()
os.read(read, 1)
os.kill(child, signal.SIGTERM)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), flush=True)
os.kill(os.getpid(), signal.SIGINT)
signal.pause()
"""


def test_what_was_ignored_stays_so_and_children_have_their_own_signals() -> None:
    done = subprocess.run([sys.executable, "-c", IGNORED], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{-signal.SIGTERM}\n", "")
