"""An MCP server that the core keeps connected."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agents.mcp import (
    MCPServer,
    MCPServerManager,
    MCPServerSse,
    MCPServerStdio,
    MCPServerStreamableHttp,
)
from mcp.client.session import IncomingMessage, MessageHandlerFnT
from mcp.types import CallToolResult, ToolListChangedNotification

from .connection import McpConnection, ToolFailed, is_lost
from .exchange import Exchange, watching
from .failures import address, describe
from .guard import watch
from .limits import McpRefused

log = logging.getLogger(__name__)

_CLIENTS = (MCPServerStdio, MCPServerStreamableHttp, MCPServerSse)

NOT_YET = "not connected yet"
SESSION_GONE = "does not know the session any more, as after a restart"


@dataclass(frozen=True)
class McpTiming:
    """Timeouts and intervals for MCP servers, in seconds.

    `start`: how long the start of this server waits for them. `recover`: how long a turn waits for
    one that is down. `check_after`: a turn checks a connection that was silent for this long.
    `check_every`: the interval of checks while no turn uses it. `retry_first`, `retry_most`: the
    first and the longest pause between attempts to connect; each pause doubles the last. When a
    turn needs the server, the pause is `retry_first`. `list_pause`: the pause between two lists of
    tools, however often the server says that they have changed. `close`: the limit for closing.
    """

    start: float = 1.0
    recover: float = 2.0
    check_after: float = 15.0
    check_every: float = 60.0
    retry_first: float = 0.5
    retry_most: float = 30.0
    list_pause: float = 2.0
    close: float = 8.0


class ManagedServer(McpConnection):
    """Keeps an MCP server connected, from `keep` until its end."""

    def __init__(self, server: MCPServer, timing: McpTiming) -> None:
        super().__init__(server)
        self.timing = timing
        self.connect_timeout: float = getattr(server, "connect_timeout", 30.0)
        self.up = asyncio.Event()
        self.tried = asyncio.Event()
        self.error: str | None = NOT_YET
        self._recovering = False
        self._is_refused = False
        self._limit = self.connect_timeout
        self._delay = timing.retry_first
        self._next_try = self._began = self._ended = time.monotonic()
        self._attempted = asyncio.Event()
        self._wake = asyncio.Event()
        self._connecting: asyncio.Timeout | None = None
        self._closing = False
        self._listed = -math.inf
        self._list_later: asyncio.TimerHandle | None = None
        if isinstance(server, _CLIENTS):
            watch(server, self.limits, self.reporter, self._stream_ended, self.progress)
            server.message_handler = self._listen(server.message_handler)

    @property
    def _described(self) -> str:
        place = address(self.server)
        return f"{self.name} ({place})" if place else self.name

    @property
    def retry_after(self) -> int:
        """The seconds until it makes sense to ask again."""
        return max(1, math.ceil(self._next_try - time.monotonic()))

    async def keep(self) -> None:
        """Connect the server, and reconnect it when it is lost; close it when cancelled."""
        # One manager for each server: in a shared one, a slow server blocks the others
        manager = MCPServerManager(
            [self],
            connect_timeout_seconds=None,
            cleanup_timeout_seconds=None,
            suppress_cancelled_error=False,
            connect_in_parallel=True,
        )
        try:
            await manager.connect_all()
            while True:
                self.tried.set()
                await (self._while_up() if self.up.is_set() else self._back_off())
                await manager.reconnect(failed_only=False)
        finally:
            await manager.cleanup_all()

    def close(self) -> None:
        """Abort an attempt to connect, so that cancelling `keep` ends at once."""
        self._closing = True
        if self._list_later is not None:
            self._list_later.cancel()
        if self._connecting is not None:
            self._connecting.reschedule(asyncio.get_running_loop().time())

    async def connect(self) -> None:
        """Try to connect, and note the result: the manager would log a traceback of an error."""
        if self._closing:
            return
        connect: Callable[[], Awaitable[None]] = self.server.connect
        self._began = time.monotonic()
        self.reporter.refused = None
        log.debug("MCP server %s: connecting", self._described)
        with watching() as exchange:
            await self._connect(connect, exchange)

    async def _connect(self, connect: Callable[[], Awaitable[None]], exchange: Exchange) -> None:
        try:
            async with asyncio.timeout(self._limit) as self._connecting:
                await connect()
                await self.refresh()
        except Exception as error:
            if isinstance(error, TimeoutError):
                self._limit = min(self.connect_timeout, self._limit * 2)
            self._is_refused = self._refuses(error)
            self._note_failure(self._reason(error, exchange))
        except asyncio.CancelledError as error:
            # The client libraries cancel this task when a transport breaks
            if _is_cancelled():
                raise
            self._note_failure(self._reason(error, exchange))
        else:
            self._note_success()
        finally:
            self._connecting = None
            self._recovering = False
            self._ended = time.monotonic()
            self._attempted.set()
            self._attempted = asyncio.Event()

    async def cleanup(self) -> None:
        """Close the connection; errors are only logged for debugging."""
        self.up.clear()
        close: Callable[[], Awaitable[None]] = self.server.cleanup
        try:
            async with asyncio.timeout(self.timing.close):
                await close()
        except Exception:
            log.debug("MCP server %s: closing failed", self.name, exc_info=True)

    def _stream_ended(self) -> None:
        """Look at once whether the connection is lost."""
        if self.up.is_set():
            self._wake.set()

    async def _while_up(self) -> None:
        while self.up.is_set():
            try:
                async with asyncio.timeout(self.timing.check_every):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self.up.is_set():
                await self._check()

    async def refresh(self) -> None:
        """Ask the server which tools it has. Raises `McpRefused` if they are too many."""
        self._listed = math.inf
        self.reporter.refused = None
        try:
            await super().refresh()
        finally:
            self._listed = time.monotonic()

    def _tools_changed(self) -> None:
        """Have the tools listed, now or after the pause."""
        if self._list_later is not None:
            return
        wait = self._listed + self.timing.list_pause - time.monotonic()
        if wait <= 0:
            self._wake.set()
            return
        loop = asyncio.get_running_loop()
        wait = min(wait, self.timing.list_pause)
        self._list_later = loop.call_later(wait, self._list_again)

    def _list_again(self) -> None:
        self._list_later = None
        self._tools_changed()

    async def _check(self) -> None:
        if isinstance(self.server, _CLIENTS):
            forget: Callable[[], None] = self.server.invalidate_tools_cache
            forget()
        with watching() as exchange:
            try:
                await self.refresh()
            except Exception as error:
                # Running calls may delay the check, and notice a lost connection themselves
                timed_out = isinstance(error, TimeoutError) and not self.calls
                if timed_out or exchange.session_is_gone or is_lost(error):
                    self.lose(error, exchange)
                else:
                    reason = self._reason(error, exchange)
                    self.reporter.note(f"listing its tools failed: {reason}")

    async def _back_off(self) -> None:
        delay = self._delay * random.uniform(0.8, 1.2)
        self._delay = min(self._delay * 2, self.timing.retry_most)
        self._next_try = time.monotonic() + delay
        await asyncio.sleep(min(delay, self.timing.retry_first))
        try:
            async with asyncio.timeout_at(
                asyncio.get_running_loop().time() + self._next_try - time.monotonic()
            ):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _note_success(self) -> None:
        log.info("MCP server %s: connected, %d tools", self.name, len(self.tools))
        self.error = None
        self._is_refused = False
        self._delay = self.timing.retry_first
        # A server that is back answers about as fast as before: a hanging attempt is given up early
        seconds = time.monotonic() - self._began
        self._limit = min(self.connect_timeout, max(self.timing.recover, 4 * seconds))
        self._wake.clear()
        self.up.set()

    def _refuses(self, error: Exception) -> bool:
        return self.reporter.refused is not None or isinstance(error, McpRefused)

    def _reason(self, error: BaseException, exchange: Exchange) -> str:
        return self.reporter.refused or exchange.problem or describe(error, self.reporter)

    def _note_failure(self, reason: str) -> None:
        is_known = reason in (self.error, self.reporter.refused)
        if not is_known and not self._closing:
            log.warning(
                "MCP server %s: %s; trying again in the background", self._described, reason
            )
        self.error = reason

    def lose(self, error: Exception, exchange: Exchange | None = None) -> None:
        """Note that the connection is lost, and reconnect at once."""
        if self.up.is_set():
            self.up.clear()
            self._recovering = True
            gone = exchange is not None and exchange.session_is_gone
            self._note_failure(SESSION_GONE if gone else describe(error, self.reporter))
            self._wake.set()

    async def prepare(self) -> bool:
        """Return whether a turn may use the server.

        If it is down, this reconnects at once and waits, unless an attempt has just failed or has
        been running for long, or what the server sends was refused.
        """
        if self.up.is_set():
            if time.monotonic() - self.last_answer > self.timing.check_after:
                self._wake.set()
            return True
        if self._is_refused:
            return False
        self._wake.set()
        if self._recovering or self.required:
            return await self._is_up(self.timing.recover)
        return await self._is_back()

    async def _is_back(self) -> bool:
        now = time.monotonic()
        seconds = self.timing.recover
        if self._connecting is not None:
            seconds -= now - self._began
        elif now - self._ended < self.timing.retry_first:
            return False
        if not self.tried.is_set() or seconds <= 0:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._attempted.wait()
        return self.up.is_set()

    async def _is_up(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.up.wait()
        except TimeoutError:
            return False
        return True

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool; retry once if that cannot carry it out twice.

        So it is if the server had forgotten the session, or if the connection was lost and the tool
        may be repeated. Raises `ToolFailed` as `McpConnection.call_tool` does.
        """
        for last in (False, True):
            if not await self._is_up(self.timing.recover):
                raise ToolFailed(f"`{self.name}` is not available right now.")
            session = self._session
            with watching() as exchange:
                try:
                    return await self._call(tool_name, arguments, meta)
                except Exception as error:
                    gone = exchange.session_is_gone
                    if not gone and not is_lost(error):
                        raise self._failed(error, exchange) from error
                    if session is self._session:
                        self.lose(error, exchange)
                    if last or not (gone or self._repeatable(tool_name)):
                        raise self._failed(error, exchange) from error
        raise AssertionError("unreachable")

    @property
    def _session(self) -> object:
        """The client's session: another object after each connection."""
        return getattr(self.server, "session", None)

    def _repeatable(self, tool_name: str) -> bool:
        for tool in self.tools:
            if tool.name == tool_name and tool.annotations is not None:
                return bool(tool.annotations.read_only_hint or tool.annotations.idempotent_hint)
        return False

    def _listen(self, others: MessageHandlerFnT | None) -> MessageHandlerFnT:
        async def handle(message: IncomingMessage) -> None:
            if isinstance(message, ToolListChangedNotification):
                self._tools_changed()
            if others is not None:
                await others(message)

        return handle


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
