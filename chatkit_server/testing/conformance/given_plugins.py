"""The plugin that a fixture gives: an object, a class, a module, or a name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ...plugin.checks import specs
from ...plugin.load import create_plugin, load_plugins
from ...settings.load import PLUGIN_DIRS, validate
from ...settings.schema import Settings
from ...settings.source import Source


def named_plugin(given: object, config: Mapping[str, Any]) -> tuple[str, object]:
    """Return a plugin as the server creates it, after its name.

    `config` is its section in the settings. Raises `SettingsError` as the server does.
    """
    if isinstance(given, tuple) and len(given) == 2:
        return str(given[0]), named_plugin(given[1], config)[1]
    if isinstance(given, str):
        return given, load_plugins(_settings({given: dict(config) or None})).plugins[0][1]
    module = module_of(given)
    if isinstance(given, ModuleType) or given is getattr(module, "Plugin", None):
        assert module is not None
        name = module.__name__.rpartition(".")[2]
        return name, create_plugin(name, module, config or None, _settings({}))
    plugin = given() if inspect.isclass(given) else given
    return type(plugin).__name__, plugin


def module_of(given: object) -> ModuleType | None:
    """Return the module of a plugin, as far as there is one."""
    if isinstance(given, ModuleType):
        return given
    kind = given if inspect.isclass(given) else type(given)
    return sys.modules.get(kind.__module__)


def _settings(plugins: Mapping[str, Any]) -> Settings:
    folders = [name for name in PLUGIN_DIRS if Path(name).is_dir()]
    return validate(Settings, {"plugins": plugins, "plugin_dirs": folders}, Source())


def own_files(plugin: object) -> tuple[str, ...]:
    """Return the beginnings of the paths of a plugin's code."""
    module = module_of(plugin)
    if module is None:
        return ()
    file = getattr(module, "__file__", None) or ""
    codes = (getattr(getattr(plugin, name, None), "__code__", None) for name in specs())
    files: set[str] = {code.co_filename for code in codes if code is not None}
    if hasattr(module, "__path__"):
        files.add(str(Path(file).parent))
    elif file:
        files.add(file)
    return tuple(sorted(files))
