"""What an accepted turn is to answer, so that any process can begin it."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("tortoise_store", "0006_elsewhere")]
_CHANGES: list[Operation] = [
    ops.AddField(model_name="Turn", name="accepted", field=fields.TextField(null=True)),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _CHANGES
