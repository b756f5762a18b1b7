"""When a thumb was given."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("tortoise_store", "0004_probe")]
_CHANGES: list[Operation] = [
    ops.AddField(model_name="Feedback", name="given", field=fields.FloatField(null=True)),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _CHANGES
