"""The documents are true."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestClient
from chatkit_plugins.compatible_models import PRESETS
from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from chatkit_server import (
    Outcome,
    ToolCall,
    ToolResult,
    Turn,
    TurnRequest,
    UploadedFile,
    User,
    errors,
)
from chatkit_server.agent.models import ModelRouter
from chatkit_server.app import create_app
from chatkit_server.cli.main import main
from chatkit_server.models import ModelTimeouts, Profile, profile_of
from chatkit_server.plugin import hookspecs
from chatkit_server.plugin.call import HookTimeout, PluginFailed
from chatkit_server.plugin.load import load_plugins
from chatkit_server.settings.load import load
from chatkit_server.settings.schema import Settings
from chatkit_server.storage import StoreContext
from chatkit_server.testing import open_client
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.turns import approvals, failures, recovery, running
from chatkit_server.web import plain, start_routes
from chatkit_server.web.operations.dispatch import OPERATIONS, parse
from tests.client import EVENT, Chat
from tests.conftest import MakeChat
from tests.documents import (
    DOCUMENTS,
    ROOT,
    Fence,
    anchors,
    commands,
    fences,
    links,
    rows,
    section,
    write_app,
    write_plugins,
)
from tests.serving import served_by

MakeClient = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]

_MENTIONED = re.compile(r"`chatkit-server ([a-z]\w*\b[^`]*)`")
ROW = re.compile(r"^\| \[`(\w+)\(([^)]*)\)`\]\(\w+\.md\) \|", re.MULTILINE)
NOTHING = "\N{EN DASH}"
QUOTE = '"'
DEFAULTS = Profile().model_dump()
OF_PLUGINS = {"block", "feedback", "files", "forget", "users"}
"""Commands that plugins bring: bundled ones, and those that are shown."""

PLAIN_LINES = {
    "thread_id",
    "tool_call",
    "client_tool_call",
    "content",
    "widget",
    "error",
    "done",
}
SETTINGS = {
    "acme_models": {"api_key": "x"},
    "api_keys": {"keys": {"ann": "x"}},
    "file_service": {"key": "x"},
    "hide_words": {"words": ["milk"]},
    "our_speech": {"url": "http://localhost:9000"},
}


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[list[str]]:
    """Write the plugins that the documents show into a folder, and return their names."""
    before = set(sys.modules)
    yield write_plugins(tmp_path / "my_plugins")
    for name in set(sys.modules) - before:
        if name.startswith(("chatkit_plugin_file", "app.")) or name == "app":
            del sys.modules[name]


# The hooks


def specs() -> dict[str, list[str]]:
    return {
        name: list(inspect.signature(spec).parameters)
        for name, spec in vars(hookspecs).items()
        if hasattr(spec, f"{hookspecs.PROJECT}_spec")
    }


def test_the_hook_table_names_every_hook_with_its_arguments() -> None:
    table = {
        name: [argument.strip() for argument in arguments.split(",") if argument.strip()]
        for name, arguments in ROW.findall((ROOT / "docs/plugins/hooks/README.md").read_text())
    }
    assert table == specs()


@pytest.mark.parametrize("hook", specs())
def test_every_hook_has_a_test(hook: str) -> None:
    pattern = re.compile(rf"@hookimpl[^\n]*\n\s+(async )?def {hook}\(")
    assert any(pattern.search(file.read_text()) for file in (ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("hook", specs())
def test_every_hook_says_what_an_error_does(hook: str) -> None:
    assert "error" in inspect.getdoc(getattr(hookspecs, hook)).lower()  # type: ignore[union-attr]


# What hooks are given, and what they may raise


@pytest.mark.parametrize(
    "given", [TurnRequest, User, ToolCall, ToolResult, UploadedFile, Outcome, StoreContext]
)
def test_every_field_of_what_hooks_are_given_is_described(given: Any) -> None:
    described = [
        row[0].strip("`") for row in rows(section("plugins/turn.md", f"## `{given.__name__}`"))
    ]
    assert described == [field.name for field in dataclasses.fields(given)]


def test_every_field_of_a_turn_is_described() -> None:
    described = {row[0].strip("`") for row in rows(section("plugins/turn.md", "## `Turn`"))}
    own = {name for name in Turn.__annotations__ if not name.startswith("_")}
    inherited = {"thread", "store", "request_context"}
    assert described == own | inherited | {"said", "seconds", "store_context"}
    assert inherited <= set(Turn.model_fields)


def test_every_error_is_described_with_its_status() -> None:
    described = {
        row[0].strip("`"): int(row[1])
        for row in rows(section("plugins/errors.md", "## Errors to raise"))
    }
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    assert described == {
        kind.__name__: kind.status
        for kind in kinds
        if issubclass(kind, errors.ServerError) and kind is not errors.ServerError
    }


# Settings


def plugin_configs() -> dict[str, type[BaseModel]]:
    modules = {
        entry.name: import_module(entry.module) for entry in entry_points(group="chatkit_server")
    }
    return {name: getattr(module, "Config", BaseModel) for name, module in modules.items()}


def sections() -> dict[str, type[BaseModel]]:
    """Return the models of the settings' sections, by their headings in docs/settings.md."""
    core = {
        name: model
        for name, field in Settings.model_fields.items()
        for model in models_in(field.annotation)
    }
    return {**core, **plugin_configs(), "timeouts": ModelTimeouts, "profile": Profile}


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the keys of a section with their fields; NAME and N stand for any name and number."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = next(models_in(field.annotation), None)
        if inner is None:
            yield key, field
        elif inspect.isclass(field.annotation):
            yield from keys(inner, f"{key}.")
        else:
            yield key, field
            any_of = {dict: "NAME.", list: "N."}.get(get_origin(field.annotation) or dict, "")
            yield from keys(inner, f"{key}.{any_of}")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if annotation in (ModelTimeouts, Profile):
        return  # they have tables of their own
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


