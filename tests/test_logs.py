"""What the log of a running server has of what users say: nothing, unless it is asked for."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from agents import RunContextWrapper, Tool, function_tool
from chatkit.types import CustomTask, TaskItem
from pydantic import BaseModel, ValidationError

from chatkit_server import NotFound, Turn, TurnFailed, User, hookimpl
from chatkit_server.ids import current_turn
from chatkit_server.logs import HINT, INDENT, NamesTurn, WithoutContent
from chatkit_server.records import MAY_QUOTE, OutageLog, Quote, quoted
from chatkit_server.testing.model_server import Call, Error, Gate, ModelServer, Raw
from chatkit_server.turns.running import STOPPED, Ending
from chatkit_server.web.keys import ENGINE
from tests.conftest import MakeChat
from tests.databases import DatabaseKind, new_url, postgres
from tests.mcp_calls import until
from tests.processes import MODULE, Server, environment, running
from tests.replicas import begin, request
from tests.serving import served_by
from tests.test_turns import Tools

ROOT = Path(__file__).parent.parent
MODELS = ("test/any", "openai/any", "litellm/openai/any")
SECRET = "secret-"
"""Begins every word that the user, the model or a tool says."""

TURN = re.compile(r"\bturn turn_[0-9a-f]{32}\b")
RECORD = re.compile(r"^\S+ \S+ (?P<level>[A-Z]+) (?P<logger>[\w.]+): ")

PLUGIN = """
import logging

from chatkit_server import hookimpl

log = logging.getLogger(__name__)
library = logging.getLogger("some_library")

@hookimpl
async def pre_turn(turn):
    log.debug("the plugin's debug line")
    library.info("the library's info line")

@hookimpl
async def tool_result(turn, call, result):
    library.warning("a tool was called")

@hookimpl
async def post_turn(turn, outcome):
    log.error("the turn %s", outcome.status)
"""
BROKEN_PLUGIN = """
import pydantic
from chatkit_server import hookimpl

class Message(pydantic.BaseModel):
    number: int

@hookimpl
async def post_turn(turn, outcome):
    Message(number=turn.message.content[0].text)
