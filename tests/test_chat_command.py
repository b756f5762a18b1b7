"""`chatkit-server chat`: a conversation in the terminal, and what it makes of everything."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from aiohttp import web

from chatkit_server import Unauthorized, User, hookimpl
from chatkit_server.cli.chat import chat as chat_command
from chatkit_server.cli.chat import server as chat_server
from chatkit_server.cli.chat.dialog import Dialog, Interrupts
from chatkit_server.cli.chat.items import Sinks
from chatkit_server.cli.chat.keyboard import Left
from chatkit_server.cli.chat.place import Place, find_place, sign_in_hint, user_header
from chatkit_server.cli.chat.screen import Screen
from chatkit_server.cli.chat.session import Options, answer_once, connected, converse
from chatkit_server.cli.chat.started import started_server
from chatkit_server.cli.chat.view import View
from chatkit_server.cli.main import main
from chatkit_server.errors import SettingsError
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Gate, ModelServer
from tests.client import Chat
from tests.conftest import MakeChat
from tests.processes import MODULE, environment
from tests.proxy import Proxy, after_frames, at_once, inside_character
from tests.serving import served_by
from tests.test_elicitation import BOOK, BOOKED, told, waiting, with_flights
from tests.test_elicitation import connected as mcp_connected
from tests.test_resume import Kept

CTRL_C = "\x03"
PATIENCE = 20

__all__ = ["waiting"]


class Output(io.StringIO):
    """What the terminal shows; somebody may wait for a text in it."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def write(self, text: str) -> int:
        self._news.set()
        return super().write(text)

    async def wait_for(self, text: str) -> None:
        while text not in self.getvalue():
            self._news.clear()
            await self._news.wait()


class Typed:
    """A user who types these lines, and then leaves. The prompts are part of the output."""

    def __init__(self, out: io.StringIO, lines: Sequence[str]) -> None:
        self._out = out
        self._lines = list(lines)

    async def read(self, prompt: str, *, secret: bool = False, remembered: bool = False) -> str:
        line = self._lines.pop(0) if self._lines else CTRL_C
        self._out.write(f"{prompt}{line}\n")
        if line == CTRL_C:
            raise Left
        return line


@asynccontextmanager
async def dialog(
    chat: Chat, *lines: str, port: int | None = None
) -> AsyncIterator[tuple[Dialog, Output]]:
    """Open a conversation with a server, in which the user types these lines."""
    out = Output()
    screen = Screen(out)
    sinks = Sinks(screen, screen, screen)
    url = chat.client.make_url(chat.path)
    place = Place(url if port is None else url.with_port(port))
    async with connected(place, sinks) as server:
        task = asyncio.current_task()
        assert task is not None
        view = View(sinks, lambda id, url: f"kept {url[:10]}")
        yield Dialog(server, view, Typed(out, lines), Interrupts(task.cancel)), out


async def talk(chat: Chat, *lines: str, thread_id: str | None = None, port: Any = None) -> str:
    """Return what the terminal shows after the greeting."""
    async with dialog(chat, *lines, port=port) as (spoken, out):
        assert await converse(spoken, Options(thread_id)) == 0
    greeting, _, shown = out.getvalue().partition("\n")
    assert "/help" in greeting
    return shown


async def threads(chat: Chat) -> list[str]:
    return [each["id"] for each in (await chat.ask("threads.list"))["data"]]


# A conversation


async def test_what_the_showcase_shows_can_be_answered(make_chat: MakeChat) -> None:
    chat = await make_chat(plugins={"demo_model": {"pace": "1ms"}, "showcase": None})
    shown = await talk(
        chat,
        *("show a card", "1"),
        *("show a form", "/press 7", "", "Ann", "2", "", "2026-13-01", "", "y", "no \\", "sugar"),
        *("ask something", "1, Rooibos", "the blue one"),
        *("client tool", '{"city": "Bonn"}'),
        *("delete everything", "8"),
        *("ask something", CTRL_C, "/answer", "", ""),
        *("cite", "fail", "/threads", "/title Tea", "/items", "/delete", "y"),
    )
    assert "│ (Shipped)  [1] Like (0)\n│ [2] Where is it?  [3] Hide\nThis is your order.\n" in shown
    assert "you> 1\n│ (Tea shop)" in shown
    assert "Like (1)" in shown
    assert "Name (required)> \nThis has to be filled in.\nName (required)> Ann\n" in shown
    assert "Type a date" in shown
    assert "│ - name: Ann\n│ - tea: sencha\n│ - size: s\n" in shown
    assert "│ - note: no\n│ sugar" in shown
    assert "? Which teas?\n  1. Assam\n  2. Sencha\n" in shown
    assert '"answer": ["Assam", "Rooibos"]' in shown
    assert '? The tool get_location {"precise": false} runs in the page.' in shown
    assert '{"city": "Bonn"}\n{"city": "Bonn"}\n' in shown
    assert "[8] Approve  [9] Deny" in shown
    assert "│ Approved\n" in shown
    assert "Everything is deleted." in shown
    assert "(left open; /answer comes back to it)\nyou> /answer\n? Which teas?" in shown
    assert "(1) All about tea — https://example.com/tea" in shown
    assert "Error: The kettle is empty. Fill it, and try again. (/retry asks again)" in shown
    assert "*  1. " in shown
    assert "· title: Tea\n" in shown
    assert "· deleted" in shown
    assert await threads(chat) == []


