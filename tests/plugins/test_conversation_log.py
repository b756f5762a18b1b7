"""A line of JSON for each turn, whatever the turn said and the disk does."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from agents import Usage
from aiohttp import web
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
)
from chatkit_plugins.conversation_log import Config, Plugin
from chatkit_plugins.conversation_log.files import RotatedFile

from chatkit_server import (
    HOOKS,
    SETTINGS,
    Outcome,
    Settings,
    SettingsError,
    ToolCall,
    ToolResult,
    Turn,
    User,
    add_secret,
)
from chatkit_server.plugin.calls import Hooks
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source
from chatkit_server.storage import StoreContext
from tests.disks import fill

NOW = datetime.now(UTC)
THREAD = ThreadMetadata(id="thr_1", created_at=NOW)

Running = Callable[..., Any]


def said(text: str) -> UserMessageItem:
    content: Any = [UserMessageTextContent(text=text)]
    options = InferenceOptions()
    return UserMessageItem(
        id="msg_1", thread_id="thr_1", created_at=NOW, content=content, inference_options=options
    )


def answered(*texts: str) -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text) for text in texts]
    return AssistantMessageItem(id="msg_2", thread_id="thr_1", created_at=NOW, content=content)


def turn(text: str | None = "Add milk.", **given: Any) -> Turn:
    user = User("anna", tenant="acme", claims={"secret": "claim"})
    store: Any = None
    return Turn(
        thread=THREAD,
        store=store,
        request_context=StoreContext(user),
        user=user,
        operation="threads.create",
        message=None if text is None else said(text),
        **given,
    )


def outcome(*items: ThreadItem, **given: Any) -> Outcome:
    usage = Usage(requests=1, input_tokens=120, output_tokens=30, total_tokens=150)
    told: dict[str, Any] = {
        "status": "completed",
        "seconds": 1.25,
        "tools": [],
        "usage": usage,
        "model": "demo/todo",
        "first_token": 0.5,
    }
    return Outcome(items=list(items), **(told | given))


@asynccontextmanager
async def running(*plugins: Plugin) -> AsyncIterator[Callable[[Turn, Outcome], Awaitable[None]]]:
    """Run an application with the plugins, and give the hook of a turn's end."""
    app = web.Application()
    app[SETTINGS] = Settings()
    hooks = app[HOOKS] = Hooks.of([(f"log_{i}", p) for i, p in enumerate(plugins)])
    hooks.boot_all("setup", app=app)
    runner = web.AppRunner(app)
    await runner.setup()

    async def finish(turn: Turn, outcome: Outcome) -> None:
        await hooks.each("post_turn", turn=turn, outcome=outcome)

    try:
        yield finish
    finally:
        await runner.cleanup()


def plugin(**config: Any) -> Plugin:
    return Plugin(validate(Config, config, Source(), ("plugins", "conversation_log")))


def lines(*files: Path) -> list[dict[str, Any]]:
    """Return the records of files, each of whose lines must be whole."""
    texts = [file.read_bytes() for file in files]
    assert all(text.endswith(b"\n") for text in texts)
    return [json.loads(line) for text in texts for line in text.splitlines()]


