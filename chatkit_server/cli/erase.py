"""`chatkit-server erase`: delete all data of one user."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..lines import escape
from .options import command, user_option

if TYPE_CHECKING:
    from ..userdata.plugins import Failures


@command("erase", "Delete all data of one user: conversations, files, what plugins hold.")
@user_option
@click.option("--tenant", default="", metavar="ID", help="The user's tenant, if there is one.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
def erase(settings: Path, user: str, tenant: str, yes: bool, dry_run: bool) -> int:
    """Return 0, or 1 if a part could not be deleted."""
    from ..turn import User
    from ..userdata.erase import Eraser
    from ..userdata.started import started

    if not (yes or dry_run or sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here: use --yes, or --dry-run")

    async def run() -> Failures:
        async with started(settings) as app:
            eraser = Eraser(app, User(user, tenant))
            if not yes:
                await _show(eraser.held())
                if dry_run:
                    return eraser.failures
                whose = f"user {user!r}" + (f" of tenant {tenant!r}" if tenant else "")
                click.confirm(f"Delete all of this of {whose}?", abort=True)
                eraser.failures.clear()
            await _show(eraser.erase())
            return eraser.failures

    failures = asyncio.run(run())
    for part, reason in failures.items():
        print(escape(f"{part}: failed: {reason}"), file=sys.stderr)
    return 1 if failures else 0


async def _show(parts: AsyncIterator[tuple[str, str]]) -> None:
    async for part, what in parts:
        print(f"{part}: {what}", flush=True)
