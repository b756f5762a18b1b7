"""The command line: `chatkit-server COMMAND`."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

import click

from .. import __version__
from ..errors import SettingsError
from ..lines import escape
from ..logs import without_configuration
from ..masking import mask_secrets
from .chat import chat
from .check import check
from .commands import is_of_plugin, run_command_of_plugin
from .erase import erase
from .export import export
from .group import CommandGroup
from .hooks import hooks
from .init import init
from .migrate import migrate
from .new_plugin import new_plugin
from .plugins import plugins
from .run import run
from .schema import schema
from .settings import show_settings
from .warned import show_warnings_of_libraries

USAGE_ERROR = 2
INTERRUPTED = 130

_COMMANDS = (
    init,
    new_plugin,
    run,
    chat,
    check,
    plugins,
    hooks,
    show_settings,
    schema,
    export,
    erase,
    migrate,
)
"""None of their modules imports what takes long: `--help` imports all of them."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status.

    0 after a clean end, 2 when the server cannot start as configured.
    """
    _open_standard_files()
    show_warnings_of_libraries()
    given = sys.argv[1:] if arguments is None else arguments
    commands = _commands()
    without_configuration()
    # What is imported stays: looking for garbage among it would take a quarter of the start
    gc.disable()
    try:
        if is_of_plugin(given, commands):
            return run_command_of_plugin(given, commands)
        return commands.run(given)
    except SettingsError as error:
        for line in str(error).splitlines():
            print(f"chatkit-server: {escape(mask_secrets(line))}", file=sys.stderr)
        return USAGE_ERROR
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    finally:
        gc.enable()
        _drop_what_nobody_reads()


def _open_standard_files() -> None:
    """Open what is closed: another file would get its number, and then output meant for it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number
    # Python has None for those that were closed
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _drop_what_nobody_reads() -> None:
    """Send output elsewhere if its reader is gone: Python would fail at the end for it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with suppress(OSError, ValueError, AttributeError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def _commands() -> CommandGroup:
    commands = CommandGroup(
        "chatkit-server",
        help="A backend for the OpenAI ChatKit frontend.",
        epilog="Plugins may add commands: chatkit-server NAME --settings FILE.",
    )
    click.version_option(__version__, message="%(version)s")(commands)
    for command in _COMMANDS:
        commands.add_command(command)
    return commands