"""


def write_settings(folder: Path, url: str, models: ModelServer, **log: object) -> None:
    """Write the settings of a server that has every bundled way to a model, tool and database."""
    for name, source in (("talkative", PLUGIN), ("broken", BROKEN_PLUGIN)):
        (folder / "my_plugins").mkdir(exist_ok=True)
        (folder / "my_plugins" / f"{name}.py").write_text(source)
    echo = {"name": "echo", "command": sys.executable, "args": ["-m", "tests.mcp_stdio_server"]}
    openai = {"base_url": models.url, "api_key": "k", "max_retries": 1}
    settings = {
        "agent": {"model": MODELS[0], "models": list(MODELS)},
        "log": {"level": "debug", **log},
        "plugin_dirs": ["my_plugins"],
        "plugins": {
            "anonymous_auth": None,
            "tortoise_store": {"url": url},
            "todo_mcp": None,
            "mcp_servers": {"servers": [{**echo, "cwd": str(ROOT)}]},
            "compatible_models": {"endpoints": {"test": {"base_url": models.url}}},
            "openai_models": openai,
            "litellm_models": {"providers": {"openai": {"base_url": models.url, "api_key": "k"}}},
            "talkative": None,
            "broken": None,
        },
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))


async def talk(server: Server, models: ModelServer, model: str) -> None:
    """Have a conversation in which all turns fail that can fail because of what is said."""
    await server.process.line("MCP server echo: connected")
    chat = server.chat()
    choice: dict[str, Any] = {"inference_options": {"model": model}}
    first = await chat.say('secret-word call echo {"text": "secret-echo"}', **choice)
    assert "secret-echo" in first.text
    thread = first.thread_id
    second = await chat.say('call add_task {"title": "secret-task"}', thread, **choice)
    assert "secret-task" in second.text
    await chat.say('call add_task {"title": ["secret-list"]}', thread, **choice)
    await chat.say('call fail {"secret-name": "secret-value"}', thread, **choice)
    errors = 0
    for problem in problems(models):
        problem()
        errors += (await chat.say("secret-question", thread, **choice)).error is not None
    # OpenAI's client leaves out what is no event
    assert errors >= 3
    models.fail(503, headers={"Retry-After-Ms": "1"})
    retried = await chat.say("secret-question", thread, **choice)
    assert retried.text.endswith("secret-question")
    assert (await chat.ask("threads.get_by_id", thread_id=thread))["items"]["data"]


def problems(models: ModelServer) -> list[Callable[[], None]]:
    """Return what a provider may do to a turn: refuse it, answer nonsense, fail amid the answer."""
    return [
        lambda: models.fail(400, "no such thing"),
        lambda: models.reply("secret-half ", Raw(b'data: ["secret-data"]\n\n')),
        lambda: models.reply("secret-half ", Raw(b'data: {"choices": "secret-data"}\n\n')),
        lambda: models.reply("secret-half ", Raw(b"data: secret-data\n\n")),
        lambda: models.reply("secret-half ", Error("overloaded")),
    ]


def records(server: Server) -> list[tuple[str, str]]:
    """Return logger and text of each record in the log, with its traceback."""
    found: list[tuple[str, str]] = []
    for line in server.process.errors:
        if match := RECORD.match(line):
            found.append((match["logger"], line))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
    return found


@pytest.mark.parametrize(
    ("kind", "used"), [("sqlite", MODELS), ("postgresql", MODELS[:1])], ids=["sqlite", "postgresql"]
)
async def test_nothing_of_what_is_said_is_logged(
    kind: DatabaseKind, used: tuple[str, ...], model_server: ModelServer, tmp_path: Path
) -> None:
    write_settings(tmp_path, new_url(kind, tmp_path), model_server)
    # What libraries log is decided by their imports, whichever the database
    command = MODULE if kind == "sqlite" else None
    # asyncio's debug mode writes values too
    env = environment(PYTHONASYNCIODEBUG="1")
    async with running(tmp_path, env=env, command=command) as server:
        for model in used:
            await talk(server, model_server, model)
        await server.stop()
    assert SECRET not in server.process.said
    # what the operator needs is there, with the turn's id
    texts = [text for _, text in records(server)]
    for needed in (
        "the plugin's debug line",
        "the library's info line",
        "ValidationError: <omitted>",
        'broken.py", line ',
        ": retrying in",
        "tool add_task failed",
        "the turn failed",
    ):
        assert any(needed in text and TURN.search(text) for text in texts), needed
    for text in texts:
        if " WARNING asyncio: " not in text and re.match(r"\S+ \S+ (WARNING|ERROR)", text):
            assert TURN.search(text), text


async def test_log_content_brings_the_lines_of_libraries_back(
    model_server: ModelServer, tmp_path: Path
) -> None:
    write_settings(tmp_path, new_url("sqlite", tmp_path), model_server, content=True)
    async with running(tmp_path, env=environment(), command=MODULE) as server:
        asked = 'call add_task {"title": "secret-task"}'
        await server.chat().say(asked, inference_options={"model": MODELS[2]})
        await server.stop()
    loggers = {logger for logger, text in records(server) if SECRET in text}
    assert loggers >= {"openai.agents", "LiteLLM", "tortoise.db_client"}


def formatted(text: str, error: Exception | None = None, *args: object, **extra: bool) -> str:
    """Return what is written of a record."""
    info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("some_library", logging.WARNING, "", 0, text, args, info)
    record.__dict__.update(extra)
    return WithoutContent("%(message)s").format(record)


def test_values_of_exceptions_are_omitted() -> None:
    class Message(BaseModel):
        numbers: list[int]

    values = [f"{SECRET}one\n, input_type=str]", {"name": f"{SECRET}two"}]
    with pytest.raises(ValidationError) as caught:
        Message.model_validate({"numbers": values})
    text = formatted(f"failed: {caught.value!r}", caught.value)
    assert SECRET not in text
    told = "Input should be a valid integer [type=int_type, input_value=<omitted>, input_type=dict]"
    assert f"numbers.1\\n  {told}" in text.splitlines()[0]
    assert f"\n  numbers.1\n    {told}\n" in text


async def test_rows_in_errors_of_postgresql_are_omitted() -> None:
    connection = await asyncpg.connect(postgres().new_url())
    await connection.execute("CREATE TABLE word (name text, number int NOT NULL)")
    words = f"{SECRET}one\n{SECRET}two"
    with pytest.raises(asyncpg.NotNullViolationError) as caught:
        await connection.execute("INSERT INTO word VALUES ($1, NULL)", words)
    await connection.close()
    assert SECRET in str(caught.value)
    text = formatted("failed", caught.value)
    assert SECRET not in text
    assert 'null value in column "number" of relation "word" violates' in text


async def test_arguments_of_slow_callbacks_are_omitted(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    done = loop.create_future()
    loop.call_soon(done.set_result, "secret-one")
    loop.call_later(0, lambda *_: None, ["secret-two"])
    await done
    assert await loop.create_task(asyncio.sleep(0, "secret-three")) == "secret-three"
    await asyncio.sleep(0)
    texts = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert len([text for text in texts if SECRET in text]) == 3
    for text in texts:
        assert SECRET not in formatted(text)
        assert formatted(text).startswith("Executing <")


def chained() -> None:
    """Raise an error with a cause, a context, a note and an error for users in between."""
    try:
        try:
            try:
                compile("secret-code (", "x", "exec")
            except SyntaxError as syntax:
                raise NotFound("There is no such task.") from syntax
        except NotFound:
            raise KeyError("secret-key")  # noqa: B904
    except KeyError as error:
        error.add_note("secret-note")
        raise ExceptionGroup("secret-group", [ValueError("secret-part"), error]) from error


def test_exceptions_that_may_quote_are_written_without_their_messages() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        chained()
    text = formatted("failed", caught.value, **MAY_QUOTE)
    assert 'raise KeyError("secret-key")' in text, "lines of the source are no content"
    lines = [line for line in text.splitlines() if not line.startswith(f"{INDENT}    ")]
    assert SECRET not in "\n".join(lines)
    named = [line.strip() for line in lines if re.match(r"  [\w.]+: ", line)]
    chain = [
        "SyntaxError: <omitted>",
        "chatkit_server.errors.NotFound: There is no such task.",
        "KeyError: <omitted>",
    ]
    assert named == [*chain, "ExceptionGroup: <omitted>", "ValueError: <omitted>", *chain]
    assert re.search(r'test_logs.py", line \d+, in chained\n', text)
    assert text.count("direct cause") == 3
    assert text.count("During handling") == 2
    assert text.endswith(f"\n{INDENT}{HINT}")
    assert text.count(HINT) == 1


def test_an_exception_that_is_its_own_cause_is_written_once() -> None:
    error, other = ValueError("secret-one"), KeyError("secret-two")
    error.__cause__, other.__cause__ = other, error
    text = formatted("failed", error, **MAY_QUOTE)
    assert [line for line in text.splitlines() if "omitted" in line] == [
        "  KeyError: <omitted>",
        "  ValueError: <omitted>",
    ]


def test_exceptions_logged_by_anybody_in_a_turn_are_written_without_their_messages() -> None:
    error = ValueError("secret-one")
    assert "ValueError: secret-one" in formatted("failed", error)
    token = current_turn.set("turn_1")
    try:
        text = formatted("failed", error)
        assert text.startswith("turn turn_1: failed\n  ValueError: <omitted>\n")
    finally:
        current_turn.reset(token)


def test_quotes_in_messages_are_omitted() -> None:
    assert formatted("%s: %s", None, "tool", Quote("secret-one")) == f"tool: <omitted> {HINT}"
    error = quoted(ValueError("secret-one"))
    assert formatted("failed: %s", None, error) == f"failed: ValueError(<omitted>) {HINT}"
    assert formatted("failed: %s", None, quoted(TimeoutError())) == "failed: TimeoutError()"
    assert formatted("failed: %s", None, quoted(NotFound("Gone."))) == "failed: NotFound: Gone."


async def test_a_task_whose_exception_nobody_asks_for_is_written_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        raise ValueError("secret-one")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    [record] = [record for record in caplog.records if record.name == "asyncio"]
    assert "secret-one" in record.getMessage()
    text = WithoutContent("%(message)s").format(record)
    assert "Task exception was never retrieved" in text
    assert "ValueError: <omitted>" in text
    assert "'secret-one'" not in text


@function_tool(failure_error_function=None)
async def age(number: str) -> int:
    """Return an age."""
    return int(number)


class Failing:
    """Adds a tool that fails for a word, and fails to persist answers."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        tools: list[Tool] = [age]
        turn.tools += tools

    @hookimpl
    async def persist(self, item: Any) -> None:
        if item.type == "assistant_message":
            raise ValueError(f"cannot save {item.content[0].text}")

    @hookimpl
    async def feedback(self, item_ids: list[str]) -> None:
        raise ValueError("secret-feedback")


