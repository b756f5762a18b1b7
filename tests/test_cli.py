"""The command line: what a user types, sees, interrupts and starts again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from chatkit.types import AssistantMessageItem
from chatkit_plugins.demo_model import INTRODUCTION

import chatkit_server
from chatkit_server import User
from chatkit_server.cli.main import main
from chatkit_server.storage import StoreContext
from tests.client import Chat
from tests.processes import MODULE, PATIENCE, SCRIPT, Process, environment, running, started
from tests.stores import opened

SETTINGS = Path(chatkit_server.__file__).parent.parent / "settings.yaml"
PLUGINS = "anonymous_auth, tortoise_store, demo_model, todo_mcp, chat_page"
IMPORTS = (MODULE[0], "-X", "importtime")
SLOWLY = {"CHATKIT_PLUGINS__DEMO_MODEL__PACE": "50ms"}
QUICKLY = {"CHATKIT_PLUGINS__DEMO_MODEL__PACE": "5ms"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the default settings."""
    shutil.copy(SETTINGS, tmp_path)
    return tmp_path


def assert_quiet(process: Process) -> None:
    """Nothing that it said may alarm anybody."""
    assert not re.search("Traceback|Warning|WARNING|ERROR|Exception", process.said), process.said


async def run_line(line: str, chat: Chat) -> list[dict[str, Any]]:
    """Do what a printed line says, with curl where there is one; return the events."""
    words = shlex.split(line)
    assert words[:2] == ["curl", "-N"]
    if shutil.which("curl") is None:
        return (await chat.read(await chat.post(words[4].encode()))).data
    process = await asyncio.create_subprocess_exec(*words, "-sS", stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    lines = output.decode().split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


async def begun(chat: Chat, thread_id: str) -> ClientResponse:
    """Ask for a long answer, and return its stream when the first words have come."""
    body = {"messages": [{"role": "user", "content": "hello"}], "thread_id": thread_id}
    response = await chat.post(body)
    async for line in response.content:
        if b'"content"' in line:
            return response
    raise AssertionError("the stream ended without a word")


async def saved_answers(folder: Path, thread_id: str) -> list[str]:
    """Return the assistant's messages in the database that a server left behind."""
    async with opened(f"sqlite://{folder / 'chatkit.db'}") as store:
        local = StoreContext(User("local"))
        items = await store.load_thread_items(thread_id, None, 100, "asc", local)
    answers = [item for item in items.data if isinstance(item, AssistantMessageItem)]
    return ["".join(part.text for part in item.content) for item in answers]


def imported(said: str) -> set[str]:
    """Return the modules that `-X importtime` tells of."""
    return {line.rpartition("|")[2].strip() for line in said.splitlines() if "|" in line}


# A life


async def test_a_life_of_the_default_server(folder: Path) -> None:
    # Libraries warn as they are imported, which ends nothing
    strict = environment(PYTHONWARNINGS="error")
    async with running(folder, env=strict, command=(*IMPORTS, *SCRIPT)) as first:
        chat, process = first.chat(), first.process
        assert f"  settings: {folder / 'settings.yaml'}" in process.output
        assert "  model:    demo/todo" in process.output
        assert f"  plugins:  {PLUGINS}" in process.output
        events = await run_line((await process.line("curl .*"))[0], chat)
        called = next(event["tool_call"] for event in events if "tool_call" in event)
        assert called["name"] == "add_task"
        assert called["arguments"] == {"title": "buy milk"}
        assert "".join(event.get("content", "") for event in events) == called["result"]
        assert events[-1]["done"] is True
        thread_id = events[0]["thread_id"]
        assert await first.stop(signal.SIGTERM) == 0
        process.errors.remove((await process.line("py.warnings: .*named widget classes")).string)
        assert_quiet(process)
        assert "agents" in imported(process.said)
        assert "litellm" not in imported(process.said)

    async with running(folder, env=environment(**SLOWLY)) as second:
        chat = second.chat()
        thread = await chat.ask("threads.get_by_id", thread_id=thread_id)
        assert thread["items"]["data"][0]["content"][0]["text"] == "add buy milk to my list"
        answer = await chat.plain("what is on my list?", thread_id=thread_id)
        assert "buy milk" in answer.text
        await chat.plain("add buy eggs to my list", thread_id=thread_id)
        stream = await begun(chat, thread_id)
        assert await second.stop(signal.SIGKILL) == -signal.SIGKILL
        stream.close()

    async with running(folder, env=environment(**SLOWLY, CHATKIT_SERVER__DRAIN="1ms")) as third:
        chat = third.chat()
        thread = await chat.ask("threads.get_by_id", thread_id=thread_id)
        users = [i for i in thread["items"]["data"] if i["type"] == "user_message"]
        assert users[-1]["content"][0]["text"] == "hello"
        tasks = await chat.plain("what is on my list?")
        assert "buy milk" in tasks.text
        assert "buy eggs" in tasks.text
        stream = await begun(chat, tasks.data[0]["thread_id"])
        assert await third.stop(signal.SIGINT) == 0
        rest = await chat.read(stream)
        assert any("error" in event for event in rest.data)
        # It ended what the second had left
        recovered = await third.process.line("WARNING .* recovered turn .* of a dead process")
        third.process.errors.remove(recovered.string)
        assert_quiet(third.process)
    *_, partial = await saved_answers(folder, tasks.data[0]["thread_id"])
    assert partial.startswith("Hello!")
    assert not partial.endswith(INTRODUCTION)


async def test_one_signal_lets_turns_end_and_two_end_them(folder: Path) -> None:
    async with running(folder, env=environment(**QUICKLY)) as server:
        chat = server.chat()
        whole = await chat.plain("hello")
        thread_id = whole.data[0]["thread_id"]
        stream = await begun(chat, thread_id)
        server.process.send(signal.SIGTERM)
        rest = await chat.read(stream)
        assert rest.data[-1]["done"] is True
        assert await server.process.end() == 0
        assert_quiet(server.process)
    assert await saved_answers(folder, thread_id) == [whole.text, whole.text]

    async with running(folder, env=environment(**SLOWLY)) as server:
        chat = server.chat()
        stream = await begun(chat, thread_id)
        server.process.press_ctrl_c()
        await server.process.line("1 running turn .* a second signal ends")
        server.process.press_ctrl_c()
        rest = await chat.read(stream)
        assert any("error" in event for event in rest.data)
        assert await server.process.end() == 0
        assert_quiet(server.process)
    *_, partial = await saved_answers(folder, thread_id)
    assert whole.text.startswith(partial)
    assert 0 < len(partial) < len(whole.text)


# Before it listens


async def test_a_signal_while_it_imports(folder: Path) -> None:
    command = (*IMPORTS, *MODULE[1:])
    async with started(folder, "run", env=environment(), command=command) as process:
        await process.line(r"\bagents\.items$")
        assert await process.stop(signal.SIGTERM) == 0
        assert not process.output
        assert "Traceback" not in process.said
    assert not (folder / "chatkit.db").exists()


async def test_a_signal_while_it_waits_for_its_database(folder: Path) -> None:
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()  # to the end
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    env = environment(DATABASE_URL=f"postgresql://u:p@127.0.0.1:{port}/d?sslmode=disable")
    async with server, started(folder, "run", "--port", "0", env=env) as process:
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        assert await process.stop(signal.SIGINT) == 0
        assert not process.output
        assert_quiet(process)


# What cannot start


@dataclass(frozen=True)
class Ended:
    """What came of a command that has ended."""

    status: int
    output: list[str]
    errors: list[str]


@dataclass(frozen=True)
class Case:
    """A start that must fail, and the pattern of each line it must say."""

    lines: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    append: str = ""
    replace: tuple[str, str] = ("", "")


CASES = {
    "no settings": Case(
        (r"/nowhere/settings.yaml: no such file\. .*--settings FILE",),
        ("--settings", "nowhere/settings.yaml"),
    ),
    "wrong settings": Case(
        (
            r"settings.yaml:\d+: server.port: .*integer.*'many'",
            r"settings.yaml:\d+: server.prot: unknown key\. Did you mean `port`\?",
        ),
        replace=("host: 127.0.0.1\n  port: 8000", "prot: 8000\n  port: many"),
    ),
    "missing variable": Case(
        (r"settings.yaml:\d+: agent.model: the environment variable MY_MODEL is not set",),
        replace=("${CHATKIT_MODEL:-demo/todo}", "${MY_MODEL}"),
    ),
    "unknown plugin": Case(
        (r"settings.yaml:\d+: plugins.demo_modle: unknown plugin\. Did you mean `demo_model`\?",),
        append="  demo_modle:\n",
    ),
    "unknown model": Case(
        (r"settings.yaml:\d+: agent.model: no enabled plugin serves the model `gpt/x`",),
        env={"CHATKIT_MODEL": "gpt/x"},
    ),
    "strangers": Case(
        (r"plugin anonymous_auth: server.host is '0.0.0.0', .*Listen on 127.0.0.1, or .*jwt_auth",),
        ("--host", "0.0.0.0"),
    ),
    "busy port": Case(
        (r"cannot listen on 127.0.0.1, port \d+: the port is in use\. .*another with --port",),
        ("--port", "BUSY"),
    ),
    "PostgreSQL away": Case(
        (r"cannot use PostgreSQL 127.0.0.1:1/d: .*\. Check plugins.tortoise_store.url",),
        env={"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/d"},
    ),
    "migrations not done": Case(
        (r"SQLite /.*/chatkit.db has pending migrations .*: run `chatkit-server migrate`, or set",),
        env={"CHATKIT_PLUGINS__TORTOISE_STORE__AUTO_MIGRATE": "false"},
    ),
    "no folder": Case(
        (r"cannot use SQLite /.*/nowhere/a.db: there is no folder /.*/nowhere\. Check plugins",),
        env={"DATABASE_URL": "sqlite://nowhere/a.db"},
    ),
    "no database file": Case(
        (r"cannot use SQLite /.*: this is a folder\. Name a file in it\. Check plugins",),
        env={"DATABASE_URL": "sqlite://."},
    ),
}


async def ended(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    command: tuple[str, ...] | None = None,
) -> Ended:
    """Run a command that ends by itself."""
    env = environment() if env is None else env
    async with started(folder, *arguments, env=env, command=command) as process:
        return Ended(await process.end(), process.output, process.errors)


@pytest.mark.parametrize("name", CASES)
async def test_what_cannot_start_says_why_in_a_line(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    text = SETTINGS.read_text().replace(*case.replace) + case.append
    (tmp_path / "settings.yaml").write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        given = [port if argument == "BUSY" else argument for argument in case.arguments]
        start = await ended(tmp_path, "run", "--port", "0", *given, env=environment(**case.env))
    assert start.status == 2
    assert start.output == []
    assert len(start.errors) == len(case.lines), start.errors
    for line, pattern in zip(start.errors, case.lines, strict=True):
        assert line.startswith("chatkit-server: ")
        assert re.search(pattern, line), line
        assert "hunter2" not in line


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", f"--port={port}"]) == 2
    assert "'--port': expected a number from 0 to 65535" in capsys.readouterr().err


# Elsewhere, and other commands

LOUD = """
from chatkit_server import hookimpl

@hookimpl
async def tool_result(turn, call, result):
    result.output = result.output.upper()
"""


async def test_plugins_are_beside_the_settings_and_data_where_it_runs(tmp_path: Path) -> None:
    """The command line's host counts, too: that of the settings is nobody's."""
    etc, work = tmp_path / "etc", tmp_path / "work"
    (etc / "my_plugins").mkdir(parents=True)
    (etc / "my_plugins" / "loud.py").write_text(LOUD)
    work.mkdir()
    text = SETTINGS.read_text().replace("host: 127.0.0.1", "host: 192.0.2.1")
    more = "  loud:\n  conversation_log: {path: logs/turns.jsonl}\n"
    (etc / "settings.yaml").write_text(text + more)
    arguments = ("--settings", "../etc/settings.yaml", "--host", "127.0.0.1")
    async with running(work, *arguments) as server:
        assert server.url.startswith("http://127.0.0.1:")
        answer = await server.chat().plain("add buy milk to my list")
        assert "BUY MILK" in answer.text
        assert await server.stop() == 0
        assert_quiet(server.process)
    assert (work / "chatkit.db").is_file()
    assert "BUY MILK" in (work / "logs" / "turns.jsonl").read_text()
    assert sorted(os.listdir(etc)) == ["my_plugins", "settings.yaml"]


async def test_check_starts_nothing(folder: Path) -> None:
    check = await ended(folder, "check")
    assert check.output == [f"{folder / 'settings.yaml'}: OK. Plugins: {PLUGINS}"]
    assert (check.status, check.errors) == (0, [])
    assert os.listdir(folder) == ["settings.yaml"]


async def test_help_imports_nothing_that_takes_long(folder: Path) -> None:
    told = await ended(folder, "--help", command=(*IMPORTS, *MODULE[1:]))
    assert told.status == 0
    assert {"run", "check", "migrate"} <= set(" ".join(told.output).split())
    found = imported("\n".join(told.errors))
    assert "chatkit_server.cli.main" in found
    assert not {"agents", "openai", "litellm", "mcp", "aiohttp", "tortoise"} & found


async def test_version_and_nothing(folder: Path) -> None:
    version = await ended(folder, "--version", command=SCRIPT)
    assert (version.status, version.output) == (0, [chatkit_server.__version__])
    nothing = await ended(folder, command=MODULE)
    assert nothing.status == 2
    assert any("COMMAND" in line for line in nothing.errors)


async def test_migrations_by_hand(folder: Path) -> None:
    env = environment(CHATKIT_PLUGINS__TORTOISE_STORE__AUTO_MIGRATE="false")
    done = await ended(folder, "migrate", env=env)
    assert (done.status, done.errors) == (0, [])
    for app in ("tortoise_store", "todo"):
        line = f"tortoise_store: SQLite {folder / 'chatkit.db'}: applied {app}.0001_initial"
        assert line in done.output
    async with running(folder, env=env) as server:
        assert (await server.chat().plain("add buy milk to my list")).data[-1]["done"] is True
        assert await server.stop() == 0
        assert_quiet(server.process)
