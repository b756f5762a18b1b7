"""The statements of the turn store. `$1` is the id of a turn, where nothing else is said."""

from __future__ import annotations

from .sql import BACKEND, BEGUN, IS_GONE, NOW, OWNED, RUNS, SKIPPING_LOCK

_COLUMNS = (
    "tenant, user_id, id, thread_id, operation, model, request, content, attempt, state, partial, "
    "error, accepted"
)
_AT_ATTEMPT = f"id = $1 AND attempt = $2 AND {RUNS}"
_STALE = f"{RUNS} AND (beaten < {BEGUN} - CAST({{0}} AS double precision) OR {IS_GONE})"

# $1 is the tenant, $2 the user's id, $13 the seconds for which a turn of the same request counts
# that has ended; the rest are columns in their order. Of those that have not ended, a unique index
# takes one of a request, and one in a thread with the state `running`.
BEGIN = f"""
INSERT INTO chatkit_turn (
    tenant, user_id, id, thread_id, operation, model, request, content, attempt, partial, accepted,
    state, cancel, thread_deleted, beaten, backend
)
SELECT CAST($1 AS text), CAST($2 AS text), $3, $4, $5, $6, CAST($7 AS text), $8,
    CAST($9 AS integer), $10, $11, $12, false, false, {NOW}, {BACKEND}
WHERE NOT EXISTS (
    SELECT 1 FROM chatkit_turn
    WHERE {OWNED} AND request = $7 AND ended > {BEGUN} - CAST($13 AS double precision)
)
ON CONFLICT DO NOTHING
RETURNING seq
"""

# The turn that is in the way of `BEGIN`: the one of the same request, or else the one that runs in
# the thread. $3 is the id, $4 the thread or null, $5 the request, $6 the seconds.
IN_THE_WAY = f"""
SELECT {_COLUMNS} FROM chatkit_turn
WHERE {OWNED} AND (
    id = $3 OR (thread_id = CAST($4 AS text) AND state = 'running') OR (
        request = CAST($5 AS text)
        AND ({RUNS} OR ended > {BEGUN} - CAST($6 AS double precision))
    )
)
ORDER BY coalesce(request = CAST($5 AS text), false) DESC, seq DESC LIMIT 1
"""

# The turn that runs in a thread, or else the one that waits there longest: $3 is the thread.
NEXT = f"""
SELECT {_COLUMNS} FROM chatkit_turn
WHERE {OWNED} AND thread_id = $3 AND state IN ('running', 'accepted')
ORDER BY state = 'running' DESC, seq LIMIT 1
"""

# $1 is the tenant, $2 the user's id, $3 the thread, $4 the turn, $5 the attempt, $6 the model, $7
# the partial answer. Of two that begin at once, PostgreSQL refuses one by the unique index.
BEGIN_ACCEPTED = f"""
UPDATE chatkit_turn SET
    state = 'running', model = $6, partial = $7, beaten = {NOW}, backend = {BACKEND}
WHERE {OWNED} AND id = $4 AND attempt = $5 AND state IN ('running', 'accepted')
AND $4 = (
    SELECT id FROM chatkit_turn
    WHERE {OWNED} AND thread_id = $3 AND state IN ('running', 'accepted')
    ORDER BY state = 'running' DESC, seq LIMIT 1
)
RETURNING seq
"""

# Whether a turn has not ended: $3 is its id, $4 the attempt.
IS_CURRENT = f"SELECT seq FROM chatkit_turn WHERE {OWNED} AND id = $3 AND attempt = $4 AND {RUNS}"

# $2 is the attempt.
RELEASE = f"UPDATE chatkit_turn SET beaten = 0 WHERE {_AT_ATTEMPT}"

_BEAT = f"""
UPDATE chatkit_turn SET
    beaten = {NOW},
    backend = {BACKEND},
    partial = CASE
        WHEN thread_deleted THEN NULL ELSE coalesce(beat.said, partial)
    END
FROM {{0}} AS beat
WHERE chatkit_turn.id = beat.turn_id AND chatkit_turn.attempt = beat.by_attempt
AND {RUNS}
RETURNING id, cancel, thread_deleted, coalesce(visited > {NOW}, false) AS visited
"""

