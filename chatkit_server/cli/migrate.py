"""`chatkit-server migrate`: bring the plugins' databases up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

from .options import command, load_settings


@command("migrate", "Bring the plugins' databases up to date.")
def migrate(settings: Path) -> int:
    loaded, problems = load_settings(settings)
    from ..app import create_app
    from ..web.keys import HOOKS

    async def run_migrations() -> None:
        hooks = create_app(loaded, problems=problems)[HOOKS]
        if not hooks.implemented("migrate"):
            print("No plugin has a database to migrate.")
        async for plugin, lines in hooks.boot_each("migrate"):
            for line in lines:
                print(f"{plugin}: {line}")

    asyncio.run(run_migrations())
    return 0
