"""Signals end a server, whatever hangs in it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.processes import Process, environment, started

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
import asyncio, ctypes, os, re, threading, time
from chatkit_server import hookimpl
from chatkit_server.shutdown import signals

signals.GRACE = 2.0

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

def hold():
    print("HANGS", flush=True)
    sum(range(10**12))

def in_start(): block()

async def at_start(): await never_end()

async def in_thread():
    threading.Thread(target=block).start()

async def in_executor():
    asyncio.get_running_loop().run_in_executor(None, block)

async def in_task():
    asyncio.current_task().kept = asyncio.create_task(never_end(), name="mine")

async def in_loop():
    asyncio.get_running_loop().call_later(0.1, block)

async def held():
    asyncio.get_running_loop().call_later(0.1, hold)

async def in_regex():
    print("HANGS", flush=True)
    re.match("(a+)+b", "a" * 60)

async def nothing(): print("HANGS", flush=True)

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
    if KIND == "forks":
        if os.fork() == 0:
            os.execlp("sleep", "sleep", "1000")

@hookimpl
async def pre_turn(turn):
    if KIND == "pre_turn":
        await never_end()
"""

AFTER_START = ("at_end", "in_thread", "in_executor", "in_task", "in_loop", "held")


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
            await process.line("HANGS")
            if kind in AFTER_START:
                await process.line("listens on")
            await look(kind, process)

    async with asyncio.TaskGroup() as group:
        for kind in kinds:
            group.create_task(try_it(kind))


async def test_one_signal_ends_it_within_its_limit(folder: Path) -> None:
    """GRACE is two seconds here. The rest is for slow machines; nothing would end otherwise."""

    async def look(kind: str, process: Process) -> None:
        number = signal.SIGHUP if kind == "in_thread" else signal.SIGTERM
        status, seconds = await ended(process, number)
        assert seconds < 8, kind
        if kind == "held":
            assert status == -signal.SIGKILL
            assert "Still running: hold (" in process.said
        else:
            assert status == 3
            assert "Still running: " in process.said
            assert "hangs.py:" in process.said
        assert "listens on" in process.said or kind == "at_start"

    await of_each(folder, ("at_start", "at_end", "in_thread", "in_task", "in_loop", "held"), look)


async def test_two_signals_end_it_within_two_seconds(folder: Path) -> None:
    (folder / "settings.yaml").write_text(SETTINGS.replace("100ms", "10m"))

    async def look(kind: str, process: Process) -> None:
        status, seconds = await ended(process, signal.SIGTERM, signal.SIGINT)
        assert seconds < 6, kind
        assert status == (-signal.SIGKILL if kind in ("held", "in_regex") else 3)

    await of_each(folder, ("in_executor", "in_regex", "held"), look)


async def test_a_signal_before_the_server_begins_ends_it_at_once(folder: Path) -> None:
    async def look(kind: str, process: Process) -> None:
        status, seconds = await ended(process, signal.SIGTERM)
        assert (status, seconds < 5) == (0, True)

    await of_each(folder, ("in_setup",), look)
