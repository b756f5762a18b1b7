"""One fault is a line in the log, and then a count, however many turns and requests it hits."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatkit_server import NotFound, Settings, Unavailable, repeats
from chatkit_server.lines import fixed_words
from chatkit_server.logs import FORMAT, CountingHandler, Origins, WithoutContent
from chatkit_server.records import is_outage, log_error, quoted
from chatkit_server.records import repeats as again
from chatkit_server.repeats import MOST_CAUSES, MOST_SUBJECTS, WINDOW, Repeats
from chatkit_server.testing.model_server import Break, ModelServer
from tests.databases import Front, new_url, postgres
from tests.processes import Server, environment, running

log = logging.getLogger("chatkit_server.some_part")


@contextmanager
def counted(level: int = logging.INFO) -> Iterator[StringIO]:
    """Yield what the log of a server would say; the counts are there when the block is over."""
    written = StringIO()
    handler = CountingHandler(written, Origins(Settings()))
    handler.setFormatter(WithoutContent(FORMAT, traces=False))
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield written
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()


def lines(written: StringIO) -> list[str]:
    """Return what was written, without times and loggers."""
    return [line.split(": ", 1)[1] for line in written.getvalue().splitlines()]


class Clock:
    """A `Repeats` whose time the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.written: list[tuple[int, str]] = []
        self.repeats = Repeats(self.write, threading.RLock(), lambda: self.now)

    def write(self, record: logging.LogRecord) -> None:
        self.written.append((record.levelno, record.getMessage()))

    def fail(self, cause: str, what: str = "turn failed", subject: str = "") -> None:
        record = logging.LogRecord("a", logging.WARNING, "f.py", 1, "first: %s", (cause,), None)
        if self.repeats.admits(record, again(cause, what, subject)["repeats"]):
            self.write(record)

    def said(self) -> list[str]:
        """Return what was written since the last call."""
        said, self.written = [text for _, text in self.written], []
        return said


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    yield made
    made.repeats.close()


def test_a_cause_is_a_line_then_a_count_every_ten_seconds_and_a_line_when_it_is_over(
    clock: Clock,
) -> None:
    for _ in range(25):
        clock.fail("the model is away")
        clock.now += 1
        clock.repeats.sum_up()
    assert clock.said() == [
        "first: the model is away",
        "in the last 10 s: turn failed (9 more): the model is away",
        "in the last 10 s: turn failed (10 more): the model is away",
    ]
    for _ in range(30):
        clock.now += 1
        clock.repeats.sum_up()
    assert clock.said() == [
        "in the last 10 s: turn failed (5 more): the model is away",
        "over after 24 s, 25 in all: the model is away",
    ]
    clock.fail("the model is away")
    clock.now += WINDOW
    clock.repeats.sum_up()
    assert clock.said() == ["first: the model is away"]


def test_a_count_hides_no_other_cause_and_says_what_happened(clock: Clock) -> None:
    clock.fail("the store is away", subject="turn_0")
    for number in range(1, 4):
        clock.fail("the store is away", subject=f"turn_{number}")
        # Of one turn, more than one thing may fail for one reason
        clock.fail("the store is away", subject=f"turn_{number}")
    clock.fail("the store is away", "request refused with 503", "req_1")
    clock.fail("the model is away")
    assert clock.said() == ["first: the store is away", "first: the model is away"]
    clock.repeats.close()
    assert clock.said() == [
        "in the last 0 s: turn failed (3 more), request refused with 503 (1 more): "
        "the store is away; turn_1, turn_2, turn_3, req_1"
    ]


def test_neither_causes_nor_subjects_take_memory_without_end(clock: Clock) -> None:
    for number in range(MOST_CAUSES + 50):
        clock.fail(f"cause {number}")
    assert len(clock.said()) == MOST_CAUSES + 50
    for number in range(1000):
        clock.fail("cause 1", subject=f"turn_{number}")
    clock.repeats.close()
    [told] = clock.said()
    assert told.startswith("in the last 0 s: turn failed (1000 more): cause 1; turn_0, turn_1, ")
    assert told.count("turn_") == MOST_SUBJECTS