async def test_commands(make_chat: MakeChat, tmp_path: Path) -> None:
    chat = await make_chat()
    thread = (await chat.say("add milk to my list")).thread_id
    shown = await talk(
        chat,
        *("/nwe", "/open", "/press x", "/press 9", "/items", "/up", "/retry", "/open 7"),
        *("/open 1", "/retry", "/model nothing/here", "hello", "/model -", "hello"),
        *("/attach /nowhere", "/new", "/say /help", "/threads", "/help", "/quit", "never sent"),
    )
    assert "unknown command /nwe. Did you mean `new`?" in shown
    assert "type it as /open N" in shown
    assert "nothing has the number 9" in shown
    assert shown.count("there is no conversation yet") == 1
    assert "there is no answer yet" in shown
    assert "there is no message yet" in shown
    assert "there is no conversation 7" in shown
    assert f"· {thread}" in shown
    assert "you> add milk to my list\n" in shown
    assert "nothing/here" in shown
    assert "cannot read /nowhere: No such file" in shown
    assert "never sent" not in shown
    assert len(await threads(chat)) == 2


class Liked:
    """Keeps feedback."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    @hookimpl
    async def feedback(self, kind: str) -> bool:
        self.kinds.append(kind)
        return True


async def test_files_feedback_and_questions_of_servers(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path, waiting: dict[str, Any]
) -> None:
    sections = with_flights(model_server, waiting)
    sections["plugins"]["attachments"] = {"url": str(tmp_path / "files")}
    liked = Liked()
    chat = await mcp_connected(await make_chat(liked, **sections))
    notes = tmp_path / "notes.txt"
    notes.write_text("Buy milk")
    model_server.reply("Read.")
    model_server.reply(BOOK)
    model_server.reply("Booked.")
    shown = await talk(
        chat,
        *(f"/attach {notes}", "What is in it?", "/up", "/down"),
        *("To Rome", "Window", "2", "", "/items"),
    )
    assert "· for the next message: notes.txt\n" in shown
    assert "Read.\n" in shown
    assert "Buy milk" in str(model_server.requests[0].body)
    assert liked.kinds == ["positive", "negative"]
    assert "Seat\n  1. Window\n  2. Aisle\n" in shown
    assert "Booked.\n" in shown
    assert told(model_server) == [BOOKED["now"]]
    assert "you> What is in it?\n  [file: notes.txt]\n" in shown


async def test_an_answer_that_runs_already_is_followed_to_its_end(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    asked = asyncio.create_task(chat.say("Count"))
    await gate.reached()
    [thread] = await threads(chat)
    async with dialog(chat) as (spoken, out):
        spoken.server.told = lambda _: None
        opened = asyncio.create_task(converse(spoken, Options(thread)))
        async with asyncio.timeout(PATIENCE):
            await out.wait_for("One, ")
        gate.open()
        assert await opened == 0
    assert (await asked).text == "One, two."
    assert "you> Count\n" in out.getvalue()
    assert out.getvalue().count("you> Count") == 1
    assert "One, two.\n" in out.getvalue()


# Lost connections


@pytest.mark.parametrize(
    "cuts",
    [
        [at_once],
        [after_frames(1), after_frames(2, more=7)],
        [after_frames(4, more=30), at_once, inside_character()],
    ],
    ids=["at once", "twice", "in a character"],
)
@pytest.mark.parametrize("clean", [False, True])
async def test_a_broken_connection_repeats_and_loses_nothing(
    make_chat: MakeChat,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    cuts: list[Any],
    clean: bool,
) -> None:
    monkeypatch.setattr(chat_server, "FIRST_PAUSE", 0.01)
    chat = await make_chat(**served_by(model_server))
    assert chat.client.port is not None
    model_server.reply("Grüße", ", ", "日本", " and ", "🎈", ".")
    async with Proxy(chat.client.port) as proxy:
        proxy.cuts.extend(cuts)
        proxy.clean = clean
        shown = await talk(chat, "Greet me", port=proxy.port)
    assert proxy.made == len(cuts)
    assert "connection lost, going on…\n" in shown
    told = re.sub(r"\n?(connection lost, going on…|connected again)\n", "", shown)
    assert "Grüße, 日本 and 🎈." in told
    assert len(model_server.requests) == 1


async def test_a_request_whose_response_is_lost_is_not_sent_twice_to_the_model(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_server, "FIRST_PAUSE", 0.01)
    chat = await make_chat(**served_by(model_server))
    assert chat.client.port is not None
    model_server.reply("Once.")
    async with Proxy(chat.client.port) as proxy, dialog(chat, port=proxy.port) as (spoken, out):
        proxy.lose[b"POST"] = 1
        await spoken.say("Hello")
    assert "Once.\n" in out.getvalue()
    assert len(model_server.requests) == 1
    assert len(await threads(chat)) == 1


async def test_of_a_turn_whose_server_is_gone_the_saved_part_is_shown(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_server, "FIRST_PAUSE", 0.01)
    store = MemoryStorePlugin()
    chat, other = [await make_chat(store, **served_by(model_server)) for _ in range(2)]
    assert chat.client.port is not None
    assert other.client.port is not None
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    async with Proxy(chat.client.port) as proxy, dialog(chat, port=proxy.port) as (spoken, out):
        asked = asyncio.create_task(spoken.say("Count"))
        await out.wait_for("One, ")
        proxy.target = other.client.port
        proxy.hang_up()
        await asked
        model_server.reply("One, two, three.")
        await spoken.retry()
    assert out.getvalue() == (
        "One, \nconnection lost, going on…\n"
        "Error: The answer was cut off. (/retry asks again)\nOne, two, three.\n"
    )


# Ctrl-C


async def test_ctrl_c_stops_the_model_and_again_leaves(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Kept()
    model_server.reply("One, ", gate, "two.")
    async with dialog(chat, "Count", "Again") as (spoken, out):
        talking = asyncio.create_task(converse(spoken, Options()))
        spoken.interrupts.leave = talking.cancel
        await out.wait_for("One, ")
        second = Gate()
        model_server.reply("Well", second)
        spoken.interrupts.press()
        async with asyncio.timeout(PATIENCE):
            await gate.left.wait()
            await second.reached()
        assert "One, \n(stopping" in out.getvalue()
        assert "Error: The answer was stopped. (/retry asks again)\nyou> Again" in out.getvalue()
        spoken.interrupts.press()
        spoken.interrupts.press()
        assert await talking == 130


# Scripts


async def once(chat: Chat, message: str, **options: Any) -> tuple[int, str]:
    async with dialog(chat) as (spoken, out):
        status = await answer_once(
            spoken, Options(message=message, **options), spoken.view.sinks.warn
        )
    return status, out.getvalue()


async def test_the_status_says_whether_the_turn_was_answered(make_chat: MakeChat) -> None:
    chat = await make_chat(plugins={"demo_model": {"pace": "1ms"}, "showcase": None})
    assert (await once(chat, "what is on my list?"))[0] == 0
    for message, said in (
        ("fail", "Error: The kettle is empty."),
        ("ask something", "The answer waits for you: chatkit-server chat --thread thr_"),
        ("delete everything", "The answer waits for you: chatkit-server chat --thread thr_"),
    ):
        status, shown = await once(chat, message)
        assert status == 1
        assert said in shown


class OnlyAnn:
    curl_credentials = '-H "Authorization: Bearer $TOKEN"'

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        if request.headers.get("Authorization") != "Bearer ann's":
            raise Unauthorized("Who are you?")
        return User("ann")


async def test_the_command_as_scripts_run_it(
    make_chat: MakeChat,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    chat = await make_chat(OnlyAnn())
    url = str(chat.client.make_url(chat.path))

    async def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = await asyncio.to_thread(main, ["chat", *arguments])
        return (status, *capsys.readouterr())

    asked = ("--url", url, "--token", "ann's")
    status, out, err = await run(*asked, "--message", "hello")
    assert (status, err) == (0, "")
    assert out.startswith("Hello! I am the demo model")
    assert out.count("\n") == 1
    status, out, _ = await run(*asked, "--json", stdin="hello\n")
    events = [json.loads(line) for line in out.splitlines()]
    assert (status, events[0]["type"]) == (0, "thread.created")
    assert events[-1]["item"]["content"][0]["text"].startswith("Hello")
    status, out, err = await run("--url", url, "--message", "hi")
    assert (status, out) == (2, "")
    assert err.startswith("chatkit-server: Who are you?\nSign in with --token TOKEN")
    status, out, err = await run(*asked, "--thread", "thr_nowhere", "--message", "hi")
    assert (status, out, err) == (1, "", "chatkit-server: Conversation not found.\n")
    status, out, err = await run("--url", f"{url}/nothing", "--message", "hi")
    assert (status, out) == (2, "")
    assert re.fullmatch(r"chatkit-server: no chat endpoint: .*\. Check the path of --url\n", err)
    status, out, err = await run("--url", "localhost:1", "--message", "hi")
    assert (status, out) == (2, "")
    assert "no server answers at http://localhost:1/api/chat: Connection refused\n" in err
    assert "chatkit-server run" in err


async def test_a_server_is_started_for_the_conversation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.yaml").write_text(
        "plugins: {anonymous_auth: , tortoise_store: , demo_model: {pace: 1ms}}\n"
    )
    assert await asyncio.to_thread(main, ["chat", "--start", "--message", "hello"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Hello! I am the demo model")
    url = re.search(r"started a server for this conversation: (http://127\.\S+)", err)
    assert url is not None
    assert await asyncio.to_thread(main, ["chat", "--url", url[1], "--message", "hello"]) == 2
    assert "no server answers" in capsys.readouterr().err
    with pytest.raises(SettingsError, match=r"has not started:\n.*: no such file"):
        async with started_server(tmp_path / "nowhere.yaml"):
            pass


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--url", "http://x"], "the message is empty"),
        (["--message", "x"], "no such file"),
        (["--url", "ftp://x", "--message", "x"], "expected http://HOST:PORT/api/chat"),
        (["--url", "http://x", "--header", "x", "--message", "x"], "expected 'NAME: VALUE'"),
        (["--url", "http://x", "--user", "ann", "--message", "x"], "no `auth` plugin that"),
        (["--url", "http://x", "--header", "x: a\nb", "--message", "x"], "expected 'NAME: VALUE'"),
        (["--url", "http://x", "--token", "a\nb", "--message", "x"], "a token is one line"),
        (["--url", "http://x", "--user", "a\nb", "--message", "x"], "control characters"),
        (["--url", "http://x", "--start", "--message", "x"], "leave --url out"),
    ],
)
def test_wrong_options_are_explained(
    arguments: list[str], wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises((click.UsageError, SettingsError)) as refused:
        chat_command.main(arguments, standalone_mode=False)
    assert wrong in str(refused.value)


def test_a_user_is_named_as_the_plugin_wants_it(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    plugins = "anonymous_auth: {user_header: X-User}"
    file.write_text(f"server: {{host: 0.0.0.0, port: 9000, path: /c}}\nplugins: {{{plugins}}}\n")
    place = find_place(file, None, None)
    assert str(place.url) == "http://127.0.0.1:9000/c"
    assert user_header(place.settings, "ann") == {"X-User": "ann"}
    assert "X-User: somebody" in sign_in_hint(place.settings)
    assert str(find_place(file, "https://example.com", None).url) == "https://example.com/c"
    assert find_place(file, None, Path("s.sock")).socket == Path("s.sock")


CLAIM = (
    "import fcntl, os, sys, termios;"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal its own, so that Ctrl-C there is its signal."""


