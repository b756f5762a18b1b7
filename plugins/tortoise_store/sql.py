"""The statements of the store. Each names the owner: `$1` is the tenant, `$2` the user's id."""

from __future__ import annotations

import re
from functools import cache

# A turn that has not ended: it runs `beside` others in its thread, or as the one that owns it, or
# it is accepted, and waits until it may begin.
RUNS = "state IN ('running', 'beside', 'accepted')"

OWNED = "tenant = $1 AND user_id = $2"
_SAME_OWNER = "{0}.tenant = excluded.tenant AND {0}.user_id = excluded.user_id"
_LOCK = " FOR NO KEY UPDATE"
_SHARED_LOCK = " FOR SHARE"
_KEY_LOCK = " FOR KEY SHARE"
SKIPPING_LOCK = " FOR UPDATE SKIP LOCKED"

# Where a write that belongs to a turn is guarded.
_GUARD = "/* guard */"

# The time is the database's: all servers of a database have the same clock. PostgreSQL can look up
# an index by `BEGUN`, and not by `NOW`, which goes on while a statement waits for a lock.
NOW = "date_part('epoch', clock_timestamp())"
BEGUN = "date_part('epoch', statement_timestamp())"
# The process of PostgreSQL at the other end of the connection.
BACKEND = "pg_backend_pid()"

# Whether the process of a turn's last heartbeat is gone, as far as PostgreSQL knows. Connections
# are replaced now and then: a process that lives has sent a heartbeat through the new one since.
# After a restart of PostgreSQL itself all are gone.
MISSED_BEATS = 3.0
IS_GONE = f"""(
    beaten < {BEGUN} - {MISSED_BEATS}
    AND beaten > date_part('epoch', pg_postmaster_start_time())
    AND backend IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = backend)
)"""

_SQLITE_NOW = "((julianday('now') - 2440587.5) * 86400.0)"

# One row, which a server writes to find out whether it can. $1 is something to write. It names the
# tables of a turn: without them, this fails as a turn does.
TRY_WRITE = f"""
INSERT INTO chatkit_probe (id, written, filler)
SELECT 1, {NOW}, $1 WHERE NOT EXISTS (
    SELECT 1 FROM chatkit_thread, chatkit_item, chatkit_turn, chatkit_attachment WHERE false
)
ON CONFLICT (id) DO UPDATE SET written = excluded.written, filler = excluded.filler
"""

# Threads. $3 is the id.

LOAD_THREAD = f"SELECT payload FROM chatkit_thread WHERE {OWNED} AND id = $3"

SAVE_THREAD = f"""
INSERT INTO chatkit_thread (tenant, user_id, id, payload)
SELECT CAST($1 AS text), CAST($2 AS text), CAST($3 AS text), CAST($4 AS text) WHERE true {_GUARD}
ON CONFLICT (id) DO UPDATE SET payload = excluded.payload
WHERE {_SAME_OWNER.format("chatkit_thread")}
RETURNING seq
"""

# $4 is the new payload, $5 the one that it comes from.
CHANGE_THREAD = f"""
UPDATE chatkit_thread SET payload = $4 WHERE {OWNED} AND id = $3 AND payload = $5 {_GUARD}
RETURNING seq
"""

# Deleting a thread deletes the records of its turns first: a guarded write locks in this order too.
# The record of a turn that runs is kept for whoever works at it, who is told to end it.
DELETE_THREAD = (
    f"DELETE FROM chatkit_turn WHERE {OWNED} AND thread_id = $3 AND NOT {RUNS}",
    f"""
UPDATE chatkit_turn
SET partial = NULL, accepted = NULL, cancel = true, thread_deleted = true
WHERE {OWNED} AND thread_id = $3 AND {RUNS}
""",
    f"DELETE FROM chatkit_thread WHERE {OWNED} AND id = $3 RETURNING seq",
)

# Items. $3 is the id of the thread, $4 the item's.

LOAD_ITEM = f"SELECT payload FROM chatkit_item WHERE {OWNED} AND thread_id = $3 AND id = $4"

