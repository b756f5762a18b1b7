"""One turn of a request at a time, whichever processes get it."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("tortoise_store", "0007_accepted")]
_RUNS = "state IN ('running', 'beside', 'accepted')"
_CHANGES: list[Operation] = [
    # Servers before this could begin two: the newer one is found by the request from now on
    ops.RunSQL(
        f"UPDATE chatkit_turn SET request = NULL WHERE request IS NOT NULL AND {_RUNS} "
        f"AND seq NOT IN (SELECT max(seq) FROM chatkit_turn WHERE {_RUNS} "
        "GROUP BY tenant, user_id, request)",
        "SELECT 1",
    ),
    # As for the index of 0002, a migration that makes the SQLite table anew makes this one anew
    ops.RunSQL(
        "CREATE UNIQUE INDEX chatkit_turn_asked ON chatkit_turn (tenant, user_id, request) "
        f"WHERE {_RUNS}",
        "DROP INDEX chatkit_turn_asked",
    ),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _CHANGES