def content(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def remove_file(file: Path) -> None:
    file.unlink()


def remove(file: Path) -> None:
    """Remove a file and its folder."""
    file.unlink()
    file.parent.rmdir()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""

    def wait() -> None:
        for _ in range(5000):
            if condition():
                return
            time.sleep(0.002)
        raise AssertionError("it did not come to pass")

    await asyncio.to_thread(wait)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "conversations.jsonl"


TOOLS = [
    (
        ToolCall("c1", "add_task", {"title": "milk"}, server="todo"),
        ToolResult("added: milk", seconds=0.125),
    ),
    (ToolCall("c2", "search", {"q": "shop"}), ToolResult("no network", failed=True, seconds=2)),
]


# What is written


async def test_a_line_tells_all_of_a_turn(file: Path) -> None:
    given = turn()
    async with running(plugin(path=str(file))) as finish:
        before = datetime.now(UTC)
        await finish(given, outcome(said("Add milk."), answered("Do", "ne."), tools=TOOLS))
    (record,) = lines(file)
    written = datetime.fromisoformat(record.pop("time"))
    assert written.utcoffset() is not None
    assert abs((written - before).total_seconds()) < 60
    assert record == {
        "turn": given.id,
        "thread": "thr_1",
        "user": "anna",
        "tenant": "acme",
        "operation": "threads.create",
        "model": "demo/todo",
        "status": "completed",
        "seconds": 1.25,
        "first_token": 0.5,
        "input_tokens": 120,
        "output_tokens": 30,
        "tools": [
            {
                "name": "add_task",
                "server": "todo",
                "seconds": 0.125,
                "failed": False,
                "arguments": {"title": "milk"},
            },
            {
                "name": "search",
                "server": None,
                "seconds": 2,
                "failed": True,
                "arguments": {"q": "shop"},
            },
        ],
        "error": None,
        "message": "Add milk.",
        "answer": "Done.",
    }


async def test_a_turn_that_failed_before_it_began(file: Path) -> None:
    failed = outcome(status="failed", error="The model is down.", first_token=None)
    async with running(plugin(path=str(file))) as finish:
        await finish(turn(None), failed)
    (record,) = lines(file)
    assert (record["status"], record["error"]) == ("failed", "The model is down.")
    assert (record["first_token"], record["message"], record["answer"]) == (None, "", "")


async def test_several_answers_are_kept_apart(file: Path) -> None:
    async with running(plugin(path=str(file))) as finish:
        await finish(turn(), outcome(said("Add milk."), answered("One."), answered("Two.")))
    assert lines(file)[0]["answer"] == "One.\n\nTwo."


async def test_redacted_lines_quote_nobody(file: Path) -> None:
    broken = outcome(
        said("Add milk."), answered("Milk added."), tools=TOOLS, status="failed", error="no milk"
    )
    async with running(plugin(path=str(file), redact=True)) as finish:
        await finish(turn(), broken)
    text = content(file).decode().lower()
    for hidden in ("milk", "shop", "network", "claim"):
        assert hidden not in text
    (record,) = lines(file)
    assert record["status"] == "failed"
    assert record["tools"][0] == {
        "name": "add_task",
        "server": "todo",
        "seconds": 0.125,
        "failed": False,
    }
    assert not {"message", "answer", "error"} & set(record)


@pytest.mark.parametrize(
    "text", ["two\nlines\r\nand\u2028more\u0085", "ümläut 漢字 🙂", '"quoted" \\ back', "\x00\x1b"]
)
async def test_any_text_is_one_line(file: Path, text: str) -> None:
    async with running(plugin(path=str(file))) as finish:
        await finish(turn(text), outcome(answered(text)))
    assert content(file).count(b"\n") == 1
    (record,) = lines(file)
    assert (record["message"], record["answer"]) == (text, text)


@pytest.mark.parametrize("value", [10**30, "\ud800", {1: 2}, datetime(2020, 1, 1, tzinfo=UTC)])
async def test_any_arguments_are_one_line(file: Path, value: object) -> None:
    tools = [(ToolCall("c", "t", {"value": value}), ToolResult("x"))]
    async with running(plugin(path=str(file))) as finish:
        await finish(turn(), outcome(tools=tools))
    assert len(lines(file)) == 1


LOUD = (
    "\u3164\u2800\ufe0f\u0600"
    "\x7f\x85\x9b2J\u2028\u2029\u202e\u200b\ufeff\U000e0041\x1b]0;title\x07\r\n"
)


async def test_a_line_has_no_character_that_others_act_on(file: Path) -> None:
    tools = [(ToolCall("c", "t", {LOUD: [LOUD, 10**30]}), ToolResult("x"))]
    given = outcome(answered(LOUD), tools=tools, error=LOUD, status="failed", model=LOUD)
    async with running(plugin(path=str(file))) as finish:
        await finish(turn(LOUD), given)
    assert content(file).decode().removesuffix("\n").isprintable()
    (record,) = lines(file)
    for key in ("message", "answer", "error", "model"):
        assert record[key] == LOUD
    assert record["tools"][0]["arguments"][LOUD][0] == LOUD


async def test_half_a_character_is_escaped(file: Path) -> None:
    tools = [(ToolCall("c", "t", {"a": 1}), ToolResult("x"))]
    async with running(plugin(path=str(file))) as finish:
        await finish(turn("a\ud800b"), outcome(answered("\udcff"), tools=tools))
    (record,) = lines(file)
    assert (record["message"], record["answer"]) == (r"a\ud800b", r"\udcff")
    assert record["tools"][0]["arguments"] == {"a": 1}


async def test_texts_are_cut(file: Path) -> None:
    calls = [(ToolCall("c", "t", {"q": "x" * 300}), ToolResult("x")) for _ in range(40)]
    given = outcome(answered("a" * 5000), tools=calls, error="e" * 1001, status="failed")
    async with running(plugin(path=str(file), max_text="1kB")) as finish:
        await finish(turn("m" * 1000), given)
    (record,) = lines(file)
    assert record["answer"] == "a" * 1000 + "… [4000 characters left out]"
    assert record["error"] == "e" * 1000 + "… [1 characters left out]"
    assert record["message"] == "m" * 1000
    arguments = [call["arguments"] for call in record["tools"]]
    assert arguments[:3] == [{"q": "x" * 300}] * 3
    assert arguments[3] == '{"q":"' + "x" * 70 + "… [232 characters left out]"
    assert set(arguments[4:]) == {"… [308 characters left out]"}


async def test_arguments_that_are_nested_too_deeply(file: Path) -> None:
    nested: Any = 1
    for _ in range(5000):
        nested = {"a": nested}
    async with running(plugin(path=str(file))) as finish:
        await finish(turn(), outcome(tools=[(ToolCall("c", "t", nested), ToolResult("x"))]))
    assert lines(file)[0]["tools"][0]["arguments"] == "(nested too deeply)"


async def test_secrets_are_masked(file: Path) -> None:
    secret = 'key-"ü\\n-123'
    add_secret(secret)
    tools = [
        (ToolCall("c", "t", {"a": [f"Bearer {secret}"], "b": 1}), ToolResult("x")),
        (ToolCall("c", "t", {"a": 1}), ToolResult("x")),
    ]
    given = outcome(answered(f"It is {secret}."), tools=tools, error=secret, status="failed")
    async with running(plugin(path=str(file), max_text="120B")) as finish:
        await finish(turn("x" * 110 + secret + secret), given)
    text = content(file).decode()
    assert "key-" not in text
    assert "-123" not in text.replace("\\n", "")
    (record,) = lines(file)
    assert record["answer"] == "It is ***."
    assert record["error"] == "***"
    assert record["tools"][0]["arguments"] == '{"a":["Bearer ***"],"b":1}'
    assert record["tools"][1]["arguments"] == {"a": 1}


async def test_names_are_masked_and_cut(file: Path) -> None:
    secret = "sk-proj-AbC123dEf456GhI789jKl0"
    add_secret(secret)
    name = f"evil\n{secret} " + "x" * 1000
    tools = [(ToolCall("c", name, {"a": 1}, server=name), ToolResult("x"))]
    given = outcome(tools=tools, model=name)
    asked = turn()
    asked.user = User(name, tenant=name)
    asked.operation = name
    async with running(plugin(path=str(file)), plugin(path=str(file), redact=True)) as finish:
        await finish(asked, given)
    assert "sk-proj" not in content(file).decode()
    # Two threads write
    redacted, whole = sorted(lines(file), key=lambda record: "message" in record)
    shown = "evil\n*** "
    for record in (whole, redacted):
        for text in (
            *(record[key] for key in ("user", "tenant", "operation", "model")),
            record["tools"][0]["server"],
        ):
            assert text.startswith(shown)
            assert text.endswith("characters left out]")
            assert len(text) < 300
    assert whole["tools"][0]["name"].startswith(shown)
    assert redacted["tools"][0]["name"] == "(not a name)"


@pytest.mark.parametrize("name", ["add_task", "todo.add-task", "a/b:c", "x" * 300])
async def test_redacted_lines_name_tools(file: Path, name: str) -> None:
    tools = [(ToolCall("c", name, {}), ToolResult("x"))]
    async with running(plugin(path=str(file), redact=True)) as finish:
        await finish(turn(), outcome(tools=tools))
    shown = lines(file)[0]["tools"][0]["name"]
    assert shown == name if len(name) <= 256 else shown.startswith("x" * 256 + "… [44 ")


# Where it is written


@pytest.mark.parametrize("config", [{}, {"path": "-"}, {"path": None}])
async def test_standard_output(config: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    async with running(plugin(**config)) as finish:
        await finish(turn(), outcome(answered("Done.")))
        await finish(turn(), outcome(answered("Again.")))
    out = capsys.readouterr().out
    assert [json.loads(line)["answer"] for line in out.splitlines()] == ["Done.", "Again."]


async def test_lines_are_added_to_those_of_earlier_runs(file: Path) -> None:
    for answer in ("one", "two"):
        async with running(plugin(path=str(file))) as finish:
            await finish(turn(), outcome(answered(answer)))
    assert [record["answer"] for record in lines(file)] == ["one", "two"]
    assert os.stat(file).st_mode & 0o777 == 0o600


async def test_nothing_that_waits_is_lost_when_the_server_stops(file: Path) -> None:
    async with running(plugin(path=str(file))) as finish:
        for number in range(500):
            await finish(turn(), outcome(answered(str(number))))
    assert [record["answer"] for record in lines(file)] == [str(n) for n in range(500)]


@pytest.mark.parametrize("umask", [0, 0o077, 0o777], ids=oct)
async def test_files_are_the_owners_alone_whatever_the_umask(file: Path, umask: int) -> None:
    file.parent.mkdir()
    before = os.umask(umask)
    try:
        given = plugin(path=str(file), max_size="1kB", keep=2)
        async with running(given) as finish:
            for _ in range(20):
                await finish(turn(), outcome())
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in rotated(file)}
    assert modes == {0o600}
    assert len(rotated(file)) == 3


async def test_the_folder_is_the_owners_alone(file: Path) -> None:
    async with running(plugin(path=str(file))) as finish:
        await finish(turn(), outcome())
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_files_that_others_can_read_are_closed_to_them(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    for path, mode in ((file, 0o644), (Path(f"{file}.1"), 0o640), (Path(f"{file}.2"), 0o600)):
        path.touch(mode)
        path.chmod(mode)
    async with running(plugin(path=str(file))) as finish:
        await finish(turn(), outcome())
    assert {path.stat().st_mode & 0o777 for path in rotated(file)} == {0o600}
    assert caplog.messages == [
        f"{file} was open to other users: its mode was 0644, and is 0600 now",
        f"{file}.1 was open to other users: its mode was 0640, and is 0600 now",
    ]


def rotated(file: Path) -> list[Path]:
    """Return the files of a log, oldest first."""
    older = sorted(file.parent.glob("*.jsonl.*"), key=lambda path: -int(path.suffix[1:]))
    return [*older, file]


async def test_a_file_that_is_full_is_renamed(file: Path) -> None:
    async with running(plugin(path=str(file), max_size="2kB", keep=2)) as finish:
        for number in range(40):
            await finish(turn(), outcome(answered(str(number))))
    assert [path.name for path in rotated(file)] == [
        "conversations.jsonl.2",
        "conversations.jsonl.1",
        "conversations.jsonl",
    ]
    assert all(path.stat().st_size <= 2000 for path in rotated(file))
    kept = [int(record["answer"]) for record in lines(*rotated(file))]
    assert kept == list(range(40 - len(kept), 40))
    assert len(kept) > 8


async def test_a_line_longer_than_a_file_is_still_written(file: Path) -> None:
    async with running(plugin(path=str(file), max_size="1kB", keep=1)) as finish:
        for text in ("x" * 5000, "y" * 5000):
            await finish(turn(), outcome(answered(text)))
    assert [record["answer"][0] for record in lines(*rotated(file))] == ["x", "y"]


async def test_a_file_that_was_moved_away_is_made_again(file: Path) -> None:
    given = plugin(path=str(file))
    async with running(given) as finish:
        await finish(turn(), outcome(answered("one")))
        await until(lambda: content(file) != b"")
        os.rename(file, file.with_suffix(".old"))
        await finish(turn(), outcome(answered("two")))
    assert [record["answer"] for record in lines(file.with_suffix(".old"), file)] == ["one", "two"]


async def test_several_writers_of_one_file_keep_lines_whole(file: Path) -> None:
    config = {"path": str(file), "max_size": "100kB", "keep": 50}
    async with running(*(plugin(**config) for _ in range(4))) as finish:
        for number in range(100):
            await finish(turn(), outcome(answered(f"{number} " + "x" * 3000)))
    records = lines(*rotated(file))
    numbers = sorted(int(record["answer"].split()[0]) for record in records)
    assert numbers == sorted(list(range(100)) * 4)
    assert len(rotated(file)) > 5


def test_a_full_file_is_renamed_once_though_two_processes_see_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (RotatedFile(file, max_size=30, keep=5) for _ in range(2))
    first.check()
    first.write(b"the line that fills the file\n")

    def wait_for_lock(*_: int) -> None:
        monkeypatch.undo()
        # As if by another process, which had the lock before
        monkeypatch.setattr(RotatedFile, "_one_at_a_time", nullcontext())
        second.write(b"second\n")

    monkeypatch.setattr(fcntl, "flock", wait_for_lock)
    first.write(b"first\n")
    assert file.read_bytes() == b"second\nfirst\n"
    assert Path(f"{file}.1").read_bytes() == b"the line that fills the file\n"
    assert not Path(f"{file}.2").exists()
    first.close()
    second.close()


# What goes wrong


def test_a_path_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "log.jsonl"):
        app = web.Application()
        hooks = Hooks.of([("conversation_log", plugin(path=str(path)))])
        with pytest.raises(SettingsError) as error:
            hooks.boot_all("setup", app=app)
        message = str(error.value)
        assert message.startswith(f"plugin conversation_log: path: cannot write {path}: ")
        assert "Use another file" in message


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full disk")
async def test_a_full_disk_breaks_no_turn_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(plugin(path="/dev/full")) as finish:
        for _ in range(5):
            await finish(turn(), outcome())
    (message,) = caplog.messages
    assert message.startswith("the conversation log is losing turns: [Errno 28] No space left")


async def test_no_line_is_half_written_on_a_full_disk(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = disk / "conversations.jsonl"
    async with running(plugin(path=str(file))) as finish:
        filler = fill(disk, leave=20_000)
        for number in range(9):
            await finish(turn(), outcome(answered(f"{number}" * 3_000)))
        await until(lambda: len(caplog.messages) == 1)
        before = len(lines(file))
        assert 0 < before < 9
        remove_file(filler)
        await finish(turn(), outcome(answered("kept")))
        await until(lambda: len(lines(file)) > before)
    assert lines(file)[-1]["answer"] == "kept"
    assert len(caplog.messages) == 1


async def test_a_disk_that_works_again_is_used_again(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = plugin(path=str(file))
    async with running(given) as finish:
        remove(file)
        os.close(os.open(file.parent, os.O_CREAT))
        await finish(turn(), outcome(answered("lost")))
        await until(lambda: len(caplog.messages) == 1)
        os.unlink(file.parent)
        os.mkdir(file.parent)
        await finish(turn(), outcome(answered("kept")))
        await until(lambda: content(file).endswith(b"\n"))
        remove(file)
        await finish(turn(), outcome(answered("lost again")))
    assert len(caplog.messages) == 2


class Hanging:
    """A disk that takes a line when it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()
        self.written = 0

    def check(self) -> None: ...

    def close(self) -> None: ...

    def write(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        self.reached.set()
        self.go.wait(10)
        self.written += 1


async def test_a_disk_that_hangs_keeps_no_turn_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("chatkit_plugins.conversation_log.MOST_WAITING", 10)
    given = plugin()
    given.writer.target = disk = Hanging()
    async with running(given) as finish:
        await finish(turn(), outcome())
        await asyncio.to_thread(disk.reached.wait)
        for _ in range(15):
            await finish(turn(), outcome())
        assert caplog.messages == [
            "the conversation log is losing turns: 10 lines are queued already"
        ]
        disk.go.set()
    assert disk.written == 11


async def test_lines_that_wait_take_a_limited_size(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("chatkit_plugins.conversation_log.MOST_WAITING_BYTES", 100_000)
    given = plugin()
    given.writer.target = disk = Hanging()
    async with running(given) as finish:
        for _ in range(15):
            await finish(turn("x" * 30_000), outcome())
        assert caplog.messages[0].startswith("the conversation log is losing turns: 9")
        assert caplog.messages[0].endswith(" bytes are queued already")
        disk.go.set()
    assert disk.written == 3


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"pth": "x"}, "pth: unknown key. Did you mean `path`?"),
        ({"max_size": 5}, "max_size: expected a size with its unit"),
        ({"keep": 0}, "keep: Input should be greater than or equal to 1"),
    ],
)
def test_settings_that_are_refused(config: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told.replace("?", r"\?")):
        plugin(**config)
