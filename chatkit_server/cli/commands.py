"""Commands that plugins bring: `chatkit-server NAME --settings FILE`."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ServerError, SettingsError
from ..plugin.mistakes import mistakes_named
from .group import CommandGroup
from .options import SETTINGS_FILE, load_settings, settings_option

if TYPE_CHECKING:
    from ..plugin.calls import Hooks

_NAME = re.compile(r"[a-z][a-z0-9-]*")

_OPTION = "--settings"


def is_of_plugin(arguments: Sequence[str], commands: CommandGroup) -> bool:
    """Whether the settings are to be asked what command this is."""
    given = [*arguments[:1], "-"][0]
    return not given.startswith("-") and given not in commands.commands


def run_command_of_plugin(arguments: Sequence[str], commands: CommandGroup) -> int:
    """Add the commands of all plugins, and run the one that is asked for.

    The plugins are created and set up, and the server isn't started.
    """
    file = _settings_file(arguments)
    if not file.is_file():
        known = ", ".join(commands.commands)
        raise SettingsError(
            f"`{arguments[0]}` is none of {known}, and there are no settings whose plugins may "
            f"bring it: {file.absolute()}: no such file. Use --settings FILE"
        )
    with asyncio.Runner() as runner:
        _add_commands(runner.run(_create(file)), commands, runner)
        return commands.run(arguments)


def _settings_file(arguments: Sequence[str]) -> Path:
    """Return the option `--settings`, before it is known which others there are."""
    for option, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if option == _OPTION and value:
            return Path(value)
        if option.startswith(f"{_OPTION}="):
            return Path(option.partition("=")[2])
    return SETTINGS_FILE


async def _create(file: Path) -> Hooks:
    settings, problems = load_settings(file)
    from ..app import create_app
    from ..web.keys import HOOKS

    return create_app(settings, problems=problems)[HOOKS]


def _add_commands(hooks: Hooks, commands: CommandGroup, runner: asyncio.Runner) -> None:
    """Add what the plugins bring; raises `SettingsError` for what cannot be added."""
    for plugin in hooks.names:
        group = click.Group()
        for name, call in hooks.checked_calls("cli", commands=group):
            if name == plugin:
                call()
        for name, command in group.commands.items():
            if not _NAME.fullmatch(name):
                raise SettingsError(
                    f"plugin {plugin}: cli: {name!r} is no name for a command: use small letters, "
                    "digits and hyphens"
                )
            if name in commands.commands:
                raise SettingsError(f"plugin {plugin}: cli: `{name}` is taken; choose another name")
            _prepare(command, plugin, runner)
            commands.add_command(command, name)


def _prepare(command: click.Command, plugin: str, runner: asyncio.Runner) -> None:
    """Have a command and those inside of it take `--settings`, and name their plugin."""
    if all(_OPTION not in parameter.opts for parameter in command.params):
        command.params.append(settings_option(passed=False))
    if command.callback is not None:
        command.callback = _named(command.callback, plugin, command.name or "", runner)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _prepare(inner, plugin, runner)


def _named(
    callback: Callable[..., Any], plugin: str, name: str, runner: asyncio.Runner
) -> Callable[..., Any]:
    async def awaited(work: Coroutine[Any, Any, Any]) -> Any:
        with _mistakes_named(plugin, name):
            return await work

    @wraps(callback)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _mistakes_named(plugin, name):
            result = callback(*args, **kwargs)
        return runner.run(awaited(result)) if inspect.iscoroutine(result) else result

    return run


@contextmanager
def _mistakes_named(plugin: str, name: str) -> Iterator[None]:
    """Name the plugin in every error but those that are made for the command line."""
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
        raise
    except ServerError as error:
        raise SettingsError(f"plugin {plugin}: {error.message}") from error
    except (Exception, SystemExit):
        with mistakes_named(plugin, name):
            raise
