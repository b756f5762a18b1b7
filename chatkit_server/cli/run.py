"""`chatkit-server run`: start the server."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from ..errors import SettingsError
from ..logs import configure_logging
from ..settings.schema import Settings
from ..settings.types import listening_host
from ..shutdown.signals import Signals
from .options import Commands, add_command, load_settings


def add_to(commands: Commands) -> None:
    """Add the command `run`."""
    command = add_command(commands, "run", run, "start the server")
    command.add_argument(
        "--host",
        type=_host,
        help="the address to listen on; overrides server.host and server.socket",
    )
    command.add_argument(
        "--port", type=_port, help="the port to listen on; overrides server.port; 0: a free one"
    )
    command.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        help="the Unix socket to listen on; overrides server.socket, server.host and server.port",
    )


def run(options: argparse.Namespace) -> int:
    signals = Signals()
    settings, problems = load_settings(options)
    settings = _with_options(settings, options)
    configure_logging(settings)
    # The Agents SDK takes over a second to import: --help does without it
    from ..serve import serve

    asyncio.run(serve(settings, signals, problems))
    return 0


def _host(text: str) -> str:
    try:
        return listening_host(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, not {text!r}") from None


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, not {text!r}")


def _with_options(settings: Settings, options: argparse.Namespace) -> Settings:
    changes = {key: getattr(options, key) for key in ("host", "port", "socket")}
    given = {key: value for key, value in changes.items() if value is not None}
    if not given:
        return settings
    if "socket" in given:
        if len(given) > 1:
            raise SettingsError("--socket is in place of --host and --port: leave them out")
        fields = type(settings.server).model_fields
        given |= {key: fields[key].default for key in ("host", "port")}
    server = settings.server.model_copy(update={"socket": None, **given})
    return settings.model_copy(update={"server": server})
