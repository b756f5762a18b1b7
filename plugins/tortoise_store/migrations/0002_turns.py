"""The table of turns."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("tortoise_store", "0001_initial")]
_TABLES: list[Operation] = [
    ops.CreateModel(
        name="Turn",
        fields=[
            (
                "seq",
                fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True),
            ),
            ("id", fields.CharField(unique=True, max_length=255)),
            ("tenant", fields.CharField(max_length=255)),
            ("user_id", fields.CharField(max_length=255)),
            ("thread_id", fields.CharField(max_length=255)),
            ("operation", fields.TextField(unique=False)),
            ("model", fields.TextField(unique=False)),
            ("request", fields.CharField(null=True, max_length=255)),
            ("attempt", fields.IntField()),
            ("state", fields.CharField(max_length=16)),
            ("cancel", fields.BooleanField(default=False)),
            ("thread_deleted", fields.BooleanField(default=False)),
            ("partial", fields.TextField(null=True, unique=False)),
            ("error", fields.TextField(null=True, unique=False)),
            ("beaten", fields.FloatField()),
            ("ended", fields.FloatField(null=True)),
        ],
        options={
            "table": "chatkit_turn",
            "app": "tortoise_store",
            "indexes": [
                Index(fields=["tenant", "user_id", "thread_id"], name="chatkit_turn_of_thread"),
                Index(fields=["tenant", "user_id", "request"], name="chatkit_turn_of_request"),
                Index(fields=["ended"], name="chatkit_turn_ended"),
            ],
            "pk_attr": "seq",
            "table_description": "Turns under way, and those that ended a short time ago",
        },
        bases=["Model"],
    ),
    # Tortoise has no word for this. A later migration that makes the SQLite table anew, as one that
    # changes a column does, must make this index anew too.
    ops.RunSQL(
        "CREATE UNIQUE INDEX chatkit_turn_running ON chatkit_turn (tenant, user_id, thread_id) "
        "WHERE state = 'running'",
        "DROP INDEX chatkit_turn_running",
    ),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _TABLES
