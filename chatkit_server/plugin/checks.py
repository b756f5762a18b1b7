"""Refuse hook implementations that cannot work, before the server starts."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pluggy

from ..errors import SettingsError
from ..settings.problems import nearest
from . import hookspecs

log = logging.getLogger(__name__)


def specs() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, spec in vars(hookspecs).items():
        if hasattr(spec, f"{hookspecs.PROJECT}_spec"):
            yield name, spec


def last_line(error: pluggy.PluginValidationError) -> str:
    """Leave out what pluggy says of the plugin, which is named already."""
    return " ".join(str(error).partition("\n")[2].split()) or str(error)


def refuse_unknown_hooks(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    """Refuse marked functions that are no hooks, and warn of hooks that are not marked."""
    known = dict(specs())
    marked = set()
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            continue
        marked.add(attribute)
        hook = options.get("specname") or attribute
        if hook not in known and not options.get("optionalhook"):
            raise SettingsError(f"plugin {name}: `{hook}` is not a hook.{nearest(hook, known)}")
    for hook in known:
        function = getattr(plugin, hook, None)
        if hook not in marked and inspect.isroutine(function):
            log.warning("plugin %s: `%s` is not called: it is not marked @hookimpl", name, hook)
    if not marked:
        log.warning("plugin %s implements no hook: mark its functions @hookimpl", name)


def refuse_arguments_never_given(implementation: pluggy.HookImpl, where: str) -> None:
    """Refuse what pluggy lets pass: keyword-only and positional-only arguments."""
    signature = inspect.signature(implementation.function)
    try:
        signature.bind(**dict.fromkeys(implementation.argnames))
    except TypeError as error:
        raise SettingsError(f"{where}: write its arguments as in the spec: {error}") from None
