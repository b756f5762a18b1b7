"""Where the server listens, as the command line says it in place of the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import SettingsError
from ..settings.schema import Settings
from ..settings.types import listening_host

F = TypeVar("F", bound=Callable[..., Any])


def listening_options(function: F) -> F:
    """Give a command the options `--host`, `--port` and `--socket`, for `with_address`."""
    for option in (
        click.option(
            "--socket",
            type=click.Path(path_type=Path),
            help="The Unix socket of the server; overrides server.socket, server.host and "
            "server.port.",
        ),
        click.option(
            "--port",
            callback=_port,
            help="The port of the server; overrides server.port. To start one, 0 is a free port.",
        ),
        click.option(
            "--host",
            callback=_host,
            help="The address of the server; overrides server.host and server.socket.",
        ),
    ):
        function = option(function)
    return function


def _host(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text == "":
        # As of a variable that is not set: it would listen on all addresses
        raise click.BadParameter("it is empty. Write 0.0.0.0 for all addresses, or leave it out")
    try:
        return None if text is None else listening_host(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, not {text!r}") from None


def _port(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise click.BadParameter(f"expected a number from 0 to 65535, not {text!r}")


def with_address(settings: Settings, listening: Mapping[str, Any]) -> Settings:
    """Return the settings with the values of `listening_options`, None for those not given.

    Raises `SettingsError` for a socket together with a host or a port.
    """
    given = {key: value for key, value in listening.items() if value is not None}
    if not given:
        return settings
    if "socket" in given:
        if len(given) > 1:
            raise SettingsError("--socket is in place of --host and --port: leave them out")
        fields = type(settings.server).model_fields
        given |= {key: fields[key].default for key in ("host", "port")}
    server = settings.server.model_copy(update={"socket": None, **given})
    return settings.model_copy(update={"server": server})
