"""The MCP servers of the application, kept connected, and their tools for each turn.

A server object from the `mcp_servers` hook, or from `turn.mcp_servers`, may have these attributes:
`required` (bool; without it no turn begins), `prefix` (str; put before the names of its tools),
`timeout`, `max_timeout`, `elicitation_timeout` and `connect_timeout` (seconds for a call, for one
that reports progress, for the user's answer to one, and to connect), `elicitation` (bool; whether
it may ask the user), `max_tools`, `max_tools_size`
and `max_message` (see `McpLimits`), and `require_approval` (`"always"`, `"never"`, or names and
patterns: which calls the user is asked about).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypedDict

from agents import FunctionTool
from agents.mcp import MCPServer

from ..errors import SettingsError, Unavailable
from ..settings.schema import ApprovalSettings
from ..words import words
from .connection import McpConnection, ToolFailed, Wrap, unwrapped
from .failures import describe, without_advice
from .names import ToolNames
from .server import ManagedServer
from .timing import McpTiming

__all__ = ["McpManager", "McpStatus", "McpTiming", "ToolFailed"]

log = logging.getLogger(__name__)

_NOISY = (
    "httpx2",
    "mcp.client.sse",
    "mcp.client.stdio",
    "mcp.client.streamable_http",
    "openai.agents",
)


Takes = Callable[[MCPServer, str, str], bool]
"""Whether a tool is wanted: its server, its name there, and its name for the model."""


def takes_all(server: MCPServer, tool: str, name: str) -> bool:
    return True


class McpStatus(TypedDict):
    """The state of one server; `error` is the reason if it is not connected."""

    connected: bool
    required: bool
    error: str | None


class McpManager:
    """The MCP servers that plugins gave at boot, and those that agents have of their `own`.

    Raises `SettingsError` for two of plugins with one name, or a server whose tools differ from
    turn to turn.
    """

    def __init__(
        self,
        servers: Iterable[MCPServer],
        timing: McpTiming = McpTiming(),  # noqa: B008
        approval: ApprovalSettings = ApprovalSettings(),  # noqa: B008
        own: Iterable[MCPServer] = (),
    ) -> None:
        self._timing = timing
        self._approval = approval
        self._connections: dict[MCPServer, ManagedServer] = {}
        self._names = ToolNames()
        for server in servers:
            if any(connection.name == server.name for connection in self._connections.values()):
                raise SettingsError(f"MCP server {server.name}: the name is used twice; change one")
            self._keep(server, approval)
        self._shared = list(self._connections)
        # Their names are often those that the SDK makes of their addresses
        for server in own:
            if server not in self._connections:
                self._keep(server, approval)

    def _keep(self, server: MCPServer, approval: ApprovalSettings) -> None:
        if callable(getattr(server, "tool_filter", None)):
            raise SettingsError(
                f"MCP server {server.name}: its tool_filter is a function, but its tools are "
                "listed once for all turns: use a static filter"
            )
        self._connections[server] = ManagedServer(server, self._timing, approval)

    def when_listed(self, call: Callable[[], None]) -> None:
        """Have this called each time that a server told which tools it has."""
        for connection in self._connections.values():
            connection.listed = call

    @property
    def servers(self) -> list[MCPServer]:
        """The servers of plugins, in their order: those that any agent may have."""
        return list(self._shared)

    @property
    def connections(self) -> list[ManagedServer]:
        """The connections to all servers, in their order."""
        return list(self._connections.values())

    def names_of(self, connection: ManagedServer) -> dict[str, str]:
        """Return the names for the model of a server's tools, by their own names."""
        self._names.update(self.connections)
        return self._names.of_server(connection)

    @property
    def all_connected(self) -> bool:
        """Whether all tools of the servers are known now."""
        return all(connection.up.is_set() for connection in self._connections.values())

    @asynccontextmanager
    async def run(self, start: float | None = None) -> AsyncIterator[None]:
        """Keep the servers connected while the block runs.

        The block begins when each was tried once, or after `start` seconds (`timing.start`). The
        others are connected in the background.
        """
        with _quiet():
            connections = list(self._connections.values())
            keepers = [asyncio.create_task(connection.keep()) for connection in connections]
            try:
                try:
                    async with asyncio.timeout(self._timing.start if start is None else start):
                        for connection in connections:
                            await connection.tried.wait()
                except TimeoutError:
                    pass
                yield
            finally:
                for connection, keeper in zip(connections, keepers, strict=True):
                    connection.close()
                    keeper.cancel()
                for ended in await asyncio.gather(*keepers, return_exceptions=True):
                    if isinstance(ended, Exception):
                        log.error("keeping an MCP server connected failed", exc_info=ended)

    def status(self) -> dict[str, McpStatus]:
        """Return the state of each server, by name."""
        return {
            connection.name: {
                "connected": connection.connected,
                "required": connection.required,
                "error": connection.error,
            }
            for connection in self._connections.values()
        }

    def check_up(self, names: Collection[str]) -> None:
        """Raise `Unavailable` if one of these servers is down now: its tool is to go on."""
        for connection in self._connections.values():
            if connection.name in names and not connection.up.is_set():
                raise _unavailable(connection)

    def too_many_tools(self, most: int | None) -> str | None:
        """Return a warning if the servers have more tools than that, with the number of each."""
        connections = [self._connections[server] for server in self._shared]
        counts = {each.name: len(each.tools) for each in connections if each.tools}
        total = sum(counts.values())
        if most is None or total <= most:
            return None
        parts = ", ".join(f"{name} {count}" for name, count in counts.items())
        return (
            f"the MCP servers have {total} tools ({parts}), and the model takes {most}: the last "
            "ones, in the order of the settings, are left out. Choose some with `allowed_tools`"
        )

    async def tools(
        self,
        servers: Sequence[MCPServer],
        taken: Collection[str] = (),
        wrap: Wrap = unwrapped,
        turn_id: str = "?",
        takes: Takes = takes_all,
    ) -> list[FunctionTool]:
        """Return the tools of these servers for a turn; a tool that fails raises `ToolFailed`.

        `taken` are the names of the agent's other tools. A tool whose name is taken, or used by
        another server, gets its server's name as a prefix. `wrap` is called once for each tool, not
        for each turn. Tools that `takes` refuses are left out, and so are servers that are down;
        `Unavailable` is raised if one of these is required.
        """
        connections = await self._connections_to(list(dict.fromkeys(servers)))
        down = [connection for connection, ready in connections if not ready]
        if down:
            _check_required(down)
            names = ", ".join(connection.name for connection in down)
            log.debug("turn %s: runs without MCP servers %s", turn_id, names)
        self._names.update(list(self._connections.values()))
        named = self._names.of_turn([connection for connection, _ in connections], taken)
        usable = {connection for connection, ready in connections if ready}
        return [
            connection.function(tool, name, wrap)
            for connection, tool, name in named
            if connection in usable and takes(connection.server, tool.name, name)
        ]

    async def _connections_to(
        self, servers: Sequence[MCPServer]
    ) -> list[tuple[McpConnection, bool]]:
        """Return for each server its connection, and whether the turn may use it."""
        kept = [self._connections[server] for server in servers if server in self._connections]
        if len(kept) == len(servers) and all(connection.up.is_set() for connection in kept):
            # All are up: nothing to wait for
            return [(connection, await connection.prepare()) for connection in kept]
        return await asyncio.gather(*(self._connection(server) for server in servers))

    async def _connection(self, server: MCPServer) -> tuple[McpConnection, bool]:
        kept = self._connections.get(server)
        if kept is not None:
            return kept, await kept.prepare()
        connection = McpConnection(server, self._approval)
        try:
            await connection.refresh()
        except Exception as error:
            log.warning(
                "MCP server %s: listing its tools failed: %s", connection.name, describe(error)
            )
            return connection, False
        return connection, True


