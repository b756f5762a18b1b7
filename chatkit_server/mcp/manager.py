"""The MCP servers of the process: connected once, kept connected, and their tools for each turn.

A server object from the `mcp_servers` hook, or from `turn.mcp_servers`, may have these attributes:
`required` (bool; without it no turn begins), `prefix` (str; put before the names of its tools),
`timeout` and `connect_timeout` (seconds for a call, and to connect).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypedDict

from agents import FunctionTool
from agents.mcp import MCPServer
from mcp.types import Tool

from ..errors import SettingsError, Unavailable
from .connection import Link, ToolFailed, Wrap, as_it_is, words
from .server import KeptLink, Pace

__all__ = ["McpServers", "McpStatus", "Pace", "ToolFailed"]

log = logging.getLogger(__name__)

_NAME_LENGTH = 64
_NOT_LEGAL = re.compile(r"[^A-Za-z0-9_-]")
_NOISY = ("httpx2", "mcp.client.stdio", "mcp.client.streamable_http", "openai.agents")


class McpStatus(TypedDict):
    """The state of one server; `error` says in a few words why it is not connected."""

    connected: bool
    required: bool
    error: str | None


class McpServers:
    """The MCP servers that plugins gave at boot.

    Raises `SettingsError` for two of the same name, or one whose tools differ from turn to turn.
    """

    def __init__(self, servers: Iterable[MCPServer], pace: Pace = Pace()) -> None:  # noqa: B008
        self._pace = pace
        self._links: dict[MCPServer, KeptLink] = {}
        for server in servers:
            if any(link.name == server.name for link in self._links.values()):
                raise SettingsError(f"MCP server {server.name}: the name is used twice; change one")
            if callable(getattr(server, "tool_filter", None)):
                raise SettingsError(
                    f"MCP server {server.name}: its tool_filter is a function, but its tools are "
                    "listed once for all turns: use a static filter"
                )
            self._links[server] = KeptLink(server, pace)

    @property
    def servers(self) -> list[MCPServer]:
        """The servers, in the order of the plugins."""
        return list(self._links)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Keep the servers connected while the block runs.

        The block begins when each was tried once, or after `pace.start` seconds; those not
        connected by then are connected in the background.
        """
        with _quiet():
            keepers = [asyncio.create_task(link.keep()) for link in self._links.values()]
            try:
                try:
                    async with asyncio.timeout(self._pace.start):
                        for link in self._links.values():
                            await link.tried.wait()
                except TimeoutError:
                    pass
                yield
            finally:
                for link, keeper in zip(self._links.values(), keepers, strict=True):
                    link.close()
                    keeper.cancel()
                for ended in await asyncio.gather(*keepers, return_exceptions=True):
                    if isinstance(ended, Exception):
                        log.error("keeping an MCP server connected failed", exc_info=ended)

    def status(self) -> dict[str, McpStatus]:
        """Return the state of each server, by name."""
        return {
            link.name: {
                "connected": link.up.is_set(),
                "required": link.required,
                "error": link.error,
            }
            for link in self._links.values()
        }

    async def tools(
        self,
        servers: Sequence[MCPServer],
        taken: Collection[str] = (),
        wrap: Wrap = as_it_is,
    ) -> list[FunctionTool]:
        """Return the tools of these servers for a turn; a failing one raises `ToolFailed`.

        `taken` are names of other tools of the agent. `wrap` is called once for a tool, not for
        each turn. A tool whose name is taken, or is that of
        another server's tool, gets its server's name in front. Servers that are down are left out.
        Raises `Unavailable` if one of them is required.
        """
        links = await self._links_to(list(dict.fromkeys(servers)))
        down = [link for link, ready in links if not ready]
        for link in down:
            if link.required:
                raise Unavailable(
                    f"The assistant needs `{link.name}`, which is not available right now. "
                    "Try again in a moment.",
                    retry_after=link.retry_after if isinstance(link, KeptLink) else None,
                )
        if down:
            log.warning("turn without MCP servers %s", ", ".join(link.name for link in down))
        named = _name([link for link, _ in links], taken)
        ready_links = {link for link, ready in links if ready}
        return [
            link.function(tool, name, wrap) for link, tool, name in named if link in ready_links
        ]

    async def _links_to(self, servers: Sequence[MCPServer]) -> list[tuple[Link, bool]]:
        """Return for each server its link, and whether the turn may use it."""
        kept = [self._links[server] for server in servers if server in self._links]
        if len(kept) == len(servers) and all(link.up.is_set() for link in kept):
            # What is up is not waited for
            return [(link, await link.prepare()) for link in kept]
        return await asyncio.gather(*(self._link(server) for server in servers))

    async def _link(self, server: MCPServer) -> tuple[Link, bool]:
        kept = self._links.get(server)
        if kept is not None:
            return kept, await kept.prepare()
        link = Link(server)
        try:
            await link.refresh()
        except Exception as error:
            log.warning("MCP server %s: listing its tools failed: %s", link.name, words(error))
            return link, False
        return link, True


def _name(links: Sequence[Link], taken: Collection[str]) -> Iterator[tuple[Link, Tool, str]]:
    """Yield each tool with the name the model is to call, one that no other has.

    The tools that servers had before they were lost count too, so that names do not change with
    each loss.
    """
    used = set(taken)
    count = Counter(tool.name for link in links if link.prefix is None for tool in link.tools)
    for link in links:
        for tool in link.tools:
            prefix = link.prefix
            if prefix is None and (count[tool.name] > 1 or tool.name in used):
                prefix = link.name
            name = _legal(tool.name if prefix is None else f"{prefix}_{tool.name}")
            if name in used:
                name = _shorten(name, f"{link.name}\0{tool.name}")
            used.add(name)
            yield link, tool, name


def _legal(name: str) -> str:
    legal = _NOT_LEGAL.sub("_", name)
    return legal if len(legal) <= _NAME_LENGTH else _shorten(legal, name)


def _shorten(name: str, seed: str) -> str:
    mark = hashlib.sha256(seed.encode()).hexdigest()[:8]
    return f"{name[: _NAME_LENGTH - len(mark) - 1]}_{mark}"


class _Hush(logging.Filter):
    """Makes what MCP's and OpenAI's libraries say of connections a debug message.

    They log every request, and a lost connection as an error with its trace. `KeptLink` says the
    same in one line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "openai.agents" and Path(record.pathname).parent.name != "mcp":
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


@contextmanager
def _quiet() -> Iterator[None]:
    hush = _Hush()
    for name in _NOISY:
        logging.getLogger(name).addFilter(hush)
    try:
        yield
    finally:
        for name in _NOISY:
            logging.getLogger(name).removeFilter(hush)
