"""`chatkit-server run`: start the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import CannotListen, SettingsError
from ..logs import configure_logging
from ..settings.load import PLUGIN_DIRS
from ..settings.schema import Settings
from ..settings.types import worker_count
from ..shutdown.signals import Signals, ends_at_once
from ..workers import Workers
from .listening import listening_options, with_address
from .options import command, load_settings

if TYPE_CHECKING:
    from ..reload.generation import Generation


def _workers(_context: click.Context, _option: click.Parameter, text: str | None) -> Workers | None:
    try:
        return None if text is None else worker_count(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, not {text!r}") from None


@command("run", "Start the server.")
@listening_options
@click.option(
    "--workers",
    callback=_workers,
    metavar="N",
    help="How many processes share the address, or auto: one for each core; overrides "
    "server.workers. SIGHUP starts others with new settings and plugins in their place.",
)
@click.option(
    "--reload",
    is_flag=True,
    help="Start again on each change of the settings or plugins; running turns go on to their end.",
)
def run(settings: Path, *, reload: bool, workers: Workers | None, **listening: Any) -> int:
    ends_at_once()
    generation: Generation | int | None = None
    if reload:
        generation = reloading(settings, workers)
    else:
        loaded, problems = load_settings(settings)
        loaded = _with_options(loaded, listening, workers)
        if loaded.server.workers is not None:
            generation = working(settings, loaded)
    if isinstance(generation, int):
        return generation
    signals = Signals() if generation is None else generation.signals()
    if generation is not None:
        loaded, problems = load_settings(settings, generation.text)
        loaded = _with_options(loaded, listening, workers)
    configure_logging(loaded, alone=generation is None or generation.seat is None)
    # The Agents SDK takes over a second to import: --help does without it
    from ..serve import serve

    try:
        asyncio.run(serve(loaded, signals, problems, generation))
    except CannotListen:
        if generation is not None:
            generation.gives_up()
        raise
    return 0


def working(settings: Path, loaded: Settings) -> Generation | int:
    """Return a worker, or the exit status of the process that forks them."""
    from ..reload.workers import employ

    return employ(loaded, settings)


def reloading(settings: Path, workers: Workers | None) -> Generation | int:
    """Return a forked server, or the exit status of the process that forks them.

    Raises `SettingsError` if there should be several.
    """
    if workers is not None:
        raise SettingsError(
            "--reload is for development, with one process: leave out --workers. With --workers, "
            "SIGHUP starts workers with the new settings and plugins"
        )
    if not settings.is_file():
        load_settings(settings)  # says what is wrong
    from ..reload.changes import supervise

    return supervise(settings, [settings.parent / name for name in PLUGIN_DIRS])


def _with_options(
    settings: Settings, listening: Mapping[str, Any], workers: Workers | None
) -> Settings:
    if workers is not None:
        server = settings.server.model_copy(update={"workers": workers})
        settings = settings.model_copy(update={"server": server})
    return with_address(settings, listening)