def _check_required(down: Sequence[McpConnection]) -> None:
    for connection in down:
        if connection.required:
            raise _unavailable(connection)


def _unavailable(connection: McpConnection) -> Unavailable:
    reason, retry_after = None, None
    if isinstance(connection, ManagedServer):
        reason = without_advice(connection.error) if connection.error else None
        retry_after = connection.retry_after
    return Unavailable(_missing(connection.name, reason), retry_after=retry_after)


def _missing(name: str, reason: str | None) -> str:
    if reason is None:
        return words(
            "The assistant needs `{server}`, which is not available right now. Try again in a "
            "moment.",
            server=name,
        )
    return words(
        "The assistant needs `{server}`, which is not available right now: {reason}. Try again in "
        "a moment.",
        server=name,
        reason=reason,
    )


class _DebugOnly(logging.Filter):
    """Turns the MCP and OpenAI libraries' messages about connections into debug messages.

    They log every request, and a lost connection as an error with a traceback. `ManagedServer` logs
    one line instead.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "openai.agents" and Path(record.pathname).parent.name != "mcp":
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


@contextmanager
def _quiet() -> Iterator[None]:
    quiet = _DebugOnly()
    for name in _NOISY:
        logging.getLogger(name).addFilter(quiet)
    try:
        yield
    finally:
        for name in _NOISY:
            logging.getLogger(name).removeFilter(quiet)
