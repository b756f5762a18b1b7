"""A whole server with the plugins and settings that a test gives."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterable, Mapping
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
from ..plugin.load import load_plugins
from ..settings.load import PLUGIN_DIRS, load, validate
from ..settings.schema import Settings
from ..settings.source import Source
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
    settings name. Where no other plugin does, users are taken for `local`, and conversations kept
    in memory.

    `model` answers in place of the settings' model: a `script(...)`, another model of the Agents
    SDK, a `ModelServer`, or a name.

    Raises `SettingsError`, as the server does when it starts.
    """
    named = [_named(plugin, at) for at, plugin in enumerate(plugins, 1)]
    loaded = _settings(settings)
    if isinstance(model, Model):
        named.append(("test_model", ModelPlugin(model)))
        loaded = _with_model(loaded, ModelPlugin.NAME)
    elif isinstance(model, ModelServer):
        loaded = _with_model(_with_endpoint(loaded, model), f"{ENDPOINT}/model")
    elif model is not None:
        loaded = _with_model(loaded, model)
    users, calls = NamedUsers(), ToolCalls()
    ours = [("test_users", users)]
    last = [("any_user", AnyUser()), ("test_store", MemoryStorePlugin()), ("test_calls", calls)]
    every = [*ours, *named, *load_plugins(loaded).plugins, *last]
    app = create_app(loaded, Hooks.of(every, loaded.hooks))
    app[_USERS], app[_CALLS] = users, calls
    return app


@asynccontextmanager
async def open_client(
    settings: GivenSettings = None, plugins: Iterable[object] = (), *, model: GivenModel = None
) -> AsyncIterator[ChatClient]:
    """Start a server on a free port, and stop it at the end; it takes what `make_app` takes."""
    app = make_app(settings, plugins, model=model)
    async with TestClient(TestServer(app)) as http:
        yield client_of(app, http, model)


def client_of(app: web.Application, http: TestClient[Any, Any], model: GivenModel) -> ChatClient:
    """Return a client of an application of `make_app`."""
    from ..web.keys import SETTINGS

    scripted = model if isinstance(model, ScriptedModel) else None
    path = app[SETTINGS].server.path
    return ChatClient(http, path, users=app[_USERS], calls=app[_CALLS], model=scripted)


def _settings(given: GivenSettings) -> Settings:
    if isinstance(given, Settings):
        return given
    if isinstance(given, Path | str):
        return load(Path(given))
    sections = dict(given or {})
    plugins = sections.get("plugins") or {}
    sections["plugins"] = {"demo_model": {"pace": "1ms"}, **plugins}
    sections.setdefault("plugin_dirs", [name for name in PLUGIN_DIRS if Path(name).is_dir()])
    return validate(Settings, sections, Source())


def _with_model(settings: Settings, name: str) -> Settings:
    agent = settings.agent.model_copy(update={"model": name})
    agent.model_fields_set.add("model")
    return settings.model_copy(update={"agent": agent})


def _with_endpoint(settings: Settings, server: ModelServer) -> Settings:
    section = dict(settings.plugins.get("compatible_models") or {})
    endpoints = {**section.get("endpoints", {}), ENDPOINT: {"base_url": server.url}}
    plugins = {**settings.plugins, "compatible_models": {**section, "endpoints": endpoints}}
    return settings.model_copy(update={"plugins": plugins})


def _named(plugin: object, number: int) -> tuple[str, object]:
    """Return a plugin after its name; raises `SettingsError` for what is none."""
    if isinstance(plugin, tuple) and len(plugin) == 2 and isinstance(plugin[0], str):
        return plugin[0], _plugin(plugin[1])
    found = _plugin(plugin)
    if isinstance(plugin, ModuleType):
        return plugin.__name__.rpartition(".")[2], found
    return f"{type(found).__name__}_{number}", found


def _plugin(given: object) -> object:
    if inspect.isclass(given):
        raise SettingsError(
            f"{given.__name__} is a class: give an object, such as {given.__name__}(Config(...))"
        )
    if isinstance(given, str):
        raise SettingsError(
            f"{given!r} is a name: enable it in the settings, as plugins={{{given!r}: {{...}}}}"
        )
    plugin_class = getattr(given, "Plugin", None)
    if not isinstance(given, ModuleType) or plugin_class is None:
        return given
    config = getattr(given, "Config", None)
    return plugin_class() if config is None else plugin_class(config())
