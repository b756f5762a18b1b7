"""`chatkit-server run | check | migrate`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..errors import SettingsError
from ..settings.schema import Settings, load

USAGE_ERROR = 2
INTERRUPTED = 130

_PATHS = (
    "Relative paths of plugin_dirs start at the settings file; those of data, such as "
    "sqlite://chatkit.db, start at the working directory."
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status.

    0 after a clean end, 2 when the server cannot start as configured.
    """
    options = _parser().parse_args(arguments)
    # What is imported stays: looking for garbage among it would take a quarter of the start
    gc.disable()
    try:
        return int(options.command(options))
    except SettingsError as error:
        for line in str(error).splitlines():
            print(f"chatkit-server: {line}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        gc.enable()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatkit-server", description="A backend for the OpenAI ChatKit frontend."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _command(commands, "run", _run, "start the server")
    run.add_argument("--host", help="the address to listen on, instead of server.host")
    run.add_argument(
        "--port", type=_port, help="the port to listen on, instead of server.port; 0: a free one"
    )
    _command(commands, "check", _check, "check the settings and the plugins, and start nothing")
    _command(commands, "migrate", _migrate, "bring the databases of the plugins up to date")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text, epilog=_PATHS)
    command.add_argument(
        "--settings",
        type=Path,
        default=Path("settings.yaml"),
        metavar="FILE",
        help="the settings file (default: settings.yaml)",
    )
    command.set_defaults(command=function)
    return command


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, not {text!r}")


def _run(options: argparse.Namespace) -> int:
    # Before the server begins and after it has ended there is nothing to end in order
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    settings = _with_options(load(options.settings), options)
    # The Agents SDK takes over a second to import: --help and wrong settings do without it
    from ..serve import configure_logging, serve

    configure_logging(settings)
    asyncio.run(serve(settings))
    return 0


def _with_options(settings: Settings, options: argparse.Namespace) -> Settings:
    changes = {key: getattr(options, key) for key in ("host", "port")}
    given = {key: value for key, value in changes.items() if value is not None}
    server = settings.server.model_copy(update=given)
    return settings.model_copy(update={"server": server})


def _check(options: argparse.Namespace) -> int:
    settings = load(options.settings)
    from ..app import create_app
    from ..web.keys import HOOKS

    async def create() -> list[str]:
        return create_app(settings)[HOOKS].names

    names = asyncio.run(create())
    print(f"{options.settings.absolute()}: fine. Plugins: {', '.join(names)}")
    return 0


def _migrate(options: argparse.Namespace) -> int:
    settings = load(options.settings)
    from ..app import create_app
    from ..web.keys import HOOKS

    async def migrate() -> None:
        hooks = create_app(settings)[HOOKS]
        if not hooks.implemented("migrate"):
            print("No plugin keeps anything that needs migrations.")
        for plugin, call in hooks.calls("migrate"):
            for line in await call() or []:
                print(f"{plugin}: {line}")

    asyncio.run(migrate())
    return 0