@pytest.mark.parametrize("name", sections())
def test_every_setting_is_described_with_its_default(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    fields = dict(keys(sections()[name]))
    described = {row[0].strip("`"): row for row in rows(section("settings.md", f"### `{name}`"))}
    assert sorted(described) == sorted(fields)
    for key, (_, default, meaning) in described.items():
        assert meaning
        check_default(key, default, fields[key])


def check_default(key: str, cell: str, field: FieldInfo) -> None:
    """Check that what the document gives as the default means, in YAML, the default."""
    assert field.is_required() == (cell == "needed"), key
    if field.is_required():
        return
    expected = field.get_default(call_default_factory=True, validated_data={})
    if cell == NOTHING:
        assert expected is None, key
        return
    assert cell.startswith("`"), key
    written = yaml.safe_load(os.path.expandvars(cell.strip("`")))
    make: Any = create_model  # not for mypy, which takes the name of a model for a type
    one = make("One", value=(field.annotation, field))
    assert one(value=written).value == expected, key


def test_no_section_is_described_that_is_none() -> None:
    headings = re.findall(r"^### `(.*)`$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(sections())


def test_the_default_settings_work_without_any_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("CHATKIT_MODEL", "CORS_ORIGINS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--settings", str(ROOT / "settings.yaml")]) == 0
    assert "Plugins: anonymous_auth, tortoise_store" in capsys.readouterr().out


# Models


def test_every_endpoint_that_is_known_has_a_row_with_its_profile() -> None:
    sections = ("## Providers", "## Servers on your own machine")
    tables = [row for heading in sections for row in rows(section("models.md", heading))]
    described = {row[0].strip("`"): row[2] for row in tables if len(row) == 4}
    assert described == {name: said(profile_of(name, "")) for name in PRESETS}


def said(profile: Profile) -> str:
    """Return what a profile sets, as the document writes it."""
    values = profile.model_dump().items()
    written = {key: json.dumps(value).strip(QUOTE) for key, value in values}
    changed = [key for key, value in values if value != DEFAULTS[key]]
    return ", ".join(f"`{key}: {written[key]}`" for key in changed) or NOTHING


def test_models_that_are_known_by_name_have_the_profiles_of_their_rows() -> None:
    for models, profile, _ in rows(section("models.md", "## Models that are known by name")):
        for name in re.findall(r"`([^`]+)`", models):
            told = set(said(profile_of("unknown", name)).split(", "))
            assert set(profile.split(", ")) <= told, name


def test_the_settings_name_every_endpoint_that_is_known() -> None:
    paragraph = section("settings.md", "### `compatible_models`").partition("|")[0]
    named = set(re.findall(r"\b[a-z]+\b", paragraph.partition("`gemini/gemini-2.5-flash`")[2]))
    assert set(PRESETS) <= named


# Code that is shown


@pytest.mark.parametrize("fence", fences("python"), ids=str)
def test_python_compiles(fence: Fence) -> None:
    compile(fence.text, str(fence), "exec")


def test_plugins_that_are_shown_can_be_enabled(tmp_path: Path, shown: list[str]) -> None:
    assert len(shown) > 5
    file = tmp_path / "settings.yaml"
    recipes = [fence for fence in fences("yaml") if fence.document.parent.name == "cookbook"]
    given = SETTINGS.copy()
    for fence in recipes:
        given |= yaml.safe_load(fence.text)["plugins"]
    file.write_text(yaml.safe_dump({"plugins": {name: given.get(name) for name in shown}}))
    environ = {name: value for fence in recipes for name, value in fence.environ.items()}
    assert load_plugins(load(file, environ)).names == sorted(shown)


@pytest.mark.parametrize("fence", fences("yaml"), ids=str)
async def test_yaml_is_valid_settings(
    fence: Fence, tmp_path: Path, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    monkeypatch.setattr(sys, "path", sys.path[:])
    write_app(tmp_path)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "settings.yaml"
    file.write_text(fence.text, "utf-8")
    settings = load(file, fence.environ)
    if fence.file == "settings.yaml":
        create_app(settings)
    else:
        models = ModelRouter(load_plugins(settings))
        names = "model:" in fence.text and "agent" in yaml.safe_load(fence.text)
        for name in [settings.agent.model, *settings.agent.models] * names:
            models.check(name)


def try_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Run a command in an empty folder: `init` and `schema` work, others say what they miss."""
    if arguments[0] in ("export", "erase") and "--user" not in arguments:
        arguments = [*arguments, "--user", "ann"]
    if arguments[0] == "erase" and "--yes" not in arguments:
        arguments = [*arguments, "--dry-run"]
    if arguments[0] in ("init", "schema"):
        assert main(arguments) == 0
        return
    if arguments[0] in ("export", "erase"):
        # A text may name them alone, and they ask for more
        more = ["--yes"] if arguments[0] == "erase" else []
        arguments = [*arguments, "--user", "ann", *more]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "no such file" in told
    assert ("is none of" in told) == (arguments[0] in OF_PLUGINS)


@pytest.mark.parametrize("fence", fences("sh"), ids=str)
def test_commands_take_the_options_that_are_shown(
    fence: Fence,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in commands(fence.text):
        try_command(command, capsys)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_commands_that_are_mentioned_exist(
    document: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in set(_MENTIONED.findall(document.read_text())):
        try_command(command.split(), capsys)


async def chat_with(make_chat: MakeChat, server: ModelServer, folder: Path, *names: str) -> Chat:
    settings = served_by(server)
    settings["plugins"] |= {name: SETTINGS.get(name) for name in names}
    return await make_chat(**settings, plugin_dirs=[folder])


async def test_tools_that_are_shown_show_and_ask(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path, shown: list[str]
) -> None:
    chat = await chat_with(
        make_chat, model_server, tmp_path / "my_plugins", "weather", "page_colour", "todays_date"
    )
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("There it is.")
    streamed = await chat.say("Rome?")
    assert streamed.done("widget")[0]["copy_text"] == "It is sunny in Rome."
    assert {
        "type": "progress_update",
        "text": "Looking out of the window in Rome…",
    } in streamed.data
    assert "\nToday is " in model_server.requests[0].body["messages"][0]["content"]
    model_server.reply(Call("set_colour", {"colour": "red"}))
    streamed = await chat.say("Red, please.", streamed.thread_id)
    [asked] = streamed.done("client_tool_call")
    assert (asked["name"], asked["arguments"]) == ("set_colour", {"colour": "red"})
    model_server.reply("It is red.")
    streamed = await chat.stream(
        "threads.add_client_tool_output", thread_id=streamed.thread_id, result={"done": True}
    )
    assert streamed.text == "It is red."


async def test_an_action_a_route_and_an_app_that_are_shown_answer(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path, shown: list[str]
) -> None:
    names = "api_keys", "refresh", "days", "export", "facts"
    chat = await chat_with(make_chat, model_server, tmp_path / "my_plugins", *names)
    chat.headers = {"X-Api-Key": "x"}
    model_server.reply("Hello.")
    thread_id = (await chat.say("Hello?")).thread_id
    streamed = await chat.stream(
        "threads.custom_action", thread_id=thread_id, action={"type": "refresh"}
    )
    assert streamed.data[-1]["message"] == "Fresh again, ann."
    model_server.reply("Friday is free.")
    action = {"type": "days.pick", "payload": {"day": "Friday"}}
    picked = await chat.stream("threads.custom_action", thread_id=thread_id, action=action)
    assert picked.text == "Friday is free."
    assert "The user picked Friday." in str(model_server.requests[-1].body["messages"])
    await chat.ask("threads.update", thread_id=thread_id, title="Greetings")
    path = f"/api/threads/{thread_id}/title"
    assert await (await chat.client.get(path, headers=chat.headers)).json() == {
        "title": "Greetings"
    }
    assert (await chat.client.get(path)).status == 404  # somebody else
    assert (await chat.client.get(path, headers={"X-Api-Key": "wrong"})).status == 401
    facts = await chat.client.get("/facts")
    assert await facts.json() == {"facts": ["Water is wet."]}


# The protocol


def test_every_operation_is_described() -> None:
    described = [row[0].strip("`") for row in rows(section("protocol.md", "## Operations"))]
    assert sorted(described) == sorted(OPERATIONS)


@pytest.mark.parametrize("fence", fences("json"), ids=str)
def test_json_that_is_shown_is_valid(fence: Fence) -> None:
    body = json.loads(fence.text)
    if fence.document.name != "protocol.md":
        return
    if "type" in body:
        parse(body)
    elif "message" in body:
        start_routes.parse(body)
    else:
        plain.parse(body)


@pytest.mark.parametrize("fence", fences("text"), ids=str)
def test_events_that_are_shown_are_valid(fence: Fence) -> None:
    for line in fence.text.splitlines():
        if line.startswith("data: "):
            event = json.loads(line.removeprefix("data: "))
            if "type" in event:
                EVENT.validate_python(event)
            else:
                assert next(iter(event)) in PLAIN_LINES


def test_every_message_of_a_failure_is_described() -> None:
    described = {row[0]: row[1] for row in rows(section("protocol.md", "## Errors in the stream"))}
    messages = {
        value: value in failures._RETRIABLE
        for name, value in vars(failures).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str)
    }
    for ending in (running.STOPPED, running.RESTARTED, running.TAKEN_OVER):
        messages[ending.problem.message] = ending.problem.allow_retry
    for problem in (PluginFailed(), HookTimeout()):
        messages[problem.message] = problem.allow_retry
    messages[recovery.INTERRUPTED] = True
    messages |= dict.fromkeys((approvals.CHANGED, approvals.cannot_wait("{tool}")), False)
    for message, retry in messages.items():
        assert described.pop(message) == ("yes" if retry else "no")
    # Those of limits, which are made where they are raised
    source = (ROOT / "chatkit_server/turns/running.py").read_text()
    source += (ROOT / "chatkit_server/events/recorder.py").read_text()
    source += (ROOT / "chatkit_server/agent/output.py").read_text()
    for message in described:
        assert all(part in source for part in message.split("{limit}"))


def test_the_bundled_store_records_turns() -> None:
    """As docs/deployment.md says of several processes, and of one that died."""
    settings = Settings.model_validate({"plugins": {"tortoise_store": None}})
    assert load_plugins(settings).implemented("turn_store")


# All documents


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_nothing_names_a_package_registry() -> None:
    assert not re.search(r"https?://|index-url|find-links", (ROOT / "constraints.txt").read_text())


@pytest.mark.usefixtures("shown")
async def test_the_quota_that_is_shown(tmp_path: Path) -> None:
    plugins = {"daily_quota": {"messages": 1}}
    settings = {"plugin_dirs": [tmp_path / "my_plugins"], "plugins": plugins}
    async with open_client(settings) as client:
        ann, bob = client.as_user("ann"), client.as_user("bob")
        assert "Come back" not in (await ann.say("hello")).text
        assert (await ann.say("hello")).text.endswith("Come back tomorrow.")
        assert "Come back" not in (await bob.say("hello")).text
