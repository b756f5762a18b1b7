"""Import and create the plugins that the settings name."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from ..errors import SettingsError
from ..settings.load import validate
from ..settings.problems import Problems, nearest
from ..settings.schema import Settings
from ..settings.secrets import remember_secrets
from . import hookspecs
from .calls import Hooks
from .checks import specs
from .discovery import FoundPlugin, discover
from .mistakes import described, place_of, place_of_class, place_of_error
from .terms import check_hook_names, check_skips

log = logging.getLogger(__name__)


def load_plugins(settings: Settings) -> Hooks:
    """Create the plugins that the settings name, in their order, and return their hooks.

    Raises `SettingsError` with a line for each problem: an unknown plugin, one that cannot be
    imported or created, a section that does not fit the plugin's `Config`, or a hook
    implementation that cannot work.
    """
    problems = Problems()
    hooks, _ = collect_plugins(settings, problems)
    problems.raise_any()
    return hooks


def collect_plugins(settings: Settings, problems: Problems) -> tuple[Hooks, bool]:
    """Do as `load_plugins`, but collect what is wrong.

    Returns the hooks of those that can be used, and whether these are all.
    """
    found = discover(settings.plugin_dirs, problems)
    plugins: list[tuple[str, object]] = []
    for name, section in settings.plugins.items():
        with problems.collect():
            plugins.append((name, _load(name, found, section, settings)))
    are_all = len(plugins) == len(settings.plugins) and not settings.source.is_broken(("plugins",))
    with problems.collect():
        return Hooks.of(plugins, settings.hooks), are_all
    usable = {id(each[1]): each for each in plugins if _is_usable(each)}
    return Hooks.of(list(usable.values()), settings.hooks), False


def _is_usable(plugin: tuple[str, object]) -> bool:
    """Whether its hooks can work."""
    try:
        Hooks.of([plugin])
    except SettingsError:
        return False
    return True


def configs(settings: Settings, problems: Problems) -> Iterator[tuple[str, BaseModel | None]]:
    """Yield the name of each plugin of the settings with its `Config`, None if it has none."""
    found = discover(settings.plugin_dirs, problems)
    for name, section in settings.plugins.items():
        config = None
        with problems.collect():
            where = settings.source.where(("plugins", name))
            model, _ = _parts(_import(name, found, where, settings.plugin_dirs), where)
            if model is not None:
                config = _config(model, section or {}, settings, name)
        yield name, config


def check_hook_settings(settings: Settings) -> None:
    """Raise `SettingsError` for limits and policies that bind nothing, or may not be."""
    problems = Problems()
    for key, what, given in (
        ("timeouts", "limit", settings.hooks.timeouts),
        ("policies", "policy", settings.hooks.policies),
    ):
        for name, said in given.items():
            where = settings.source.where(("hooks", key, name))
            if isinstance(said, dict):
                check_hook_names(problems, where, said)
                check_skips(problems, where, said)
            if name in settings.plugins or settings.source.is_broken(("plugins", name)):
                continue
            told = "no plugin of this name is enabled"
            if name in specs():
                told = f"this is a hook, and the {what} is for a plugin: write its name"
            hint = nearest(name, settings.plugins)
            enabled = ", ".join(settings.plugins) or "none"
            problems.lines.append(f"{where}: {told}.{hint} Enabled: {enabled}")
    problems.raise_any()


def _load(
    name: str,
    found: Mapping[str, FoundPlugin],
    section: Mapping[str, Any] | None,
    settings: Settings,
) -> object:
    where = settings.source.where(("plugins", name))
    module = _import(name, found, where, settings.plugin_dirs)
    return create_plugin(name, module, section, settings)


def create_plugin(
    name: str, module: ModuleType, section: Mapping[str, Any] | None, settings: Settings
) -> object:
    """Return the plugin of a module: the module, or an object of its `Plugin`.

    Raises `SettingsError` for what is wrong with the module, or with its section.
    """
    where = settings.source.where(("plugins", name))
    config_model, plugin_class = _parts(module, where)
    if plugin_class is None:
        if section:
            raise SettingsError(f"{where}: this plugin has no settings. Leave its section empty")
        return module
    if config_model is None:
        if section:
            raise SettingsError(
                f"{where}: this plugin has no settings. Leave its section empty, or add a class "
                f"`Config` to {_file(module)}"
            )
        return _create(where, plugin_class)
    config = _config(config_model, section or {}, settings, name)
    return _create(where, plugin_class, config)


def _import(
    name: str, found: Mapping[str, FoundPlugin], where: str, folders: Sequence[Path]
) -> ModuleType:
    plugin = found.get(name)
    if plugin is None:
        if "." not in name:
            known = ", ".join(sorted(found))
            searched = ", ".join(map(str, folders)) or "none"
            raise SettingsError(
                f"{where}: unknown plugin.{nearest(name, found)} Known: {known}. "
                f"Plugin folders: {searched}"
            )
        plugin = FoundPlugin(name, name)
    try:
        return plugin.load()
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    except (Exception, SystemExit) as error:
        log.debug("plugin %s cannot be imported", name, exc_info=True)
        place = "" if place_of_error(error) else f"{plugin}: "
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        hint = ""
        if missing and f"{plugin.module}.".startswith(f"{missing}."):
            hint = f". Install its package for {sys.executable}.{nearest(name, found)}"
        raise SettingsError(
            f"{where}: the plugin cannot be imported: {place}{described(error)}{hint}"
        ) from error


def _parts(module: ModuleType, where: str) -> tuple[type[BaseModel] | None, type | None]:
    """Return the plugin's `Config` and `Plugin`, None for those that it does not have."""
    config_model = getattr(module, "Config", None)
    plugin_class = getattr(module, "Plugin", None)
    if config_model is not None:
        place = f"{where}: {place_of_class(config_model)}"
        if not (inspect.isclass(config_model) and issubclass(config_model, BaseModel)):
            raise SettingsError(f"{place}: `Config` must be a subclass of pydantic.BaseModel")
        if plugin_class is None:
            raise SettingsError(
                f"{place}: a plugin with a `Config` needs a class `Plugin` that takes it: move "
                "the hooks into it as methods"
            )
    if plugin_class is not None:
        if not inspect.isclass(plugin_class):
            raise SettingsError(f"{where}: {_file(module)}: `Plugin` must be a class")
        _refuse_functions_beside(plugin_class, module, where)
    return config_model, plugin_class