def test_a_count_comes_without_another_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "WINDOW", 0.05)
    over = threading.Event()

    class Stream(StringIO):
        def write(self, text: str) -> int:
            if "over after" in text:
                over.set()
            return super().write(text)

    stream = Stream()
    handler = CountingHandler(stream, Origins(Settings()))
    record = logging.LogRecord("a", logging.WARNING, "f.py", 1, "It broke.", (), None)
    vars(record).update(again("it broke", "turn failed"))
    for _ in range(3):
        handler.handle(record)
    assert over.wait(20)
    handler.close()
    told = [re.sub(r"\d+ s", "N s", line) for line in stream.getvalue().splitlines()]
    assert told == [
        "It broke.",
        "in the last N s: turn failed (2 more): it broke",
        "over after N s, 3 in all: it broke",
    ]


def test_lines_of_libraries_are_counted_by_their_words() -> None:
    library = logging.getLogger("some_library")
    with counted() as written:
        for number in range(5):
            library.warning("connection %d lost: %s", number, "reset")
            library.error(f"task {number} failed")
            library.info("request %d", number)
            log.warning("turn turn_%d failed", number)
    told = lines(written)
    assert told[:4] == [
        "connection 0 lost: reset",
        "task 0 failed",
        "request 0",
        "turn turn_0 failed",
    ]
    # Those of the server are counted if it says so
    assert len(told) == 11
    assert told[8:] == [
        'in the last 0 s: record (4 more): like "connection 0 lost: reset"',
        'in the last 0 s: record (4 more): like "task 0 failed"',
        'in the last 0 s: record (4 more): like "request 0"',
    ]


def test_counts_do_not_quote_what_records_do_not() -> None:
    library = logging.getLogger("some_library")
    with counted() as written:
        for _ in range(2):
            library.warning("it failed: %s", quoted(ValueError("of a user")))
    assert 'like "it failed: ValueError(<omitted>)"' in lines(written)[-1]
    assert "of a user" not in written.getvalue()


def test_that_a_database_is_back_is_another_line_than_that_it_is_away() -> None:
    for place in ("/run/postgresql:5432/chat", "db.example.com:5432/chat"):
        away = fixed_words(f"PostgreSQL {place} does not answer: no answer within 2 s")
        assert away != fixed_words(f"PostgreSQL {place} answers again, after 12 s")
    assert fixed_words("404 Not Found: GET /a b/c") == "… Not Found: GET …"


def caught(error: Exception) -> Exception:
    try:
        raise error
    except Exception as raised:
        return raised


async def test_only_unexpected_errors_have_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    away, bug = caught(ConnectionRefusedError(111, "refused")), caught(KeyError("secret"))
    with counted() as written:
        log_error(log, logging.ERROR, away, "%s failed", "a hook")
        log_error(log, logging.ERROR, NotFound("Gone."), "it failed")
        # A library does not know what is expected here
        logging.getLogger("some_library").error("100% lost", exc_info=away)
        logging.getLogger("some_library").error("%s lost", "all", exc_info=away)
    where = "ConnectionRefusedError(111, 'refused') in caught, test_repeats.py"
    assert lines(written) == [
        f"a hook failed: {where}",
        "it failed: NotFound: Gone.",
        f"100% lost: {where}",
        f"all lost: {where}",
    ]
    with counted() as written:
        log_error(log, logging.ERROR, bug, "it failed")
    assert "Traceback" in written.getvalue()
    assert "KeyError: <omitted>" in written.getvalue()
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    log_error(log, logging.ERROR, away, "it failed")
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable("Down."), True),
        (TimeoutError(), True),
        (OSError(28, "No space left on device"), True),
        (asyncio.IncompleteReadError(b"", 1), True),
        (FileNotFoundError(2, "No such file"), False),
        (sqlite3.OperationalError("database is locked"), True),
        (sqlite3.OperationalError("no such table: x"), False),
        (ValueError("x"), False),
        (RuntimeError("x"), False),
    ],
    ids=repr,
)
def test_what_an_outage_is(error: Exception, expected: bool) -> None:
    assert is_outage(error) is expected
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = error
    assert is_outage(wrapped) is expected


# Running servers


PLUGIN = """
from agents import Agent, GuardrailFunctionOutput, function_tool, input_guardrail
from chatkit_server import Unavailable, hookimpl

@function_tool
async def explode() -> str:
    raise ValueError("a word")

@input_guardrail(run_in_parallel=False)
def decent(context, agent, given):
    return GuardrailFunctionOutput(None, tripwire_triggered="rude" in str(given))

@hookimpl
async def agent(turn):
    return Agent(name="a", tools=[explode], input_guardrails=[decent])

@hookimpl
async def post_turn(turn, outcome):
    if "title" in turn.message.content[0].text:
        raise Unavailable("The title service is down.")
"""


