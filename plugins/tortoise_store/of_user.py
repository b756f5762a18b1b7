"""What the tables have of one user beside conversations; and deleting all of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from chatkit_server import User

from .database import Database
from .identities import storable
from .sql import OWNED

_FEEDBACK = """
SELECT f.kind, f.given, i.id AS item, i.thread_id AS thread
FROM chatkit_feedback f JOIN chatkit_item i ON i.seq = f.item_id
WHERE f.tenant = $1 AND f.user_id = $2 ORDER BY f.seq
"""

_TURNS = f"""
SELECT id, thread_id AS thread, operation, model, state, error, beaten, ended, partial,
    accepted
FROM chatkit_turn WHERE {OWNED} ORDER BY seq
"""

_ATTACHMENTS = f"SELECT payload FROM chatkit_attachment WHERE {OWNED} ORDER BY seq"

_ERASE = {
    # What refers to another row comes before that
    "feedback": """
        DELETE FROM chatkit_feedback WHERE tenant = $1 AND user_id = $2 OR item_id IN
        (SELECT seq FROM chatkit_item WHERE tenant = $1 AND user_id = $2) RETURNING 1
    """,
    "attachments": f"DELETE FROM chatkit_attachment WHERE {OWNED} RETURNING 1",
    "items": f"DELETE FROM chatkit_item WHERE {OWNED} RETURNING 1",
    "turns": f"DELETE FROM chatkit_turn WHERE {OWNED} RETURNING 1",
    "conversations": f"DELETE FROM chatkit_thread WHERE {OWNED} RETURNING 1",
}


async def export_user(database: Database, user: User) -> dict[str, list[Any]]:
    """Return feedback, turns and attachments; the conversations are read from the store."""
    if not _can_exist(user):
        return {}
    owner = (user.tenant, user.id)
    feedback = await database.rows(_FEEDBACK, owner, is_long=True)
    turns = await database.rows(_TURNS, owner, is_long=True)
    attachments = await database.rows(_ATTACHMENTS, owner, is_long=True)
    return {
        "feedback": [{**row, "given": _time(row["given"])} for row in feedback],
        "turns": [
            {**row, "beaten": _time(row["beaten"]), "ended": _time(row["ended"])} for row in turns
        ],
        "attachments": [json.loads(row["payload"]) for row in attachments],
    }


async def erase_user(database: Database, user: User) -> dict[str, int]:
    """Delete all rows of a user, and count them."""
    if not _can_exist(user):
        return {}
    counts = {}
    async with database.transaction() as run:
        for name, statement in _ERASE.items():
            counts[name] = len(await run(statement, (user.tenant, user.id)))
    return counts


def _can_exist(user: User) -> bool:
    return storable(user.tenant) and storable(user.id)


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
