"""The kit with which authors test their plugins."""

from __future__ import annotations

import importlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from agents import RunContextWrapper, Tool, function_tool
from aiohttp import web
from aiohttp.web import Request
from chatkit.actions import Action
from chatkit.agents import ClientToolCall
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    StructuredInputFreeform,
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadStreamEvent,
    WidgetItem,
)
from chatkit.widgets import Button, Card, Text
from pydantic import BaseModel
from yarl import URL

from chatkit_server import SettingsError, Turn, Unauthorized, User, hookimpl
from chatkit_server.testing import (
    Call,
    Gate,
    ModelServer,
    Refused,
    ScriptEnded,
    Unfinished,
    call,
    make_app,
    mcp_server,
    open_client,
    run_command,
    script,
)
from chatkit_server.testing.pytest_plugin import MakeClient
from tests.documents import fences


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


class Loud:
    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.instructions = f"Shout at {turn.user.name}."


class Tools:
    """Gives the agent these tools."""

    def __init__(self, *tools: Tool) -> None:
        self.tools = [*tools]

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools = self.tools


async def test_a_whole_turn_with_a_scripted_model() -> None:
    model = script(call("add", a=1, b=2), "It is 3.")
    calculator = mcp_server(add, greet)
    async with open_client(plugins=[Loud(), calculator], model=model) as client:
        ann = client.as_user("ann", name="Ann")
        answer = await ann.say("What is 1 + 2?")
        assert answer.text == "It is 3."
        [called] = answer.tool_calls
        assert (called.name, called.arguments) == ("add", {"a": 1, "b": 2})
        assert called.output == "3"
        assert calculator.calls == ["add"]
        assert model.requests[0].instructions == "Shout at Ann."
        assert model.requests[0].said == "What is 1 + 2?"
        assert model.requests[0].tools == ["add", "greet"]
        assert (await ann.items())[0].type == "user_message"
        assert await client.threads() == []
        model.add([call("greet", name="Ann"), Call("greet", {"name": "Bob"})], "Both greeted.")
        again = await ann.say("Greet us")
        assert sorted(str(called.arguments["name"]) for called in again.tool_calls) == [
            "Ann",
            "Bob",
        ]
        assert again.thread_id == answer.thread_id == ann.thread_id
        assert len(await ann.threads()) == 1
    assert model.remaining_steps == 0


async def test_an_mcp_server_serves_one_server_after_another() -> None:
    calculator = mcp_server(add)
    url = calculator.url
    for _ in range(2):
        model = script(call("add", a=2, b=2), "4")
        async with open_client(plugins=[calculator], model=model) as client:
            assert [c.failed for c in (await client.say("2 + 2?")).tool_calls] == [False]
        # Nobody else gets the port between them
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", URL(url).port))
    assert (calculator.url, calculator.calls) == (url, ["add", "add"])


async def test_a_script_may_answer_by_the_request_and_fail(chatkit_client: MakeClient) -> None:
    model = script(lambda request: f"{request.said.upper()}!", ValueError("no"), "Back.")
    client = await chatkit_client(model=model)
    assert (await client.say("hello")).text == "HELLO!"
    failed = await client.say("and now?")
    assert failed.error is not None
    assert failed.items[-1].type == "user_message"
    assert (await client.say("again")).text == "Back."


async def test_a_script_that_is_too_short_says_which_request_came(
    chatkit_client: MakeClient,
) -> None:
    client = await chatkit_client(mcp_server(add), model=script(call("add", a=1, b=2)))
    with pytest.raises(ScriptEnded, match=r"asked 2 times.* 1 answer\. In request 2, a tool gave"):
        await client.say("What is 1 + 2?")
    other = await chatkit_client(model=script())
    with pytest.raises(ScriptEnded, match=r"0 answers\. In request 1, the user said 'Hi'"):
        await other.plain("Hi")


@pytest.mark.parametrize("step", [3, ["a", 3], {"a": 1}.items()])
def test_what_is_no_answer_of_a_model_is_refused(step: Any) -> None:
    with pytest.raises(TypeError, match=r"a script has text, call\(\.\.\.\)"):
        script(step)


class Keys:
    @hookimpl
    async def auth(self, request: Request) -> User | None:
        match request.headers.get("X-Key"):
            case None:
                return None
            case "right":
                return User("ann", tenant="acme")
        raise Unauthorized("The key is wrong.")


