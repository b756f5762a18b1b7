"""Whether each MCP server can be used, and which tools it has."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from aiohttp import web

from ..app import too_many_tools
from ..finding import Finding, Level
from ..mcp.manager import McpManager
from ..mcp.server import NOT_YET, ManagedServer
from ..web.keys import MCP
from .lines import finding_of
from .probes import Tell

PATIENCE = 9.0
"""Seconds to connect: less than a check has, so that the reason is known."""

_MOST = 20
"""Tools that are named."""


async def check_mcp_servers(app: web.Application, tell: Tell, patience: float = PATIENCE) -> None:
    """Connect the MCP servers, list their tools, and tell which do not work."""
    manager = app[MCP]
    began = time.monotonic()

    async def tried(connection: ManagedServer) -> float:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await connection.tried.wait()
        return time.monotonic() - began

    async with manager.run(0):
        seconds = await asyncio.gather(*map(tried, manager.connections))
        # Not before: which of two servers keeps a name must not depend on which is faster
        for connection, took in zip(manager.connections, seconds, strict=True):
            tell(_found(manager, connection, took, patience))
        if (warning := too_many_tools(app)) is not None:
            tell(finding_of(warning, "warning"))


def _found(
    manager: McpManager, connection: ManagedServer, seconds: float, patience: float
) -> Finding:
    where, error = f"MCP server {connection.name}", connection.error
    if error is None and not connection.tools:
        todo = "Check `allowed_tools` and `blocked_tools`, or remove the server from the settings"
        return Finding("is connected, and has no tools that agents may use", todo, "warning", where)
    if error is None:
        return Finding(_tools(manager, connection, seconds), "", "ok", where)
    if error == NOT_YET:
        error = (
            f"not connected yet, after {patience:g} s. Look whether it runs, and can be reached "
            "from here"
        )
    # A turn goes on without it, or is refused
    level: Level = "error" if connection.required else "warning"
    told = finding_of(f"{where}: {error}", level)
    problem, _, todo = told.problem.partition("; ")
    return Finding(problem, told.todo or f"{todo[:1].upper()}{todo[1:]}", level, where)


def _tools(manager: McpManager, connection: ManagedServer, seconds: float) -> str:
    names = manager.names_of(connection)
    told = [name if tool == name else f"{name} (its `{tool}`)" for tool, name in names.items()]
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    listed = f": {', '.join(told[:_MOST])}{more}" if told else ""
    return f"{len(told)} tool{'' if len(told) == 1 else 's'} in {seconds:.1f} s{listed}"
