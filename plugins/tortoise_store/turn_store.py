"""The records of turns, in the same database as the conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from tortoise.exceptions import IntegrityError

from chatkit_server import User
from chatkit_server.storage import (
    HeartbeatReply,
    HeartbeatSignal,
    TakenOver,
    TurnRecord,
    TurnState,
    TurnStore,
)

from . import turn_sql
from .database import Database
from .identities import as_text, require_storable, storable


class TortoiseTurnStore(TurnStore):
    """Stores the records of turns for all servers of a database, with times by its clock.

    What changes a record is one statement. The user of a returned record has only tenant and id. On
    PostgreSQL, a turn is also stale if the connection of its last heartbeat is gone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.address.is_sqlite
        self._begun: dict[str, int] = {}

    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        state, thread_id = ("beside", None) if record.beside else ("running", record.thread_id)
        return await self._record(record, state, thread_id, repeat)

    async def accept(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        return await self._record(record, "accepted", None, repeat)

    async def _record(
        self, record: TurnRecord, state: str, thread_id: str | None, repeat: float
    ) -> TurnRecord | None:
        """Insert a turn, or return the one of its request, or the one that runs in the thread."""
        require_storable(record.user)
        self._database.require_room()
        owner = _owner(record.user)
        values = (
            *owner,
            record.id,
            record.thread_id,
            record.operation,
            as_text(record.model),
            record.request,
            record.content,
            record.attempt,
            _text(record.partial),
            _text(record.accepted),
            state,
            repeat,
        )
        # Until its first heartbeat: nobody else knows yet that it runs
        self._begun[record.id] = record.attempt
        recorded = False
        try:
            while True:
                if await self._database.rows(turn_sql.BEGIN, values):
                    recorded = True
                    return None
                asked = (*owner, record.id, thread_id, record.request, repeat)
                rows = await self._database.rows(turn_sql.IN_THE_WAY, asked)
                # None: it has ended meanwhile
                if rows:
                    return _record(rows[0])
        finally:
            if not recorded:
                self._begun.pop(record.id, None)

    async def begin_accepted(self, record: TurnRecord) -> TurnRecord | None:
        owner, rows = _owner(record.user), self._database.rows
        model, partial = as_text(record.model), _text(record.partial)
        values = (*owner, record.thread_id, record.id, record.attempt, model, partial)
        while True:
            with suppress(IntegrityError):
                if await rows(turn_sql.BEGIN_ACCEPTED, values):
                    return None
            if not await rows(turn_sql.IS_CURRENT, (*owner, record.id, record.attempt)):
                raise TakenOver("another process has taken this turn over, or it has ended")
            other = await self.next_in(record.thread_id, record.user)
            # Itself: the one before it has ended meanwhile
            if other is not None and other.id != record.id:
                return other

    async def next_in(self, thread_id: str, user: User) -> TurnRecord | None:
        return await self._one(turn_sql.NEXT, user, thread_id)

    async def release(self, turn_id: str, attempt: int) -> None:
        self._begun.pop(turn_id, None)
        await self._database.rows(turn_sql.RELEASE, (turn_id, attempt))

    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        for beat in beats:
            self._begun.pop(beat.turn_id, None)
        values = [(beat.turn_id, beat.attempt, _text(beat.partial)) for beat in beats]
        if self._sqlite:
            parameter = orjson.dumps(values).decode()
            rows = await self._database.rows(turn_sql.SQLITE_BEAT, (parameter,))
        else:
            columns = [list(column) for column in zip(*values, strict=True)] or [[], [], []]
            rows = await self._database.rows(turn_sql.BEAT, columns)
        replies = {row["id"]: _reply(row) for row in rows}
        return {beat.turn_id: replies.get(beat.turn_id, "lost") for beat in beats}

    def keep_alive(self, beats: Sequence[HeartbeatSignal]) -> None:
        attempts = self._begun | {beat.turn_id: beat.attempt for beat in beats}
        if not attempts:
            return
        if self._sqlite:
            parameter = orjson.dumps(list(attempts.items())).decode()
            self._database.execute_apart(turn_sql.SQLITE_KEEP_ALIVE, (parameter,))
        else:
            columns = (list(attempts), list(attempts.values()))
            self._database.execute_apart(turn_sql.KEEP_ALIVE, columns)

    async def end(
        self,
        turn_id: str,
        attempt: int,
        state: TurnState,
        error: str | None,
        partial: bytes | None = None,
    ) -> bool:
        self._begun.pop(turn_id, None)
        text = None if error is None else as_text(error)
        values = (turn_id, attempt, state, text, _text(partial))
        return bool(await self._database.rows(turn_sql.END, values))

    async def withdraw(self, turn_id: str, attempt: int) -> None:
        self._begun.pop(turn_id, None)
        await self._database.rows(turn_sql.WITHDRAW, (turn_id, attempt))

    async def find(self, turn_id: str, user: User) -> TurnRecord | None:
        return await self._one(turn_sql.FIND, user, turn_id)

    async def running(self, thread_id: str, user: User) -> TurnRecord | None:
        return await self._one(turn_sql.RUNNING, user, thread_id)

    async def find_by_request(self, request: str, user: User, seconds: float) -> TurnRecord | None:
        return await self._one(turn_sql.ASKED, user, request, seconds)

    async def cancel(self, turn_id: str, user: User) -> bool:
        return bool(await self._rows(turn_sql.CANCEL, user, turn_id))

    async def visit(self, turn_id: str, user: User, seconds: float) -> None:
        await self._rows(turn_sql.VISIT, user, turn_id, seconds)

    async def stale(self, seconds: float) -> list[TurnRecord]:
        rows = await self._database.rows(turn_sql.STALE, (seconds,))
        return [_record(row) for row in rows]

    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        self._begun.pop(turn_id, None)
        values = (turn_id, attempt, seconds)
        return bool(await self._database.rows(turn_sql.TAKE_OVER, values))

    async def abandon(self, before: float) -> None:
        """Make running turns stale whose last heartbeat was before then, in s since 1970."""
        await self._database.rows(turn_sql.ABANDON, (before,), is_long=True)

    async def prune(self, seconds: float) -> None:
        await self._database.rows(turn_sql.PRUNE, (seconds,), is_long=True)

    async def _one(
        self, statement: str, user: User, identity: str, *values: Any
    ) -> TurnRecord | None:
        rows = await self._rows(statement, user, identity, *values)
        return _record(rows[0]) if rows else None

    async def _rows(
        self, statement: str, user: User, identity: str, *values: Any
    ) -> list[dict[str, Any]]:
        if not all(storable(name) for name in (user.tenant, user.id, identity)):
            return []
        return await self._database.rows(statement, (*_owner(user), identity, *values))


def _reply(row: Mapping[str, Any]) -> HeartbeatReply:
    if row["thread_deleted"]:
        return "deleted"
    if row["cancel"]:
        return "cancel"
    return "visited" if row["visited"] else "go on"


def _owner(user: User) -> tuple[str, str]:
    return user.tenant, user.id


def _text(partial: bytes | None) -> str | None:
    return None if partial is None else partial.decode()


def _record(row: Mapping[str, Any]) -> TurnRecord:
    partial, accepted = row["partial"], row["accepted"]
    return TurnRecord(
        id=row["id"],
        thread_id=row["thread_id"],
        user=User(row["user_id"], row["tenant"]),
        operation=row["operation"],
        model=row["model"],
        request=row["request"],
        content=row["content"],
        attempt=row["attempt"],
        state="running" if row["state"] == "beside" else row["state"],
        partial=None if partial is None else partial.encode(),
        error=row["error"],
        beside=row["state"] == "beside",
        accepted=None if accepted is None else accepted.encode(),
    )
