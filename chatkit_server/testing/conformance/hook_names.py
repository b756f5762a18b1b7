"""Functions of a plugin that were likely meant to be hooks, and are not called."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from types import CodeType, ModuleType
from typing import Any

from ...plugin.checks import specs
from ...plugin.hookspecs import PROJECT, YIELDING
from ...plugin.mistakes import place_of

_ALIKE = 0.8
"""How alike two names are that differ by a letter or two."""


def uncalled_hooks(plugin: object) -> list[str]:
    """Return a line for each function that looks like a hook, and is none."""
    used = set(_used(plugin))
    found = [(name, function) for name, function in _functions(plugin) if name not in used]
    return [line for name, function in found if (line := _wrong(name, function))]


def _used(plugin: object) -> Iterator[str]:
    """Yield the names that the plugin's functions use: what it calls itself is no lost hook."""
    for name in dir(plugin):
        static = inspect.getattr_static(plugin, name, None)
        code = getattr(getattr(static, "__func__", static), "__code__", None)
        if code is not None:
            yield from _names(code)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _functions(plugin: object) -> Iterator[tuple[str, Any]]:
    """Yield the plugin's own functions without a mark, with their names."""
    for name in dir(plugin):
        static = inspect.getattr_static(plugin, name, None)
        if name.startswith("_") or isinstance(static, property):
            continue
        function = getattr(plugin, name, None)
        if not (inspect.isfunction(function) or inspect.ismethod(function)):
            continue
        if isinstance(plugin, ModuleType) and function.__module__ != plugin.__name__:
            continue
        if not hasattr(function, f"{PROJECT}_impl"):
            yield name, function


def _wrong(name: str, function: Any) -> str | None:
    known = specs()
    if name in known:
        if _fits(name, function):
            return f"`{name}` at {place_of(function)} has no `@hookimpl`"
        return None
    for near in get_close_matches(name, known, n=1, cutoff=_ALIKE):
        if _fits(near, function) and _kind(near, function):
            return f"`{name}` at {place_of(function)} looks like the hook `{near}`, misspelt"
    return None


def _fits(hook: str, function: Any) -> bool:
    """Whether a function takes only arguments of the hook."""
    own = inspect.signature(function).parameters
    wanted = inspect.signature(specs()[hook]).parameters
    # Any function without arguments would fit
    return set(own) <= set(wanted) and bool(own or not wanted)


def _kind(hook: str, function: Any) -> bool:
    if hook in YIELDING and inspect.isasyncgenfunction(function):
        return True
    return inspect.iscoroutinefunction(function) == inspect.iscoroutinefunction(specs()[hook])
