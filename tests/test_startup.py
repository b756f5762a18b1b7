"""A start that fails: every mistake of a plugin is one line with its name, never a traceback."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from aiohttp import web
from chatkit_plugins import anonymous_auth, jwt_auth

from chatkit_server import SettingsError, hookimpl
from chatkit_server.cli.main import main
from chatkit_server.plugin import startup
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.credentials import curl_credentials
from chatkit_server.plugin.startup import set_up
from chatkit_server.serve import _example

Told = Callable[[str, str], list[str]]

BEARER = '-H "Authorization: Bearer $TOKEN"'
WHOLE = "tortoise_store: {url: 'sqlite://:memory:'}\n  anonymous_auth:\n  demo_model:\n"


@pytest.fixture
def folder(tmp_path: Path, kept_process: None) -> Iterator[Path]:
    """A folder of settings and plugins."""
    (tmp_path / "my_plugins").mkdir()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("chatkit_plugin_file"):
            del sys.modules[name]


@pytest.fixture
def told(folder: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    """Run a command with settings that cannot start, and return the lines that it says."""

    def told(command: str, text: str) -> list[str]:
        file = folder / "settings.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        port = ["--port", "0"] if command == "run" else []
        assert main([command, "--settings", str(file), *port]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in err
        lines = [line for line in err.splitlines() if line.startswith("chatkit-server: ")]
        return [line.removeprefix("chatkit-server: ").replace(f"{folder}/", "") for line in lines]

    return told


EVERYTHING = """
    server: {port: many, cors_origins: [localhost, "ftp//x"]}
    agent: {name: "${NO_NAME}"}
    plugins:
      demo_modle:
      jwt_auth: {secret: "${NO_SECRET}", leewya: 5s}
      conversation_log: {path: 5, max: 3}
      bad:
"""


@pytest.mark.parametrize("command", ["check", "run", "migrate"])
def test_everything_wrong_is_told_at_once(
    told: Told, folder: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_NAME", "NO_SECRET"):
        monkeypatch.delenv(name, raising=False)
    (folder / "my_plugins" / "bad.py").write_text("1 / 0")
    starts = [
        "settings.yaml:3: agent.name: the environment variable NO_NAME is not set, or empty.",
        "settings.yaml:6: plugins.jwt_auth.secret: the environment variable NO_SECRET is not set",
        "settings.yaml:2: server.port: Input should be a valid integer",
        "settings.yaml:2: server.cors_origins.0: `localhost` is not an origin as browsers write",
        "settings.yaml:2: server.cors_origins.1: `ftp//x` is not an origin",
        "settings.yaml:5: plugins.demo_modle: unknown plugin. Did you mean `demo_model`?",
        "settings.yaml:6: plugins.jwt_auth.leewya: unknown key. Did you mean `leeway`?",
        "settings.yaml:7: plugins.conversation_log.path: ",
        "settings.yaml:7: plugins.conversation_log.max: unknown key.",
        "settings.yaml:8: plugins.bad: the plugin cannot be imported: my_plugins/bad.py:1: Zero",
    ]
    lines = told(command, EVERYTHING)
    assert len(lines) == len(starts), lines
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start), line


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_server_that_would_refuse_everybody_does_not_start(told: Told, command: str) -> None:
    [line] = told(command, "plugins: {tortoise_store: , demo_model: }")
    assert line == (
        "settings.yaml:1: plugins: none of them says who the user is, so every request would be "
        "refused. Add `anonymous_auth:`, `jwt_auth:`, or your own plugin with an `auth` hook"
    )


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("plugins", ["", "{}", "{demo_model: }", "{todo_mcp: }"])
def test_every_kind_of_plugin_that_is_missing_is_told_at_once(
    told: Told, command: str, plugins: str
) -> None:
    lines = told(command, f"plugins: {plugins}")
    assert lines[0].startswith("settings.yaml:1: plugins: none of them says who the user is")
    assert lines[1].startswith("settings.yaml:1: plugins: none of them stores conversations")
    if "demo_model" not in plugins:
        assert "no enabled plugin serves the model `demo/todo`" in lines[2]


def test_what_is_wrong_with_good_plugins_is_told_at_once(told: Told) -> None:
    text = """
        server: {port: many}
        agent:
          model: acme/large
          models: [demo/todo, other/x]
          model_settings: {temprature: 1, top_p: much}
        plugins: {demo_model: , anonymous_auth: }
    """
    lines = told("check", text)
    assert [line.split(". ")[0] for line in lines] == [
        "settings.yaml:2: server.port: Input should be a valid integer, unable to parse string as "
        "an integer, not 'many'",
        "settings.yaml:6: agent.model_settings.temprature: unknown key",
        "settings.yaml:6: agent.model_settings.top_p: Input should be a valid number, unable to "
        "parse string as a number",
        "settings.yaml:7: plugins: none of them stores conversations",
        "settings.yaml:4: agent.model: no enabled plugin serves the model `acme/large`",
        "settings.yaml:5: agent.models: no enabled plugin serves the model `other/x`",
    ]


@pytest.mark.parametrize(
    ("agent", "told_of"),
    [
        ("{model: some}", "no enabled plugin serves the model `some`. Write a prefix before it"),
        ("{model: some, default_provider: demo}", None),
        ("{default_provider: dema}", "no enabled plugin serves the models `dema/…`. Did you mean"),
        ("{models: [demo]}", "serves the model `demo`. Write a name after the prefix: `demo/NAME`"),
    ],
)
def test_the_provider_of_names_without_a_prefix(
    told: Told, agent: str, told_of: str | None
) -> None:
    text = f"{{agent: {agent}, plugins: {{demo_model: , anonymous_auth: , todo_mcp: }}}}"
    lines = [line for line in told("check", text) if "none of them stores" not in line]
    assert len(lines) == (told_of is not None)
    assert all(str(told_of) in line for line in lines)


def test_a_model_that_could_not_be_read_is_not_looked_for(told: Told) -> None:
    text = "agent: {model: '${NO_MODEL}'}\nplugins: {tortoise_store: , anonymous_auth: }\n"
    [line] = told("check", text)
    assert "the environment variable NO_MODEL is not set" in line


PLUGIN = """
from chatkit_server import SettingsError, hookimpl

