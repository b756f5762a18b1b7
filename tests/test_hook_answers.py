"""What hooks return is checked: the error names the plugin, the hook, what came and what should."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import MultiProvider, function_tool
from chatkit.types import AssistantMessageItem, ErrorEvent, NoticeEvent, SyncCustomActionResponse

from chatkit_server import SettingsError, Turn, User, hookimpl
from chatkit_server.plugin import hookspecs
from chatkit_server.plugin.answers import ANSWERS, wrong_answer
from chatkit_server.plugin.call import PluginFailed
from chatkit_server.plugin.calls import Hooks
from chatkit_server.storage import MemoryEventLog, MemoryTurnStore
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.testing.model_server import Call, ModelServer
from tests.conftest import MakeChat
from tests.serving import HeaderAuth, served_by

NOTICE = NoticeEvent(level="info", message="Hello.")


def test_every_hook_has_its_answer_in_the_table() -> None:
    specs = [n for n, s in vars(hookspecs).items() if hasattr(s, f"{hookspecs.PROJECT}_spec")]
    assert list(ANSWERS) == specs


async def no_events() -> AsyncIterator[None]:
    return
    yield


@pytest.mark.parametrize(
    ("hook", "answer", "told"),
    [
        ("setup", 5, "returned an int, expected nothing: `setup` adds to `app`"),
        ("store", "x", "returned a str, expected a chatkit.store.Store or None"),
        ("store", MemoryStore, "returned the class MemoryStore (create an instance), expected a "),
        ("turn_store", {}, "returned a dict, expected a chatkit_server.storage.TurnStore or None"),
        ("event_log", [], "returned a list, expected a chatkit_server.storage.EventLog or None"),
        ("event_log", MemoryEventLog, "returned the class MemoryEventLog (create an instance), "),
        ("attachment_store", MemoryStore(), "returned a MemoryStore, expected a chatkit.store.Att"),
        ("model_providers", [], "returned a list, expected a dict of prefixes (without `/"),
        ("model_providers", {"acme": 1}, "returned a dict with an int for 'acme', expected a dict"),
        ("model_providers", {1: 1}, "returned a dict with an int as a key, expected a dict of pre"),
        (
            "model_providers",
            {"a/b": MultiProvider()},
            "returned a dict with the prefix 'a/b', expe",
        ),
        ("mcp_servers", MemoryStore(), "returned a MemoryStore, expected a list of agents.mcp.MCP"),
        ("mcp_servers", ["x"], "returned a list with a str at index 0, expected a list of agents."),
        ("tortoise_apps", {"x": []}, "returned a dict with a list for 'x', expected a dict of lab"),
        ("migrate", "done", "returned a str, expected a list of str, or None"),
        ("migrate", [1], "returned a list with an int at index 0, expected a list of str, or None"),
        ("auth", {"id": "ann"}, "returned a dict, expected a chatkit_server.User ("),
        ("auth", "ann", "returned a str, expected a chatkit_server.User ("),
        ("auth", User(5), "returned a User with an int as `id`, expected a "),  # type: ignore[arg-type]
        ("auth", User("a", None), "returned a User with a NoneType as `tenant`, "),  # type: ignore[arg-type]
        ("auth", User(""), "returned a User with an empty `id`, expected a chatkit_server.User"),
        ("agent", "Helper", "returned a str, expected an agents.Agent or None"),
        ("pre_turn", "x", "returned a str, expected nothing: `pre_turn` changes `turn`"),
        ("tool_result", "x", "returned a str, expected nothing: `tool_result` changes `result`"),
        ("persist", True, "returned a bool, expected nothing"),
        ("post_turn", True, "returned a bool, expected nothing"),
        ("action", "x", "returned a str, expected a list or async iterator of chatkit.types."),
        ("action", NOTICE, "returned a NoticeEvent, expected a list or async iterator of chatkit."),
        ("action", {}, "returned a dict, expected a list or async iterator of chatkit.types."),
        ("action", [NOTICE, "x"], "returned a list with a str at index 1, expected a list or as"),
        ("transcribe", b"x", "returned a bytes, expected a str or None"),
        ("feedback", "yes", "returned a str, expected a bool or None"),
    ],
)
def test_a_wrong_answer_is_described(hook: str, answer: Any, told: str) -> None:
    assert (wrong_answer(hook, answer) or "").startswith(told)


@pytest.mark.parametrize(
    ("hook", "answer"),
    [
        ("store", MemoryStore()),
        ("turn_store", MemoryTurnStore()),
        ("event_log", MemoryEventLog()),
        ("model_providers", {"": MultiProvider(), "acme": MultiProvider()}),
        ("mcp_servers", ()),
        ("migrate", ["one"]),
        ("auth", User("ann")),
        ("action", [NOTICE, ErrorEvent()]),
        ("action", iter([NOTICE])),
        ("action", no_events()),
        ("action", SyncCustomActionResponse()),
        ("transcribe", ""),
        ("feedback", True),
        *((hook, None) for hook in ANSWERS),
    ],
)
def test_what_a_hook_may_return(hook: str, answer: Any) -> None:
    assert wrong_answer(hook, answer) is None


def test_a_missing_await_is_told() -> None:
    async def later() -> None: ...

    # A coroutine that is never awaited would be a warning, and so an error
    told = wrong_answer("agent", later())
    assert told == "returned a coroutine (an `await` is missing), expected an agents.Agent or None"


def test_a_wrong_answer_at_boot() -> None:
    class Wrong:
        @hookimpl
        def store(self) -> Any:
            return "x"

    told = "plugin wrong: store: returned a str, expected a chatkit.store.Store or None"
    hooks = Hooks.of([("wrong", Wrong())])
    for boot in (hooks.boot_first, hooks.boot_all):
        with pytest.raises(SettingsError, match=f"^{re.escape(told)}$"):
            boot("store")


async def test_a_wrong_store_stops_the_start(make_chat: MakeChat) -> None:
    class Wrong:
        @hookimpl
        def store(self) -> Any:
            return "chat.db"

    with pytest.raises(SettingsError, match="plugin Wrong_0: store: returned a str, expected a"):
        await make_chat(Wrong())


class Answers:
    """Answers every asynchronous hook with the same thing, or raises it."""

    def __init__(self, answer: Any, *hooks: str) -> None:
        self.answer = answer
        self.hooks = hooks
        self.persisted = False

    async def _answer(self, hook: str) -> Any:
        if hook not in self.hooks:
            return None
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @hookimpl
    async def auth(self) -> Any:
        return await self._answer("auth")

    @hookimpl
    async def agent(self) -> Any:
        return await self._answer("agent")

    @hookimpl
    async def pre_turn(self) -> Any:
        return await self._answer("pre_turn")

    @hookimpl
    async def tool_result(self) -> Any:
        return await self._answer("tool_result")

    @hookimpl
    async def persist(self, item: Any) -> Any:
        if item.type != "assistant_message" or self.persisted:
            return None
        # What the failure left unsaved is saved once more
        self.persisted = True
        return await self._answer("persist")

    @hookimpl
    async def post_turn(self) -> Any:
        return await self._answer("post_turn")

    @hookimpl
    async def action(self) -> Any:
        return await self._answer("action")


@pytest.fixture(params=["wrong answer", "exception"])
def answer(request: pytest.FixtureRequest) -> Any:
    """What a hook does that is a mistake of its plugin."""
    return "secret" if request.param == "wrong answer" else RuntimeError("secret")


def one_line(caplog: pytest.LogCaptureFixture, hook: str, answer: Any, turn: bool = True) -> None:
    """Check that the log has the mistake once: plugin, hook, and turn; a traceback of an error."""
    lines = [r for r in caplog.records if "plugin Answers_0" in r.getMessage()]
    assert len(lines) == 1, caplog.text
    start = r"turn turn_\w+: " if turn else ""
    assert re.match(rf"{start}plugin Answers_0: {hook} (failed|returned a str)", caplog.messages[0])
    traces = [record for record in caplog.records if record.exc_info]
    assert len(traces) == isinstance(answer, Exception), caplog.text


HELLO = {"messages": [{"role": "user", "content": "hello"}]}


async def test_a_mistake_of_auth_is_a_401(
    make_chat: MakeChat, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Answers(answer, "auth"))
    assert await chat.refused(HELLO) == (401, "Could not verify who you are. Sign in again.")
    one_line(caplog, "auth", answer, turn=False)


@pytest.mark.parametrize("hook", ["agent", "pre_turn"])
async def test_a_mistake_before_the_stream_is_a_500(
    make_chat: MakeChat, hook: str, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Answers(answer, hook))
    status, message = await chat.refused(HELLO)
    assert (status, message) == (500, PluginFailed().message)
    one_line(caplog, hook, answer)


async def test_a_mistake_in_the_stream_is_an_error_event(
    make_chat: MakeChat, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Answers(answer, "persist"))
    streamed = await chat.say("hello")
    assert streamed.error is not None
    assert streamed.error["message"] == PluginFailed().message
    assert streamed.error["allow_retry"] is False
    one_line(caplog, "persist", answer)


async def test_a_mistake_of_an_action(
    make_chat: MakeChat, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Answers(answer, "action"))
    thread_id = (await chat.say("hello")).thread_id
    caplog.clear()
    action = {"thread_id": thread_id, "action": {"type": "go"}}
    streamed = await chat.stream("threads.custom_action", **action)
    assert streamed.error is not None
    assert streamed.error["message"] == PluginFailed().message
    one_line(caplog, "action", answer)
    caplog.clear()
    body = {"type": "threads.sync_custom_action", "params": action}
    assert await chat.refused(body) == (422, "A plugin's `action` hook failed.")
    one_line(caplog, "action", answer)


@function_tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


class Weather:
    """Brings a tool."""

    @hookimpl
    async def pre_turn(self, turn: Any) -> None:
        turn.tools.append(weather)


async def test_a_mistake_of_tool_result_keeps_the_output_from_the_model(
    make_chat: MakeChat, model_server: ModelServer, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Answers(answer, "tool_result"), Weather(), **served_by(model_server))
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("No idea.")
    assert (await chat.say("Rome?")).text == "No idea."
    told = str(model_server.requests[-1].body["messages"][-1]["content"])
    assert "failed" in told
    assert "sunny" not in told
    one_line(caplog, "tool_result", answer)


async def test_a_mistake_of_post_turn_is_only_logged(
    make_chat: MakeChat, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()

    class Next:
        @hookimpl
        async def post_turn(self) -> None:
            ended.set()

    chat = await make_chat(Answers(answer, "post_turn"), Next())
    assert (await chat.say("hello")).error is None
    await ended.wait()
    one_line(caplog, "post_turn", answer)


class Sets:
    """Sets a field of the turn."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        setattr(turn, self.name, self.value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("instructions", 5, "an int, expected a str or None"),
        ("model", 5, "an int, expected a str, an agents.Model, or None"),
        ("model_settings", {"temperature": 1}, "a dict, expected an agents.ModelSettings"),
        ("tools", "x", "a str, expected a list of agents.Tool"),
        ("tools", [print], "a list with a builtin_function_or_method at index 0, expected a list"),
        ("mcp_servers", ["x"], "a list with a str at index 0, expected a list of agents.mcp."),
        ("input", [5], "a list, expected a str, or a list of input items"),
    ],
)
async def test_a_wrong_field_of_the_turn_names_the_plugin(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, name: str, value: Any, told: str
) -> None:
    chat = await make_chat(Sets(name, value))
    assert await chat.refused(HELLO) == (500, PluginFailed().message)
    [line] = [m for m in caplog.messages if "plugin" in m]
    assert re.match(rf"turn turn_\w+: plugin Sets_0: pre_turn set `turn.{name}` to ", line), line
    assert told in line


