"""An MCP server that the core keeps connected."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from agents.mcp import (
    MCPServer,
    MCPServerManager,
    MCPServerSse,
    MCPServerStdio,
    MCPServerStreamableHttp,
)
from mcp import MCPError
from mcp.client.session import ClientSession, IncomingMessage, MessageHandlerFnT
from mcp.types import CallToolResult, ToolListChangedNotification
from pydantic import ValidationError

from ..lines import fixed_words
from ..settings.schema import ApprovalSettings
from .connection import NOT_RUN, McpConnection, ToolFailed
from .elicitation import ROUNDS, ask_with, take_input
from .exchange import Exchange, watching
from .failures import address, describe
from .guard import watch
from .limits import Allowance, McpRefused, shown
from .outbox import Outgoing, note_requests
from .outcome import CUT_OFF, NOT_MCP, Outcome, names_session, outcome
from .timing import McpTiming

log = logging.getLogger(__name__)

_CLIENTS = (MCPServerStdio, MCPServerStreamableHttp, MCPServerSse)

NOT_YET = "not connected yet"
SESSION_GONE = "does not know the session any more, as after a restart"
CLOSED = "connection closed"
SILENT = "did not answer in time"
UNASKED = "can ask the user only by an earlier protocol"

_NO_ANSWER = ("doubtful", "gone", "closed")
_SAID = {"silent": SILENT, "gone": SESSION_GONE}

_LOOKS = 0.05
"""Seconds between two looks whether calls still run."""

_REASONS = 5
"""How many reasons of one outage are logged."""


class ManagedServer(McpConnection):
    """Keeps an MCP server connected, from `keep` until its end."""

    def __init__(
        self,
        server: MCPServer,
        timing: McpTiming,
        approval: ApprovalSettings = ApprovalSettings(),  # noqa: B008
    ) -> None:
        super().__init__(server, approval)
        self.timing = timing
        self.connect_timeout: float = getattr(server, "connect_timeout", 30.0)
        self.up = asyncio.Event()
        self.tried = asyncio.Event()
        self.error: str | None = NOT_YET
        self.listed: Callable[[], None] | None = None
        self._recovering = False
        self._is_refused = False
        self._limit = self.connect_timeout
        self._delay = timing.retry_first
        self._next_try = self._began = self._ended = time.monotonic()
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._reasons: set[str] = set()
        self._waiting = 0
        self._doubts = Allowance(burst=timing.doubts, rate=1 / 20)
        self._renewals = Allowance(burst=timing.renewals, rate=1 / 10)
        self._connecting: asyncio.Timeout | None = None
        self._closing = False
        self._silences = 0
        self._listed = self._lost_at = -math.inf
        self._outgoing = Outgoing(self.may_ask)
        self._list_later: asyncio.TimerHandle | None = None
        self._listing: asyncio.Task[None] | None = None
        if isinstance(server, _CLIENTS):
            watch(server, self.limits, self.reporter, self._stream_ended, self.progress)
            note_requests(server, self._outgoing)
            self.reporter.interrupted = self._suspect
            server.message_handler = self._listen(server.message_handler)

    @property
    def connected(self) -> bool:
        """Whether the server is connected, and answered when it was last asked."""
        return self.up.is_set() and self.error is None

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
                if self.up.is_set():
                    await self._while_up()
                if self._recovering and self._renewals.take():
                    self._delay = self.timing.retry_first
                else:
                    self._recovering = False
                    await self._back_off()
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
                self._take_input()
                await self.refresh()
        except Exception as error:
            if isinstance(error, TimeoutError):
                self._limit = min(self.connect_timeout, self._limit * 2)
            self._is_refused = self._refuses(error)
            self._outgoing.earlier = False
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
            self._settled.set()

    def _take_input(self) -> None:
        """Let the server ask the user in the middle of a call."""
        session = self._session
        if self.may_ask and isinstance(session, ClientSession):
            seconds = getattr(self.server, "client_session_timeout_seconds", None) or None
            # The library's own limit would not stand still while the user is asked
            most = None if seconds is None else seconds + ROUNDS * self.waits + 1
            take_input(session, seconds, most)
            ask_with(session, self.name, self.waits, self.progress.asker)

    async def cleanup(self) -> None:
        """Close the connection; errors are only logged for debugging."""
        self.up.clear()
        close: Callable[[], Awaitable[None]] = self.server.cleanup
        # A child process takes a while to end; a session that does not work may be left
        is_left = not self._closing and not isinstance(self.server, MCPServerStdio)
        try:
            async with asyncio.timeout(self.timing.leave if is_left else self.timing.close):
                await close()
        except Exception:
            log.debug("MCP server %s: closing failed", self.name, exc_info=True)

    def _stream_ended(self) -> None:
        self._lose(self.reporter.problem or CLOSED)

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
            self._settled.set()

    async def refresh(self) -> None:
        """Ask the server which tools it has. Raises `McpRefused` if they are too many."""
        self._listed = math.inf
        self.reporter.refused = None
        try:
            await super().refresh()
        finally:
            self._listed = time.monotonic()
        if self.listed is not None:
            self.listed()

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
            listing = self._listing = asyncio.create_task(self.refresh())
            listing.add_done_callback(_note_error)
            try:
                # Running calls may delay the answer
                await asyncio.wait({listing}, timeout=None if self.calls else self.timing.check)
                if not listing.done():
                    raise TimeoutError
                await listing
            except Exception as error:
                self._check_failed(error, exchange)
            else:
                self._silences = 0
                self.error = None
            finally:
                # It may take a while to end, until the session is closed
                listing.cancel()

    def _check_failed(self, error: Exception, exchange: Exchange) -> None:
        found = outcome(error, exchange)
        if self._refuses(error) and found.fate == "works":
            reason = self._reason(error, exchange)
            self.reporter.note(f"listing its tools failed: {reason}")
            return
        if found.fate == "silent" and self.calls and not self._silences:
            # Running calls notice a lost connection themselves
            self._silences += 1
            self.error = SILENT
            return
        self._lose(self._why_lost(error, exchange, found))

    async def _back_off(self) -> None:
        """Wait for the next attempt to connect: less long if a call waits, or a turn asks."""
        pause = self._delay * random.uniform(0.8, 1.2)
        self._delay = min(self._delay * 2, self.timing.retry_most)
        if self.required:
            pause = min(pause, self.timing.retry_asked)
        self._next_try = time.monotonic() + pause
        await asyncio.sleep(min(pause, self.timing.retry_first))
        if self._waiting:
            return
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(loop.time() + self._next_try - time.monotonic()):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _note_success(self) -> None:
        again = " again" if self._reasons else ""
        log.info(
            "MCP server %s: connected%s, %d tools%s",
            self.name,
            again,
            len(self.tools),
            self._version,
        )
        self.error = None
        self._silences = 0
        self._reasons.clear()
        self.reporter.is_quiet = False
        self._is_refused = False
        # A server that is back answers about as fast as before: a hanging attempt is given up early
        seconds = time.monotonic() - self._began
        self._limit = min(self.connect_timeout, max(self.timing.recover, 4 * seconds))
        self._wake.clear()
        self.up.set()

    @property
    def _version(self) -> str:
        info = getattr(self._session, "server_info", None)
        version = getattr(info, "version", None)
        return f", version {shown(version)}" if version else ""

    def _refuses(self, error: Exception) -> bool:
        return self.reporter.refused is not None or isinstance(error, McpRefused)

    def _reason(self, error: BaseException, exchange: Exchange) -> str:
        return self.reporter.refused or exchange.problem or describe(error, self.reporter)

    def _note_failure(self, reason: str) -> None:
        """Log the first reason of an outage as a warning, and a few others for information."""
        self.error = reason
        words = fixed_words(reason)
        if self._closing or words in self._reasons or len(self._reasons) >= _REASONS:
            return
        is_first = not self._reasons
        self._reasons.add(words)
        self.reporter.is_quiet = True
        if not is_first:
            log.info("MCP server %s: %s", self._described, reason)
        elif reason != self.reporter.refused:
            log.warning(
                "MCP server %s: %s; trying again in the background", self._described, reason
            )

    def _why_lost(self, error: BaseException, exchange: Exchange, found: Outcome) -> str:
        problem = exchange.problem or self.reporter.problem
        if found.fate in _SAID:
            return _SAID[found.fate]
        is_known = isinstance(error, ValidationError) or str(error).startswith((CUT_OFF, NOT_MCP))
        if found.fate == "doubtful" and not (problem or is_known):
            return SESSION_GONE
        return self._reason(error, exchange)

    def _lose(self, reason: str) -> None:
        """Note that the connection is lost, and reconnect at once."""
        if self.up.is_set():
            self.up.clear()
            self._recovering = True
            self._lost_at = time.monotonic()
            self._note_failure(reason)
            self._wake.set()

    def _look(self) -> None:
        """Look whether the session works; calls wait for the answer a moment."""
        if self.up.is_set():
            self._settled.clear()
            self._wake.set()

    def _suspect(self) -> None:
        """Look whether the session works, though not each time that something may be wrong."""
        if not self.up.is_set():
            return
        if self._doubts.take():
            self._look()
        else:
            self._tools_changed()

    async def prepare(self) -> bool:
        """Return whether a turn may use the server.

        A turn waits for one that was lost a moment ago. Otherwise it only has a server that is down
        tried again sooner, in the background.
        """
        if self.up.is_set():
            if time.monotonic() - self.last_answer > self.timing.check_after:
                self._look()
            return True
        if self._recovering:
            return await self._is_up(self.timing.recover)
        if time.monotonic() - self._ended > self.timing.retry_asked and not self._is_refused:
            self._wake.set()
        return False

    async def _is_up(self, seconds: float) -> bool:
        """Wait until the server is connected, and its session is in no doubt."""
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._settled.wait()
                await self.up.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting -= 1
        return self.up.is_set()

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool; call it again in a new session if that cannot carry it out twice.

        So it is if the server refused the call because of the session, or if the tool may be
        repeated. Raises `ToolFailed` as `McpConnection.call_tool` does.
        """
        is_repeatable = self._repeatable(tool_name)
        for is_last in (False, True):
            if not (self.up.is_set() and self._settled.is_set()):
                await self._wait_for_call()
            session = self._session
            with watching() as exchange:
                exchange.sent = not isinstance(self.server, _CLIENTS)
                try:
                    result = await self._call(tool_name, arguments, meta)
                except Exception as error:
                    found = self._outcome(error, exchange)
                    if found.fate == "unasked":
                        await self._speak_earlier(session, is_last)
                    elif session is self._session:
                        self._doubt(found, self._why_lost(error, exchange, found), is_last)
                    may_repeat = (
                        found.refused
                        or found.fate == "unasked"
                        or (is_repeatable and found.fate in _NO_ANSWER)
                    )
                    if is_last or not (may_repeat and await self._has_another(session)):
                        failed = self._failed(error, exchange)
                        raise failed.told(found, is_repeatable=is_repeatable) from error
                else:
                    if self.error is not None and session is self._session:
                        self.error = None
                    return result
        raise AssertionError("unreachable")

    async def _speak_earlier(self, session: object, is_last: bool) -> None:
        """Begin a new session of an earlier protocol, by which the server can ask the user."""
        for _ in range(int(self.timing.call / _LOOKS)):
            if not (self.calls and self._outgoing.may_go_back):
                break
            # A new session would end the calls of others
            await asyncio.sleep(_LOOKS)
        if (
            self.up.is_set()
            and session is self._session
            and not (is_last or self.calls)
            and self._outgoing.go_back()
        ):
            self._lose(UNASKED)

    async def _wait_for_call(self) -> None:
        if not await self._is_up(self._patience):
            raise ToolFailed(f"`{self.name}` is not available right now. {NOT_RUN}")

    def _doubt(self, found: Outcome, reason: str, is_last: bool) -> None:
        """Begin a new session if the old one does not work; look, if that is not sure."""
        if found.fate == "works":
            return
        is_sure = found.fate == "closed" or (found.fate == "gone" and not is_last)
        # A new session would end the calls of others in the old one
        if is_sure or (
            found.fate == "doubtful" and not (is_last or self.calls) and self._doubts.take()
        ):
            self._lose(reason)
        else:
            self.error = reason
            self._look()

    async def _has_another(self, session: object) -> bool:
        """Wait until it is clear whether the session works, and return whether it was replaced."""
        return await self._is_up(self._patience) and session is not self._session

    @property
    def _patience(self) -> float:
        """How long a call waits: not for what has been down for a while."""
        if self.up.is_set():
            return self.timing.call
        return max(0.0, self._lost_at + self.timing.call - time.monotonic())

    def _outcome(self, error: Exception, exchange: Exchange) -> Outcome:
        refused = self.reporter.refused
        if isinstance(error, ToolFailed) or (refused is not None and refused in str(error)):
            if names_session(str(error)):
                # A gateway tells of its own lost session as if it were the tool's error
                self._suspect()
            return Outcome("works", False)
        found = outcome(error, exchange)
        if found.fate == "works" and isinstance(error, MCPError):
            # Most probably the tool's own, but a server without the session may say anything
            self._suspect()
        return found

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


def _note_error(task: asyncio.Task[None]) -> None:
    """Have asyncio not report the error of a task that nobody waits for any more."""
    if not task.cancelled():
        task.exception()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