async def test_tools_and_hooks_that_fail_are_logged_without_what_was_said(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    # Tracebacks of tools are for this level
    caplog.set_level(logging.DEBUG, "chatkit_server")
    chat = await make_chat(Failing(), **served_by(model_server))
    model_server.reply(Call("age", {"number": "secret-number"}))
    model_server.reply("secret-answer")
    streamed = await chat.say("How old?")
    assert streamed.error is not None
    turn_id = streamed.response.headers["X-Turn-Id"]
    # The formatter is called outside of the turn: only the flags of the records tell it
    texts = [WithoutContent("%(message)s").format(record) for record in caplog.records]
    assert SECRET not in "\n".join(texts)
    told = f"turn {turn_id}: tool age failed: ValueError in age, test_logs.py (user somebody)\n"
    [tool] = [text for text in texts if told in text]
    assert "in age\n" in tool
    assert "ValueError: <omitted>\n" in tool
    hooks = [text for text in texts if "plugin Failing_0: persist failed (user somebody)\n" in text]
    assert "in persist\n" in hooks[0]
    whole = "\n".join(NamesTurn("%(message)s").format(record) for record in caplog.records)
    assert "secret-number" in whole
    assert "secret-answer" in whole


@function_tool
async def shows_wrongly(ctx: RunContextWrapper[Turn]) -> None:
    """Show a widget."""
    wrong: Any = {"type": "Crad", "children": []}
    await ctx.context.stream_widget(wrong)


@function_tool
async def streams_an_item(ctx: RunContextWrapper[Turn]) -> None:
    """Show a task."""
    item: Any = ctx.context.new_item(TaskItem, task=CustomTask(title="Read"))
    await ctx.context.stream(item)


async def test_the_log_says_which_line_of_a_tool_is_wrong_and_how_to_see_why(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    tools = Tools(shows_wrongly, streams_an_item)
    chat = await make_chat(tools, **served_by(model_server))
    model_server.reply(Call("shows_wrongly", {}))
    model_server.reply(Call("streams_an_item", {}))
    model_server.reply("Well.")
    streamed = await chat.say("Go")
    assert streamed.error is None
    records = [record for record in caplog.records if "failed" in record.getMessage()]
    widget, item = (WithoutContent("%(message)s").format(record) for record in records)
    place = r"failed: ValidationError in \S+, main.py, called by shows_wrongly, test_logs.py:\d+ "
    assert re.search(place, widget)
    assert "called by streams_an_item, test_logs.py:" in item
    for line in (widget, item):
        assert line.endswith("(user somebody) (log.content: true shows the messages)")
    widget, item = (NamesTurn("%(message)s").format(record) for record in records)
    assert "'Crad'" in widget
    assert "got a TaskItem, expected a ThreadStreamEvent, such as ThreadItemDoneEvent" in item


async def test_a_turn_that_is_stopped_gets_a_line(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "chatkit_server")
    chat = await make_chat(**served_by(model_server))
    turns = chat.client.server.app[ENGINE].turns  # type: ignore[attr-defined]
    streams = []
    for ending in (STOPPED, Ending("failed", TurnFailed("Too slow."))):
        model_server.reply("One, ", Gate())
        begun = await begin(chat, request("secret-question"), "One, ")
        turns.find(begun.turn_id, User("somebody")).end(ending)
        streams.append(await begun.rest())
    model_server.reply("Done.")
    streams.append(await chat.say("secret-question"))
    model_server.fail(400, "no")
    streams.append(await chat.say("secret-question"))
    stopped, slow, completed, failed = (one.response.headers["X-Turn-Id"] for one in streams)
    await until(lambda: any(f"turn {failed} failed after" in text for text in caplog.messages))
    found = [
        (record.levelname, re.sub(r"\d+\.\d s", "N s", record.getMessage()))
        for record in caplog.records
        if record.name.startswith("chatkit_server.turns")
    ]
    starts = (
        "starts: threads.create, model test/model, 1 input items, 0 tools, pre_turn of no plugin"
    )
    about = "(model test/model; user somebody)"
    assert ("INFO", f"turn {stopped} cancelled after N s: The answer was stopped. {about}") in found
    assert ("INFO", f"turn {slow} failed after N s: Too slow. {about}") in found
    assert ("DEBUG", f"turn {completed} {starts}") in found
    assert ("DEBUG", f"turn {completed} completed after N s") in found
    levels = [level for level, text in found if f"turn {failed} failed" in text]
    assert levels == ["WARNING", "DEBUG"]
    assert SECRET not in caplog.text


def test_an_outage_is_logged_at_once_then_once_a_minute_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    outage = OutageLog(logging.getLogger("store"), "the store", lambda: now)
    outage.answered()
    for second in range(150):
        now = second
        outage.failed(f"reason {second}")
        # One of several connections still works
        outage.answered()
    assert caplog.messages == [
        "the store does not answer: reason 0",
        "the store has not answered for 60 s, 60 more failures: reason 60",
        "the store has not answered for 120 s, 60 more failures: reason 120",
    ]
    caplog.clear()
    now += 5
    outage.answered()
    outage.answered()
    outage.failed("again")
    assert caplog.messages == [
        "the store answers again, after 154 s",
        "the store does not answer: again",
    ]


def test_another_cause_of_an_outage_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = OutageLog(logging.getLogger("store"), "the store", lambda: 7.0)
    for kind in ("gone", "gone", "password", "gone", *"abcdef"):
        outage.failed(f"reason {kind}", kind)
    assert [message.rpartition(" ")[2] for message in caplog.messages] == [
        *("gone", "password", "a", "b", "c")
    ]