async def test_users_are_named_or_known_by_the_plugin(chatkit_client: MakeClient) -> None:
    client = await chatkit_client(Keys())
    with pytest.raises(Refused) as unknown:
        await client.say("Hello")
    assert unknown.value.status == 401
    with pytest.raises(Refused, match=r"answered 401: The key is wrong\."):
        await client.with_headers({"X-Key": "wrong"}).say("Hello")
    known = client.with_headers({"X-Key": "right"})
    await known.say("Hello")
    assert len(await client.as_user("ann", tenant="acme").threads()) == 1
    assert await client.as_user("ann", tenant="other").threads() == []
    stranger = client.as_user("bob")
    stranger.thread_id = known.thread_id
    with pytest.raises(Refused) as hidden:
        await stranger.say("Let me in")
    assert hidden.value.status == 404


class Counter:
    """Shows a button, and counts the clicks."""

    @hookimpl
    async def respond(self, turn: Turn) -> list[ThreadStreamEvent]:
        button = Button(label="More", onClickAction={"type": "more", "payload": {"by": 2}})
        return [ThreadItemDoneEvent(item=self.item(turn, Card(children=[button])))]

    def item(self, turn: Turn, widget: Card) -> WidgetItem:
        return WidgetItem(
            id="widget_1",
            thread_id=turn.thread.id,
            created_at=turn.thread.created_at,
            widget=widget,
        )

    @hookimpl
    async def action(
        self, turn: Turn, action: Action[str, Any], item: WidgetItem | None
    ) -> list[ThreadStreamEvent]:
        said = AssistantMessageContent(text=f"{action.type} by {action.payload['by']}")
        answer = AssistantMessageItem(
            id="msg_1", thread_id=turn.thread.id, created_at=turn.thread.created_at, content=[said]
        )
        return [ThreadItemDoneEvent(item=answer)]


async def test_a_click_on_a_widget(chatkit_client: MakeClient) -> None:
    client = await chatkit_client(Counter())
    answer = await client.say("Show it")
    assert isinstance(answer.widget, Card)
    [button] = answer.widget.children
    assert isinstance(button, Button)
    assert button.onClickAction is not None
    [item] = answer.widget_items
    assert (await client.act(item, button.onClickAction)).text == "more by 2"
    assert (await client.act(item, "more", by=3)).text == "more by 3"


async def test_tools_that_wait_for_the_user(chatkit_client: MakeClient) -> None:
    sent: list[str] = []

    @function_tool(needs_approval=True)
    async def send(to: str) -> str:
        sent.append(to)
        return "sent"

    @function_tool
    async def measure(ctx: RunContextWrapper[Turn]) -> None:
        await ctx.context.ask(
            [
                StructuredInputFreeform(id="size", question="Size?"),
                StructuredInputFreeform(id="color", question="Color?"),
            ]
        )

    model = script(call("send", to="ann"), "Sent.", call("send", to="bob"), "Not sent.")
    client = await chatkit_client(Tools(send, measure), model=model)
    asked = await client.say("Write to Ann")
    assert (len(asked.approvals), sent) == (1, [])
    assert (await client.approve(asked)).text == "Sent."
    assert (await client.deny(await client.say("To Bob, too"))).text == "Not sent."
    assert sent == ["ann"]
    model.add(call("measure"), "M, then.")
    asked = await client.say("A shirt")
    assert [each.question for each in asked.questions[0].inputs] == ["Size?", "Color?"]
    with pytest.raises(LookupError, match="no question for shape; there are size, color"):
        await client.reply(asked, shape="round")
    answer = await client.reply(asked, "M")
    assert answer.text == "M, then."
    with pytest.raises(LookupError, match=r"no tool call waits .*'M, then\.'"):
        await client.approve(answer)
    with pytest.raises(LookupError, match="the user is asked nothing"):
        await client.reply(answer, "L")


async def test_the_page_runs_a_tool_and_asks_again(chatkit_client: MakeClient) -> None:
    @function_tool
    async def paint(ctx: RunContextWrapper[Turn], color: str) -> str:
        ctx.context.client_tool_call = ClientToolCall(name="paint", arguments={"color": color})
        return "asked"

    model = script(call("paint", color="red"), "It is red.", "Red, as I said.")
    client = await chatkit_client(Tools(paint), model=model)
    asked = await client.say("Paint it red")
    assert asked.client_tool_call is not None
    assert asked.client_tool_call.arguments == {"color": "red"}
    assert (await client.give_tool_output({"done": True})).text == "It is red."
    again = await client.retry(asked.items[0].id)
    assert again.text == "Red, as I said."
    with pytest.raises(Refused, match="the server answered 4"):
        await client.give_tool_output("twice")


