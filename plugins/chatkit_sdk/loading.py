"""Import what the settings name as `module:attribute`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from chatkit_server import SettingsError


class Loader:
    """Imports the author's modules, from `folder` first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        if not self.folder.is_dir():
            raise SettingsError(f"app_dir: there is no folder {self.folder}")
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))

    def load(self, key: str, name: str) -> Any:
        """Return what the setting `key` names.

        Raises `SettingsError` if it is not there; what the author's module raises comes through.
        """
        module_name, _, path = name.partition(":")
        if not module_name or not path:
            raise SettingsError(f"{key}: expected `module:attribute`, such as `app.main:{key}`")
        found: Any = self._module(key, module_name)
        for attribute in path.split("."):
            if not hasattr(found, attribute):
                close = get_close_matches(attribute, dir(found), 1)
                hint = f" Did you mean `{close[0]}`?" if close else ""
                raise SettingsError(f"{key}: {module_name} has no `{attribute}`.{hint}")
            found = getattr(found, attribute)
        return found

    def _module(self, key: str, name: str) -> Any:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if name != missing and not name.startswith(f"{missing}."):
                # The author's module needs another one, which is not installed
                raise SettingsError(
                    f"{key}: {name} imports `{missing}`, which is not installed. Install the "
                    "packages that your server needs beside this one"
                ) from error
            raise SettingsError(
                f"{key}: there is no module `{name}` in {self.folder}, or among the installed "
                "packages. Set `app_dir` to the folder in which you start your server"
            ) from error


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        # Some functions that are written in C do not tell
        return []


def called(key: str, function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a function of the author's with those of the arguments that it takes.

    Arguments go by name where it has them, and else by position, in order, as many as it needs.
    """
    parameters = _parameters(function)
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    chosen = {name: value for name, value in arguments.items() if name in named}
    rest = [value for name, value in arguments.items() if name not in chosen]
    needed = [
        p
        for p in parameters
        if p.name not in chosen
        and p.default is p.empty
        and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    if len(needed) > len(rest) or any(p.kind is p.KEYWORD_ONLY for p in needed):
        names = ", ".join(f"`{p.name}`" for p in needed)
        known = ", ".join(f"`{name}`" for name in arguments)
        raise SettingsError(f"{key}: it needs {names}, and is called with {known}")
    positional = dict(zip((p.name for p in needed), rest, strict=False))
    if any(p.kind is p.POSITIONAL_ONLY for p in needed):
        return function(*positional.values(), **chosen)
    return function(**positional, **chosen)
