"""`chatkit-server export`: all data of one user."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from ..lines import escape
from .options import command, user_option


@command("export", "Write all data of one user: conversations, files, what plugins hold.")
@user_option
@click.option("--tenant", default="", metavar="ID", help="The user's tenant, if there is one.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A JSON file; FILE.zip or a folder has the attached files, too. Default: standard output.",
)
def export(settings: Path, user: str, tenant: str, output: Path | None) -> int:
    """Return 0, or 1 if a part could not be read."""
    from ..turn import User
    from ..userdata.export import export as export_user

    failures, left_out = asyncio.run(export_user(settings, User(user, tenant), output))
    if left_out:
        print(f"{left_out} files are left out: --output FILE.zip has them", file=sys.stderr)
    for part, reason in failures.items():
        print(escape(f"{part}: failed: {reason}"), file=sys.stderr)
    return 1 if failures else 0
