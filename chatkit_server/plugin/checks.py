"""Refuse hook implementations that cannot work, before the server starts."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pluggy

from ..errors import SettingsError
from ..settings.problems import Problems, nearest
from . import hookspecs
from .mistakes import place_of

log = logging.getLogger(__name__)

Spec = Callable[..., Any]


@cache
def specs() -> dict[str, Spec]:
    """Return every hook's specification by its name."""
    return {
        name: spec
        for name, spec in vars(hookspecs).items()
        if hasattr(spec, f"{hookspecs.PROJECT}_spec")
    }


def check_plugin(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    """Raise `SettingsError` with a line for each hook of a plugin that cannot work."""
    problems = Problems()
    marked = dict(_marked(manager, plugin))
    for attribute, options in marked.items():
        function = getattr(plugin, attribute)
        with problems.collect():
            _check(options.get("specname") or attribute, function, options, name)
    _warn_of_unmarked(name, plugin, marked)
    problems.raise_any()


def _marked(
    manager: pluggy.PluginManager, plugin: object
) -> Iterator[tuple[str, pluggy.HookimplOpts]]:
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is not None:
            yield attribute, options


def _warn_of_unmarked(name: str, plugin: object, marked: dict[str, Any]) -> None:
    for hook, spec in specs().items():
        function = getattr(plugin, hook, None)
        if hook in marked or not inspect.isroutine(function):
            continue
        # With other arguments, it only has the name: `context` may mean many things
        if not _wrong_arguments(function, list(inspect.signature(spec).parameters)):
            log.warning(
                "plugin %s: %s: `%s` is not called: mark it @hookimpl",
                name,
                place_of(function),
                hook,
            )
    if not marked:
        log.warning("plugin %s implements no hook: mark its functions @hookimpl", name)


def _check(hook: str, function: Spec, options: pluggy.HookimplOpts, plugin: str) -> None:
    place = place_of(function)
    where = f"plugin {plugin}: {place}" if place else f"plugin {plugin}"
    spec = specs().get(hook)
    if spec is None:
        if options["optionalhook"]:
            return
        known = ", ".join(specs())
        raise SettingsError(
            f"{where}: `{hook}` is not a hook.{nearest(hook, specs())} Hooks: {known}"
        )
    if options["hookwrapper"] or options["wrapper"]:
        raise SettingsError(f"{where}: {hook}: hook wrappers are not supported")
    wants_async = inspect.iscoroutinefunction(spec)
    yields = hook in hookspecs.YIELDING and inspect.isasyncgenfunction(function)
    if not yields and inspect.iscoroutinefunction(function) != wants_async:
        needed = "async def" if wants_async else "def"
        other = ", or an `async def` with one `yield`" if hook == "setup" else ", without `yield`"
        raise SettingsError(f"{where}: {hook}: must be a plain `{needed}`{other}")
    if wrong := _wrong_arguments(function, list(inspect.signature(spec).parameters)):
        raise SettingsError(f"{where}: {hook}: {wrong}")


def _wrong_arguments(function: Spec, known: list[str]) -> str | None:
    """Return what is wrong with a hook's arguments: a plugin may leave out any, but add none."""
    allowed = f"Arguments: {', '.join(known)}" if known else "It takes no arguments"
    if inspect.ismethod(function):
        own = list(inspect.signature(function.__func__).parameters.values())
        if not own or own[0].name in known:
            return f"the method needs `self` as its first argument. {allowed}"
    for argument in inspect.signature(function).parameters.values():
        if argument.kind is argument.POSITIONAL_ONLY:
            return f"`{argument.name}` is positional-only: remove the `/`. {allowed}"
        if argument.kind is argument.KEYWORD_ONLY and argument.default is argument.empty:
            return f"`{argument.name}` is keyword-only: remove the `*`. {allowed}"
        given = argument.name in known or argument.default is not argument.empty
        if not given and argument.kind is argument.POSITIONAL_OR_KEYWORD:
            hint = nearest(argument.name, known)
            return f"unknown argument `{argument.name}`.{hint} {allowed}"
    return None
