"""Import what the settings name as `module:attribute`."""

from __future__ import annotations

import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from chatkit_server import SettingsError

_HERE = str(Path(__file__).parent)


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

        Raises `SettingsError` if it is not there, or if the author's module fails.
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
            with failures_named(key, f"importing {name}"):
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


def _parameters(function: Callable[..., Any], *, eval_str: bool = False) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function, eval_str=eval_str).parameters.values())
    except (TypeError, ValueError):
        # Some functions that are written in C do not tell
        return []
    except Exception:
        # A type that is imported for type checkers only
        return list(inspect.signature(function).parameters.values())


@contextmanager
def failures_named(key: str, what: str) -> Iterator[None]:
    """Say where the author's code failed, as it is loaded; a missing module is for the caller."""
    try:
        yield
    except (SettingsError, ModuleNotFoundError):
        raise
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        told = f"{type(error).__name__} in {_place(error)}: {text}"
        raise SettingsError(f"{key}: {what} fails: {told}") from error


def _place(error: BaseException) -> str:
    """Return `file:line` of the last line of the author's own code that ran."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    installed = tuple(sysconfig.get_paths().values())
    own = [frame for frame in frames if not frame.filename.startswith((*installed, _HERE, "<"))]
    last = (own or frames)[-1]
    return f"{last.filename}:{last.lineno}"


def has_dependencies(function: Callable[..., Any]) -> bool:
    """Whether FastAPI gives a function arguments, as for `Depends()`."""
    return any(map(_is_dependency, _parameters(function, eval_str=True)))


def check_call(key: str, name: str, function: Any, *names: str) -> None:
    """Raise `SettingsError` if a function of the author's cannot be called with these arguments.

    FastAPI gives arguments to functions that are called with a request.
    """
    if not callable(function):
        raise SettingsError(f"{key}: {name} is a {type(function).__name__}, not a function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise SettingsError(
            f"{key}: {name} has a `yield`, which works in FastAPI's dependencies only. Name a "
            "function that returns what it makes"
        )
    for parameter in _parameters(function, eval_str=True):
        if _is_dependency(parameter):
            if "request" in names:
                return
            raise SettingsError(
                f"{key}: `{parameter.name}` of {name} is a FastAPI dependency, which works in "
                f"routes only. Name a function that makes `{parameter.name}` itself"
            )
    try:
        _chosen(key, function, dict.fromkeys(names))
    except SettingsError as error:
        raise SettingsError(f"{error}. Name a function that needs no more") from None


def called(key: str, function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a function of the author's with those of the arguments that it takes.

    Arguments go by name where it has them, and else by position, in order, as many as it needs.
    """
    positional, named = _chosen(key, function, arguments)
    return function(*positional, **named)


def _chosen(
    key: str, function: Callable[..., Any], arguments: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
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
        known = ", ".join(f"`{name}`" for name in arguments) or "no arguments"
        raise SettingsError(f"{key}: it needs {names}, and is called with {known}")
    positional = dict(zip((p.name for p in needed), rest, strict=False))
    if any(p.kind is p.POSITIONAL_ONLY for p in needed):
        return list(positional.values()), chosen
    return [], positional | chosen


def _is_dependency(parameter: inspect.Parameter) -> bool:
    markers = (parameter.default, *getattr(parameter.annotation, "__metadata__", ()))
    return any(type(marker).__module__.partition(".")[0] == "fastapi" for marker in markers)