@pytest.mark.parametrize(
    ("hook", "error", "status"),
    [
        ("auth", SystemExit(3), 401),
        ("pre_turn", SystemExit(3), 500),
        ("pre_turn", asyncio.CancelledError(), 500),
    ],
)
async def test_a_hook_cannot_end_the_server(
    make_chat: MakeChat,
    caplog: pytest.LogCaptureFixture,
    hook: str,
    error: BaseException,
    status: int,
) -> None:
    async def raise_it() -> None:
        raise error

    class Exits:
        pass

    setattr(Exits, hook, staticmethod(hookimpl(raise_it)))
    chat = await make_chat(Exits())
    assert (await chat.refused(HELLO))[0] == status
    [line] = [m for m in caplog.messages if "plugin" in m]
    who = "" if hook == "auth" else " (user somebody)"
    assert line.endswith(f"plugin Exits_0: {hook} failed{who}")


class OddEvents:
    """Answers actions with what is no event."""

    @hookimpl
    async def action(self) -> AsyncIterator[Any]:
        async def events() -> AsyncIterator[Any]:
            yield NOTICE
            yield 5

        return events()


async def test_what_an_action_yields_is_checked(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(OddEvents())
    thread_id = (await chat.say("hello")).thread_id
    action = {"thread_id": thread_id, "action": {"type": "go"}}
    streamed = await chat.stream("threads.custom_action", **action)
    assert streamed.error is not None
    assert "the hook `action` yielded a int, expected a ThreadStreamEvent" in caplog.text


class Speaks(HeaderAuth):
    """Answers two hooks that no turn calls."""

    @hookimpl
    async def transcribe(self) -> Any:
        return b"hello"

    @hookimpl
    async def feedback(self) -> Any:
        return "thanks"


async def test_a_mistake_of_other_hooks_is_a_422(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Speaks())
    body: dict[str, Any] = {"type": "input.transcribe"}
    body["params"] = {"audio_base64": "AAAA", "mime_type": "audio/webm"}
    assert await chat.refused(body) == (422, "A plugin's `transcribe` hook failed.")
    assert caplog.messages == [
        "plugin Speaks_0: transcribe returned a bytes, expected a str or None"
    ]
    streamed = await chat.say("hello")
    [item] = streamed.done(AssistantMessageItem.model_fields["type"].default)
    params = {"thread_id": streamed.thread_id, "item_ids": [item["id"]], "kind": "positive"}
    caplog.clear()
    status, message = await chat.refused({"type": "items.feedback", "params": params})
    assert (status, message) == (422, "A plugin's `feedback` hook failed.")
    assert caplog.messages == ["plugin Speaks_0: feedback returned a str, expected a bool or None"]