# The thread is locked before the sequence moves on. So the items of a thread become visible in
# the order of their numbers, and a reader who goes on after the last one it saw misses none.
SAVE_ITEM = f"""
INSERT INTO chatkit_item (tenant, user_id, thread_id, id, payload)
SELECT tenant, user_id, id, $4, $5 FROM chatkit_thread
WHERE {OWNED} AND id = $3 {_GUARD}{_LOCK}
ON CONFLICT (thread_id, id) DO UPDATE SET payload = excluded.payload
RETURNING seq
"""

DELETE_ITEM = f"""
DELETE FROM chatkit_item WHERE {OWNED} AND thread_id = $3 AND id = $4 {_GUARD}
RETURNING seq
"""

# Attachments. $3 is the id, $4 the id of the thread or null.

LOAD_ATTACHMENT = f"SELECT payload FROM chatkit_attachment WHERE {OWNED} AND id = $3"

SAVE_ATTACHMENT = f"""
INSERT INTO chatkit_attachment (tenant, user_id, id, thread_id, payload)
SELECT CAST($1 AS text), CAST($2 AS text), $3, CAST($4 AS text), $5
WHERE (
    CAST($4 AS text) IS NULL
    OR EXISTS (SELECT 1 FROM chatkit_thread WHERE {OWNED} AND id = $4)
) {_GUARD}
ON CONFLICT (id) DO UPDATE SET thread_id = excluded.thread_id, payload = excluded.payload
WHERE {_SAME_OWNER.format("chatkit_attachment")}
RETURNING seq
"""

DELETE_ATTACHMENT = f"DELETE FROM chatkit_attachment WHERE {OWNED} AND id = $3 RETURNING seq"

# Whether a turn is at this attempt: $3 is its id, $4 the attempt.
AT_ATTEMPT = f"""
SELECT 1 FROM chatkit_turn WHERE {OWNED} AND id = $3 AND attempt = $4 AND {RUNS}
"""


@cache
def guarded(statement: str) -> str:
    """Let a statement write only while a turn runs: the last two parameters are its id and attempt.

    The lock makes whoever takes the turn over wait for the write, and the write for them. It is
    taken before any other.
    """
    last = max(int(number) for number in re.findall(r"\$(\d+)", statement))
    turn = (
        f"SELECT 1 FROM chatkit_turn WHERE {OWNED} AND id = ${last + 1} "
        f"AND attempt = ${last + 2} AND {RUNS} AND NOT thread_deleted{_SHARED_LOCK}"
    )
    return statement.replace(_GUARD, f"AND EXISTS ({turn})")


@cache
def page_of_threads(order: str, *, after: bool, most: int, sqlite: bool) -> str:
    """Select a page of threads: $3 is the id to go on after, if there is one; the last, the limit.

    `order` is `asc` for oldest first, or `desc`. On PostgreSQL, rows after those that have `most`
    bytes together come without a payload.
    """
    one = f"(SELECT seq FROM chatkit_thread WHERE {OWNED} AND id = $3)" if after else None
    page = _page(order, {"tenant": "$1", "user_id": "$2"}, one, sqlite)
    rows = f"FROM chatkit_thread WHERE {page} LIMIT ${4 if after else 3}"
    return _within(rows, most, sqlite)


@cache
def page_of_items(order: str, *, after: bool, most: int, sqlite: bool) -> str:
    """Select a page of items: $3 is the thread's id, $4 as $3 for threads; the last, the limit."""
    item = f"chatkit_item WHERE {OWNED} AND thread_id = $3 AND id = $4"
    one = f"(SELECT seq FROM {item})" if after else None
    page = f"{OWNED} AND {_page(order, {'thread_id': '$3'}, one, sqlite)}"
    rows = f"FROM chatkit_item WHERE {page} LIMIT ${5 if after else 4}"
    return _within(rows, most, sqlite)