class Plugin:
    @hookimpl
    def setup(self, app):
        {setup}

    async def context(self, app):
        {context}
"""
ADDS = "app.cleanup_ctx.append(self.context)"
HERE = "my_plugins/bad.py"


@pytest.mark.parametrize(
    ("setup", "context", "line"),
    [
        ("{}[1]", "yield", f"plugin bad: setup: {HERE}:6: KeyError: 1"),
        ("raise SettingsError('no disk')", "yield", "plugin bad: no disk"),
        ("return 5", "yield", "plugin bad: setup: returned an int, expected nothing: `setup` adds"),
        (ADDS, "{}[1]; yield", f"plugin bad: `Plugin.context`: {HERE}:9: KeyError: 1"),
        (ADDS, "raise SettingsError('no disk'); yield", "plugin bad: no disk"),
        (
            ADDS,
            "return; yield",
            "plugin bad: `Plugin.context`: ValueError: it returned before its `yield`",
        ),
        (ADDS, "pass", "plugin bad: `Plugin.context`: must be an `async def` with one `yield`"),
        (
            "app.on_startup.append(self.context)",
            "{}[1]",
            f"plugin bad: `Plugin.context`: {HERE}:9: KeyError: 1",
        ),
    ],
)
def test_a_mistake_in_setup_or_in_what_it_adds_is_one_line(
    told: Told, folder: Path, setup: str, context: str, line: str
) -> None:
    text = PLUGIN.format(setup=setup, context=context)
    (folder / "my_plugins" / "bad.py").write_text(text.lstrip())
    lines = told("run", f"plugins:\n  bad:\n  {WHOLE}")
    assert [shown.startswith(line) for shown in lines] == [True], lines


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("{}[1]", f"plugin bad: `setup`: {HERE}:6: KeyError: 1"),
        ("raise SettingsError('no disk')", "plugin bad: no disk"),
        ("return", "plugin bad: `setup`: ValueError: it returned before its `yield`"),
    ],
)
def test_a_mistake_in_a_setup_with_a_yield_is_one_line(
    told: Told, folder: Path, before: str, line: str
) -> None:
    text = PLUGIN.format(setup=f"{before}; yield", context="yield")
    text = text.replace("def setup", "async def setup").lstrip()
    (folder / "my_plugins" / "bad.py").write_text(text)
    lines = told("run", f"plugins:\n  bad:\n  {WHOLE}")
    assert [shown.startswith(line) for shown in lines] == [True], lines


async def test_a_setup_with_a_yield_is_what_runs_while_the_server_does() -> None:
    happened = []

    class Lives:
        @hookimpl
        async def setup(self, app: web.Application) -> AsyncIterator[None]:
            happened.append("start")
            yield
            happened.append("stop")

    app = web.Application()
    set_up(Hooks.of([("lives", Lives())]), app)
    assert happened == []  # a command needs nothing that runs
    runner = web.AppRunner(app)
    await runner.setup()
    assert happened == ["start"]
    await runner.cleanup()
    assert happened == ["start", "stop"]


class Auth:
    """Answers nobody; `curl_credentials` is what an example request must send."""

    def __init__(self, *credentials: str | None) -> None:
        if credentials:
            [self.curl_credentials] = credentials

    @hookimpl
    async def auth(self) -> None: ...


class NoAuth:
    curl_credentials = "never"

    @hookimpl
    async def pre_turn(self) -> None: ...


@pytest.mark.parametrize(
    ("plugins", "expected"),
    [
        ([Auth("-H 'X-Key: 1'"), Auth("")], ("-H 'X-Key: 1'", None)),
        ([Auth(None), Auth("")], ("", None)),
        ([Auth(None), Auth("-u me")], ("-u me", None)),
        ([Auth(), Auth("")], ("", "plugin0")),
        ([NoAuth(), Auth("")], ("", None)),
        ([Auth(None)], ("", None)),
        ([jwt_auth.Plugin(jwt_auth.Config(secret="x" * 32))], (BEARER, None)),
        ([anonymous_auth.Plugin(anonymous_auth.Config())], ("", None)),
        (
            [
                jwt_auth.Plugin(jwt_auth.Config(secret="x" * 32, required=False)),
                anonymous_auth.Plugin(anonymous_auth.Config(user_header="X-User")),
            ],
            ("-H 'X-User: somebody'", None),
        ),
    ],
)
def test_the_credentials_of_the_example_request(
    plugins: list[Any], expected: tuple[str, str | None]
) -> None:
    hooks = Hooks.of([(f"plugin{i}", plugin) for i, plugin in enumerate(plugins)])
    assert curl_credentials(hooks) == expected


@pytest.mark.parametrize(
    ("credentials", "told"),
    [
        ({"curl_credentials": '-H "X-Key: 1"'}, 'Try it:\n  curl -N URL -H "X-Key: 1" -d '),
        ({}, "Try it (add what the plugin bad needs to know you):\n  curl -N URL -d "),
    ],
)
def test_the_example_request_has_credentials_or_says_what_is_missing(
    credentials: dict[str, str], told: str
) -> None:
    class Auth:
        @hookimpl
        async def auth(self) -> None: ...

    plugin = Auth()
    vars(plugin).update(credentials)
    assert _example("URL", Hooks.of([("bad", plugin)])).startswith(told)


class Adds:
    """Adds a context to the application."""

    def __init__(self, added: Any) -> None:
        self.added = added

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.cleanup_ctx.append(self.added)


def application(*contexts: Any) -> web.Application:
    """Return an application with a plugin for each context."""
    app = web.Application()
    set_up(Hooks.of([(f"plugin{i}", Adds(context)) for i, context in enumerate(contexts)]), app)
    return app


async def test_a_mistake_at_the_end_does_not_keep_others_from_theirs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = []

    async def first(app: web.Application) -> AsyncIterator[None]:
        yield
        ended.append("first")

    async def second(app: web.Application) -> AsyncIterator[None]:
        yield
        raise RuntimeError("broken")

    runner = web.AppRunner(application(first, second))
    await runner.setup()
    await runner.cleanup()
    assert ended == ["first"]
    assert caplog.messages == ["plugin plugin1: `second` failed when the server stopped"]


@pytest.mark.parametrize("moment", ["on_shutdown", "on_cleanup"])
async def test_a_mistake_of_a_handler_at_the_end_is_named(
    caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    ended: list[str] = []

    async def broken(app: web.Application) -> None:
        raise RuntimeError("broken")

    async def last(app: web.Application) -> None:
        ended.append("last")

    class Handles:
        @hookimpl
        def setup(self, app: web.Application) -> None:
            getattr(app, moment).append(broken)

    app = web.Application()
    set_up(Hooks.of([("mine", Handles())]), app)
    app.on_cleanup.append(last)
    runner = web.AppRunner(app)
    await runner.setup()
    await runner.cleanup()
    assert ended == ["last"]
    assert caplog.messages == ["plugin mine: `broken` failed when the server stopped"]


async def test_an_async_context_manager_works_too() -> None:
    entered = []

    @asynccontextmanager
    async def managed(app: web.Application) -> AsyncIterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    runner = web.AppRunner(application(managed))
    await runner.setup()
    await runner.cleanup()
    assert entered == ["in", "out"]


async def test_a_slow_start_says_what_it_waits_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "SLOW_START", 0.001)

    async def slow(app: web.Application) -> AsyncIterator[None]:
        while len(caplog.messages) < 2:
            await logged.wait()
            logged.clear()
        yield

    logged = asyncio.Event()

    class Notice(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.set()

    handler = Notice()
    startup.log.addHandler(handler)
    try:
        runner = web.AppRunner(application(slow))
        await runner.setup()
        await runner.cleanup()
    finally:
        startup.log.removeHandler(handler)
    assert caplog.messages[0].startswith("the start waits for plugin plugin0: `slow`, for 0.001 s")


def test_every_plugin_whose_setup_fails_is_told() -> None:
    class Bad:
        @hookimpl
        def setup(self) -> None:
            raise SettingsError("no.")

    with pytest.raises(SettingsError) as error:
        set_up(Hooks.of([("a", Bad()), ("b", Bad())]), web.Application())
    assert str(error.value) == "plugin a: no.\nplugin b: no."