def _refuse_functions_beside(plugin_class: type, module: ModuleType, where: str) -> None:
    for name, value in vars(module).items():
        if hasattr(value, f"{hookspecs.PROJECT}_impl"):
            raise SettingsError(
                f"{where}: {place_of(value)}: the function `{name}` is outside of the class "
                f"`{plugin_class.__name__}`, so it would not be called. Move it inside"
            )


def _config(
    model: type[BaseModel], section: Mapping[str, Any], settings: Settings, name: str
) -> BaseModel:
    path = ("plugins", name)
    remember_secrets(section)
    try:
        config = validate(model, section, settings.source, path)
    except SettingsError:
        raise
    except (Exception, SystemExit) as error:
        where = settings.source.where(path)
        raise SettingsError(f"{where}: its `Config` failed: {described(error)}") from error
    if settings.source.is_broken(path):
        # What is wrong is reported already
        raise SettingsError("")
    # With what it takes from elsewhere, such as the environment
    remember_secrets(config)
    return config


def _create(where: str, plugin_class: Callable[..., object], *config: BaseModel) -> object:
    _check_arguments(where, plugin_class, config)
    try:
        return plugin_class(*config)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    except (Exception, SystemExit) as error:
        log.debug("%s: the plugin cannot be created", where, exc_info=True)
        raise SettingsError(f"{where}: the plugin cannot be created: {described(error)}") from error


def _check_arguments(
    where: str, plugin_class: Callable[..., object], config: tuple[BaseModel, ...]
) -> None:
    try:
        inspect.signature(plugin_class).bind(*config)
    except TypeError:
        init = plugin_class.__init__
        place = place_of(init) or place_of_class(plugin_class)
        if config:
            wanted = (
                "`Plugin` is called with its `Config`: write `def __init__(self, config: Config)`"
            )
        else:
            wanted = (
                "`Plugin` is called without arguments, since the module has no `Config`: add a "
                "class `Config(pydantic.BaseModel)`, or write `def __init__(self)`"
            )
        raise SettingsError(f"{where}: {place}: {wanted}") from None


def _file(module: ModuleType) -> str:
    return module.__file__ or module.__name__
