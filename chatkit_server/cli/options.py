"""What the commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from ..settings.load import collect_settings
from ..settings.problems import Problems
from ..settings.schema import Settings

BROKEN_PIPE = 141
"""The exit status when nobody reads the output any more."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_PATHS = (
    "Relative paths of plugin_dirs start at the settings file; those of data, such as "
    "sqlite://chatkit.db, start at the working directory."
)


def load_settings(options: argparse.Namespace) -> tuple[Settings, Problems]:
    """Return the settings, and what is wrong with them so far: `create_app` reports all of it."""
    problems = Problems()
    return collect_settings(options.settings, problems), problems


def add_command(
    commands: Commands, name: str, function: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    """Add a command that reads a settings file; `function` runs it and returns the exit status."""
    command = commands.add_parser(name, help=text, description=text, epilog=_PATHS)
    add_settings(command)
    command.set_defaults(command=function)
    return command


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the option `--settings`."""
    parser.add_argument(
        "--settings",
        type=Path,
        default=Path("settings.yaml"),
        metavar="FILE",
        help="the settings file (default: settings.yaml)",
    )
