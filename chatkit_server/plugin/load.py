"""Import and make the plugins that the settings name."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import traceback
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from ..errors import SettingsError
from ..settings.load import validate
from ..settings.problems import nearest
from ..settings.schema import Settings
from . import discovery, hookspecs
from .calls import Hooks
from .discovery import FoundPlugin, discover

log = logging.getLogger(__name__)


def load_plugins(settings: Settings) -> Hooks:
    """Make the plugins that the settings name, in their order, and return their hooks.

    Raises `SettingsError` for an unknown plugin, one that cannot be imported or made, a section
    that does not fit the plugin's `Config`, or a hook implementation that cannot work.
    """
    found = discover(settings.plugin_dirs)
    plugins: list[tuple[str, object]] = []
    for name, section in settings.plugins.items():
        where = settings.source.where(("plugins", name))
        module = _import(name, found, where)
        plugins.append((name, _make(name, module, section, settings)))
    return Hooks.of(plugins, settings.hooks)


def _import(name: str, found: Mapping[str, FoundPlugin], where: str) -> ModuleType:
    plugin = found.get(name)
    if plugin is None:
        if "." not in name:
            known = ", ".join(sorted(found))
            raise SettingsError(f"{where}: unknown plugin.{nearest(name, found)} Known: {known}")
        plugin = FoundPlugin(name, None, name)
    try:
        return plugin.load()
    except Exception as error:
        log.debug("plugin %s cannot be imported", name, exc_info=True)
        place = _place(error) or plugin.file or plugin.module
        raise SettingsError(
            f"{where}: the plugin cannot be imported: {place}: {type(error).__name__}: {error}"
        ) from error


def _place(error: Exception) -> str | None:
    """Return `file:line` in the plugin's own file, None if none of its lines was reached."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    ours = {__file__, discovery.__file__, importlib.__file__}
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename not in ours and not frame.filename.startswith("<"):
            return f"{frame.filename}:{frame.lineno}"
    return None


def _make(
    name: str, module: ModuleType, section: Mapping[str, Any] | None, settings: Settings
) -> object:
    config_model = getattr(module, "Config", None)
    plugin_class = getattr(module, "Plugin", None)
    where = settings.source.where(("plugins", name))
    if plugin_class is not None:
        _refuse_functions_beside(plugin_class, module, where)
    if config_model is None:
        if section:
            raise SettingsError(f"{where}: this plugin has no settings; leave its section empty")
        return module if plugin_class is None else _made(where, plugin_class)
    if plugin_class is None:
        raise SettingsError(f"{where}: a plugin with a `Config` needs a class `Plugin` to take it")
    if not (isinstance(config_model, type) and issubclass(config_model, BaseModel)):
        raise SettingsError(f"{where}: the plugin's `Config` must be a pydantic.BaseModel")
    config = validate(config_model, section or {}, settings.source, ("plugins", name))
    return _made(where, plugin_class, config)


def _made(where: str, plugin_class: Callable[..., object], *arguments: object) -> object:
    try:
        return plugin_class(*arguments)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    except Exception as error:
        log.debug("%s: the plugin cannot be made", where, exc_info=True)
        raise SettingsError(f"{where}: the plugin cannot be made: {error!r}") from error


def _refuse_functions_beside(plugin_class: type, module: ModuleType, where: str) -> None:
    for name, value in vars(module).items():
        if hasattr(value, f"{hookspecs.PROJECT}_impl"):
            raise SettingsError(
                f"{where}: the function `{name}` stands outside of the class "
                f"`{plugin_class.__name__}`, where it would not be called; move it inside"
            )