def _within(rows: str, most: int, sqlite: bool) -> str:
    """Select rows with the payloads that have `most` bytes together, and the one that goes beyond.

    PostgreSQL would send all rows at once. It keeps a large payload beside its row, and only those
    that are sent are read. From SQLite, no more rows are read than are asked for.
    """
    if sqlite:
        return f"SELECT id, payload {rows}"
    return f"""
SELECT id, CASE WHEN before < {most} THEN payload END AS payload FROM (
    SELECT id, payload,
    sum(octet_length(payload)) OVER (ROWS UNBOUNDED PRECEDING) - octet_length(payload) AS before
    FROM (SELECT id, payload {rows}) AS page
) AS sized
"""


def _page(order: str, where: dict[str, str], one: str | None, sqlite: bool) -> str:
    """Select the rows whose columns have the values, beyond the number `one`, in order of `seq`.

    It reads the index of the columns and `seq` from that number on, and not a row more. For
    PostgreSQL this is written without `=`. With it, it might walk along the primary key, past all
    rows of others: it takes the rows of a thread for spread evenly over the table.
    """
    if order == "asc":
        beyond, up_to, direction, start = ">", "<=", "ASC", one or "0"
    else:
        beyond, up_to, direction, start = "<", ">=", "DESC", one or str(2**63 - 1)
    if sqlite:
        equal = " AND ".join(f"{column} = {value}" for column, value in where.items())
        return f"{equal} AND seq {beyond} {start} ORDER BY seq {direction}"
    columns, values = ", ".join(where), ", ".join(where.values())
    sorting = ", ".join(f"{column} {direction}" for column in (*where, "seq"))
    return (
        f"({columns}, seq) {beyond} ({values}, {start}) AND ({columns}) {up_to} ({values}) "
        f"ORDER BY {sorting}"
    )


def save_feedback(items: int) -> str:
    """Insert or change thumbs: $3 is the thread's id, then the ids of the items, then the kind.

    The items are locked: one that is deleted meanwhile gets no thumb.
    """
    ids = ", ".join(f"${number}" for number in range(4, 4 + items))
    return f"""
INSERT INTO chatkit_feedback (tenant, user_id, item_id, kind, given)
SELECT tenant, user_id, seq, ${4 + items}, {NOW} FROM chatkit_item
WHERE {OWNED} AND thread_id = $3 AND id IN ({ids}) ORDER BY seq{_KEY_LOCK}
ON CONFLICT (item_id, tenant, user_id) DO UPDATE SET kind = excluded.kind, given = excluded.given
"""


@cache
def list_feedback(*, texts: bool) -> str:
    """Select the thumbs of all users, for the operator of the server.

    $1 is the number to go on after, $2 the kind or "" for both, $3 the earliest time or 0 for all,
    $4 the limit. `texts` adds the payload of the item, and that of the user's message before it.
    """
    # The type stands before all that a user has written
    asked = """
(SELECT q.payload FROM chatkit_item AS q
WHERE q.thread_id = i.thread_id AND q.seq < i.seq AND q.payload LIKE '%"type":"user_message"%'
ORDER BY q.seq DESC LIMIT 1)
"""
    more = f", i.payload AS text, {asked} AS question" if texts else ""
    return f"""
SELECT f.seq, f.kind, f.given, f.tenant, f.user_id AS "user", i.thread_id AS thread, i.id AS item
{more} FROM chatkit_feedback AS f JOIN chatkit_item AS i ON i.seq = f.item_id
WHERE f.seq > $1 AND CAST($2 AS text) IN ('', f.kind) AND (CAST($3 AS float) = 0 OR f.given >= $3)
ORDER BY f.seq LIMIT $4
"""


@cache
def for_sqlite(statement: str) -> str:
    """Return a statement as SQLite takes it: other parameters, its own clock and its own locks."""
    for part, instead in _IN_SQLITE.items():
        statement = statement.replace(part, instead)
    return re.sub(r"\$(\d+)", r"?\1", statement)


_IN_SQLITE = {
    _LOCK: "",
    _SHARED_LOCK: "",
    _KEY_LOCK: "",
    SKIPPING_LOCK: "",
    IS_GONE: "false",
    NOW: _SQLITE_NOW,
    BEGUN: _SQLITE_NOW,
    BACKEND: "NULL",
}
