"""`chatkit-server migrate`: bring the plugins' databases up to date."""

from __future__ import annotations

import argparse
import asyncio

from .options import Commands, add_command, load_settings


def add_to(commands: Commands) -> None:
    """Add the command `migrate`."""
    add_command(commands, "migrate", migrate, "bring the plugins' databases up to date")


def migrate(options: argparse.Namespace) -> int:
    settings, problems = load_settings(options)
    from ..app import create_app
    from ..web.keys import HOOKS

    async def run_migrations() -> None:
        hooks = create_app(settings, problems=problems)[HOOKS]
        if not hooks.implemented("migrate"):
            print("No plugin has a database to migrate.")
        async for plugin, lines in hooks.boot_each("migrate"):
            for line in lines:
                print(f"{plugin}: {line}")

    asyncio.run(run_migrations())
    return 0