async def test_an_action_without_a_stream(chatkit_client: MakeClient) -> None:
    class Like:
        @hookimpl
        async def action(
            self, action: Action[str, Any], item: WidgetItem | None
        ) -> SyncCustomActionResponse:
            assert item is not None
            text = Text(value=f"liked {action.payload['what']}")
            liked = item.model_copy(update={"widget": Card(children=[text])})
            return SyncCustomActionResponse(updated_item=liked)

    client = await chatkit_client(Like(), Counter())
    [item] = (await client.say("Show it")).widget_items
    updated = (await client.act_sync(item, "like", what="cats")).updated_item
    assert isinstance(updated, WidgetItem)
    assert "liked cats" in updated.model_dump_json()


async def test_an_answer_is_left_resumed_and_stopped(
    chatkit_client: MakeClient, model_server: ModelServer
) -> None:
    client = await chatkit_client(model=model_server)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    running = await client.begin("Count")
    await running.until("One")
    running.disconnect()
    gate.open()
    await running.resume()
    answer = await running.end()
    assert (answer.text, len(set(answer.ids))) == ("One, two.", len(answer.ids))
    model_server.reply("One, ", Gate(), "two.")
    running = await client.begin("Count")
    await running.until("One")
    stopped = await running.stop()
    assert "two" not in stopped.text
    client.patience = 0.1
    model_server.reply("One, ", Gate(), "two.")
    with pytest.raises(Unfinished, match=r"has not ended after 0\.1 s .*'One, '"):
        await client.say("Count")
    client.patience = 10
    model_server.reply("One.")
    client.new_thread()
    running = await client.begin("Count")
    with pytest.raises(Unfinished, match=r"ended without 'two'.*'One\.'"):
        await running.until("two")


async def test_files_are_uploaded_as_the_composer_does(
    chatkit_client: MakeClient, tmp_path: Path
) -> None:
    model = script("Read.")
    files = {"attachments": {"url": f"{tmp_path}/files"}}
    client = await chatkit_client(model=model, plugins=files)
    file = await client.upload("Buy milk.", "list.txt")
    answer = await client.say("Read this", attachments=[file])
    assert answer.text == "Read."
    assert "Buy milk." in str(model.requests[0].input)


async def test_a_whole_deployment(tmp_path: Path) -> None:
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins/terse.py").write_text(
        "from chatkit_server import hookimpl\n\n"
        "@hookimpl\n"
        "async def pre_turn(turn):\n    turn.instructions = 'Be terse.'\n"
    )
    file = tmp_path / "settings.yaml"
    file.write_text("server: {path: /chat}\nplugins: {terse: , anonymous_auth: }\n")
    model = script("Yes.")
    async with open_client(file, model=model) as client:
        assert client.path == "/chat"
        assert (await client.say("Really?")).text == "Yes."
        assert model.requests[0].instructions == "Be terse."
    file.write_text("server: {pth: /chat}\n")
    with pytest.raises(SettingsError, match=r"settings\.yaml:1: server\.pth"):
        make_app(file)


def module(name: str, **content: object) -> ModuleType:
    made = ModuleType(f"my_plugins.{name}")
    vars(made).update(content)
    return made


class Needs(BaseModel):
    word: str


