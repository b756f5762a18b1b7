"""Notices when PostgreSQL, or the network before it, has gone silent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from types import TracebackType
from typing import Any

import asyncpg

from .postgres_connection import WatchedConnection, connected

_ON_ITS_WAY = 0.2
"""Seconds until an answer that the server has sent has arrived."""

_WAITS = 10

_STATES = "SELECT pid, state FROM pg_stat_activity WHERE pid = pg_backend_pid() OR pid = ANY($1)"

_GONE = "gone"
_AT_REST = (_GONE, "idle", "idle in transaction", "idle in transaction (aborted)")


class Silent(TimeoutError):
    """The server does not answer; the message says to what."""


class Watch:
    """Ends the connections whose server has gone silent.

    A statement may take long, so that it waits says nothing. If one waits for `patience` seconds,
    another connection asks whether the server works at it. If that gets no answer within `answer`
    seconds either, all connections are ended, and `problem` says so until the server answers. All
    limits are in seconds.
    """

    def __init__(self, credentials: Mapping[str, Any], statement: float | None) -> None:
        self.problem: str | None = None
        self._credentials = credentials
        self._limit = statement
        self._attempt = credentials["acquire_timeout"]
        # Both together are over before those who wait for a free connection give up
        self._answer = 0.5 * min(5.0, self._attempt)
        self._patience = min(2.0, 0.4 * self._attempt, (statement or inf) / 4)
        self._hint = ""
        self._reached = False
        self._connections: set[WatchedConnection] = set()
        self._waiting: dict[WatchedConnection, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, connection: WatchedConnection) -> None:
        """Watch a connection until it ends."""
        connection.watch = self
        self._connections.add(connection)
        connection.add_termination_listener(self._connections.discard)

    def statement(self, connection: WatchedConnection) -> _Statement:
        """Watch what the block waits for; errors in it say what happened."""
        return _Statement(self, connection)

    def begin(self, connection: WatchedConnection) -> None:
        """Note that a statement was sent."""
        loop = asyncio.get_running_loop()
        self._waiting[connection] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._patience, self._tick)

    def end(self, connection: WatchedConnection) -> None:
        """Note that a statement was answered, or failed."""
        self._waiting.pop(connection, None)

    def explained(self, connection: WatchedConnection, error: Exception) -> Exception | None:
        """Return an error with better words for one of a statement, if there are any."""
        if self.problem:
            return Silent(self.problem)
        if connection.is_lost:
            return Silent(
                f"no answer to a statement within {self._patience:g} s, and the server does not "
                "work at it: the connection to it was lost"
            )
        if isinstance(error, TimeoutError) and not error.args:
            limit = f" within {self._limit:g} s" if self._limit else ""
            return Silent(f"no answer to a statement{limit}{self._hint}")
        return None

    def drop_idle(self) -> None:
        """End the connections that nobody uses: what is wrong with one may be with all."""
        for connection in [*self._connections]:
            if not connection.in_use:
                connection.terminate()

    def look(self) -> None:
        """Find out whether the server answers, if nobody is at it."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await _cancel(self._task)

    def _tick(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        left = next(iter(self._waiting.values())) + self._patience - loop.time()
        if left <= 0:
            self.look()
        self._timer = loop.call_later(left if left > 0 else self._patience, self._tick)

    async def _look(self) -> None:
        before = asyncio.get_running_loop().time() - self._patience
        late = {
            connection: begun
            for connection, begun in self._waiting.items()
            if begun <= before and not connection.is_closed()
        }
        pids = {connection.get_server_pid(): connection for connection in late}
        asked = asyncio.create_task(self._states(list(pids)))
        try:
            if not await self._done(asked):
                if self._reached:
                    self._no_statements()
                else:
                    await self._all_silent()
                return
            states = asked.result()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # It answers, with a refusal. Statements have a limit of their own
            self.drop_idle()
            return
        finally:
            await _cancel(asked)
        self._hint = ""
        if states is None:
            self.drop_idle()
            return
        at_rest = [other for pid, other in pids.items() if states.get(pid, _GONE) in _AT_REST]
        if at_rest:
            await asyncio.sleep(_ON_ITS_WAY)
            self._end({connection: late[connection] for connection in at_rest})

    async def _states(self, pids: list[int]) -> dict[int, str] | None:
        """Return what the server does for its processes; None behind a pooler, which hides them."""
        self._reached = False
        async with connected(self._credentials) as connection:
            self._reached = True
            rows = await connection.fetch(_STATES, pids)
            states = {row["pid"]: row["state"] for row in rows}
            return states if connection.get_server_pid() in states else None

    async def _done(self, asked: asyncio.Task[Any]) -> bool:
        """Wait for an answer, and return whether it came; cancel the task if not.

        Many short waits: while the event loop is late, only one of them ends.
        """
        for _ in range(_WAITS):
            if (await asyncio.wait({asked}, timeout=self._answer / _WAITS))[0]:
                return True
        await _cancel(asked)
        return False

    def _end(self, dead: Mapping[WatchedConnection, float]) -> None:
        """End connections that wait for a server that does nothing for them."""
        still = [other for other, begun in dead.items() if self._waiting.get(other) == begun]
        for connection in still:
            connection.is_lost = True
            connection.terminate()
        if still:
            self.drop_idle()

    def _no_statements(self) -> None:
        """A pooler answers, and has no connection to PostgreSQL; perhaps idle ones here keep it."""
        self._hint = (
            ", nor to one on a new connection, which a pooler accepted: PostgreSQL behind it is "
            "silent, or it has too few connections to it. Give it more (default_pool_size of "
            "PgBouncer), let it pool transactions, or lower pool_size"
        )
        self.drop_idle()

    async def _all_silent(self) -> None:
        """End all connections, and try to reach the server until it answers."""
        self.problem = (
            f"no answer to a statement within {self._patience:g} s, nor to a new connection "
            f"within {self._answer:g} s"
        )
        for connection in [*self._connections]:
            connection.terminate()
        attempts: set[asyncio.Task[None]] = set()
        try:
            while self.problem:
                # One that began in the silence may stay silent, so the next does not wait for it
                attempt = asyncio.create_task(self._try())
                attempts.add(attempt)
                attempt.add_done_callback(attempts.discard)
                await asyncio.sleep(self._answer / 3)
        finally:
            self.problem = None
            await _cancel(*attempts)

    async def _try(self) -> None:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            try:
                async with asyncio.timeout(self._attempt), connected(self._credentials):
                    pass
            except TimeoutError:
                return
        # Also after a refusal: that is an answer, and those who ask get its words
        self.problem = None


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and wait for their ends."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Statement:
    """Watches one statement."""

    __slots__ = ("_connection", "_watch")

    def __init__(self, watch: Watch, connection: WatchedConnection) -> None:
        self._watch = watch
        self._connection = connection

    def __enter__(self) -> None:
        self._watch.begin(self._connection)

    def __exit__(
        self, _: object, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watch.end(self._connection)
        if isinstance(error, Exception):
            explained = self._watch.explained(self._connection, error)
            if explained is not None:
                raise explained from error