WRONG_KEY = (
    "WARNING chatkit_server.turns.failures: turn {} failed: The model provider rejected this "
    "server's API key. The server's operator has to set a valid one. "
    "(AuthenticationError: HTTP 401: bad key; model test/any; user ann)"
)


def write_settings(folder: Path, database: str, model_server: str) -> None:
    (folder / "my_plugins").mkdir()
    (folder / "my_plugins" / "mine.py").write_text(PLUGIN)
    models = {"test": model_server, "away": "http://127.0.0.1:9/v1"}
    endpoints = {name: {"base_url": url, "max_retries": 0} for name, url in models.items()}
    settings = {
        "agent": {"model": "test/any", "models": ["test/any", "away/any"], "max_turns": 1},
        "plugin_dirs": ["my_plugins"],
        "plugins": {
            "anonymous_auth": None,
            "tortoise_store": {"url": database, "connect_timeout": "1s"},
            "mine": None,
            "compatible_models": {"endpoints": endpoints},
        },
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))


async def ask(server: Server, user: str, text: str = "hi", **rest: Any) -> str:
    """Send a plain request; return the id of its turn."""
    body = {"messages": [{"role": "user", "content": text}], "user_id": user, **rest}
    response = await server.chat().post(body)
    await response.read()
    return response.headers.get("X-Turn-Id", "")


def since(server: Server, begin: int, known: Callable[[str], bool] = lambda _: True) -> list[str]:
    """Return the lines of the log after the first ones, without times."""
    return [line.split(" ", 2)[2] for line in server.process.errors[begin:] if known(line)]


async def test_a_turn_that_fails_is_one_line_and_many_are_two(
    model_server: ModelServer, tmp_path: Path
) -> None:
    write_settings(tmp_path, new_url("sqlite", tmp_path), model_server.url)
    turns: dict[str, str] = {}
    async with running(tmp_path, env=environment()) as server:
        model_server.fail(401, "bad key")
        turns[WRONG_KEY] = await ask(server, "ann")
        model_server.reply("half ", Break())
        turns["The connection was lost before"] = await ask(server, "ann")
        turns["InputGuardrailTripwireTriggered: the guardrail decent;"] = await ask(
            server, "ann", "how rude"
        )
        turns["post_turn failed (user ann): Unavailable: The title service is down."] = await ask(
            server, "ann", "a title"
        )
        exploded = await ask(server, "ann", "call explode {}")
        await server.process.line("MaxTurnsExceeded: .*user ann")
        single = since(server, 0)
        begin = len(server.process.errors)
        await asyncio.gather(*(ask(server, f"u{i}", model="away/any") for i in range(12)))
        await server.stop()
    for words, turn_id in turns.items():
        [line] = [line for line in single if turn_id in line]
        assert words.format(turn_id) in line
    assert len(single) == len(turns) + 2
    tool, turn = [line for line in single if exploded in line]
    assert "tool explode failed: ValueError in explode, mine.py (user ann)" in tool
    assert "MaxTurnsExceeded" in turn
    failed = since(server, begin, lambda line: "turns.failures" in line)
    assert len(failed) == 2
    assert re.search(r"failed: The model provider cannot be reached\. .*user u\d+\)$", failed[0])
    assert re.search(r"turn failed \(11 more\): The model provider cannot be reached", failed[1])
    assert "Traceback" not in server.process.said


async def test_a_database_that_is_away_is_a_few_lines(
    model_server: ModelServer, tmp_path: Path
) -> None:
    async with Front(postgres().port) as front:
        url = postgres().new_url().replace(f":{postgres().port}/", f":{front.port}/")
        write_settings(tmp_path, url, model_server.url)
        async with running(tmp_path, env=environment()) as server:
            await ask(server, "ann")
            begin = len(server.process.errors)
            await front.close()
            listing = {"type": "threads.list", "params": {}}
            asked = [server.chat().post(listing) for _ in range(12)]
            for response in await asyncio.gather(*asked):
                assert response.status == 503
            await asyncio.gather(*(ask(server, f"u{i}") for i in range(8)))
            await server.stop()
    told = since(server, begin)
    refused = [line for line in told if " refused " in line and "more" not in line]
    assert len(refused) == 1
    [count] = [line for line in told if "in the last" in line]
    assert re.search(r"request refused with 503 \(\d+ more\)", count)
    # The database's and the turn store's own lines, and that the server stops
    assert len(told) <= 6, told
    assert "Traceback" not in server.process.said
