"""`chatkit-server check`: check the settings, the plugins, and the MCP servers."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..logs import LineHandler, WithoutContent
from .options import command, load_settings

if TYPE_CHECKING:
    from ..plugin.calls import Hooks


@contextmanager
def _warnings_shown() -> Iterator[None]:
    """Show what is logged as a warning once, in the form of those that are printed at the end."""
    handler = LineHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(WithoutContent("warning: %(message)s"))
    root = logging.getLogger()
    others = root.handlers
    root.handlers = [handler]
    try:
        yield
    finally:
        root.handlers = others


@command("check", "Check the settings, the plugins and the MCP servers.")
def check(settings: Path) -> int:
    loaded, problems = load_settings(settings)
    from ..app import create_app, mcp_warnings
    from ..web.keys import HOOKS

    async def create() -> tuple[list[str], list[str]]:
        with _warnings_shown():
            app = create_app(loaded, problems=problems)
        # What is wrong with an MCP server is printed below: it is no mistake in the settings
        logging.disable()
        try:
            hooks = app[HOOKS]
            found = [f"{plugin}: {line}" async for plugin, line in _of_plugins(hooks)]
            return hooks.names, [*await mcp_warnings(app), *found]
        finally:
            logging.disable(logging.NOTSET)

    names, warnings = asyncio.run(create())
    print(f"{settings.absolute()}: OK. Plugins: {', '.join(names)}")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


async def _of_plugins(hooks: Hooks) -> AsyncIterator[tuple[str, str]]:
    """Yield what plugins find wrong with their part, each after the plugin's name."""
    async for plugin, lines in hooks.boot_each("check"):
        for line in lines:
            yield plugin, line
