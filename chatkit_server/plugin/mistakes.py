"""Say which plugin made a mistake, and where."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import linecache
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import SettingsError

log = logging.getLogger(__name__)

_CORE = str(Path(__file__).parents[1])
_NOT_PLUGINS = (_CORE, str(Path(importlib.__file__).parent), contextlib.__file__, "<")


@contextmanager
def mistakes_named(plugin: str, what: str) -> Iterator[None]:
    """Turn every error of a plugin at boot into a `SettingsError` that names it.

    `what` is the hook, or what else of the plugin is called.
    """
    try:
        yield
    except SettingsError as error:
        raise SettingsError(f"plugin {plugin}: {error}") from None
    except (Exception, SystemExit) as error:
        log.debug("plugin %s: %s failed", plugin, what, exc_info=True)
        raise SettingsError(f"plugin {plugin}: {what}: {described(error)}") from error


def described(error: BaseException) -> str:
    """Return `file:line: ErrorType: message`, with the line of the plugin that failed."""
    text = " ".join(str(error).split())
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    place = place_of_error(error)
    return told if place is None else f"{place}: {told}"


def place_of_error(error: BaseException) -> str | None:
    """Return `file:line` of the plugin's own code, None if none of its lines was reached."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith(_NOT_PLUGINS):
            return f"{frame.filename}:{frame.lineno}"
    return None


def place_of(function: Callable[..., Any]) -> str:
    """Return `file:line` of a function's `def`, its decorators left out; "" if it has no code."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ""
    line = code.co_firstlineno
    define = re.compile(rf"\s*(async\s+)?def\s+{re.escape(code.co_name)}\b")
    for number in range(line, line + 20):
        if define.match(linecache.getline(code.co_filename, number)):
            return f"{code.co_filename}:{number}"
    return f"{code.co_filename}:{line}"


def place_of_class(value: Any) -> str:
    """Return `file:line` of a class, or only the file, as far as they are known."""
    try:
        return f"{inspect.getfile(value)}:{inspect.getsourcelines(value)[1]}"
    except (TypeError, OSError):
        return f"{getattr(value, '__module__', '')}"
