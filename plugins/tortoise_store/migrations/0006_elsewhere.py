"""What other processes know of a turn's request, and tell of its user."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import Operation

_AFTER = [("tortoise_store", "0005_feedback_time")]
_CHANGES: list[Operation] = [
    ops.AddField(
        model_name="Turn", name="content", field=fields.CharField(max_length=255, null=True)
    ),
    ops.AddField(model_name="Turn", name="visited", field=fields.FloatField(null=True)),
]


class Migration(migrations.Migration):
    dependencies = _AFTER
    operations = _CHANGES