class Pty:
    """A process whose terminal the test is."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        self._terminal, theirs = pty.openpty()
        env = environment(TERM="xterm", XDG_STATE_HOME=str(folder))
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLAIM, *MODULE, "chat", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        os.close(theirs)
        self._text = ""

    async def until(self, text: str) -> str:
        """Wait for a text that is shown; return what was shown before it."""
        async with asyncio.timeout(PATIENCE):
            while text not in self._text:
                self._text += await asyncio.to_thread(self._read)
        before, _, self._text = self._text.partition(text)
        return before

    def _read(self) -> str:
        assert select.select([self._terminal], [], [], PATIENCE)[0]
        return os.read(self._terminal, 65536).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        try:
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            os.close(self._terminal)


PROMPT = "you> \x1b[0m"


async def test_a_terminal_with_its_keys(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    model_server.reply("Fine.\x1b[2J")
    terminal = Pty("--url", str(chat.client.make_url(chat.path)), folder=tmp_path)
    try:
        await terminal.until(PROMPT)
        # What is pasted is one message
        terminal.type("\x1b[200~Count\nslowly\x1b[201~\r")
        await terminal.until("One, ")
        terminal.type(CTRL_C)
        assert "The answer was stopped." in await terminal.until(PROMPT)
        terminal.type("Well?\r")
        shown = await terminal.until(PROMPT)
        assert "Fine.\\x1b[2J" in shown
        # The history: up, and Enter
        terminal.type("\x1b[A\r")
        await terminal.until("You said: Well?")
        await terminal.until(PROMPT)
        terminal.type(CTRL_C)
    finally:
        status = await asyncio.to_thread(terminal.end)
    assert status == 0
    thread = (await threads(chat))[0]
    items = (await chat.ask("items.list", thread_id=thread, order="asc"))["data"]
    assert items[0]["content"][0]["text"] == "Count\nslowly"
    assert "Well?" in (tmp_path / "chatkit-server" / "chat_history").read_text()
