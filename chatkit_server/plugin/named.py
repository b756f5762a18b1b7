"""Find what settings name as `module:attribute`, such as `my_app.agents:triage`."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import SettingsError
from ..settings.problems import nearest
from ..settings.schema import Settings
from .folders import import_plugin, package_of
from .mistakes import described

log = logging.getLogger(__name__)


def find_named(settings: Settings, name: str, where: str) -> Any:
    """Return the object of this name.

    Its module is looked for in the plugin folders, then among those that are installed, then beside
    the settings file. Raises `SettingsError`, which begins with `where`.
    """
    module_name, _, attribute = name.partition(":")
    module = _module(settings, module_name, where)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            hint = nearest(part, [each for each in dir(found) if not each.startswith("_")])
            raise SettingsError(f"{where}: {_file(module)} has no `{part}`.{hint}")
        found = getattr(found, part)
    return found


def _module(settings: Settings, name: str, where: str) -> ModuleType:
    file = settings.source.file
    beside = [file.parent] if file is not None else []
    folder = _folder_with(name, settings.plugin_dirs[::-1]) or _folder_used(name, beside)
    if folder is None and not _is_installed(name):
        folder = _folder_with(name, beside)
    try:
        return importlib.import_module(name) if folder is None else import_plugin(folder, name)
    except (Exception, SystemExit) as error:
        log.debug("%s: the module %s cannot be imported", where, name, exc_info=True)
        hint, absent = "", None
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            searched = [*settings.plugin_dirs, *beside]
            absent = _absent(name, searched)
            hint = (
                f". Install its package for {sys.executable}, or put it into one of these "
                f"folders: {', '.join(map(str, searched)) or 'none'}"
            )
        why = absent or f"{described(error)}{hint}"
        raise SettingsError(f"{where}: the module `{name}` cannot be imported: {why}") from error


def _folder_with(module: str, folders: Sequence[Path]) -> Path | None:
    """Return the first folder that has the file of a module, or that of one inside its package."""
    path = module.replace(".", "/")
    for folder in folders:
        if (folder / f"{path}.py").is_file() or (folder / path).is_dir():
            return folder
    return None


def _folder_used(module: str, folders: Sequence[Path]) -> Path | None:
    """Return the folder of which a module's package was imported before.

    A library may have put the folder on `sys.path` since (litellm does): the module would be
    imported again, with other objects.
    """
    top = module.partition(".")[0]
    return next((each for each in folders if f"{package_of(each)}.{top}" in sys.modules), None)


def _absent(module: str, folders: Sequence[Path]) -> str | None:
    """Say which file is missing in a package that is there, None if the package is not."""
    package, _, last = module.rpartition(".")
    while package:
        folder = _folder_with(package, folders)
        if folder is not None:
            path = folder / package.replace(".", "/")
            known = [each.stem for each in path.glob("*") if each.suffix in ("", ".py")]
            return f"{path} has no module `{last}`.{nearest(last, known)}"
        package, _, last = package.rpartition(".")
    return None


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except Exception:
        # This imports the packages around the module, which may fail in any way
        return False


def _file(module: ModuleType) -> str:
    return module.__file__ or module.__name__