# $1, $2 and $3 are arrays: ids, attempts, partial answers.
BEAT = _BEAT.format(
    "unnest(CAST($1 AS text[]), CAST($2 AS integer[]), CAST($3 AS text[]))"
).replace(" AS beat", " AS beat (turn_id, by_attempt, said)")

# $1 is JSON: an array of arrays of an id, an attempt and a partial answer.
SQLITE_BEAT = _BEAT.format(
    "(SELECT json_extract(value, '$[0]') AS turn_id, json_extract(value, '$[1]') AS by_attempt, "
    "json_extract(value, '$[2]') AS said FROM json_each($1))"
)

# The same while the event loop is late, without the partial answers. The connection is a short one,
# whose end means nothing. A turn that somebody has locked keeps no other waiting.
_KEEP_ALIVE = f"""
UPDATE chatkit_turn SET beaten = {NOW}, backend = NULL WHERE seq IN (
    SELECT seq FROM chatkit_turn JOIN {{0}} AS beat ON id = turn_id AND attempt = by_attempt
    WHERE {RUNS}{{1}}
)
"""
KEEP_ALIVE = _KEEP_ALIVE.format(
    "unnest(CAST($1 AS text[]), CAST($2 AS integer[]))", " FOR UPDATE OF chatkit_turn SKIP LOCKED"
).replace(" AS beat", " AS beat (turn_id, by_attempt)")
SQLITE_KEEP_ALIVE = _KEEP_ALIVE.format(
    "(SELECT json_extract(value, '$[0]') AS turn_id, json_extract(value, '$[1]') AS by_attempt "
    "FROM json_each($1))",
    "",
)

# $2 is the attempt, $3 the state, $4 the error, $5 what takes the place of the partial answer.
END = f"""
UPDATE chatkit_turn SET
    state = $3, error = $4, ended = {NOW},
    partial = CASE WHEN thread_deleted THEN NULL ELSE CAST($5 AS text) END
WHERE {_AT_ATTEMPT}
RETURNING id
"""

# $2 is the attempt.
WITHDRAW = f"DELETE FROM chatkit_turn WHERE {_AT_ATTEMPT}"

# $1 is the tenant, $2 the user's id, $3 the id of the turn.
FIND = f"SELECT {_COLUMNS} FROM chatkit_turn WHERE {OWNED} AND id = $3"
CANCEL = f"""
UPDATE chatkit_turn SET cancel = true WHERE {OWNED} AND id = $3 AND {RUNS}
RETURNING id
"""

# $4 are the seconds.
VISIT = f"""
UPDATE chatkit_turn SET visited = {NOW} + CAST($4 AS double precision)
WHERE {OWNED} AND id = $3 AND {RUNS}
AND coalesce(visited < {NOW} + CAST($4 AS double precision), true)
"""

# $3 is the id of the thread.
RUNNING = (
    f"SELECT {_COLUMNS} FROM chatkit_turn WHERE {OWNED} AND thread_id = $3 AND state = 'running'"
)

# $3 is the request, $4 the seconds.
ASKED = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM chatkit_turn WHERE {OWNED} AND request = $3 ORDER BY seq DESC LIMIT 1
) AS newest
WHERE {RUNS} OR ended > {BEGUN} - CAST($4 AS double precision)
"""

# $1 are the seconds. Only turns that run have no end: the index of ends finds them.
STALE = f"SELECT {_COLUMNS} FROM chatkit_turn WHERE ended IS NULL AND {_STALE.format('$1')}"

# $2 is the attempt, $3 the seconds. Whoever has locked a turn is alive, and works at it.
TAKE_OVER = f"""
UPDATE chatkit_turn SET attempt = attempt + 1, beaten = {NOW}, backend = {BACKEND}
WHERE seq IN (
    SELECT seq FROM chatkit_turn WHERE {_AT_ATTEMPT} AND {_STALE.format("$3")}{SKIPPING_LOCK}
)
RETURNING id
"""

# $1 is a time: the turns whose last heartbeat is older belong to nobody.
ABANDON = f"UPDATE chatkit_turn SET beaten = 0 WHERE ended IS NULL AND {RUNS} AND beaten < $1"

# $1 are the seconds. Rows that somebody deletes at this moment are left to them.
PRUNE = f"""
DELETE FROM chatkit_turn WHERE seq IN (
    SELECT seq FROM chatkit_turn WHERE ended < {BEGUN} - CAST($1 AS double precision){SKIPPING_LOCK}
)
"""
