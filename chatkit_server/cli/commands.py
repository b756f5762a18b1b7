"""Commands that plugins bring: `chatkit-server NAME --settings FILE`."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ServerError, SettingsError
from ..plugin.commands import Command
from ..plugin.mistakes import mistakes_named
from .options import BROKEN_PIPE, Commands, add_command, add_settings, load_settings

if TYPE_CHECKING:
    from ..plugin.calls import Hooks

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def may_be_of_plugin(arguments: list[str], commands: Commands) -> bool:
    """Whether the settings are to be asked what command this is."""
    given = arguments[:1] or ["-"]
    return not given[0].startswith("-") and given[0] not in commands.choices


def run_command_of_plugin(
    arguments: list[str], parser: argparse.ArgumentParser, commands: Commands
) -> int:
    """Add the commands of all plugins to the parser, and run the one that is asked for.

    The plugins are created and set up, and the server isn't started.
    """
    options = _settings(arguments)
    if not options.settings.is_file():
        known = ", ".join(commands.choices)
        raise SettingsError(
            f"`{arguments[0]}` is none of {known}, and there are no settings whose plugins may "
            f"bring it: {options.settings.absolute()}: no such file. Use --settings FILE"
        )
    with asyncio.Runner() as runner:
        hooks = runner.run(_create(options))
        for plugin, command in _of_plugins(hooks, commands):
            run = partial(_run, runner, plugin, command)
            command_parser = add_command(commands, command.name, run, command.help)
            with mistakes_named(plugin, f"the arguments of `{command.name}`"):
                command.arguments(command_parser)
        options = parser.parse_args(arguments)
        return int(options.command(options))


def _settings(arguments: list[str]) -> argparse.Namespace:
    """Return the option `--settings`, before it is known which others there are."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    add_settings(parser)
    try:
        return parser.parse_known_args(arguments)[0]
    except argparse.ArgumentError:
        return argparse.Namespace(settings=Path("settings.yaml"))


async def _create(options: argparse.Namespace) -> Hooks:
    settings, problems = load_settings(options)
    from ..app import create_app
    from ..web.keys import HOOKS

    return create_app(settings, problems=problems)[HOOKS]


def _of_plugins(hooks: Hooks, commands: Commands) -> Iterator[tuple[str, Command]]:
    """Yield the plugins' commands; raises `SettingsError` for one that cannot be added."""
    for plugin, added in hooks.boot_all("commands"):
        for command in added:
            if not _NAME.fullmatch(command.name):
                raise SettingsError(
                    f"plugin {plugin}: commands: {command.name!r} is no name for a command: use "
                    "small letters, digits and hyphens"
                )
            if command.name in commands.choices:
                raise SettingsError(
                    f"plugin {plugin}: commands: `{command.name}` is taken; choose another name"
                )
            yield plugin, command


def _run(runner: asyncio.Runner, plugin: str, command: Command, options: argparse.Namespace) -> int:
    async def run() -> int:
        with mistakes_named(plugin, command.name):
            try:
                return await command.run(options) or 0
            except ServerError as error:
                raise SettingsError(error.message) from error
            except BrokenPipeError:
                return BROKEN_PIPE

    return runner.run(run())
