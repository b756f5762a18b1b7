"""`chatkit-server check`: check the settings and the plugins."""

from __future__ import annotations

import argparse
import asyncio

from .options import Commands, add_command, load_settings


def add_to(commands: Commands) -> None:
    """Add the command `check`."""
    add_command(commands, "check", check, "check the settings and the plugins, and start nothing")


def check(options: argparse.Namespace) -> int:
    settings, problems = load_settings(options)
    from ..app import create_app
    from ..web.keys import HOOKS

    async def create() -> list[str]:
        return create_app(settings, problems=problems)[HOOKS].names

    names = asyncio.run(create())
    print(f"{options.settings.absolute()}: OK. Plugins: {', '.join(names)}")
    return 0
