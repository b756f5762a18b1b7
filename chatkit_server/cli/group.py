"""The group of all commands."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

import click

from .options import BROKEN_PIPE

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Where the output goes, there is no room for it."""


class CommandGroup(click.Group):
    """Commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say which commands there are when there is none of this name."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            known = ", ".join(self.commands)
            raise click.UsageError(f"{error.format_message()} Commands: {known}", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would end the process
            return BROKEN_PIPE
        except OSError as error:
            if error.errno not in _FULL:
                raise
            click.echo(f"chatkit-server: cannot write: {error.strerror}", err=True)
            return 2

    def run(self, arguments: Sequence[str]) -> int:
        """Run the command that the arguments name; return its exit status.

        Raises `click.ClickException` for wrong arguments.
        """
        return int(self.main(arguments, "chatkit-server", standalone_mode=False) or 0)