class Configured:
    def __init__(self, config: Needs) -> None:
        self.config = config

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.instructions = self.config.word


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (Loud, r"Loud is a class: give an object of it, such as Loud\(\)"),
        ("titles", r"'titles' is a name: enable it in the settings"),
        (object(), "object has no hook: put `@hookimpl`"),
        (module("empty"), r"my_plugins\.empty has no hook"),
        ((1, Loud()), r"is no plugin: give \(name, object\)"),
        (
            module("needy", Config=Needs, Plugin=Configured),
            r"word.*\n.*needs settings: give needy\.Plugin\(needy\.Config\(\.\.\.\)\)",
        ),
    ],
)
def test_what_is_no_plugin_is_explained(plugin: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make_app(plugins=[plugin])


def test_what_is_no_model_is_explained() -> None:
    wrong: Any = ["Hello"]
    with pytest.raises(SettingsError, match=r"is no model: give script\(\.\.\.\)"):
        make_app(model=wrong)
    with pytest.raises(RuntimeError, match="async with ModelServer"):
        make_app(model=ModelServer())
    with pytest.raises(SettingsError, match="agnet"):
        make_app({"agnet": {}})


async def test_a_plugin_of_a_module_that_was_loaded_by_hand(chatkit_client: MakeClient) -> None:
    by_hand = type("ByHand", (Loud,), {"__module__": "in_no_list"})
    client = await chatkit_client(by_hand(), model=script("Yes."))
    assert (await client.say("Really?")).error is None


async def test_what_began_before_a_start_that_failed_is_ended() -> None:
    ended: list[str] = []

    class Opens:
        @hookimpl
        def setup(self, app: web.Application) -> None:
            app.cleanup_ctx.append(self.opened)

        async def opened(self, _app: web.Application) -> AsyncIterator[None]:
            yield
            ended.append("closed")

    class Fails:
        @hookimpl
        def setup(self, app: web.Application) -> None:
            app.on_startup.append(self.fail)

        async def fail(self, _app: web.Application) -> None:
            raise SettingsError("no table")

    with pytest.raises(SettingsError, match="plugin Fails_2: no table"):
        async with open_client(plugins=[Opens(), Fails()]):
            pass
    assert ended == ["closed"]


SHOWN = [
    fence
    for fence in fences("python", "toml")
    if fence.document.match("plugins/testing.md") or "hide_words.py" in (fence.file or "")
]


async def test_commands_take_settings_or_sections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("plugins: {anonymous_auth: , demo_model: }\n")
    assert await run_command("check", settings=file) == 2
    assert "none of them stores conversations" in capsys.readouterr().err
    assert await run_command("check", agent={"model": "no/model"}) == 2
    assert "agent.model: no enabled plugin serves" in capsys.readouterr().err
    with pytest.raises(TypeError, match="give `settings` or 'agent', not both"):
        await run_command("check", settings=file, agent={})


STRICT = """
import pytest

@pytest.mark.asyncio
async def test_with_a_mark(chatkit_client, model_server):
    client = await chatkit_client(model=model_server)
    assert (await client.say("Hello")).text == "You said: Hello"

@pytest.mark.asyncio
async def test_that_fails(chatkit_client):
    class Broken:
        pass
    await chatkit_client(Broken)
"""

STRICT_MODE = """
[pytest]
asyncio_mode = strict
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


def run_pytest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str
) -> str:
    """Run pytest as authors do, in this process: it has imported everything."""
    monkeypatch.chdir(folder)
    options = ["--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
    # Only here: this process has imported it before pytest did
    options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    pytest.main(["-q", *options, *args])
    return capsys.readouterr().out


def test_the_tests_that_are_shown_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Not `tests`: this process may have modules of that name
    for folder in ("my_plugins", "shown_tests"):
        (tmp_path / folder).mkdir()
    for fence in SHOWN:
        name = "pyproject.toml" if fence.language == "toml" else fence.file
        assert name is not None, fence
        file = tmp_path / name.replace("tests/", "shown_tests/")
        file.write_text(fence.text, "utf-8")
    tests = sum(fence.text.count("async def test_") for fence in SHOWN)
    told = run_pytest(tmp_path, monkeypatch, capsys)
    assert f"\n{tests} passed" in told, told


def test_the_strict_mode_and_what_a_failed_test_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_strict.py").write_text(STRICT)
    (tmp_path / "pytest.ini").write_text(STRICT_MODE)
    told = run_pytest(tmp_path, monkeypatch, capsys, "-p", "no:aiohttp")
    assert "1 failed, 1 passed" in told, told
    assert "SettingsError: Broken is a class: give an object of it" in told


def test_warnings_of_chatkit_itself_are_no_errors(tmp_path: Path) -> None:
    # In a process that has not imported ChatKit yet
    (tmp_path / "test_import.py").write_text("import chatkit.widgets\n\n\ndef test_it(): pass\n")
    (tmp_path / "pytest.ini").write_text(STRICT_MODE)
    options = ["-q", "-p", "no:cacheprovider", "-W", "error", "-c", "pytest.ini"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=tmp_path, capture_output=True, text=True
    )
    assert "1 passed" in ran.stdout, ran.stdout


SLOW = """
import sys
import chatkit_server.testing, chatkit_server.testing.pytest_plugin
print(*{"agents", "aiohttp", "chatkit", "openai", "mcp"} & set(sys.modules))
"""


def test_pytest_imports_nothing_slow_for_those_who_do_not_use_it() -> None:
    command = [sys.executable, "-c", SLOW]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "\n"


def test_nothing_but_names_is_imported_before_it_is_used() -> None:
    testing = importlib.import_module("chatkit_server.testing")
    assert set(testing.__all__) <= set(dir(testing))
    for name in testing.__all__:
        assert getattr(testing, name).__module__.startswith("chatkit_server.testing.")
    assert "chatkit_server.testing.pytest_plugin" in sys.modules
