"""`chatkit-server check`: check the settings, the plugins, and how many tools there are."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from .options import Commands, add_command, load_settings


def add_to(commands: Commands) -> None:
    """Add the command `check`."""
    add_command(commands, "check", check, "check the settings, the plugins and the number of tools")


def check(options: argparse.Namespace) -> int:
    settings, problems = load_settings(options)
    from ..app import create_app, tools_warning
    from ..web.keys import HOOKS

    async def create() -> tuple[list[str], str | None]:
        app = create_app(settings, problems=problems)
        # An MCP server that is down now is no mistake in the settings
        logging.disable()
        return app[HOOKS].names, await tools_warning(app)

    names, warning = asyncio.run(create())
    print(f"{options.settings.absolute()}: OK. Plugins: {', '.join(names)}")
    if warning is not None:
        print(f"warning: {warning}", file=sys.stderr)
    return 0
