"""Which connection to PostgreSQL took a turn's last heartbeat."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("tortoise_store", "0002_turns")]
_CHANGES: list[Operation] = [
    ops.AddField(model_name="Turn", name="backend", field=fields.IntField(null=True)),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _CHANGES
