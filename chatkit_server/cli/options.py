"""What the commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from ..settings.load import collect_settings
from ..settings.problems import Problems
from ..settings.schema import Settings

BROKEN_PIPE = 141
"""The exit status when nobody reads the output any more."""

_PATHS = (
    "Relative paths of plugin_dirs start at the settings file; those of data, such as "
    "sqlite://chatkit.db, start at the working directory."
)

SETTINGS_FILE = Path("settings.yaml")


def load_settings(file: Path, text: str | None = None) -> tuple[Settings, Problems]:
    """Return the settings, and what is wrong with them so far: `create_app` reports all of it.

    `text` is that of the file if it was read before.
    """
    problems = Problems()
    return collect_settings(file, problems, text=text), problems


def from_here(place: str) -> str:
    """Return a file, or `file:line`, without the working directory that it is in."""
    path, here = Path(place), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else place


def command(name: str, text: str) -> Callable[[Callable[..., int | None]], click.Command]:
    """Make a command of a function that gets the settings file as `settings`.

    The function returns the exit status; None is 0.
    """

    def decorate(function: Callable[..., int | None]) -> click.Command:
        made = click.command(name, help=text, short_help=text, epilog=_PATHS)(function)
        made.params.append(settings_option())
        return made

    return decorate


def settings_option(*, passed: bool = True) -> click.Option:
    """Return the option `--settings`; its value goes to the function only if it is `passed`."""
    return click.Option(
        ["--settings"],
        type=click.Path(path_type=Path),
        default=SETTINGS_FILE,
        metavar="FILE",
        help="The settings file.",
        show_default=True,
        expose_value=passed,
    )


def _user_of(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        # As of a variable that is not set: nobody's data would be reported as deleted
        raise click.BadParameter("the id of the user is empty")
    return value


user_option = click.option(
    "--user", required=True, metavar="ID", callback=_user_of, help="The id of the user."
)
"""The option of the commands that are about one user."""
