"""A whole server with the plugins and settings that a test gives."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from agents import Model
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ..app import create_app
from ..errors import SettingsError
from ..plugin.calls import Hooks
from ..plugin.hookspecs import PROJECT
from ..plugin.load import load_plugins
from ..settings.load import PLUGIN_DIRS, collect_settings, validate
from ..settings.problems import Problems
from ..settings.schema import Settings
from ..settings.source import Source
from ..web.keys import SETTINGS
from .client import ChatClient
from .memory_store import MemoryStorePlugin
from .model_server import ModelServer
from .scripts import ModelPlugin, ScriptedModel
from .tool_calls import ToolCalls
from .users import AnyUser, NamedUsers

GivenSettings: TypeAlias = Mapping[str, Any] | Settings | Path | str | None
GivenModel: TypeAlias = Model | ModelServer | str | None

ENDPOINT = "tested"
"""The endpoint of `compatible_models` that leads to a `ModelServer`."""

_USERS = web.AppKey("testing_users", NamedUsers)
_CALLS = web.AppKey("testing_calls", ToolCalls)


def make_app(
    settings: GivenSettings = None, plugins: Iterable[object] = (), *, model: GivenModel = None
) -> web.Application:
    """Return the application of a server.

    `settings` are the sections of a `settings.yaml` as a dict, `Settings`, or the path of a
    settings file, of which everything is used. With a dict, plugins are also looked for in
    `plugins` and `my_plugins` of the working directory, and `demo/todo` answers.

    `plugins` are objects, modules, or `(name, object)`. They are called before those that the
    settings name. Where no plugin has the hook `auth`, everybody is the user `local`; where none
    stores conversations, they are kept in memory.

    `model` answers in place of the settings' model: a `script(...)`, another model of the Agents
    SDK, a `ModelServer`, or a name.

    Raises `SettingsError`, as the server does when it starts.
    """
    return watched_app(settings, plugins, model, lambda hooks: None)


def watched_app(
    settings: GivenSettings,
    plugins: Iterable[object],
    model: GivenModel,
    watch: Callable[[Hooks], None],
) -> web.Application:
    """Do as `make_app`; `watch` gets the hooks before any is called."""
    named = [_named(plugin, at) for at, plugin in enumerate(plugins, 1)]
    problems = Problems()
    loaded, more = _with_model(_settings(settings, problems), model)
    problems.raise_any()
    others = [*named, *more, *load_plugins(loaded).plugins]
    users, calls = NamedUsers(), ToolCalls()
    last: list[tuple[str, object]] = [("test_store", MemoryStorePlugin()), ("test_calls", calls)]
    if not any("auth" in hooks_of(plugin) for _, plugin in others):
        last.append(("any_user", AnyUser()))
    every = [("test_users", users), *others, *last]
    hooks = Hooks.of(every, loaded.hooks)
    watch(hooks)
    app = create_app(loaded, hooks, problems)
    app[_USERS], app[_CALLS] = users, calls
    return app


@asynccontextmanager
async def open_client(
    settings: GivenSettings = None, plugins: Iterable[object] = (), *, model: GivenModel = None
) -> AsyncIterator[ChatClient]:
    """Start a server on a free port, and stop it at the end; it takes what `make_app` takes."""
    app = make_app(settings, plugins, model=model)
    http = TestClient(TestServer(app))
    try:
        await http.start_server()
        yield client_of(app, http, model)
    finally:
        # Also what began before a start that failed
        await http.close()


def client_of(app: web.Application, http: TestClient[Any, Any], model: GivenModel) -> ChatClient:
    """Return a client of an application of `make_app`."""
    scripted = model if isinstance(model, ScriptedModel) else None
    path = app[SETTINGS].server.path
    return ChatClient(http, path, users=app[_USERS], calls=app[_CALLS], model=scripted)


def _settings(given: GivenSettings, problems: Problems) -> Settings:
    if isinstance(given, Settings):
        return given
    if isinstance(given, Path | str):
        return collect_settings(Path(given), problems)
    sections = dict(given or {})
    plugins = sections.get("plugins") or {}
    sections["plugins"] = {"demo_model": {"pace": "1ms"}, **plugins}
    sections.setdefault("plugin_dirs", [name for name in PLUGIN_DIRS if Path(name).is_dir()])
    return validate(Settings, sections, Source())


def _with_model(settings: Settings, model: GivenModel) -> tuple[Settings, list[tuple[str, object]]]:
    """Return the settings with this model, and the plugins that it needs."""
    more: list[tuple[str, object]] = []
    match model:
        case None:
            return settings, more
        case str():
            name = model
        case ModelServer():
            settings, name = _with_endpoint(settings, model), f"{ENDPOINT}/model"
        case Model():
            more, name = [("test_model", ModelPlugin(model))], ModelPlugin.NAME
        case _:
            raise SettingsError(
                f"model={model!r} is no model: give script(...), a Model of the Agents SDK, a "
                "ModelServer, or a name such as 'demo/todo'"
            )
    agent = settings.agent.model_copy(update={"model": name})
    return settings.model_copy(update={"agent": agent}), more


def _with_endpoint(settings: Settings, server: ModelServer) -> Settings:
    section = dict(settings.plugins.get("compatible_models") or {})
    endpoints = {**section.get("endpoints", {}), ENDPOINT: {"base_url": server.url}}
    plugins = {**settings.plugins, "compatible_models": {**section, "endpoints": endpoints}}
    return settings.model_copy(update={"plugins": plugins})


def _named(given: object, number: int) -> tuple[str, object]:
    """Return a plugin after its name; raises `SettingsError` for what is none."""
    name = None
    if isinstance(given, tuple):
        if len(given) != 2 or not isinstance(given[0], str):
            raise SettingsError(f"{given!r} is no plugin: give (name, object)")
        name, given = given
    plugin = _plugin(given)
    if not hooks_of(plugin):
        raise SettingsError(
            f"{_shown(plugin)} has no hook: put `@hookimpl` of chatkit_server before the functions "
            "that the server is to call"
        )
    if name is None and isinstance(given, ModuleType):
        name = given.__name__.rpartition(".")[2]
    return name or f"{type(plugin).__name__}_{number}", plugin


def _plugin(given: object) -> object:
    if inspect.isclass(given):
        raise SettingsError(
            f"{given.__name__} is a class: give an object of it, such as {given.__name__}()"
        )
    if isinstance(given, str):
        raise SettingsError(
            f"{given!r} is a name: enable it in the settings, as plugins={{{given!r}: {{...}}}}"
        )
    plugin_class = getattr(given, "Plugin", None)
    if not isinstance(given, ModuleType) or plugin_class is None:
        return given
    config = getattr(given, "Config", None)
    if config is None:
        return plugin_class()
    try:
        return plugin_class(validate(config, {}, Source()))
    except SettingsError as error:
        name = given.__name__.rpartition(".")[2]
        raise SettingsError(
            f"{error}\nThe plugin needs settings: give {name}.Plugin({name}.Config(...)), or "
            f"enable it in the settings, as plugins={{{name!r}: {{...}}}}"
        ) from None


def hooks_of(plugin: object) -> set[str]:
    """Return the names of the hooks that a plugin implements."""
    found = set()
    for name in dir(plugin):
        mark = getattr(inspect.getattr_static(plugin, name, None), f"{PROJECT}_impl", None)
        if mark is not None:
            found.add(mark.get("specname") or name)
    return found


def _shown(plugin: object) -> str:
    return plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__name__
