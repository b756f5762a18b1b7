"""The command line: `chatkit-server COMMAND`."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from contextlib import suppress

from .. import __version__
from ..errors import SettingsError
from ..lines import escape
from ..logs import without_configuration
from ..masking import mask_secrets
from . import check, init, migrate, run
from .commands import may_be_of_plugin, run_command_of_plugin
from .options import BROKEN_PIPE, Commands
from .warned import show_warnings_of_libraries

USAGE_ERROR = 2
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status.

    0 after a clean end, 2 when the server cannot start as configured.
    """
    _open_standard_files()
    show_warnings_of_libraries()
    given = sys.argv[1:] if arguments is None else arguments
    parser, commands = _parser()
    of_plugin = may_be_of_plugin(given, commands)
    options = None if of_plugin else parser.parse_args(given)
    without_configuration()
    # What is imported stays: looking for garbage among it would take a quarter of the start
    gc.disable()
    try:
        if options is None:
            return run_command_of_plugin(given, parser, commands)
        return int(options.command(options))
    except SettingsError as error:
        for line in str(error).splitlines():
            print(f"chatkit-server: {escape(mask_secrets(line))}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
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


def _parser() -> tuple[argparse.ArgumentParser, Commands]:
    parser = argparse.ArgumentParser(
        prog="chatkit-server",
        description="A backend for the OpenAI ChatKit frontend.",
        epilog="Plugins may add commands: chatkit-server NAME --settings FILE.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (init, run, check, migrate):
        command.add_to(commands)
    return parser, commands
